"""Plans: what is wrong is listed with line and cure."""

import re

import pytest

from seedbed import library
from seedbed.calibration.plan import chosen_rows
from seedbed.calibration.readings import Readings
from seedbed.calibration.run import set_up
from seedbed.calibration.surroundings import evidence_rows, fact_rows, read_plan, surroundings
from seedbed.errors import ContentError

SMALL = library.find("plans", "calibrate_small").read_text(encoding="utf-8")
FULL = library.find("plans", "calibrate_single_therapies").read_text(encoding="utf-8")


def problems(tmp_path, text):
    path = tmp_path / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContentError) as caught:
        read_plan(path)
    return str(caught.value)


@pytest.mark.parametrize("name", ["calibrate_small", "calibrate_single_therapies"])
def test_the_library_s_plans_are_sound(name):
    checked = read_plan(name)
    setup = set_up(checked)
    assert len(setup.latent.terms) > len(checked.arms("fit"))
    assert set(setup.simulator.tasks) == set(checked.plan.arms)


def test_no_combined_arm_is_fitted_and_each_readable_one_is_predicted():
    checked = read_plan("calibrate_single_therapies")
    fitted = {therapy for name in checked.arms("fit") for therapy in checked.rows[name].therapy}
    predicted = {therapy for name in checked.arms("predict") for therapy in checked.rows[name].therapy}
    assert fitted == {"cart", "asct"}
    assert predicted == {"asct_cart"}


def test_priors_do_not_rest_on_the_combination():
    checked = read_plan("calibrate_single_therapies")
    assert 30 <= len(checked.plan.parameters) <= 50
    for name, parameter in checked.plan.parameters.items():
        assert "ASCT + CAR-T" not in parameter.source.reason, name


SPOILED = {
    "unknown study": (
        r"study: zuma_1\b",
        "study: zuma_11",
        r'line \d+  unknown study "zuma_11".*did you mean "zuma_1"',
    ),
    "unknown arm": (r"study_arms: \[axi_cel\]", "study_arms: [axi_cell]", r'unknown arm of zuma_1 "axi_cell"'),
    "unknown row": (r"rows: \[orr, cr, crs_any\]", "rows: [orr, crr]", r'unknown endpoint row of juliet "crr".*"cr"'),
    "unreadable row": (
        r"rows: \[orr, cr, crs_any\]",
        "rows: [tocilizumab_use]",
        r'row "tocilizumab_use".*cannot be compared',
    ),
    "unknown protocol": (
        r"protocol: large_b_cell_lymphoma_asct_or_cart\n      arm: cart\n      chosen",
        "protocol: lbcl\n      arm: cart\n      chosen",
        r'unknown protocol "lbcl"',
    ),
    "unknown product": (
        r"cells: cd19_4_1bb",
        "cells: cd19_4_1bbb",
        r'unknown product "cd19_4_1bbb".*did you mean "cd19_4_1bb"',
    ),
    "unknown target": (
        r"of: cart_potency",
        "of: cart_potncy",
        r'unknown target of a median "cart_potncy".*did you mean "cart_potency"',
    ),
    "no such factor": (r"of: fever_threshold", "of: fever", r'unknown target of a factor "fever"'),
    "family without deviation": (
        r"between_study: \{response: 0.35, ",
        "between_study: {",
        r'no between-study deviation for family "response"',
    ),
    "deviation of zero": (r"response: 0.35", "response: 0", r"between_study.response = 0: must be > 0"),
    "impossible prior": (
        r"median: 1.0, sd_log: 0.5\}\n    source: \{how: assumed, reason: killing",
        "median: 1.0, sd_log: -0.5}\n    source: {how: assumed, reason: killing",
        r"sd_log = -0.5",
    ),
    "unknown key": (r"budget: \{prior_members", "budget: {prior_member", r'unknown key "budget.prior_member"'),
}


@pytest.mark.parametrize("case", SPOILED)
def test_spoiled_plans_are_refused(tmp_path, case):
    pattern, replacement, message = SPOILED[case]
    spoiled, count = re.subn(pattern, replacement, SMALL, count=1)
    assert count == 1
    assert re.search(message, problems(tmp_path, spoiled))


def test_all_problems_are_listed_at_once(tmp_path):
    spoiled = SMALL.replace("of: cart_potency", "of: nothing").replace("study: juliet", "study: romeo")
    found = problems(tmp_path, spoiled)
    assert "nothing" in found
    assert "romeo" in found


