"""Selection: strata, tests, honest tree, bounds, rules, plan problems, report."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from seedbed import library
from seedbed.errors import ContentError, RunError
from seedbed.protocol import Condition
from seedbed.report import selection_report
from seedbed.study import select
from seedbed.study.select import bounds, enrichment, pairs, strata, tree
from seedbed.study.select.plan import Factor, Rule

PLANS = [name for name in library.names("plans") if name.startswith("select_")]
FACTORS = (
    Factor(covariate="burden", cuts=(1.0, 2.0)),
    Factor(covariate="altered"),
    Factor(covariate="noise", cuts=(0,)),
)


def made(n=3000, gain=0.4, seed=1, sets=1):
    """Return pairs in which only those with a large burden gain; everyone has the same control chance."""
    luck = np.random.default_rng(seed)
    subjects = pd.DataFrame(
        {
            "subject": np.arange(n),
            "burden": luck.uniform(0, 3, n),
            "altered": luck.uniform(size=n) < 0.4,
            "noise": luck.normal(size=n),
        }
    )
    set_of = np.arange(n) % sets
    shift = np.random.default_rng(7).normal(0, 0.1, sets)[set_of] if sets > 1 else 0.0
    chance = 0.4 + gain * (subjects["burden"] > 2).to_numpy() + shift
    one = (luck.uniform(size=n) < chance).astype(float)
    other = (luck.uniform(size=n) < 0.4).astype(float)
    harm = (luck.uniform(size=n) < 0.1).astype(float)
    experimental = dict.fromkeys(pairs.HARMS, harm) | {"progression_free": one, "restricted_mean": 700 * one}
    control = {name: np.zeros(n) for name in pairs.HARMS} | {"progression_free": other, "restricted_mean": 700 * other}
    return select.Pairs(subjects, experimental, control, set_of)


@pytest.fixture(scope="module")
def plan():
    read = select.read_plan(PLANS[0])
    rule = Rule(
        id="large",
        title=read.title,
        conditions=(Condition(covariate="burden", above=2.0),),
    )
    return read.model_copy(update={"covariates": FACTORS, "rules": (rule,), "further": ()})


def test_the_gain_is_found_where_it_is_and_nowhere_else(plan):
    tests = select.analyze(plan, made()).tables["tests"].set_index("covariate")
    assert tests["differs"].to_dict() == {"burden": True, "altered": False, "noise": False}
    assert tests.loc["burden", "best"] == "> 2"


def test_no_subgroup_differs_is_said(plan):
    result = select.analyze(plan, made(gain=0.0))
    assert not result.facts["any_differs"]
    assert result.facts["leaves"] == 1
    t = selection_report.catalogue.load("en")
    assert selection_report.verdict(result, t).startswith("No subgroup differs: of 3 covariates")


def test_false_alarms_keep_to_the_level():
    alarms = [
        strata.tests_of(made(400, 0.0, seed), FACTORS, "progression_free", alpha=0.05, relevant=0.0)["differs"].any()
        for seed in range(100)
    ]
    assert np.mean(alarms) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)


def test_the_tree_asks_the_right_question_first(plan):
    result = select.analyze(plan, made())
    assert result.tree.split.covariate == "burden"
    assert result.tree.split.cut == pytest.approx(2.0, abs=0.3)
    leaves = result.tables["leaves"]
    found = leaves[leaves["outcome"] == "progression_free"].sort_values("difference")
    assert found["difference"].iloc[-1] == pytest.approx(0.4, abs=0.12)
    assert found["share"].sum() == pytest.approx(1.0)


def test_leaves_are_honest():
    """Without any gain the best of the leaves is unbiased, because its patients did not choose it."""
    found = []
    for seed in range(30):
        data = made(600, 0.0, seed)
        grows, fills = tree.halves(data, seed)
        assert not (grows & fills).any()
        node = tree.grow(data.take(grows), FACTORS, select.plan.Tree(depth=2), "progression_free", alpha=0.999)
        found.append(tree.fill(node, data.take(fills)).query("outcome == 'progression_free'")["difference"].mean())
    assert abs(np.mean(found)) < 3 * np.std(found, ddof=1) / np.sqrt(len(found)) + 1e-9


def test_intervals_cover():
    inside = []
    for seed in range(100):
        row = strata.effect(made(300, 0.4, seed), "progression_free")
        inside.append(row["lower"] <= 0.4 / 3 <= row["upper"])
    assert 0.87 <= np.mean(inside) <= 1.0


def test_three_uncertainties_stand_apart():
    one, many = strata.effect(made(), "progression_free"), strata.effect(made(sets=20), "progression_free")
    assert np.isnan(one["parameter_sd"])
    assert many["parameter_sd"] == pytest.approx(0.1, abs=0.06)
    assert one["monte_carlo_se"] == pytest.approx(one["between_patient_sd"] / np.sqrt(3000), rel=1e-6)


def test_a_harm_that_nobody_had_has_an_interval_all_the_same():
    nobody = made(n=60)
    found = strata.effect(
        replace(nobody, experimental=nobody.experimental | {"crs_grade_3": np.zeros(60)}), "crs_grade_3"
    )
    assert found["difference"] == 0
    assert found["upper"] > 0.03
    assert found["lower"] < -0.03


@pytest.mark.parametrize(
    ("rates", "expected"), [((0.6, 0.5), (0.1, 0.5)), ((0.9, 0.8), (0.1, 0.2)), ((0.2, 0.5), (0.0, 0.2))]
)
def test_frechet_bounds(rates, expected):
    assert bounds.frechet(*rates) == pytest.approx(expected)


def test_the_simulated_share_lies_within_bounds_and_strata_narrow_them():
    data = made()
    shares = bounds.benefit_shares(data, (data.subjects["burden"] > 2).to_numpy())
    assert shares["simulated"].between(shares["lower"], shares["upper"]).all()
    assert (shares["lower_in_strata"] >= shares["lower"] - 1e-12).all()
    assert (shares["upper_in_strata"] <= shares["upper"] + 1e-12).all()


def test_a_rule_that_takes_those_who_gain_keeps_the_benefit():
    data = made()
    kept = enrichment.kept(data, (data.subjects["burden"] > 2).to_numpy())
    assert kept["lower"] <= 1.0 <= kept["upper"]
    everyone = enrichment.kept(data, np.ones(data.n, dtype=bool))
    assert everyone["share_of_benefit"] == pytest.approx(1.0)
    assert np.isnan(enrichment.kept(made(gain=0.0), np.ones(3000, dtype=bool))["share_of_benefit"])


def test_predicted_benefit_ranks_other_patients():
    data = made()
    fifths = enrichment.fifths(data, enrichment.predicted(data, FACTORS, 1))
    assert fifths["difference"].iloc[-1] - fifths["difference"].iloc[0] > 0.2


def test_swapping_the_arms_flips_the_effect():
    data = made()
    swapped = select.Pairs(data.subjects, data.control, data.experimental, data.parameter_set)
    one, other = (strata.effect(each, "progression_free") for each in (data, swapped))
    assert one["difference"] == pytest.approx(-other["difference"])


def test_outcomes_of_endpoints():
    table = pd.DataFrame(
        {
            "subject": [0, 1, 2],
            "pfs_days": [800.0, 100.0, 300.0],
            "pfs_event": [False, True, False],
            "pfs_cause": [None, "death", None],
            "crs_grade": [3.0, np.nan, 1.0],
            "icans_grade": [np.nan, 4.0, 0.0],
            "days_anc_below_0_5": [9.0, np.nan, 1.0],
        }
    )
    found = pairs.outcomes(table, 730.0)
    assert found["progression_free"].tolist()[:2] == [1.0, 0.0]
    assert found["progression_free"].isna().tolist() == [False, False, True]
    assert found["restricted_mean"].tolist()[:2] == [730.0, 100.0]
    assert found["non_relapse_mortality"].tolist() == [0.0, 1.0, 0.0]
    assert found["crs_grade_3"].tolist() == [1.0, 0.0, 0.0]


def test_patients_who_are_not_followed_long_enough_are_an_error():
    subjects = pd.DataFrame({"subject": range(20)})
    table = pd.DataFrame(
        {"subject": list(range(20)) * 2, "arm": ["a"] * 20 + ["b"] * 20, "pfs_days": 200.0, "pfs_event": False}
    ).assign(pfs_cause=None, crs_grade=0.0, icans_grade=0.0, days_anc_below_0_5=0.0)
    with pytest.raises(RunError, match=r"20 of 20 patients are censored before day 730; follow them longer"):
        pairs.from_tables(table, subjects, ("a", "b"), 730.0)


def test_welch_test_agrees_with_statsmodels():
    from statsmodels.stats.oneway import anova_oneway

    luck = np.random.default_rng(3)
    groups = [luck.normal(0.1 * k, 1 + k, 40 + 10 * k) for k in range(4)]
    assert strata.welch_test(groups) == pytest.approx(anova_oneway(groups, use_var="unequal").pvalue, rel=1e-8)


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
            lambda d: d["covariates"].append({"covariate": "tp53_alterd"}),
            r'unknown covariate "tp53_alterd".*"tp53_altered"',
        ),
        (lambda d: d["arms"].update(control="crat"), r'unknown arm "crat".*did you mean "cart"'),
        (lambda d: d.update(population="large_b_cell_lymphom"), r"unknown population.*large_b_cell_lymphoma"),
        (lambda d: d.update(horizon_days=790), "follow_up_days must pass horizon_days"),
        (lambda d: d["tree"].update(depht=2), r'unknown key "tree.depht".*did you mean "depth"'),
        (lambda d: d["covariates"][2].update(cuts=[3, 1]), "cuts must increase"),
        (lambda d: d["covariates"][4].update(order=["PD", "CR"]), "remission_status: order; expected all of"),
        (lambda d: d["rules"][0]["conditions"][0].update(covariate="remision"), r'unknown covariate "remision"'),
    ],
)
def test_spoiled_plans_are_refused_with_the_reason(tmp_path, change, message):
    with pytest.raises(ContentError, match=message):
        select.read_plan(spoiled(tmp_path, change))


@pytest.mark.parametrize("name", PLANS)
def test_library_plans_read(name):
    assert select.read_plan(name).id == name


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("gain", [0.0, 0.4])
def test_the_report_is_written(tmp_path, plan, language, gain):
    result = select.analyze(plan, made(gain=gain))
    result.write(tmp_path)
    page = selection_report.write(result, tmp_path, language)
    assert page.stat().st_size > 100_000
    assert selection_report.terminal(result, language).row_count == 7
    assert {"select.json", "strata.parquet", "leaves.parquet"} <= {file.name for file in tmp_path.iterdir()}


@pytest.mark.slow
def test_a_real_run_is_resumed_and_analyzed(tmp_path):
    first = select.select(PLANS[0], tmp_path, subjects=200)
    again = select.select(PLANS[0], tmp_path, subjects=200)
    pd.testing.assert_frame_equal(first.tables["strata"], again.tables["strata"])
    assert "product_memory_fraction" in set(first.tables["strata"]["covariate"])
