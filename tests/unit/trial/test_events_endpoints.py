"""Events and endpoints of synthetic arms."""

import copy

import numpy as np
import pandas as pd
import pytest

import clinic_signals
from seedbed import errors, library, tables
from seedbed.trial import endpoints, events
from seedbed.trial.clinic import Clinic
from seedbed.trial.rules import read_rules

N = 400
RULES = read_rules()


def arm(name="asct_cart", criteria="lugano2014", disease="large_b_cell_lymphoma", table=None, **options):
    table = clinic_signals.arm_table(N) if table is None else table
    clinic = Clinic(
        arm=name,
        arm_table=table,
        subjects=clinic_signals.subjects(len(table)),
        seed=1,
        disease=disease,
        response_criteria=criteria,
        days=clinic_signals.DAYS,
    )
    record, _ = clinic_signals.run(clinic, table, clinic_signals.DAYS, **options)
    return record, events.derive(record, table), table


SEVERITY = np.exp(np.random.default_rng(1).normal(-0.7, 1.0, N))


@pytest.fixture(scope="module")
def both():
    return arm(severity=SEVERITY)


@pytest.fixture(scope="module")
def asct():
    return arm("asct", table=clinic_signals.arm_table(N, cart_day=np.nan))


@pytest.fixture(scope="module")
def rows(both):
    return endpoints.derive(both[1], both[0], RULES, 730.0)


def test_tables_are_as_documented(both, asct, rows):
    tables.check("events", both[1])
    tables.check("endpoints", rows)
    assert list(rows) == [column.name for column in tables.columns("endpoints")]
    assert list(both[1]) == [column.name for column in tables.columns("events")]
    tables.check("endpoints", endpoints.derive(asct[1], asct[0]))
    assert set(events.EVENTS) == set(next(c for c in tables.columns("events") if c.name == "event").categories)


def test_nothing_happens_after_death(both):
    _, table, _ = both
    death = table[table["event"] == "death"].set_index("subject")["day"]
    assert (table["day"] <= table["subject"].map(death).fillna(np.inf)).all()
    assert (table["end_day"].dropna() <= table["subject"].map(death).fillna(np.inf)[table["end_day"].notna()]).all()
    assert death.index.is_unique


def test_who_is_cured_does_not_progress_and_who_regrows_does(both, rows):
    cured = rows["subject"] % 2 == 0
    assert (rows.loc[cured, "pfs_cause"] != "progression").all()
    assert (rows.loc[~cured, "pfs_cause"] == "progression").mean() > 0.95
    lag = (rows["pfs_days"] - rows["true_progression_day"])[rows["pfs_cause"] == "progression"]
    assert lag.median() >= 0
    assert lag.max() < 120


def test_response_clock_and_days(both, asct, rows):
    assert set(rows["response_clock"]) == {"cart"}
    without = endpoints.derive(asct[1], asct[0], RULES, 730.0)
    assert set(without["response_clock"]) == {"stem_cells"}
    assert (without["day_zero_day"] == 10).all()
    alive = rows["response_d28"].notna()
    assert set(rows.loc[alive, "response_d28"]) <= {"CR", "PR", "SD", "PD"}
    np.testing.assert_allclose(rows["pfs_days_from_day_zero"].dropna(), (rows["pfs_days"] - 12)[rows["pfs_days"] >= 12])


def test_who_dies_before_the_infusion_has_no_day_of_infusion(both):
    record, _, table = both
    early = np.arange(N) < 10
    happened = events.derive(record, table.assign(death_before_day=np.where(early, 11.0, np.nan)))
    rows = endpoints.derive(happened, record, RULES, 730.0)
    assert rows.loc[early, "cart_day"].isna().all()
    assert set(rows.loc[early, "response_clock"]) == {"planned"}
    assert (rows["cart_day"].notna() == rows["infused"]).all()
    assert (rows.loc[early, "stem_cell_day"] == 10).all()
    assert happened.loc[happened["subject"] < 10, "cart_day"].isna().all()
    assert happened.loc[happened["subject"] >= 10, "cart_day"].notna().all()


