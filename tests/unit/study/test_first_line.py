"""First line or salvage: fates put together from two trials, a tiny study, and spoiled plans."""

import numpy as np
import pandas as pd
import pytest

from seedbed import library
from seedbed.errors import ContentError
from seedbed.report import catalogue, first_line_report
from seedbed.study import first_line as study
from study_pages import compile_figures, examine

PLANS = [name for name in library.names("plans") if name.startswith("first_line_")]


def endpoints(**columns):
    n = len(next(iter(columns.values())))
    base = {
        "subject": range(n), "parameter_set": 0, "os_event": False, "os_days": 1000.0, "pfs_event": False,
        "pfs_days": 1000.0, "pfs_cause": None, "infused": True, "cart_day": 0.0, "crs_grade": 0.0, "icans_grade": 0.0,
        "next_therapy_day": np.nan, "offered": True, "eligible": True,
    }  # fmt: skip
    return pd.DataFrame(base | columns)


STANDARD = endpoints(
    pfs_event=[False, True, True, True, True],
    pfs_days=[1000.0, 100.0, 100.0, 100.0, 50.0],
    pfs_cause=[None, "progression", "progression", "progression", "death"],
    os_event=[False, True, True, True, True],
    os_days=[1000.0, 300.0, 300.0, 300.0, 50.0],
    next_therapy_day=[np.nan, 120.0, 120.0, np.nan, np.nan],
)
LATER = endpoints(
    os_event=[True] * 5,
    os_days=[200.0] * 5,
    pfs_event=[True] * 5,
    pfs_days=[90.0] * 5,
    offered=[True, True, False, True, True],
    crs_grade=[3.0] * 5,
)


def test_the_late_strategy_adds_the_course_of_a_relapsed_patient_only_to_those_who_reach_it():
    late = study.late_strategy(STANDARD, LATER, 1000.0)
    np.testing.assert_array_equal(late.death, [np.inf, 320.0, 300.0, 300.0, 50.0])
    np.testing.assert_array_equal(late.failure, [np.inf, 210.0, 100.0, 100.0, 50.0])
    np.testing.assert_array_equal(late.reached, [False, True, False, False, False])
    np.testing.assert_array_equal(late.crs, [0, 3, 0, 0, 0])


def test_what_happens_after_the_horizon_is_not_counted():
    late = study.late_strategy(STANDARD, LATER, 250.0)
    assert np.isinf(late.death[1])
    assert late.failure[1] == 210.0


def test_cells_given_after_the_horizon_are_not_counted_nor_their_toxicity():
    late = study.late_strategy(STANDARD, LATER.assign(cart_day=40.0), 150.0)
    assert not late.reached.any()
    assert not late.crs.any()
    assert study.late_strategy(STANDARD, LATER.assign(cart_day=40.0), 160.0).reached[1]


def test_relapsed_patients_are_matched_within_parameter_sets():
    standard = pd.DataFrame({"parameter_set": [0, 1, 0, 1, 0]})
    relapse = pd.DataFrame({"subject": [5, 1, 2], "parameter_set": [0, 0, 1]})
    found = study.matched(standard, relapse)
    np.testing.assert_array_equal(found["subject"], [1, 2, 5, 2, 1])


@pytest.mark.parametrize("name", PLANS)
def test_every_plan_of_the_library_reads(name):
    found = study.read_study(name)
    assert set(found.first.trial.arms) == {found.plan.first.early, found.plan.first.standard}
    assert found.plan.relapse.arm in found.relapse.trial.arms


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first_line")
    options = {"subjects": 50, "horizon_days": 200.0, "knowledge": ("typical",), "workers": 1}
    result = study.first_line("first_line_lbcl", folder=folder, **options)
    result.write(folder)
    return result, folder


def test_shares_of_the_late_strategy_add_up_to_one(found):
    assert found[0].flow["share"].sum() == pytest.approx(1.0)


def test_curves_fall_and_count_from_diagnosis(found):
    curves, plan = found[0].curves, found[0].study.plan
    for _, curve in curves.groupby(["strategy", "endpoint"]):
        assert (np.diff(curve["estimate"]) <= 1e-12).all()
        assert curve["month"].iloc[1] == pytest.approx(plan.diagnosis_to_enrollment.days / study.MONTH)
    wide = curves.pivot(index=["strategy", "month"], columns="endpoint", values="estimate")
    assert (wide["not_failed"] <= wide["alive"]).all()


def test_differences_are_those_of_the_two_strategies(found):
    summary = found[0].summary.pivot(index="quantity", columns="strategy", values="estimate")
    np.testing.assert_allclose(summary["difference"], summary["early"] - summary["late"], atol=1e-12)
    assert (found[1] / "first_line.json").exists()


SPOILED = {
    "arm": ("standard: neither", "standard: nether", 'unknown arm "nether"; .*did you mean "neither"'),
    "population": ("population: large_b_cell_lymphoma_double_hit", "population: large_b_cel", "unknown population"),
    "covariate": ("covariate: remission_status", "covariate: remission_statu", 'did you mean "remission_status"'),
    "key": ("horizon_days", "horizon_day", 'unknown key "horizon_day"; .*did you mean "horizon_days"'),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_spoiled_plan_says_what_is_wrong(case, tmp_path):
    old, new, message = SPOILED[case]
    text = library.path("plans/first_line_lbcl.yaml").read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ContentError, match=message):
        study.read_study(file)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_compares_the_strategies(found, language, tmp_path):
    t = catalogue.load(language)
    text = examine(first_line_report.write(found[0], tmp_path, language), language)
    alive = first_line_report.row(found[0], "typical", "alive", "early")
    assert first_line_report.value(t, "alive", alive) in text
    assert [s.name for s in first_line_report.sections(found[0], t)] == ["answer", "curves", "second_chance", "limits"]
    assert first_line_report.terminal(found[0], language).row_count == len(first_line_report.QUANTITIES)


def test_the_charts_compile_without_warnings(found, capfd):
    compile_figures(first_line_report.sections(found[0], catalogue.load("en")), capfd)
