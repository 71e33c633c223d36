"""The clinic of an arm: visits, grades, reactive care, record."""

import pickle

import numpy as np
import pytest

import clinic_signals
from seedbed import errors
from seedbed.trial.care import Care, read_care
from seedbed.trial.clinic import Clinic, read_contents

N = 120
DAYS = clinic_signals.DAYS[:110]


def run(table=None, start=0, n=N, days=DAYS, seed=1, **options):
    table = clinic_signals.arm_table(n, start=start) if table is None else table
    clinic = Clinic(arm="arm", arm_table=table, subjects=clinic_signals.subjects(n, start), seed=seed, days=days)
    return clinic_signals.run(clinic, table, days, **options)


@pytest.fixture(scope="module")
def severe():
    return run(severity=np.linspace(0.05, 6.0, N), cured=np.zeros(N, dtype=bool))


def test_a_subject_is_the_same_alone_and_among_others():
    whole, _ = run()
    part, _ = run(start=40, n=20)
    for name, values in part.measurements.items():
        if name != "target_negative_share":
            np.testing.assert_array_equal(values[::2], whole.measurements[name][40:60][::2], err_msg=name)


def test_the_grid_of_days_changes_no_measurement_on_a_common_day():
    fine, _ = run(days=DAYS)
    coarse, _ = run(days=DAYS[::2])
    for name in ("neutrophils", "avid_volume", "ctdna", "crp"):
        np.testing.assert_array_equal(fine.measurements[name][:, 0], coarse.measurements[name][:, 0])
    np.testing.assert_array_equal(fine.measurements["crp"][:, 20], coarse.measurements["crp"][:, 10])


def test_luck_does_not_depend_on_the_arm():
    asct = clinic_signals.arm_table(N, cart_day=np.nan)
    with_cart, _ = run()
    without, _ = run(table=asct)
    before = with_cart.days < 12
    np.testing.assert_array_equal(
        with_cart.measurements["neutrophils"][:, before], without.measurements["neutrophils"][:, before]
    )


def test_grades_rise_with_severity_and_without_cart_there_are_none(severe):
    record, _ = severe
    worst = record.measurements["crs_grade"].max(axis=1)
    assert worst[:20].mean() < worst[-20:].mean()
    assert worst[-20:].max() >= 3
    without, _ = run(table=clinic_signals.arm_table(N, cart_day=np.nan))
    assert without.measurements["crs_grade"].max() == 0
    assert without.measurements["icans_grade"].max() == 0
    assert (without.measurements["temperature"] >= 38).any()


def test_tocilizumab_follows_grade_2_at_8_mg_per_kg_and_four_doses_at_most(severe):
    record, orders = severe
    given = record.treatments[record.treatments["target"] == "tocilizumab_central"]
    grade = dict(zip(record.subjects, record.measurements["crs_grade"].max(axis=1), strict=True))
    assert given["subject"].map(grade).min() >= 2
    assert set(given["subject"]) == {subject for subject, worst in grade.items() if worst >= 2}
    assert given.groupby("subject").size().max() == 4
    weight = 70.0 + given["subject"] % 10
    np.testing.assert_allclose(given["amount"], 8.0 * weight)
    ordered = [order for order in orders if order.target == "tocilizumab_central"]
    assert sum(int(np.isfinite(order.amount).sum()) for order in ordered) == len(given)


def test_other_reactive_rules_keep_their_thresholds(severe):
    record, _ = severe
    seen = record.measurements
    column = {day: position for position, day in enumerate(record.days)}

    def values(rule, name):
        table = record.treatments[record.treatments["rule"] == rule]
        return seen[name][table["subject"], table["day"].map(column)], table

    platelets, _ = values("platelet_transfusion", "platelets")
    assert platelets.max() < 10
    igg, infusions = values("immunoglobulin", "igg")
    assert igg.max() < 4
    gaps = infusions.groupby("subject")["day"].diff().dropna()
    assert (gaps >= 28).all()
    neutrophils, filgrastim = values("filgrastim_on_demand", "neutrophils")
    assert neutrophils.max() < 0.5
    assert (filgrastim["day"] - 12.0).min() >= 7
    steroid, _ = values("dexamethasone_icans2", "icans_grade")
    crs, _ = values("dexamethasone_icans2", "crs_grade")
    assert ((steroid >= 2) | (crs >= 3)).all()


def test_a_record_can_be_pickled_and_parted(severe):
    record, _ = severe
    assert pickle.loads(pickle.dumps(record)).arm == "arm"
    some = record.take(record.subjects % 2 == 0)
    assert len(some.subjects) == N // 2
    assert set(some.treatments["subject"] % 2) == {0}


def test_wrong_input_is_named():
    table, subjects = clinic_signals.arm_table(3), clinic_signals.subjects(3)
    with pytest.raises(errors.SimulationError, match="different subjects"):
        Clinic(arm="a", arm_table=clinic_signals.arm_table(3, start=1), subjects=subjects, seed=1)
    clinic = Clinic(arm="a", arm_table=table, subjects=subjects, seed=1)
    signals = clinic_signals.signals(1.0, table)
    clinic.visit(1.0, signals)
    with pytest.raises(errors.SimulationError, match="days must increase"):
        clinic.visit(1.0, signals)
    del signals["IL6_signal"]
    with pytest.raises(errors.SimulationError, match="does not give: IL6_signal"):
        clinic.visit(2.0, signals)


def test_care_rules_can_be_chosen_and_unknown_ones_are_named():
    early = read_care("tocilizumab_crs3", "platelet_transfusion")
    assert early.id == "tocilizumab_crs3+platelet_transfusion"
    assert early.rules[0].any_of[0].at_least == 3
    assert len(read_care().rules) == 6
    assert read_contents(care=("immunoglobulin",)).care_rules.rules[0].id == "immunoglobulin"
    with pytest.raises(errors.ContentError, match=r"did you mean .tocilizumab_crs"):
        read_care("tocilizumab_crs")


def test_care_without_any_rule_remembers_nothing():
    nothing = np.full(2, np.nan)
    care = Care(read_care("immunoglobulin"), np.arange(2), np.full(2, 70.0), nothing, nothing)
    assert care.table().empty
    assert (care.last_given("steroid") == -np.inf).all()
