"""What a simulated trial records: visits, drop-out, intercurrent events, data cuts, randomization, decisions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from design_pool import exponential_pool, exponential_tables, plan
from seedbed.errors import RunError
from seedbed.study.design import characterize, operating, read, replicate, replicate_workers
from seedbed.study.design.conduct import Draw, draw, entries, generator, randomize, strata_of
from seedbed.study.design.estimand import Handling, cut, observe, visit_days, whole_pool
from seedbed.study.design.plan import Accrual, StratificationFactor
from seedbed.study.design.pool import from_tables
from seedbed.study.design.replicate import Job, Size, simulate, simulate_all

PFS = {"endpoint": "pfs"}


def one_subject(the_plan, events, *, drop_out=np.inf, missed=(0, 0, 0), handling=None, day=None):
    """Return time and event of one subject in the experimental arm with the given event days."""
    rows = [(subject, "asct_cart", name, value) for subject in range(60) for name, value in events.items()]
    table = pd.DataFrame(rows, columns=["subject", "arm", "event", "day"])
    endpoints = pd.DataFrame({"subject": np.tile(np.arange(60), 2), "arm": np.repeat(["asct", "asct_cart"], 60)})
    pool = from_tables(the_plan, table, endpoints, pd.DataFrame({"subject": np.arange(60)}), follow_up_days=2000)
    shape = (1, 1)
    drawn = Draw(
        np.zeros(shape, int),
        np.ones(shape, int),
        np.zeros(shape, int),
        np.zeros(shape),
        np.full(shape, float(drop_out)),
        np.array(missed).reshape(3, 1, 1),
    )
    record = observe(the_plan, pool, drawn, handling or Handling.of_plan(the_plan))
    data = cut(record, None if day is None else np.array([float(day)]))
    return float(data.time[0, 0]), bool(data.event[0, 0]), bool(data.included[0, 0])


def test_progression_is_seen_at_the_next_visit():
    the_plan = plan(estimand=PFS)
    assert list(visit_days(the_plan)[:5]) == [30, 90, 180, 270, 360]
    assert one_subject(the_plan, {"true_progression": 100, "progression": 110})[:2] == (180, True)
    assert one_subject(the_plan, {"progression": 90})[:2] == (90, True)
    assert one_subject(the_plan, {"progression": 100}, missed=(1, 0, 0))[:2] == (270, True)


def test_death_counts_on_its_day_and_hides_later_detection():
    the_plan = plan(estimand=PFS)
    assert one_subject(the_plan, {"death": 100})[:2] == (100, True)
    assert one_subject(the_plan, {"progression": 95, "death": 120})[:2] == (120, True)


def test_two_missed_visits_censor_unless_the_plan_counts():
    the_plan = plan(estimand=PFS)
    assert one_subject(the_plan, {"progression": 100}, missed=(2, 0, 0))[:2] == (90, False)
    assert one_subject(the_plan, {"death": 300}, missed=(0, 2, 0))[:2] == (90, False)
    counts = plan(estimand=PFS, assessments={"after_two_missed": "count"})
    assert one_subject(counts, {"progression": 100}, missed=(2, 0, 0))[:2] == (360, True)


def test_drop_out_and_data_cut_censor_at_the_last_visit():
    the_plan = plan(estimand=PFS)
    assert one_subject(the_plan, {"progression": 400}, drop_out=200)[:2] == (180, False)
    assert one_subject(the_plan, {"progression": 400}, day=100)[:2] == (90, False)
    assert one_subject(the_plan, {"progression": 400}, drop_out=10)[:2] == (0, False)
    survival = plan()
    assert one_subject(survival, {"death": 400}, drop_out=200)[:2] == (200, False)


def test_each_strategy_handles_an_intercurrent_event():
    events = {"cart_not_infused": 50, "progression": 200}

    def with_strategy(strategy):
        strategies = {**plan().estimand.intercurrent_events, "cart_not_infused": strategy}
        return one_subject(plan(estimand={**PFS, "intercurrent_events": strategies}), events)

    assert with_strategy("treatment_policy") == (270, True, True)
    assert with_strategy("composite") == (50, True, True)
    assert with_strategy("hypothetical") == (30, False, True)
    assert with_strategy("while_on_treatment")[1] is False
    assert with_strategy("principal_stratum")[2] is False


def test_next_therapy_follows_the_trials_own_detection():
    strategies = {**plan().estimand.intercurrent_events, "next_therapy": "composite"}
    the_plan = plan(estimand={"endpoint": "os", "intercurrent_events": strategies})
    # the pool saw progression on day 110 and treated 20 days later; this trial sees it on day 180
    found = one_subject(the_plan, {"true_progression": 100, "progression": 110, "next_therapy": 130, "death": 900})
    assert found[:2] == (200, True)


def test_the_clock_may_start_at_treatment_among_the_treated():
    the_plan = plan(estimand=PFS)
    handling = Handling(dict(the_plan.estimand.intercurrent_events), "treated", "treatment")
    events = {"progression": 200, "cart_infusion": 40, "stem_cell_infusion": 38}
    assert one_subject(the_plan, events, handling=handling) == (230, True, True)
    assert one_subject(the_plan, {"progression": 200}, handling=handling)[2] is False


def test_event_free_survival_counts_therapy_and_missing_response():
    rule = {"column": "response_d90", "day": 100, "responses": ["CR", "PR"]}
    the_plan = plan(estimand={"endpoint": "efs", "no_response_by": rule})
    events, endpoints, subjects = exponential_tables(200, {"asct": 1e-6, "asct_cart": 1e-6})
    endpoints["response_d90"] = np.where(endpoints["subject"] < 100, "CR", "SD")
    pool = from_tables(the_plan, events, endpoints, subjects, follow_up_days=2000)
    drawn = whole_pool(pool)
    data = cut(observe(the_plan, pool, drawn, Handling.of_plan(the_plan)))
    failed = data.event & (data.time == 100)
    assert failed.sum() == 200  # the hundred without response, in both arms
    with pytest.raises(RunError, match='no column "response_d90"'):
        from_tables(the_plan, events, endpoints.drop(columns="response_d90"), subjects, follow_up_days=2000)


def test_randomization_is_balanced_within_strata():
    the_plan = plan(stratification={"factors": [{"covariate": "tp53"}], "block_size": 4})
    stratum = generator(1, "strata").integers(0, 3, (200, 97))
    arm = randomize(the_plan, stratum, generator(1, "arms"))
    for level in range(3):
        mine = stratum == level
        difference = (mine & (arm == 1)).sum(axis=1) - (mine & (arm == 0)).sum(axis=1)
        assert np.abs(difference).max() <= 2  # half a block
    assert abs(arm.mean() - 0.5) < 0.02
    first = [arm[row][stratum[row] == 0][0] for row in range(200)]
    assert 0.35 < np.mean(first) < 0.65  # nobody can guess the first arm


def test_unequal_ratios_are_kept():
    arms = [{**plan().arms[0].model_dump()}, {**plan().arms[1].model_dump(), "ratio": 2}]
    the_plan = plan(arms=arms, stratification={"block_size": 6})
    arm = randomize(the_plan, np.zeros((50, 60), dtype=np.int64), generator(1, "x"))
    assert (arm.sum(axis=1) == 40).all()


def test_entries_follow_the_rate_and_its_ramp():
    days = entries(Accrual(per_month=10, ramp_up_months=6), (400, 200), generator(1, "entries"))
    assert (np.diff(days, axis=1) >= 0).all()
    # 30 enter during the ramp, the others at the full rate: 6 + 170 / 10 = 23 months
    assert days[:, -1].mean() / 30.4375 == pytest.approx(23.0, abs=0.3)


def test_strata_join_factors_and_cut_numbers():
    table = pd.DataFrame({"status": ["PR", "CR", "PR", "CR"], "ldh": [0.5, 2.0, 2.0, 0.5]})
    factors = (StratificationFactor(covariate="status"), StratificationFactor(covariate="ldh", above=1.0))
    assert len(set(strata_of(factors, table))) == 4
    assert set(strata_of((), table)) == {0}


def test_replicates_repeat_bit_for_bit_and_differ_by_purpose():
    the_plan = plan(drop_out={"share_per_year": 0.1})
    pool = exponential_pool(the_plan, 2000, {"asct": 1 / 400, "asct_cart": 1 / 600})
    looks = [simulate(the_plan, Job(pool, Size(100, (20,), 50), 1500, purpose)) for purpose in ("a", "a", "b")]
    np.testing.assert_array_equal(looks[0].z, looks[1].z)
    np.testing.assert_array_equal(looks[0].day, looks[1].day)
    assert not np.array_equal(looks[0].z, looks[2].z)
    # the first chunk is the same however many replicates follow
    fewer = simulate(the_plan, Job(pool, Size(100, (20,), 50), 600, "a"))
    np.testing.assert_array_equal(looks[0].z[:600], fewer.z)


def test_processes_change_no_replicate():
    the_plan = plan(drop_out={"share_per_year": 0.1})
    pool = exponential_pool(the_plan, 2000, {"asct": 1 / 400, "asct_cart": 1 / 600})
    jobs = [Job(pool, Size(100, (20,), 50), 4000, "a"), Job(pool.null(), Size(100, (), 50), 700, "b")]
    done = []
    with replicate_workers(2) as executor:
        found = simulate_all(the_plan, jobs, executor=executor, progress=done.append)
    assert sum(done) == 4700
    for job, looks in zip(jobs, found, strict=True):
        alone = simulate(the_plan, job)
        np.testing.assert_array_equal(looks.z, alone.z)
        np.testing.assert_array_equal(looks.estimate, alone.estimate)


def test_truth_of_proportional_hazards_is_their_ratio():
    the_plan = plan()
    pool = exponential_pool(the_plan, 60_000, {"asct": 1 / 500, "asct_cart": 0.7 / 500})
    found = np.exp(operating.truth(the_plan, pool, Handling.of_plan(the_plan))[0])
    assert found == pytest.approx(0.7, abs=0.01)  # two standard errors at 100,000 events
    assert np.exp(operating.truth(the_plan, pool.null(), Handling.of_plan(the_plan))[0]) == pytest.approx(1.0)


def test_pools_that_lack_something_are_refused():
    the_plan = plan(stratification={"factors": [{"covariate": "tp35"}], "block_size": 4})
    tables = exponential_tables(100, {"asct": 1 / 400, "asct_cart": 1 / 600})
    with pytest.raises(RunError, match='no covariate "tp35" to stratify by; did you mean "tp53"'):
        from_tables(the_plan, *tables, follow_up_days=2000)
    with pytest.raises(RunError, match="simulated for 100 days, but subjects are followed 2000"):
        from_tables(plan(), *tables, follow_up_days=100)
    with pytest.raises(RunError, match='no arm "asct_cart", only asct'):
        from_tables(plan(), tables[0], tables[1][tables[1]["arm"] == "asct"], tables[2], follow_up_days=2000)
    rate = {"endpoint": "crs", "column": "crs_grad", "describes": "x", "day": 30, "wanted": "less"}
    wrong = plan(co_primary=[{**rate, "test": "superiority"}])
    with pytest.raises(RunError, match='no column "crs_grad"; did you mean "crs_grade"'):
        from_tables(wrong, *tables, follow_up_days=2000)


def test_margin_world_puts_harm_at_its_margin():
    rate = {"endpoint": "crs", "column": "crs_grade", "at_least": 3, "describes": "x", "day": 30, "wanted": "less"}
    the_plan = plan(co_primary=[{**rate, "test": "noninferiority", "margin": 0.1}])
    pool = exponential_pool(the_plan, 20_000, {"asct": 1 / 500, "asct_cart": 1 / 700})
    rates = operating.margin_world(the_plan, pool).courses.rates
    assert rates[1].mean() - rates[0].mean() == pytest.approx(0.1, abs=1e-3)
    assert operating.margin_world(plan(), pool) is None


@pytest.fixture(scope="module")
def worked():
    rate = {"endpoint": "crs", "column": "crs_grade", "at_least": 3, "describes": "severe", "day": 30, "wanted": "less"}
    naive = [{"id": "treated", "describes": "treated", "population": "treated", "clock": "treatment"}]
    the_plan = plan(
        estimand={"endpoint": "pfs", "naive": naive},
        co_primary=[{**rate, "test": "noninferiority", "margin": 0.2}],
        interim={"fractions": [0.6], "futility": {"rule": "predictive_power", "below": 0.1, "looks": [1]}},
        subjects_compared=[100, 200],
        subjects=200,
        final={"events": 100},
        analysis={"beside": ["max_combo", "rmst", "cox", "milestone", "gray"]},
        replicates={"main": 200, "by_size": 60, "pool_blocks": 4},
    )
    hazards = {"asct": 1 / 900, "asct_cart": 1 / 900}
    pool = exponential_pool(the_plan, 4000, hazards, extra={"asct": 1 / 250, "asct_cart": 1 / 450})
    counted = []
    return characterize(the_plan, pool, progress=counted.append), counted, pool


def test_no_event_in_either_arm_is_evidence_of_noninferiority_but_of_no_superiority():
    rate = {"endpoint": "crs", "column": "crs_grade", "at_least": 3, "describes": "x", "day": 30, "wanted": "less"}
    nobody = (np.zeros((1, 2, 1)), np.full((1, 2, 1), 150.0))
    far = plan(co_primary=[{**rate, "test": "noninferiority", "margin": 0.1}])
    assert replicate._rate_z(far, nobody)[0, 0, 0] < -3
    few = (np.zeros((1, 2, 1)), np.full((1, 2, 1), 4.0))
    assert replicate._rate_z(far, few)[0, 0, 0] > -1.96
    better = plan(co_primary=[{**rate, "test": "superiority"}])
    assert replicate._rate_z(better, nobody)[0, 0, 0] == 0


def test_a_worked_plan_has_every_table_and_counts_its_replicates(worked):
    result, counted, pool = worked
    from seedbed.study.design import total_replicates

    assert sum(counted) == total_replicates(result.plan, pool)
    characteristics = result.tables["operating_characteristics"].set_index(["world", "characteristic"])["estimate"]
    assert 0 < characteristics["simulated", "power"] <= 1
    assert characteristics["null", "type_1_error"] < 0.1
    assert characteristics["at_margin", "type_1_error"] < 0.1
    assert set(result.tables["by_test"]["test"]) == set(result.plan.analysis.tests())
    assert result.tables["by_size"]["subjects"].tolist() == [100, 200]
    assert set(result.tables["bias"]["analysis"]) == {"planned", "treated"}
    assert len(result.tables["assurance"]) == 10
    assert 0 <= result.facts["assurance"] <= 1
    assert result.facts["subjects_per_set"] == 400


def test_a_design_is_written_and_read_again(worked, tmp_path):
    result = worked[0]
    again = read(result.write(tmp_path / "design"))
    assert again.plan == result.plan
    for name, table in result.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table, check_dtype=False)
    with pytest.raises(RunError, match="holds no design"):
        read(tmp_path)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_has_every_section(worked, tmp_path, language):
    from seedbed.report import design_report

    page = design_report.write(worked[0], tmp_path, language).read_text(encoding="utf-8")
    for section in ("asked", "world", "characteristics", "tests", "stages", "sizes", "spread", "estimands", "synopsis"):
        assert f'id="{section}"' in page
    assert design_report.terminal(worked[0], language).row_count >= 6


def test_three_arms_share_the_level():
    arms = [
        {"id": "asct", "pool_arm": "asct", "role": "control"},
        {"id": "asct_cart", "pool_arm": "asct_cart", "role": "experimental"},
        {"id": "cart", "pool_arm": "cart", "role": "experimental"},
    ]
    the_plan = plan(arms=arms, stratification={"block_size": 3}, final={"events": 60}, subjects=120)
    assert the_plan.one_sided_alphas == (0.0125, 0.0125)
    hazards = {"asct": 1 / 300, "asct_cart": 1 / 900, "cart": 1 / 300}
    pool = exponential_pool(the_plan, 3000, hazards)
    simulation = operating.simulator(the_plan, pool)
    world = simulation.world(Job(pool, simulation.size(120), 300, "three"))
    rejected = world.decisions.reject.mean(axis=0)
    assert rejected[0] > 0.5
    assert rejected[1] < 0.06
    fixed = plan(arms=arms, stratification={"block_size": 3}, analysis={"multiplicity": "hierarchical"})
    assert fixed.one_sided_alphas == (0.025, 0.025)


def test_without_a_number_of_events_a_pilot_finds_it():
    final = {"events": None, "last_subject_followed_days": 365}
    the_plan = plan(final=final, interim={"fractions": [0.5]}, subjects=80)
    pool = exponential_pool(the_plan, 2000, {"asct": 1 / 400, "asct_cart": 1 / 500})
    simulation = operating.simulator(the_plan, pool)
    assert 20 < simulation.expected_events < 80
    world = simulation.world(Job(pool, simulation.size(80), 100, "pilot events"))
    assert (world.looks.day[:, 0] < world.looks.day[:, 1]).mean() > 0.9


def test_draws_give_each_arm_its_own_drop_out():
    the_plan = plan(drop_out={"share_per_year": 0.0, "by_arm": {"asct_cart": 0.5}})
    pool = exponential_pool(the_plan, 500, {"asct": 1 / 400, "asct_cart": 1 / 500})
    drawn = draw(the_plan, pool, np.zeros(500, dtype=np.int64), (200, 100), generator(1, "drop-out"))
    assert np.isinf(drawn.drop_out[drawn.arm == 0]).all()
    lost = (drawn.drop_out[drawn.arm == 1] < 365.25).mean()
    assert lost == pytest.approx(0.5, abs=0.02)  # 10,000 subjects: three standard errors are 0.015


def test_rates_of_those_lost_before_their_day_count_as_the_plan_says():
    rate = {"endpoint": "cr", "column": "crs_grade", "at_least": 0, "describes": "x", "day": 90, "wanted": "more"}
    lossy = {"drop_out": {"share_per_year": 0.8}}
    for missing, expected in (("left_out", 1.0), ("failure", 0.67)):
        the_plan = plan(co_primary=[{**rate, "test": "superiority", "missing": missing}], **lossy)
        pool = exponential_pool(the_plan, 500, {"asct": 1 / 4000, "asct_cart": 1 / 4000})
        looks = simulate(replace_final(the_plan), Job(pool, Size(200, (), None), 200, "rates"))
        assert looks.rates.mean() == pytest.approx(expected, abs=0.01)


def replace_final(the_plan):
    return the_plan.model_copy(update={"final": the_plan.final.model_copy(update={"events": None})})


def test_null_world_copies_the_control_arm():
    the_plan = plan()
    pool = exponential_pool(the_plan, 100, {"asct": 1 / 400, "asct_cart": 1 / 500})
    null = pool.null()
    np.testing.assert_array_equal(null.courses.death[1], pool.courses.death[0])
    assert replace(null, arms=pool.arms).arms == pool.arms


def test_assurance_needs_as_many_subjects_per_set_as_the_trial_has(tmp_path):
    from seedbed.report import design_report

    the_plan = plan(subjects=300, replicates={"main": 60, "by_size": 20})
    pool = exponential_pool(the_plan, 1000, {"asct": 1 / 500, "asct_cart": 1 / 700})
    result = characterize(the_plan, pool)
    assert result.facts["assurance"] is None
    assert result.facts["subjects_per_set"] == 100
    page = design_report.write(result, tmp_path, "en").read_text(encoding="utf-8")
    assert "a set has 100, the trial 300" in page


def test_a_hypothetical_target_comes_from_the_world_without_the_event():
    strategies = {**plan().estimand.intercurrent_events, "cart_not_infused": "hypothetical"}
    the_plan = plan(estimand={"intercurrent_events": strategies}, replicates={"main": 60, "by_size": 20})
    events, endpoints, subjects = exponential_tables(4000, {"asct": 1 / 500, "asct_cart": 0.5 / 500})
    ideal = from_tables(the_plan, events, endpoints, subjects, follow_up_days=2000)
    # those who would die first are those whose cells fail: censoring is informative
    death = events[(events["arm"] == "asct_cart") & (events["event"] == "death")]
    weak = death.loc[death["day"] < 200, ["subject"]].assign(arm="asct_cart", event="cart_not_infused", day=10.0)
    real = from_tables(the_plan, pd.concat([events, weak]), endpoints, subjects, follow_up_days=2000)
    known = characterize(the_plan, real, counterfactual=ideal)
    assert known.tables["bias"]["target"].iloc[0] == pytest.approx(0.5, abs=0.04)
    assert known.tables["bias"]["in_trials"].iloc[0] < 0.46
    assert not known.facts["target_by_censoring"]
    guessed = characterize(the_plan, real)
    assert guessed.facts["target_by_censoring"]
    assert guessed.tables["bias"]["target"].iloc[0] < 0.46


def test_the_primary_test_keeps_its_level_beside_a_co_primary(worked):
    table = worked[0].tables["operating_characteristics"].set_index(["world", "characteristic"])["estimate"]
    assert table["null", "type_1_error"] <= table["null", "type_1_error_primary"]
