"""Sensitivity: ranks against residuals, indices against the Ishigami function, twins, plan problems, report."""

import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import rankdata

from seedbed import library
from seedbed.errors import ContentError, RunError, TableError
from seedbed.report import sensitivity_report
from seedbed.study import sensitivity
from seedbed.study.sensitivity import indices, points, ranks, work
from seedbed.study.sensitivity.plan import Design

PLANS = [name for name in library.names("plans") if name.startswith("sensitivity_")]


def test_partial_rank_correlation_is_that_of_residuals():
    luck = np.random.default_rng(1)
    inputs = pd.DataFrame(luck.normal(size=(300, 4)), columns=list("abcd"))
    inputs["b"] += inputs["a"]
    outcome = inputs["a"].to_numpy() + luck.normal(size=300)
    found = ranks.partial_rank_correlations(inputs, outcome).set_index("input")["correlation"]
    ranked = np.column_stack([rankdata(column) for column in (*inputs.to_numpy().T, outcome)])
    for place, name in enumerate("abcd"):
        others = np.column_stack([np.ones(300), np.delete(ranked, [place, 4], axis=1)])
        left = [ranked[:, k] - others @ np.linalg.lstsq(others, ranked[:, k], rcond=None)[0] for k in (place, 4)]
        assert found[name] == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-9)


def test_only_what_matters_is_clear():
    luck = np.random.default_rng(2)
    inputs = pd.DataFrame(luck.normal(size=(2000, 20)), columns=[f"x{k}" for k in range(20)])
    table = ranks.partial_rank_correlations(inputs, np.exp(inputs["x3"]) + luck.normal(size=2000))
    assert table.loc[table["clear"], "input"].tolist() == ["x3"]


def test_inputs_are_numeric_varied_and_single():
    table = pd.DataFrame({"subject": range(50), "age": np.arange(50.0), "flat": 1.0, "yes": [True, False] * 25})
    table["remission_status"] = ["PD", "CR", "PR", "SD", "CR"] * 10
    table["parameter:twice_age"] = 2 * table["age"]
    assert list(ranks.inputs_of(table)) == ["age", "yes", "remission_status"]


def test_too_many_inputs_are_an_error():
    with pytest.raises(TableError, match="20 patients are too few for 10 inputs; run at least 30"):
        ranks.partial_rank_correlations(pd.DataFrame(np.ones((20, 10))), np.ones(20))


def ishigami(x):
    z = np.pi * (2 * x - 1)
    return np.sin(z[:, 0]) + 7 * np.sin(z[:, 1]) ** 2 + 0.1 * z[:, 2] ** 4 * np.sin(z[:, 0])


def test_sobol_indices_of_the_ishigami_function():
    """Closed form for a = 7, b = 0.1 (Ishigami and Homma 1990)."""
    design = Design(method="sobol", samples=2048, panel=2)
    units = indices.unit_design(["a", "b", "c"], design, seed=1)
    found = indices.indices(["a", "b", "c"], design, units, ishigami(units), seed=1)
    assert found["first"].to_numpy() == pytest.approx([0.314, 0.442, 0.0], abs=0.03)
    assert found["total"].to_numpy() == pytest.approx([0.558, 0.442, 0.244], abs=0.03)


def test_morris_effects_and_swing_of_a_linear_function():
    design = Design(method="morris", samples=20, panel=2)
    units = indices.unit_design(["a", "b"], design, seed=1)
    found = indices.indices(["a", "b"], design, units, 3 * units[:, 0] - units[:, 1], seed=1)
    assert found["effect"].to_numpy() == pytest.approx([3, 1])
    assert found["swing"].iloc[0] > 1 > 0 > found["swing"].iloc[1]


def test_the_swing_of_single_points_has_the_error_of_a_difference_of_means():
    luck = np.random.default_rng(4)
    shares, outcome = luck.uniform(size=900), luck.normal(size=900)
    found = indices.swing(shares, outcome + shares)
    high, low = ((outcome + shares)[side] for side in (shares >= 2 / 3, shares <= 1 / 3))
    error = np.sqrt(high.var(ddof=1) / high.size + low.var(ddof=1) / low.size)
    assert found["swing"] == pytest.approx(high.mean() - low.mean())
    assert found["swing_upper"] - found["swing"] == pytest.approx(1.96 * error, rel=0.02)
    together = indices.swing(np.repeat(shares, 5), np.repeat(outcome + shares, 5), block=5)
    assert together == pytest.approx(found)


def test_without_salib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "SALib", None)
    monkeypatch.setitem(sys.modules, "SALib.analyze", None)
    with pytest.raises(RunError, match=r'pip install "seedbed\[sensitivity\]"'):
        indices.unit_design(["a", "b"], Design(method="morris", samples=4, panel=2), 1)


def spoiled(tmp_path, change):
    data = yaml.safe_load(library.find("plans", PLANS[0]).read_text(encoding="utf-8"))
    change(data)
    file = tmp_path / "plan.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d["factors"]["killing"].update(of="k_cart_kil_max"),
            r'killing: no median.*did you mean "k_cart_kill_max"',
        ),
        (lambda d: d["factors"]["tp53"].update(of="tp53"), 'tp53: no effect of "tp53"'),
        (lambda d: d["factors"]["niche"].update(lower=5.0), "lower must be below upper"),
        (lambda d: d["factors"]["niche"].update(lower=-1.0), "a multiplier must be above 0"),
        (lambda d: d["design"].update(samples=30), "power of two"),
        (lambda d: d["design"].update(metod="x"), r'unknown key "design.metod".*did you mean "method"'),
    ],
)
def test_spoiled_plans_are_refused_with_the_reason(tmp_path, change, message):
    with pytest.raises(ContentError, match=message):
        sensitivity.read_plan(spoiled(tmp_path, change))


