"""Plans of randomized trials: the library's load, spoiled ones say what is wrong and where."""

from pathlib import Path

import pytest
import yaml

from seedbed import library
from seedbed.errors import ContentError
from seedbed.study.design import changed, read_plan

DESIGNS = [name for name in library.names("plans") if name.startswith("design_")]


def spoiled(tmp_path: Path, change) -> Path:
    data = yaml.safe_load(library.find("plans", "design_asct_cart_tp53").read_text(encoding="utf-8"))
    change(data)
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", DESIGNS)
def test_library_plans_load_and_name_a_protocol_with_their_arms(name):
    plan = read_plan(name)
    protocol = yaml.safe_load(library.find("protocols", plan.pool.protocol).read_text(encoding="utf-8"))
    assert {arm.pool_arm for arm in plan.arms} <= set(protocol["arms"])
    assert plan.id == name


@pytest.mark.parametrize("name", DESIGNS)
def test_library_plans_speak_both_languages(name):
    plan = read_plan(name)
    texts = [plan.title, plan.question, plan.estimand.population, plan.estimand.treatments, *plan.synopsis.eligibility]
    texts += [plan.synopsis.rationale, plan.synopsis.objective, plan.synopsis.safety]
    texts += [arm.title for arm in plan.arms] + [naive.describes for naive in plan.estimand.naive]
    assert all(set(text) == {"en", "zh"} for text in texts)


def unknown_key(data):
    data["accrual"]["per_moth"] = data["accrual"].pop("per_month")


def two_controls(data):
    data["arms"][1]["role"] = "control"


def no_strategy(data):
    del data["estimand"]["intercurrent_events"]["allograft"]


def unknown_event(data):
    data["estimand"]["intercurrent_events"]["cart_not_infusd"] = "composite"


def unknown_strategy(data):
    data["estimand"]["intercurrent_events"]["allograft"] = "ignore"


def visits_backwards(data):
    data["assessments"]["days"] = [60, 30]


def looks_backwards(data):
    data["interim"]["fractions"] = [0.8, 0.5]


def futility_without_look(data):
    data["interim"]["futility"]["looks"] = [3]


def horizon_too_far(data):
    data["analysis"]["horizon_days"] = 2000


def more_events_than_subjects(data):
    data["final"]["events"] = 900


def odd_block(data):
    data["stratification"]["block_size"] = 5


def margin_without_noninferiority(data):
    data["co_primary"][0]["test"] = "superiority"


def follow_up_beyond_pool(data):
    data["pool"]["follow_up_days"] = 300


def two_sources(data):
    data["pool"]["runs"] = ["somewhere"]


def unknown_arm_of_drop_out(data):
    data["drop_out"]["by_arm"] = {"asct_cat": 0.1}


def unknown_pool_arm(data):
    data["arms"][0]["pool_arm"] = "carrt"


def unknown_covariate(data):
    data["stratification"]["factors"][1]["covariate"] = "ldh_ration"


def unknown_column(data):
    data["co_primary"][0]["column"] = "crs_grad"


def unknown_protocol(data):
    data["pool"]["protocol"] = "randomised_tp53"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (unknown_pool_arm, 'unknown arm of the pool "carrt".*did you mean "cart"'),
        (unknown_covariate, 'unknown covariate "ldh_ration".*did you mean "ldh_ratio"'),
        (unknown_column, 'no column "crs_grad".*did you mean "crs_grade"'),
        (unknown_protocol, 'unknown protocol "randomised_tp53".*did you mean "randomized_tp53"'),
        (unknown_key, r'unknown key "accrual.per_moth".*did you mean "per_month"'),
        (two_controls, "2 arms have the role control"),
        (no_strategy, 'intercurrent event "allograft" has no strategy'),
        (unknown_event, 'unknown intercurrent event "cart_not_infusd".*did you mean "cart_not_infused"'),
        (unknown_strategy, 'allograft = "ignore"'),
        (visits_backwards, "assessment day 30 after day 60"),
        (looks_backwards, "fractions must lie between 0 and 1 and increase"),
        (futility_without_look, "futility at look 3, but there are 1 interim looks"),
        (horizon_too_far, "horizon_days = 2000 days; expected at most final.follow_up_days = 730"),
        (more_events_than_subjects, "900 events of 300 subjects"),
        (odd_block, "block size 5 with arms in ratio 1:1; expected a multiple of 2"),
        (margin_without_noninferiority, "a margin above 0 belongs to a noninferiority test"),
        (follow_up_beyond_pool, "followed 730 days, but the pool is simulated for 300"),
        (two_sources, 'either "protocol".* or "runs"'),
        (unknown_arm_of_drop_out, 'unknown arm "asct_cat".*did you mean "asct_cart"'),
    ],
)
def test_spoiled_plans_are_refused_with_the_reason(tmp_path, change, message):
    with pytest.raises(ContentError, match=message) as caught:
        read_plan(spoiled(tmp_path, change))
    assert all(problem.file.endswith("plan.yaml") for problem in caught.value.problems)
    assert all(problem.line for problem in caught.value.problems)


def test_all_problems_are_listed_at_once(tmp_path):
    def change(data):
        two_controls(data)
        visits_backwards(data)
        odd_block(data)
        unknown_key(data)
        unknown_pool_arm(data)

    with pytest.raises(ContentError, match="6 problems"):
        read_plan(spoiled(tmp_path, change))


def test_an_unknown_plan_names_the_nearest():
    with pytest.raises(ContentError, match='did you mean "design_asct_cart_tp53"'):
        read_plan("design_asct_cart_tp35")


def test_changes_from_the_command_line():
    plan = changed(read_plan("design_asct_cart_tp53"), pool=Path("there"), pool_subjects=500, replicates=1000)
    assert plan.pool.runs == ("there",)
    assert plan.pool.protocol is None
    assert (plan.pool.subjects, plan.replicates.main, plan.replicates.by_size) == (500, 1000, 100)
