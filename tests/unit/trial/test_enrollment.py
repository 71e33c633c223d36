import numpy as np
import pandas as pd
import pytest

from seedbed import protocol
from seedbed.errors import ContentError
from seedbed.protocol import ParameterChange
from seedbed.trial import enrollment
from seedbed.trial.logistics import luck_of, schedule

N = 600


@pytest.fixture(scope="module")
def trial():
    found, who = enrollment.read("wei_2022_tp53")
    return protocol.square(found), who


@pytest.fixture(scope="module")
def enrolled(trial):
    return enrollment.enroll(*trial, N, seed=4)


def test_everybody_stands_in_every_arm_in_the_same_order(trial, enrolled):
    assert list(enrolled.arm_tables) == list(trial[0].arms)
    for table in enrolled.arm_tables.values():
        np.testing.assert_array_equal(table["subject"], enrolled.subjects["subject"])
    assert len(enrolled.subjects) == N


def test_all_enrolled_meet_the_eligibility(trial, enrolled):
    for condition in trial[0].eligibility:
        assert condition.holds(enrolled.subjects).all()


def test_selection_marks_whom_an_arm_of_the_study_took(trial, enrolled):
    table, subjects = enrolled.arm_tables["asct_cart"], enrolled.subjects
    taken = subjects[table["selected"].to_numpy()]
    assert taken["age"].max() <= 65
    assert set(taken["remission_status"]) <= {"SD", "PR", "CR"}
    assert 0.2 < table["selected"].mean() < 0.6
    measurable = (subjects["tumor_burden_ml"] > 1.0) & subjects["remission_status"].isin(["PD", "SD", "PR"])
    assert enrolled.arm_tables["cart"]["selected"].equals(measurable.rename("selected"))
    assert 0.2 < measurable.mean() < 1.0


def test_cells_are_given_on_their_day_after_the_graft(enrolled):
    table = enrolled.arm_tables["asct_cart"].dropna(subset=["cart_day", "stem_cell_day"])
    np.testing.assert_array_equal(table["cart_day"] - table["stem_cell_day"], np.full(len(table), 3.0))
    np.testing.assert_array_equal(table["stem_cell_day"] - table["conditioning_day"], np.full(len(table), 6.0))
    assert (table["conditioning_day"] % 1 == 0).all()


def test_what_an_arm_does_not_give_has_no_day(enrolled):
    tables = enrolled.arm_tables
    assert tables["cart"]["stem_cell_day"].isna().all()
    assert tables["asct"]["cart_day"].isna().all()
    assert tables["neither"][["stem_cell_day", "cart_day"]].isna().to_numpy().all()
    assert not tables["neither"]["conditioned"].any()
    for table in tables.values():
        assert table["day_zero_day"].notna().all()


def test_who_is_treated_with_neither_counts_from_where_treatment_would_have_begun(enrolled):
    tables = enrolled.arm_tables
    np.testing.assert_array_equal(tables["neither"]["day_zero_day"], tables["asct_cart"]["day_zero_day"])
    np.testing.assert_array_equal(tables["neither"]["leaves_day"], tables["asct_cart"]["leaves_day"])


def test_reasons_and_days_go_together(enrolled):
    table = enrolled.arm_tables["asct_cart"]
    for part, day in (("transplanted", "stem_cell_day"), ("infused", "cart_day")):
        without = table[f"not_{part}"] != ""
        assert table.loc[without, day].isna().all()
        assert table.loc[~without, day].notna().all()
        np.testing.assert_array_equal(table[f"not_{part}_day"].notna(), without)
    reasons = set(table["not_infused"]) | set(table["not_transplanted"])
    assert {"", "progression", "mobilization_failure", "manufacturing_failure"} <= reasons


def test_a_failed_mobilization_is_a_poor_harvest(enrolled):
    table = enrolled.arm_tables["asct"]
    failed = (table["not_transplanted"] == "mobilization_failure").to_numpy()
    assert failed.any()
    assert (enrolled.subjects.loc[failed, "cd34_collected"] < 2.0).all()
    assert not enrolled.arm_tables["cart"]["not_infused"].eq("mobilization_failure").any()