@pytest.mark.parametrize("name", PLANS)
def test_library_plans_read(name):
    assert sensitivity.read_plan(name).id == name


def synthetic(plan):
    """Return a result of the plan whose outcomes follow the first factor."""
    units = indices.unit_design(list(plan.factors), plan.design, 1)
    rows = [
        pd.DataFrame(dict.fromkeys(points.MEASURED, k * units[:, 0])).assign(point=np.arange(len(units)), arm=arm, n=9)
        for k, arm in ((1.0, plan.arms.experimental), (0.4, plan.arms.control))
    ]
    luck = np.random.default_rng(1)
    inputs = pd.DataFrame({"age": luck.normal(size=60), "parameter:k_x": luck.normal(size=60)})
    screened = pd.concat(
        [
            ranks.partial_rank_correlations(inputs, inputs["age"].to_numpy()).assign(outcome=o, where=w, n=60)
            for o in points.OUTCOMES
            for w in work.WHERE
        ]
    )
    return work.analyze(plan, screened, units, pd.concat(rows, ignore_index=True))


@pytest.mark.parametrize("method", ["sobol", "morris"])
def test_the_report_is_written(tmp_path, method):
    plan = sensitivity.read_plan(PLANS[0])
    plan = plan.model_copy(update={"design": Design(method=method, samples=16, panel=2)})
    result = synthetic(plan)
    result.write(tmp_path)
    for language in ("en", "zh"):
        assert sensitivity_report.write(result, tmp_path, language).stat().st_size > 100_000
        assert sensitivity_report.terminal(result, language).row_count == len(plan.factors)
    leader = sensitivity_report.leader(
        result, sensitivity_report.catalogue.load("en"), "progression_free", "difference"
    )
    assert next(iter(plan.factors.values())).title.en in leader


def test_a_leader_must_be_clear_among_all_factors():
    plan = sensitivity.read_plan(PLANS[0])
    rows = [
        {"factor": name, "outcome": "progression_free", "where": "difference", "swing": swing,
         "swing_lower": swing - 1.0, "swing_upper": swing + 1.0}
        for name, swing in zip(plan.factors, [1.2, *([0.1] * 20)], strict=False)
    ]  # fmt: skip
    result = work.Sensitivity(plan, {"indices": pd.DataFrame(rows)}, {})
    words = sensitivity_report.catalogue.load("en")
    assert "no factor moves it" in sensitivity_report.leader(result, words, "progression_free", "difference")
    result.tables["indices"][["swing", "swing_lower", "swing_upper"]] += 1.0
    assert "moves it most" in sensitivity_report.leader(result, words, "progression_free", "difference")


@pytest.mark.slow
def test_points_are_twins_and_resumed(tmp_path):
    """Two equal design points have equal outcomes, to the last bit; a changed one differs."""
    plan = sensitivity.read_plan(PLANS[0])
    trial, who = plan.content()
    table = pd.DataFrame({name: factor.at(np.array([0.5, 0.5, 0.9])) for name, factor in plan.factors.items()})
    changes = {name: factor.change for name, factor in plan.factors.items()}
    panel = points.panel_of(trial, who, 6, plan.seed)
    found = points.Points(trial, who, changes, table, panel, plan.seed, 200.0, 150.0).simulate(np.arange(3))
    by_point = found.set_index(["arm", "point"])[list(points.MEASURED)]
    for arm in trial.arms:
        pd.testing.assert_series_equal(
            by_point.loc[(arm, 0)], by_point.loc[(arm, 1)], check_names=False, check_exact=True
        )
        assert not by_point.loc[(arm, 0)].equals(by_point.loc[(arm, 2)])


@pytest.mark.parametrize("method", ["sobol", "morris"])
def test_the_plan_knows_how_many_points_its_design_has(method):
    plan = sensitivity.read_plan(PLANS[0])
    plan = plan.model_copy(update={"design": Design(method=method, samples=16, panel=2)})
    assert plan.points == len(indices.unit_design(list(plan.factors), plan.design, 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subjects": 50}, r"screening\.subjects = 50; expected greater than or equal to 100"),
        ({"subjects": 900_000}, r"screening\.subjects = 900000; expected less than or equal to 100000"),
        ({"subjects": 110}, r"110 subjects of the screening are too few for \d+ inputs; expected at least \d+"),
        ({"samples": 30}, "power of two"),
    ],
)
def test_a_wrong_size_is_refused_before_anything_is_simulated(tmp_path, changes, message):
    with pytest.raises(ContentError, match=message):
        sensitivity.sensitivity(PLANS[0], tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


def test_subjects_are_not_for_a_run_that_is_there(tmp_path):
    with pytest.raises(RunError, match="leave one out"):
        sensitivity.sensitivity(PLANS[0], tmp_path / "out", run=tmp_path, subjects=600)
