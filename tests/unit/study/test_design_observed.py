"""A finished run seen through other estimands, visits and follow-up."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from design_pool import plan
from seedbed.analysis.survival import kaplan_meier
from seedbed.report import design_report
from seedbed.study.design.observed import observed_in
from seedbed.study.design.plan import INTERCURRENT_EVENTS
from seedbed.study.design.pool import from_tables

N = 60
ARMS = ("asct", "asct_cart")


def pool(chosen):
    """All progress on day 100 and die on day 300, but the first is treated again on day 50 and never progresses."""
    subjects = np.arange(1, N + 1)
    days = [("true_progression", 100.0, subjects[1:]), ("death", 300.0, subjects), ("next_therapy", 50.0, subjects[:1])]
    events = pd.concat(
        pd.DataFrame({"subject": who, "arm": arm, "event": event, "day": day})
        for arm in ARMS
        for event, day, who in days
    )
    rows = pd.DataFrame({"subject": np.tile(subjects, 2), "arm": np.repeat(ARMS, N), "selected": True})
    return from_tables(chosen, events, rows, pd.DataFrame({"subject": subjects}), follow_up_days=2000.0)


def asked(**changes):
    chosen = plan(stratification={"factors": []}, **changes)
    rows = observed_in(chosen, pool(chosen))
    return rows[rows["arm"] == "asct"].set_index("subject")


def test_progression_is_seen_at_the_visits_of_the_plan():
    pfs = {"estimand": {"endpoint": "pfs"}}
    assert asked(**pfs, assessments={"days": [30, 90, 180]})["time"].unique().tolist() == [300.0, 180.0]
    assert asked(**pfs, assessments={"days": [30, 110, 180]})["time"].unique().tolist() == [300.0, 110.0]


def test_the_strategy_of_an_intercurrent_event_counts():
    expected = {"treatment_policy": (300.0, True), "composite": (50.0, True), "hypothetical": (30.0, False)}
    for strategy, (time, event) in expected.items():
        strategies = dict.fromkeys(INTERCURRENT_EVENTS, "treatment_policy") | {"next_therapy": strategy}
        first = asked(estimand={"endpoint": "pfs", "intercurrent_events": strategies}).loc[1]
        assert (first["time"], first["event"]) == (time, event)


def test_follow_up_censors_at_the_last_visit_and_survival_at_the_last_day():
    short = {"final": {"events": 20, "follow_up_days": 200, "last_subject_followed_days": 200},
             "analysis": {"horizon_days": 200, "milestone_days": 180}}  # fmt: skip
    alive = asked(estimand={"endpoint": "os"}, **short)
    assert alive["time"].eq(200.0).all()
    assert not alive["event"].any()
    assert asked(estimand={"endpoint": "pfs"}, **short).loc[1, ["time", "event"]].tolist() == [180.0, False]


def test_each_naive_analysis_stands_beside_the_planned_one_and_keeps_the_subjects():
    naive = [{"id": "treated_only", "describes": "treated", "population": "treated"}]
    chosen = plan(stratification={"factors": []}, estimand={"endpoint": "pfs", "naive": naive})
    rows = observed_in(chosen, pool(chosen))
    assert rows["analysis"].unique().tolist() == ["planned"]  # nobody of this pool was treated
    assert sorted(rows["subject"].unique()) == list(range(1, N + 1))


@pytest.mark.parametrize(("language", "word"), [("en", "as planned"), ("zh", "按计划分析")])
def test_the_table_shows_the_curve_that_statsmodels_gives(language, word):
    chosen = plan(stratification={"factors": []}, estimand={"endpoint": "pfs"}, analysis={"milestone_days": 200})
    rows = observed_in(chosen, pool(chosen))
    mine = rows[rows["arm"] == "asct"]
    other = SurvfuncRight(mine["time"], mine["event"])
    assert kaplan_meier(mine["time"], mine["event"]).at(200.0).value == pytest.approx(other.surv_prob[0])
    table = design_report.observed(rows, chosen, language)
    assert list(table.columns[0].cells) == [word, word]
    assert [str(cell).split("%")[0] for cell in table.columns[4].cells] == ["2", "2"]