def test_waiting_longer_loses_more_patients(enrolled):
    early, late = enrolled.arm_tables["asct"], enrolled.arm_tables["asct_cart"]
    assert early["leaves_day"].notna().sum() <= late["leaves_day"].notna().sum()
    left_early = early["leaves_day"].notna().to_numpy()
    assert late["leaves_day"].notna().to_numpy()[left_early].all()


def test_a_patient_without_product_goes_on_or_stops_as_the_protocol_says(trial):
    found, who = trial
    stopping = found.model_copy(update={"logistics": found.logistics.model_copy(update={"without_cart": "stop"})})
    patients, _ = enrollment.screen(found, who, np.arange(2000), seed=4)
    luck = luck_of(patients, 4)
    goes_on, stops = (schedule(p.arms["asct_cart"], patients, luck) for p in (found, stopping))
    failed = (goes_on["not_infused"] == "manufacturing_failure").to_numpy()
    assert failed.any()
    assert goes_on.loc[failed, "stem_cell_day"].notna().all()
    assert stops.loc[failed, "stem_cell_day"].isna().all()
    assert (stops.loc[failed, "not_transplanted"] == "manufacturing_failure").all()
    assert not stops.loc[failed, "conditioned"].any()


def test_cells_that_are_late_are_infused_when_ready_if_nobody_waits(trial):
    found, who = trial
    hurried = found.model_copy(update={"logistics": found.logistics.model_copy(update={"wait_for_cells": False})})
    patients, _ = enrollment.screen(found, who, np.arange(500), seed=4)
    table = schedule(hurried.arms["asct_cart"], patients, luck_of(patients, 4))
    gap = table["planned_cart_day"] - table["planned_stem_cell_day"]
    assert (gap >= 3).all()
    assert (
        table["conditioning_day"]
        <= schedule(found.arms["asct_cart"], patients, luck_of(patients, 4))["conditioning_day"]
    ).all()


def test_the_product_decides_its_parameters_and_patients_scale_them(trial, enrolled):
    values = enrollment.parameters(enrolled, "cart")
    assert (values["targets_antigen1"] == 1.0).all()
    assert (values["targets_antigen2"] == 1.0).all()
    assert (values["costimulation_proliferation"] == 1.15).all()
    assert values["f_cart_memory_product"].between(0.01, 0.95).all()
    assert values["cart_potency"].median() == pytest.approx(1.0, rel=0.1)
    slow = enrolled.subjects["low_expander"].to_numpy(dtype=bool)
    growth = values["k_effector_proliferation_max"]
    assert growth[slow].median() < 0.75 * growth[~slow].median()


def test_a_batch_has_the_same_luck_in_every_arm(enrolled):
    both, alone = (enrollment.parameters(enrolled, arm) for arm in ("asct_cart", "cart"))
    pd.testing.assert_frame_equal(both, alone)


def test_arms_with_other_products_differ_in_the_product_only():
    found, who = enrollment.read("wang_2016")
    enrolled = enrollment.enroll(found, who, 50, seed=2)
    first, second = (enrollment.parameters(enrolled, arm) for arm in ("nhl1", "nhl2"))
    differing = {name for name in first if not np.allclose(first[name], second[name])}
    assert differing == {
        f"costimulation_{what}" for what in ("proliferation", "exhaustion", "cytokine", "il2", "memory")
    }


def test_several_products_act_as_one_that_sees_all_targets():
    found, who = enrollment.read("myeloma_cd19_bcma_consolidation")
    enrolled = enrollment.enroll(found, who, 50, seed=2)
    values = enrollment.parameters(enrolled, "asct_cart")
    assert (values["targets_antigen1"] == 1.0).all()
    assert values["targets_antigen2"].unique() == pytest.approx([0.05])
    assert (values["weight_plasma_cell_target"] == 1.0).all()
    cells = enrolled.arm_tables["asct_cart"]["cart_cells"] / enrolled.subjects["weight_kg"] * 1e9
    np.testing.assert_allclose(cells, 6e7)


