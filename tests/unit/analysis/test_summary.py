"""The rows of summary.json."""

import json

import numpy as np
import pandas as pd
import pytest

from seedbed import analysis
from seedbed.analysis import summary
from seedbed.analysis.summary import Definitions, Quantity, Rate, Time, median
from seedbed.errors import TableError


def endpoints(n: int = 40) -> pd.DataFrame:
    subject = np.arange(n)
    one = pd.DataFrame(
        {
            "subject": subject,
            "arm": "asct",
            "response_d28": np.where(subject < 10, "CR", np.where(subject < 20, "PR", None)),
            "mrd_negative_d90": [True] * 5 + [False] * 15 + [None] * (n - 20),
            "crs_grade": subject % 5,
            "pfs_days": np.linspace(10, 800, n),
            "pfs_event": subject % 2 == 0,
            "cart_cmax_per_ul": np.linspace(1, 100, n),
        }
    )
    return pd.concat([one, one.assign(arm="asct_cart")], ignore_index=True)


def row(rows: list[dict], arm: str, endpoint: str, day: float | None = None) -> dict:
    (found,) = [r for r in rows if (r["arm"], r["endpoint"], r["time_days"]) == (arm, endpoint, day)]
    return found


def test_rates_count_or_leave_out_those_not_assessed():
    rows = analysis.summarize(endpoints())
    response = row(rows, "asct", "complete_response_d28")
    assert response["estimate"] == pytest.approx(10 / 40)
    assert response["n"] == 40
    mrd = row(rows, "asct", "mrd_negative_d90")
    assert mrd["estimate"] == pytest.approx(5 / 20)
    assert mrd["n"] == 20
    assert row(rows, "asct", "crs_grade_3")["estimate"] == pytest.approx(16 / 40)


def test_each_row_has_the_documented_keys_and_is_json():
    rows = analysis.summarize(endpoints())
    keys = ["arm", "endpoint", "time_days", "estimate", "lower", "upper", "n", "unit"]
    keys += ["between_patient", "parameter_sd", "monte_carlo_se"]
    assert all(list(r) == keys for r in rows)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert {r["arm"] for r in rows} == {"asct", "asct_cart"}


def test_quantities_have_median_and_quantiles_between_patients():
    result = row(analysis.summarize(endpoints()), "asct_cart", "cart_cmax")
    assert result["estimate"] == pytest.approx(50.5)
    assert result["between_patient"]["q05"] == pytest.approx(1 + 0.05 * 99)
    assert result["lower"] < 50.5 < result["upper"]
    assert result["parameter_sd"] is None


def test_a_median_that_is_not_reached_is_null():
    table = endpoints().assign(pfs_event=False)
    rows = analysis.summarize(table)
    assert row(rows, "asct", "pfs_median")["estimate"] is None
    assert row(rows, "asct", "pfs", 365)["estimate"] == 1.0


def test_parameter_spread_appears_with_parameter_sets_and_is_zero_without_effect():
    generator = np.random.default_rng(5)
    n, n_sets = 4000, 8
    sets = pd.Series(np.arange(n) % n_sets, index=np.arange(n))
    shift = np.linspace(-1, 1, n_sets)[sets.to_numpy()]
    table = pd.DataFrame({"subject": np.arange(n), "arm": "a", "cart_cmax_per_ul": generator.normal(10 + shift, 1)})
    definition = Quantity(kind="quantity", endpoint="cmax", column="cart_cmax_per_ul", unit="1/uL")
    (found,) = analysis.summarize(table, [definition], parameter_sets=sets)
    # spread of eight equidistant values on [-1, 1]; 0.12: the shifts are not small beside the patients' own spread
    assert found["parameter_sd"] == pytest.approx(np.linspace(-1, 1, n_sets).std(ddof=1), abs=0.12)
    (flat,) = analysis.summarize(
        table.assign(cart_cmax_per_ul=generator.normal(10, 1, n)), [definition], parameter_sets=sets
    )
    assert flat["parameter_sd"] < 0.06


@pytest.mark.parametrize(("true_sd", "lower", "upper"), [(0.0, 0.0, 0.1), (0.25, 0.2, 0.3)])
def test_few_patients_a_set_are_not_taken_for_parameters(true_sd, lower, upper):
    """Four patients in each of 250 sets: the luck of four patients is a spread of 0.25 between sets by itself."""
    generator = np.random.default_rng(6)
    n, n_sets = 1000, 250
    sets = pd.Series(np.arange(n) % n_sets, index=np.arange(n))
    chance = np.clip(0.5 + true_sd * np.where(np.arange(n_sets) % 2, 1, -1), 0, 1)[sets.to_numpy()]
    responds, cured = generator.random((2, n)) < chance
    days = np.where(cured, 1000.0, generator.uniform(1, 360, n))
    table = pd.DataFrame(
        {
            "subject": np.arange(n),
            "arm": "a",
            "best_response": np.where(responds, "CR", "PD"),
            "pfs_days": days,
            "pfs_event": ~cured,
        }
    )
    wanted = {("best_complete_response", None), ("pfs", 365.0), ("pfs", 730.0)}
    found = [r for r in analysis.summarize(table, parameter_sets=sets) if (r["endpoint"], r["time_days"]) in wanted]
    assert len(found) == 3
    assert all(lower <= r["parameter_sd"] <= upper for r in found)


