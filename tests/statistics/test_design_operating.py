"""Type I error, power against the closed form, and coverage of simulated trials."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from design_pool import exponential_pool, plan
from seedbed.analysis.power import schoenfeld_power
from seedbed.study.design import from_tables, operating
from seedbed.study.design.replicate import Job, Size, simulate

CONTROL = 1 / 500


def rejection(z, alpha=0.025):
    critical = {0.025: 1.959964, 0.05: 1.644854}[alpha]
    return float((z <= -critical).mean())


def test_null_world_keeps_the_type_1_error_of_every_test():
    the_plan = plan()
    pool = exponential_pool(the_plan, 20_000, {"asct": CONTROL, "asct_cart": 0.6 * CONTROL})
    looks = simulate(the_plan, Job(pool.null(), Size(300, (), 150), 4000, "null"))
    error = np.sqrt(0.025 * 0.975 / 4000)
    for index, test in enumerate(the_plan.analysis.tests()):
        found = rejection(looks.tests[:, 0, index])
        assert abs(found - 0.025) <= 3 * error, f"{test}: {found:.4f}"


def test_group_sequential_null_world_spends_its_alpha():
    the_plan = plan(interim={"fractions": [0.5, 0.75], "spending": "pocock"})
    pool = exponential_pool(the_plan, 20_000, {"asct": CONTROL, "asct_cart": CONTROL})
    simulation = operating.simulator(the_plan, pool)
    world = simulation.world(Job(pool.null(), simulation.size(300), 4000, "null"))
    assert abs(world.success().mean() - 0.025) <= 3 * np.sqrt(0.025 * 0.975 / 4000)


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [0.6, 0.7, 0.8])
def test_proportional_hazards_power_agrees_with_schoenfeld(ratio):
    the_plan = plan(final={"events": 200}, subjects=300)
    pool = exponential_pool(the_plan, 400_000, {"asct": CONTROL, "asct_cart": ratio * CONTROL})
    looks = simulate(the_plan, Job(pool, Size(300, (), 200), 20_000, "power"))
    blocks = [
        simulate(the_plan, Job(pool.take(rows), Size(300, (), 200), 500, f"block {i}")).z[:, 0, 0]
        for i, rows in enumerate(np.array_split(np.arange(pool.n), 20))
    ]
    pool_se = operating.pool_error([(z <= -1.959964).astype(float) for z in blocks])
    expected = schoenfeld_power(ratio, float(looks.events[:, -1, 0].mean()))
    # one point, plus what a pool of this size leaves at two standard errors
    assert abs(rejection(looks.z[:, 0, 0]) - expected) <= 0.01 + 2 * pool_se


@pytest.mark.slow
def test_null_world_with_visits_strata_and_drop_out():
    the_plan = plan(
        estimand={"endpoint": "pfs"},
        drop_out={"share_per_year": 0.1},
        assessments={"days": [30, 90, 180], "then_every_days": 90, "missed_probability": 0.1},
        stratification={"factors": [{"covariate": "tp53"}, {"covariate": "age", "above": 60}], "block_size": 4},
        interim={"fractions": [0.5, 0.75]},
        # day 180 is within nearly everybody's follow-up; where few reach the milestone its test is liberal (docs)
        analysis={"beside": ["max_combo", "rmst", "cox", "milestone", "gray"], "milestone_days": 180},
    )
    hazards = {"asct": 1 / 1500, "asct_cart": 1 / 1500}
    pool = exponential_pool(the_plan, 50_000, hazards, extra={"asct": 1 / 400, "asct_cart": 1 / 800})
    simulation = operating.simulator(the_plan, pool)
    world = simulation.world(Job(pool.null(), simulation.size(300), 16_000, "null"))
    error = np.sqrt(0.025 * 0.975 / 16_000)
    assert abs(world.success(ignoring_futility=True).mean() - 0.025) <= 3 * error
    for index, test in enumerate(the_plan.analysis.tests()):
        # restricted mean and Cox are Wald tests, a little liberal at this size; 0.3 points allowed
        slack = 0.003 if test in ("rmst", "cox") else 0.0
        assert abs(rejection(world.looks.tests[:, 0, index]) - 0.025) <= 3 * error + slack, test


@pytest.mark.slow
def test_intervals_of_the_hazard_ratio_cover_the_truth():
    the_plan = plan()
    pool = exponential_pool(the_plan, 200_000, {"asct": CONTROL, "asct_cart": 0.7 * CONTROL})
    simulation = operating.simulator(the_plan, pool)
    world = simulation.world(Job(pool, simulation.size(300), 10_000, "coverage", naive=True))
    table = operating.bias_table(the_plan, pool, world)
    assert table["coverage"].iloc[0] == pytest.approx(0.95, abs=0.007)
    assert abs(table["bias"].iloc[0]) < 0.02


@pytest.mark.slow
def test_pool_error_predicts_the_spread_between_pools():
    the_plan = plan()
    hazards = {"asct": CONTROL, "asct_cart": 0.7 * CONTROL}
    powers, errors = [], []
    for seed in range(12):
        pool = exponential_pool(the_plan, 12_000, hazards, seed=seed)
        looks = simulate(the_plan, Job(pool, Size(300, (), 150), 3000, "main"))
        powers.append(rejection(looks.z[:, 0, 0]))
        blocks = [
            simulate(the_plan, Job(pool.take(rows), Size(300, (), 150), 250, f"b{i}")).z[:, 0, 0]
            for i, rows in enumerate(np.array_split(np.arange(pool.n), 20))
        ]
        errors.append(operating.pool_error([(z <= -1.959964).astype(float) for z in blocks]))
    observed = np.std(powers, ddof=1)
    predicted = np.sqrt(np.mean(np.square(errors)) + 0.25 / 3000)
    assert 0.5 <= observed / predicted <= 1.7  # a standard deviation of 12 values


@pytest.mark.slow
@pytest.mark.parametrize("stratified", [True, False])
def test_prognostic_strata_keep_the_level_of_every_test(stratified):
    generator = np.random.default_rng(0)
    n = 50_000
    stratum = generator.integers(0, 3, n)
    day = generator.exponential(np.array([150, 500, 1500])[stratum])
    arms = ("asct", "asct_cart")
    events = pd.concat([pd.DataFrame({"subject": np.arange(n), "arm": a, "event": "death", "day": day}) for a in arms])
    endpoints = pd.concat([pd.DataFrame({"subject": np.arange(n), "arm": a}) for a in arms])
    subjects = pd.DataFrame({"subject": np.arange(n), "risk": stratum})
    the_plan = plan(
        stratification={"factors": [{"covariate": "risk"}] if stratified else [], "block_size": 4},
        analysis={"horizon_days": 600},
        final={"events": None, "last_subject_followed_days": 365},
    )
    pool = from_tables(the_plan, events, endpoints, subjects, follow_up_days=2000)
    looks = simulate(the_plan, Job(pool, Size(300, (), None), 16_000, "strata"))
    error = np.sqrt(0.025 * 0.975 / 16_000)
    for index, test in enumerate(the_plan.analysis.tests()):
        # Wald tests and the stratified maximum are a little liberal at this size; 0.3 points allowed
        slack = 0.0 if test == "logrank" else 0.003
        assert abs(rejection(looks.tests[:, 0, index]) - 0.025) <= 3 * error + slack, test


def test_assurance_is_not_biased_by_few_subjects_per_parameter_set():
    n_sets, per_set = 60, 150
    the_plan = plan(subjects=100, final={"events": 60}, replicates={"main": 1800})
    hazards = {"asct": CONTROL, "asct_cart": 0.5 * CONTROL}
    pool = exponential_pool(the_plan, n_sets * per_set, hazards)
    pool = replace(pool, parameter_set=np.arange(pool.n) // per_set)
    found = operating.assurance(operating.simulator(the_plan, pool), pool)["power"]
    large = exponential_pool(the_plan, 100_000, hazards, seed=9)
    power = rejection(simulate(the_plan, Job(large, Size(100, (), 60), 4000, "power")).z[:, 0, 0])
    error = np.hypot(found.std(ddof=1) / np.sqrt(n_sets), np.sqrt(power * (1 - power) / 4000))
    assert abs(found.mean() - power) <= 3 * error + 0.01  # the large pool's own error is about a point


def test_the_bias_of_a_restricted_mean_takes_every_replicate():
    the_plan = plan(estimand={"summary": "rmst_difference"})
    pool = exponential_pool(the_plan, 20_000, {"asct": CONTROL, "asct_cart": 0.4 * CONTROL})
    world = operating.simulator(the_plan, pool).world(Job(pool, Size(300, (), 150), 300, "bias", naive=True))
    found = operating.bias_table(the_plan, pool, world).set_index("analysis").loc["planned"]
    assert found["target"] > 60  # days
    assert found["in_trials"] == pytest.approx(found["target"], rel=0.15)
    assert 0 < found["monte_carlo_se"] < 5  # of 300 replicates


def test_an_analysis_without_any_estimate_has_no_bias():
    found = operating._bias_row(plan(), "asct_cart", "naive", -0.4, -0.5, np.full(20, np.nan))
    assert np.isnan(found["in_trials"])
    assert np.isnan(found["bias"])