def test_the_flow_adds_up(trial, enrolled):
    flow = enrolled.flow.pivot_table(index="step", columns="arm", values="n", sort=False)
    excluded = flow.loc[[step for step in flow.index if step.startswith("excluded")]].sum()
    assert (flow.loc["screened"] - excluded == flow.loc["enrolled"]).all()
    assert (flow.loc["enrolled"] == N).all()
    arm = flow["asct_cart"]
    lost = sum(arm[step] for step in flow.index if step.startswith("not infused"))
    assert arm["infused"] + lost == arm["selected"]


def test_blocks_hold_the_same_people_as_one_enrollment(trial, enrolled):
    ranges = enrollment.blocks(*trial, N, 4, size=250)
    parts = [enrollment.enroll_between(*trial, first, last, seed=4) for first, last in ranges]
    assert [len(part.subjects) for part in parts] == [250, 250, 100]
    together = pd.concat([part.subjects for part in parts], ignore_index=True)
    pd.testing.assert_frame_equal(together, enrolled.subjects)
    merged = enrollment.merge_flows(pd.concat([part.flow for part in parts], ignore_index=True))
    pd.testing.assert_frame_equal(merged, enrolled.flow)


def test_hardly_anybody_eligible_is_an_error(trial):
    found, who = trial
    rare = protocol.Condition(covariate="age", below=18.01)
    picky = found.model_copy(update={"eligibility": (*found.eligibility, rare)})
    with pytest.raises(ContentError, match=r"the rarest condition is: age < 18\.01; relax it"):
        enrollment.enroll(picky, who, 10, seed=1)


def test_the_car_hematotox_score_is_known_at_enrollment(trial):
    found, who = trial
    low = found.model_copy(update={"eligibility": (protocol.Condition(covariate="car_hematotox", at_most=1),)})
    enrolled = enrollment.enroll(low, who, 30, seed=1)
    assert enrolled.subjects["car_hematotox"].max() <= 1


def test_a_fixed_graft_is_capped_by_the_harvest():
    found, who = enrollment.read("wang_t_2022")
    enrolled = enrollment.enroll(found, who, 200, seed=1)
    table, subjects = enrolled.arm_tables["asct"], enrolled.subjects
    np.testing.assert_allclose(table["cd34_per_kg"], np.minimum(3.05, subjects["cd34_collected"]))


def test_eligibility_for_transplant_is_a_covariate(trial, enrolled):
    subjects = enrolled.subjects
    fit = subjects["transplant_eligible"].to_numpy()
    assert 0.4 < fit.mean() < 0.9
    assert subjects.loc[fit, "age"].max() <= 70
    assert subjects.loc[fit, "cd34_collected"].min() >= 2.0
    assert subjects.loc[fit, "performance_status"].max() <= 1


def test_an_arm_changes_parameters_of_the_model(trial):
    found, who = trial
    source = {"how": "assumed", "reason": "a test"}
    changes = {
        "k_il7_loss": ParameterChange(multiply=2.0, source=source),
        "chemosensitivity": ParameterChange(set=0.5, unit="1", source=source),
    }
    arms = dict(found.arm_contents)
    arms["cart"] = arms["cart"].model_copy(update={"parameters": changes})
    enrolled = enrollment.enroll(found.model_copy(update={"arm_contents": arms}), who, 20, seed=4)
    before, after = (enrollment.parameters(enrolled, arm) for arm in ("asct_cart", "cart"))
    assert list(before) == list(after), "every arm varies the same parameters"
    np.testing.assert_allclose(after["k_il7_loss"], 2.0 * before["k_il7_loss"])
    assert (after["chemosensitivity"] == 0.5).all()
    np.testing.assert_array_equal(before["chemosensitivity"], enrolled.subjects["parameter:chemosensitivity"])