def test_without_the_planned_cells_response_counts_from_their_planned_day():
    table = clinic_signals.arm_table(N)
    table.loc[:9, "cart_day"] = np.nan
    record, happened, _ = arm(table=table.assign(day_zero_day=12.0))
    rows = endpoints.derive(happened, record, RULES, 730.0)
    assert set(rows.loc[:9, "response_clock"]) == {"planned"}
    assert (rows["day_zero_day"] == 12).all()


def test_relapse_antigen_follows_the_tumor(rows):
    relapsed = rows["pfs_cause"] == "progression"
    negative = rows["relapse_antigen"] == "negative"
    assert (negative[relapsed] == (rows["subject"][relapsed] % 4 == 1)).all()
    assert rows.loc[rows["pfs_event"] & ~relapsed, "relapse_antigen"].isna().all()


def test_toxicity_by_true_cause_and_by_a_clinician(rows, asct):
    severe = SEVERITY > 2
    assert rows.loc[severe, "crs_grade"].mean() > rows.loc[~severe, "crs_grade"].mean()
    assert (rows["crs_grade_clinician"] >= 1).mean() > (rows["crs_grade"] >= 1).mean()
    assert (rows["crs_onset_day"].dropna() >= 0).all()
    without = endpoints.derive(asct[1], asct[0], RULES, 730.0)
    assert (without[["crs_grade", "crs_grade_clinician", "icans_grade"]] == 0).all(axis=None)
    assert without["neutropenic_fever"].mean() > 0.6
    assert without["crs_onset_day"].isna().all()


def test_recovery_and_counts(rows, both):
    assert rows["anc_engraftment_day"].median() == pytest.approx(12, abs=2)
    assert rows["days_anc_below_0_5"].median() == pytest.approx(11, abs=2)
    assert (rows["icaht_confounded_by_transplant"]).all()
    treatments = both[0].treatments
    given = treatments[treatments["kind"] == "transfusion"].groupby("subject").size()
    alive = rows.set_index("subject")["os_event"].eq(False)
    pd.testing.assert_series_equal(
        rows.set_index("subject")["platelet_transfusions"][alive],
        given[alive.index][alive],
        check_names=False,
        check_dtype=False,
    )
    cmax = rows["cart_cmax_per_ul"] / (40 * SEVERITY)
    assert cmax.median() == pytest.approx(1.1, abs=0.25)
    assert rows["cart_tmax_days"].median() == pytest.approx(7, abs=1)
    assert (rows["b_cell_aplasia_days"].median()) == pytest.approx(301, abs=20)


def test_a_count_that_never_rises_has_no_day_of_the_peak(both, rows):
    flat = copy.deepcopy(both[0])
    since = flat.days[None, :] - flat.cart_day[:, None]
    flat.measurements["cart"] = np.where(since >= 0, 0.4 * np.exp(-0.1 * np.maximum(since, 0.0)), 0.0)
    none = endpoints.derive(both[1], flat, RULES, 730.0)
    given = rows["cart_tmax_days"].notna().to_numpy()
    assert none["cart_tmax_days"].isna().all()
    assert (none.loc[given, "cart_cmax_per_ul"] > 0).all()


def test_an_earlier_data_cut_only_hides(both, rows):
    early = endpoints.derive(both[1], both[0], RULES, 200.0)
    assert (early["os_days"] <= 200).all()
    assert (early["pfs_event"] <= rows["pfs_event"]).all()
    kept = early["pfs_event"]
    np.testing.assert_allclose(early.loc[kept, "pfs_days"], rows.loc[kept, "pfs_days"])
    assert early["response_d180"].notna().sum() > 0
    assert endpoints.derive(both[1], both[0], RULES, 60.0)["response_d90"].isna().all()


def test_another_schedule_needs_no_new_simulation(both, rows):
    sparse = RULES.model_copy(
        update={"schedule": RULES.schedule.model_copy(update={"response_days": (90.0, 365.0, 730.0)})}
    )
    later = endpoints.derive(both[1], both[0], sparse, 730.0)
    progressed = (rows["pfs_cause"] == "progression") & (later["pfs_cause"] == "progression")
    assert (later["pfs_days"] >= rows["pfs_days"])[progressed].all()
    assert later["pfs_days"][progressed].mean() > rows["pfs_days"][progressed].mean()
    np.testing.assert_array_equal(later["os_days"], rows["os_days"])
    by_size = RULES.model_copy(update={"response": RULES.response.model_copy(update={"method": "ct"})})
    complete = (endpoints.derive(both[1], both[0], by_size, 730.0)["response_d28"] == "CR").sum()
    assert complete < (rows["response_d28"] == "CR").sum()