def test_fitting_an_arm_kept_for_prediction_is_refused(tmp_path):
    first = FULL.index("  predict_cao:")
    spoiled = FULL[:first] + FULL[first:].replace("    use: predict\n", "", 1)
    found = problems(tmp_path, spoiled)
    assert re.search(r'line \d+  arm "predict_cao" fits cao_2021, asct_cart, which is kept for prediction', found)
    assert "expected use: predict" in found


def test_an_update_of_a_frozen_ensemble_may_fit_it(tmp_path):
    first = FULL.index("  predict_cao:")
    text = FULL[:first] + FULL[first:].replace("    use: predict\n", "", 1)
    path = tmp_path / "plan.yaml"
    path.write_text(text + "updates: {ensemble: single_therapies, frozen_hash: abc}\n", encoding="utf-8")
    assert "predict_cao" in read_plan(path).arms("fit")


@pytest.fixture
def frozen(tmp_path, monkeypatch):
    """Put a frozen ensemble of the small plan, with one arm kept for prediction, before the library."""
    for kind in ("plans", "ensembles"):
        (tmp_path / kind).mkdir()
    plan = SMALL.replace("id: calibrate_small", "id: calibrate_base")
    arm = FULL[FULL.index("  predict_cao:") : FULL.index("  predict_wei_tp53:")]
    plan = plan.replace("between_study: {", arm + "between_study: {survival: 0.3, ")
    (tmp_path / "plans" / "calibrate_base.yaml").write_text(plan, encoding="utf-8")
    (tmp_path / "ensembles" / "base.yaml").write_text("plan: calibrate_base\nmodel: asct_cart\nhashes: {sets: abc}\n")
    monkeypatch.setenv(library.VARIABLE, str(tmp_path))
    return tmp_path / "update.yaml"


UPDATE = """id: calibrate_updated
title: {en: updated, zh: 更新}
updates: {ensemble: base, frozen_hash: abc, fit: [predict_cao]}
"""


def test_an_update_takes_everything_else_from_the_frozen_plan(frozen):
    frozen.write_text(UPDATE, encoding="utf-8")
    checked = read_plan(frozen)
    assert "predict_cao" in checked.arms("fit")
    assert len(checked.plan.parameters) == 6
    assert checked.plan.id == "calibrate_updated"


def test_an_update_of_another_freeze_is_refused(frozen, tmp_path):
    spoiled = UPDATE.replace("abc", "xyz").replace("[predict_cao]", "[predict_coa]")
    found = problems(tmp_path, spoiled)
    assert re.search(r'line 3  frozen_hash is not that of "base"; expected abc', found)
    assert re.search(r'unknown arm of calibrate_base "predict_coa".*did you mean "predict_cao"', found)


def test_the_same_patients_are_not_fitted_twice(tmp_path):
    again = SMALL[SMALL.index("  tisa_cel_juliet:") : SMALL.index("  graft_pbsct_91:")]
    spoiled = SMALL.replace("  graft_pbsct_91:", again.replace("tisa_cel_juliet", "again") + "  graft_pbsct_91:")
    assert 'arms "tisa_cel_juliet" and "again" both fit orr of the patients of juliet' in problems(tmp_path, spoiled)


def test_facts_are_checked(tmp_path):
    spoiled = FULL.replace("icans_onset: k176", "icans_onset: k1740").replace("cart_tmax: k046", "cart_tmaxx: k046")
    found = problems(tmp_path, spoiled)
    assert 'unknown kinetic fact "k1740"' in found
    assert 'unknown endpoint "cart_tmaxx"' in found


def test_late_landmarks_are_left_out():
    checked = read_plan("calibrate_single_therapies")
    arm = checked.plan.arms["axi_cel_zuma_1"]
    around = surroundings("asct_cart")
    readings = Readings.load("published")
    times = chosen_rows(arm, around, readings).time_days
    assert times.max() <= arm.longest_days
    longer = arm.model_copy(update={"longest_days": 5000.0})
    assert chosen_rows(longer, around, readings).time_days.max() > arm.longest_days


def test_evidence_in_the_columns_of_a_calibration():
    rows, facts = evidence_rows(), fact_rows()
    spread = rows[(rows.study == "mel200_271") & (rows.row == "neutrophil_recovery")].iloc[0]
    assert (spread.spread_kind, spread.spread_lower, spread.spread_upper) == ("range", 8, 24)
    onset = facts[facts.row == "k174"].iloc[0]
    assert (onset.value, onset.spread_kind, onset.clock) == (2.0, "range", "cart_infusion")