def test_differences_compare_each_subject_with_itself():
    generator = np.random.default_rng(8)
    n, n_sets = 2000, 20
    sets = pd.Series(np.arange(n) % n_sets, index=np.arange(n))
    effect = np.linspace(0, 4, n_sets)[sets.to_numpy()]
    day = generator.normal(12, 3, n)
    tables = [
        pd.DataFrame({"subject": np.arange(n), "arm": a, "anc_engraftment_day": d})
        for a, d in (("a", day + effect), ("b", day))
    ]
    definition = Quantity(kind="quantity", endpoint="anc", column="anc_engraftment_day", unit="day")
    (found,) = summary.differences(pd.concat(tables), ("a", "b"), definition, parameter_sets=sets)
    assert found["estimate"] == pytest.approx(2.0, abs=0.3)
    assert found["parameter_sd"] == pytest.approx(np.linspace(0, 4, n_sets).std(ddof=1), rel=0.25)
    picks = generator.integers(0, n, (300, n))
    repeated = np.median((day + effect)[picks], axis=1) - np.median(day[picks], axis=1)
    assert found["monte_carlo_se"] == pytest.approx(repeated.std(), rel=0.2)
    assert found["lower"] < 0.2


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_a_long_tail_does_not_widen_the_parameter_spread_of_a_median(spread):
    """Evidence: the medians of the sets themselves, each from 2,000 patients."""
    generator = np.random.default_rng(9)
    n, n_sets = 100_000, 50
    set_of = np.arange(n) % n_sets
    log_median = generator.normal(3.0, 0.2, n_sets)
    values = np.exp(generator.normal(log_median[set_of], spread))
    table = pd.DataFrame({"subject": np.arange(n), "arm": "a", "il6_peak_pg_ml": values})
    definition = Quantity(kind="quantity", endpoint="il6", column="il6_peak_pg_ml", unit="pg/mL")
    (found,) = analysis.summarize(table, [definition], parameter_sets=pd.Series(set_of, index=np.arange(n)))
    medians = table.groupby(set_of)["il6_peak_pg_ml"].median()
    assert found["parameter_sd"] == pytest.approx(medians.std(), rel=0.2)


def test_weights_for_censoring_give_the_kaplan_meier_estimate():
    generator = np.random.default_rng(7)
    event_day, end = generator.exponential(300, 500), generator.uniform(50, 900, 500)
    time, event = pd.Series(np.minimum(event_day, end)), pd.Series(event_day <= end)
    by_day = summary._by_day(time, event, event, 365.0)
    assert by_day.mean() == pytest.approx(1.0 - analysis.kaplan_meier(time, event).at(365.0).value, abs=1e-12)


def test_definitions_without_their_columns_are_left_out():
    rows = analysis.summarize(endpoints()[["subject", "arm", "crs_grade"]])
    assert {r["endpoint"] for r in rows} == {"crs_any", "crs_grade_2", "crs_grade_3"}


def test_missing_arm_and_missing_parameter_set_are_refused():
    with pytest.raises(TableError, match='column "arm" is missing'):
        analysis.summarize(pd.DataFrame({"subject": [1]}))
    with pytest.raises(TableError, match="40 subjects have no parameter set"):
        analysis.summarize(endpoints(), parameter_sets=pd.Series([0, 1], index=[900, 901]))


def test_an_endpoint_nobody_has_gives_a_row_with_n_zero():
    table = endpoints().assign(cart_cmax_per_ul=np.nan, mrd_negative_d90=None)
    rows = analysis.summarize(table)
    for endpoint in ("cart_cmax", "mrd_negative_d90"):
        assert row(rows, "asct", endpoint)["n"] == 0
        assert row(rows, "asct", endpoint)["estimate"] is None


def test_median_interval_covers_at_its_level():
    generator = np.random.default_rng(7)
    hits = [median(generator.normal(size=101)).includes(0.0) for _ in range(1000)]
    assert 0.94 <= np.mean(hits) <= 0.985  # conservative by construction; Monte Carlo error 0.007


def test_standard_definitions_have_unique_names():
    names = [definition.endpoint for definition in analysis.standard_definitions()]
    assert len(names) == len(set(names))
    assert {type(d) for d in analysis.standard_definitions()} >= {Rate, Time, Quantity}
    assert Definitions.model_config["extra"] == "forbid"


def test_nothing_is_said_of_days_after_the_data_cut():
    table = endpoints().assign(pfs_event=True, data_cut_days=400.0)
    table["pfs_days"] = table["pfs_days"].clip(upper=400.0)  # the curve ends at zero
    rows = analysis.summarize(table)
    assert row(rows, "asct", "pfs", 365.0)["estimate"] > 0
    after = row(rows, "asct", "pfs", 730.0)
    assert (after["estimate"], after["lower"], after["upper"], after["n"]) == (None, None, None, 40)