def test_luck_is_paired_between_arms(both, asct):
    background = [table[table["detail"] == "background"].set_index("subject")["day"] for _, table, _ in (both, asct)]
    common = background[0].index.intersection(background[1].index)
    assert len(common) > 0
    np.testing.assert_allclose(background[0][common], background[1][common])


def test_who_leaves_before_treatment():
    table = clinic_signals.arm_table(N)
    nobody = np.full(N, np.nan)
    first, second = np.arange(N) < 20, (np.arange(N) >= 20) & (np.arange(N) < 40)
    table = table.assign(
        stem_cell_day=np.where(first | second, np.nan, 10.0),
        cart_day=np.where(first | second, np.nan, 12.0),
        day_zero_day=12.0,
        conditioning_day=3.0,
        not_transplanted=np.where(first, "progression", np.where(second, "death", "")),
        not_transplanted_day=np.where(first | second, 2.0, np.nan),
        not_infused=np.where(first, "progression", np.where(second, "death", "")),
        not_infused_day=np.where(first | second, 2.0, np.nan),
        progression_before_day=np.where(first, 2.0, nobody),
        death_before_day=np.where(second, 2.0, nobody),
    )
    record, happened, _ = arm(table=table)
    rows = endpoints.derive(happened, record, RULES, 730.0)
    assert (rows.loc[first, "pfs_days"] == 2).all()
    assert (rows.loc[first, "pfs_cause"] == "progression").all()
    assert (rows.loc[second, "death_cause"] == "before_treatment").all()
    assert not rows.loc[first | second, "infused"].any()
    assert rows.loc[first, "response_clock"].eq("planned").all()
    assert (happened["event"] == "cart_not_infused").sum() == 40


@pytest.mark.parametrize(
    ("criteria", "disease", "best"),
    [
        ("imwg2016", "multiple_myeloma", {"sCR", "CR"}),
        ("b_all", "b_all", {"CR"}),
        ("ipcg2005", "cns_lymphoma", {"CR", "CRu"}),
    ],
)
def test_other_diseases_respond_and_relapse(criteria, disease, best):
    in_brain = disease == "cns_lymphoma"
    burden = 20.0 if in_brain else 200.0
    record, happened, _ = arm(
        criteria=criteria, disease=disease, severity=np.full(N, 0.3), burden=burden, in_brain=in_brain
    )
    rows = endpoints.derive(happened, record, RULES, 1000.0)
    tables.check("endpoints", rows)
    cured = rows["subject"] % 2 == 0
    assert rows.loc[cured & rows["best_response"].notna(), "best_response"].isin(best).mean() > 0.8
    assert (rows.loc[~cured, "pfs_cause"] == "progression").mean() > 0.9
    assert (rows.loc[cured, "pfs_cause"] == "progression").mean() < 0.05


def test_wrong_input_is_named(both, asct):
    with pytest.raises(errors.TableError, match="events of arm asct given with the record of arm asct_cart"):
        endpoints.derive(asct[1], both[0])
    with pytest.raises(errors.TableError, match="data cut on day 9999"):
        endpoints.derive(both[1], both[0], RULES, 9999)


@pytest.mark.parametrize(
    ("named", "instead", "told"),
    [
        (
            "crs: crs.astct2019",
            "crs: crs.astct2091",
            r"""line 6  criteria.crs = "crs.astct2091"; expected 'crs.astct2019'""",
        ),
        ("icaht: icaht.ehaebmt2023", "icaht: heme.ctcae5", r'line 9  criteria.icaht = "heme.ctcae5"; expected'),
        ("nhl.lugano2014", "crs.astct2019", r'line 11  criteria.response.lugano2014 = "crs.astct2019"; expected'),
    ],
)
def test_a_criterion_that_does_not_grade_this_is_refused(named, instead, told, tmp_path):
    text = library.path("rules/standard.yaml").read_text(encoding="utf-8")
    assert named in text
    (tmp_path / "rules.yaml").write_text(text.replace(named, instead), encoding="utf-8")
    with pytest.raises(errors.ContentError, match=told):
        read_rules(tmp_path / "rules.yaml")
