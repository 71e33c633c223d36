"""The statistics of the plausibility checks, and the reading of a plan."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import TypeAdapter
from typer.testing import CliRunner

from seedbed import errors, library
from seedbed.study import plausibility
from seedbed.study.statistics_of_arms import ArmData, Statistic

N = 100
SUBJECTS = np.arange(N)
RUNNER = CliRunner()


@pytest.fixture
def arm():
    endpoints = pd.DataFrame(
        {
            "subject": SUBJECTS,
            "cart_day": 10.0,
            "tmax": SUBJECTS % 10 + 5.0,
            "grade": SUBJECTS % 4,
            "flag": SUBJECTS % 2 == 0,
            "side": np.where(SUBJECTS % 3 == 0, "PR", "CR"),
            "status": np.where(SUBJECTS < 50, "PR", "CR"),
            "pfs_days_from_day_zero": np.where(SUBJECTS < 60, 10.0 * (SUBJECTS + 1), 1000.0),
            "pfs_event": SUBJECTS < 60,
            "pfs_cause": np.where(SUBJECTS < 60, np.where(SUBJECTS % 10 == 0, "death", "progression"), None),
            "death_cause": np.where(SUBJECTS % 20 == 0, "infection", "crs"),
            "os_days": 1010.0,
        }
    )
    days = np.arange(0.0, 30.0)
    level = np.tile(np.where(days < 15, 1.0, 0.5), N)
    plasma, signal = np.tile(np.where(days < 14, 100.0, 400.0), N), np.tile(np.where(days < 14, 100.0, 40.0), N)
    courses = pd.DataFrame(
        {
            "subject": np.repeat(SUBJECTS, len(days)),
            "day": np.tile(days, N),
            "count": level,
            "IL6_plasma": plasma,
            "IL6_signal": signal,
        }
    )
    return ArmData(endpoints, courses)


def value(arm, others=None, **content):
    return TypeAdapter(Statistic).validate_python(content).compute(arm, others or {})


def test_shares_and_quantiles(arm):
    high = {"column": "grade", "at_least": 2}
    assert value(arm, kind="share", of=[high]) == 0.5
    assert value(arm, kind="share", of=[high, {"column": "flag", "is_true": True}]) == 0.25
    assert value(arm, kind="share", of=[high, {"column": "flag", "is_true": True}], how="any") == 0.75
    assert value(arm, kind="share", of=[high], among=[{"column": "grade", "below": 3}]) == pytest.approx(1 / 3)
    assert value(arm, kind="quantile", column="tmax") == 9.5
    other = ArmData(arm.endpoints.assign(tmax=arm.endpoints["tmax"] + 2), arm.courses)
    assert value(other, {"base": arm}, kind="quantile_difference", column="tmax", minus="base") == 2
    one, half = ({"kind": "share", "of": [{"column": "grade", "at_least": least}]} for least in (0, 2))
    assert value(arm, kind="share_difference", one=one, other=half) == 0.5


def test_missing_values_count_as_no_or_are_left_out(arm):
    arm.endpoints.loc[:49, "tmax"] = np.nan
    high = {"column": "tmax", "at_least": 0}
    assert value(arm, kind="share", of=[high]) == 0.5
    assert value(arm, kind="share", of=[high], missing="left_out") == 1.0
    assert np.isnan(value(arm, kind="quantile", column="tmax", among=[{"column": "status", "one_of": ["PR"]}]))


def test_times_to_events(arm):
    assert value(arm, kind="survival", endpoint="pfs", day=305) == pytest.approx(0.7)
    assert value(arm, kind="non_relapse_mortality", day=999) == pytest.approx(0.06)
    assert value(arm, kind="share_of_deaths", causes=["infection"], day=999) == pytest.approx(0.5)
    assert value(arm, kind="share_of_events", endpoint="pfs", before=305, until=999) == pytest.approx(0.5)
    exposed = sum(10.0 * (i + 1) - 500 for i in range(50, 60)) + 40 * 500
    rate = value(arm, kind="yearly_hazard", endpoint="pfs", since=500, until=1000)
    assert rate == pytest.approx(10 / exposed * 365.25)
    pr, cr = ({"column": "side", "one_of": [name]} for name in ("PR", "CR"))
    assert value(arm, kind="hazard_ratio", endpoint="pfs", of=pr, against=cr) == pytest.approx(1.0, abs=0.2)


def test_courses(arm):
    window = {"observable": "count", "clock": "cart_day", "since": 0, "until": 10, "below": 0.7}
    assert value(arm, kind="course_share", how="any", **window) == 1
    assert value(arm, kind="course_share", how="all", **window) == 0
    ratio = {"observable": "count", "clock": "cart_day", "day": 10, "over_day": 0}
    assert value(arm, kind="course_ratio", **ratio) == pytest.approx(0.5)
    assert value(arm, kind="rise_after_tocilizumab") == pytest.approx(4.0)
    untreated = ArmData(arm.endpoints, arm.courses.assign(IL6_signal=arm.courses["IL6_plasma"]))
    assert np.isnan(value(untreated, kind="rise_after_tocilizumab"))


def test_half_life_and_time_to_negative_immunofixation(arm):
    igg = value(arm, kind="half_life", model="asct_cart", parameter="k_igg_loss")
    assert 17 <= igg <= 25
    days = value(
        arm,
        kind="time_to_negative_immunofixation",
        model="asct_cart",
        parameter="k_igg_loss",
        measurements="asct_cart",
        start_g_per_dl=4.0,
    )
    assert days == pytest.approx(igg * np.log2(4.0 / 0.03))


def test_the_plan_holds_the_twelve_checks_with_ranges_and_sources():
    plan = plausibility.read_plan()
    assert [item.number for item in plan.checks] == list(range(1, 13))
    for item in plan.checks:
        for statement in item.statements:
            assert any(bound is not None for bound in statement.range)
            assert statement.says.zh
    ids = [statement.id for item in plan.checks for statement in item.statements]
    assert len(ids) == len(set(ids))


def test_a_value_outside_its_range_fails_and_nan_does_too(arm):
    statement = plausibility.read_plan().checks[0].statements[0]
    arms = {statement.cohort: ArmData(arm.endpoints.assign(days_anc_below_0_1=5.0), arm.courses)}
    assert plausibility.read_statement(1, statement, arms).passed
    arms = {statement.cohort: ArmData(arm.endpoints.assign(days_anc_below_0_1=0.0), arm.courses)}
    assert not plausibility.read_statement(1, statement, arms).passed
    arms = {statement.cohort: ArmData(arm.endpoints.assign(days_anc_below_0_1=0.0).iloc[:0], arm.courses)}
    assert not plausibility.read_statement(1, statement, arms).passed


def test_unknown_check_and_unknown_cohort_are_named(tmp_path):
    plan = plausibility.read_plan()
    with pytest.raises(errors.ContentError, match="no check number 13; expected numbers from 1 to 12"):
        plausibility.check(plan, tmp_path, numbers=[13])
    text = library.path("plans/plausibility.yaml").read_text(encoding="utf-8")
    (tmp_path / "plan.yaml").write_text(
        text.replace("cohort: lymphoma_asct\n", "cohort: lymphoma_acst\n"), encoding="utf-8"
    )
    with pytest.raises(errors.ContentError, match=r"unknown cohort .lymphoma_acst"):
        plausibility.read_plan(str(tmp_path / "plan.yaml"))


def test_a_cohort_can_replace_part_of_a_protocol(tmp_path):
    cohort = plausibility.read_plan().cohorts["lymphoma_cart_4_1bb"]
    data = yaml.safe_load(Path(plausibility._protocol_file(cohort, tmp_path)).read_text(encoding="utf-8"))
    assert data["elements"]["cart"]["product"] == "cd19_4_1bb"
    wrong = cohort.model_copy(update={"replace": {"elemnts.cart.product": "x"}})
    with pytest.raises(errors.ContentError, match=r"there is no .elemnts"):
        plausibility._protocol_file(wrong, tmp_path)


def test_the_command_runs_a_check_prints_values_and_fails_when_strict(tmp_path):
    import typer

    from seedbed.cli import check

    app = typer.Typer()
    check.register(app)
    arguments = ["check", "plausibility", "--only", "12", "--subjects", "20", "--workers", "1", "--out", str(tmp_path)]
    result = RUNNER.invoke(app, [*arguments, "--lang", "en"], env={"COLUMNS": "200"}, catch_exceptions=False)
    assert result.exit_code == 0
    assert "of 2 statements within their range" in result.output
    assert "neutrophil engraftment" in result.output
    again = RUNNER.invoke(app, [*arguments, "--lang", "zh", "--strict"], env={"COLUMNS": "200"}, catch_exceptions=False)
    assert "项在参考范围内" in again.output
    assert again.exit_code == (0 if "2 项中 2 项" in again.output else 1)
