"""The claims' questions are answered by runs of their protocols."""

import pandas as pd
import pytest

from seedbed import analysis, protocol
from seedbed.errors import RunError
from seedbed.study import claims
from seedbed.trial.request import Options, make_request
from seedbed.trial.run import execute


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("claims") / "run"
    options = Options(subjects=40, seed=3, until_days=120.0, square=True, trajectories=0, ensemble="none")
    execute(folder, make_request("wei_2022_tp53", options), workers=1)
    return folder


def test_every_question_names_arms_that_a_run_of_its_protocol_has():
    for name, asked in claims.questions().items():
        trial = protocol.read(name)
        arms = set(trial.arms) | set(protocol.square(trial).arms)
        for question in asked:
            assert {question.arm, question.versus} - {""} <= arms, question.key
            definitions = [item for item in analysis.standard_definitions() if item.endpoint == question.endpoint]
            assert len(definitions) == 1, question.key
            if question.time_days is not None:
                assert question.time_days in definitions[0].landmarks_days, question.key


def test_a_run_answers_its_own_questions(run):
    answers = claims.from_run(run)
    assert all(key.startswith("wei_2022_tp53.") for key in answers)
    endpoints = pd.read_parquet(run / "endpoints.parquet")
    arm = {name: group.set_index("subject") for name, group in endpoints.groupby("arm")}
    severe = {name: (group["crs_grade"] >= 3).mean() for name, group in arm.items()}
    difference = answers["wei_2022_tp53.asct_cart-cart.crs_grade_3"]
    assert difference.estimate == pytest.approx(severe["asct_cart"] - severe["cart"])
    assert difference.lower <= difference.estimate <= difference.upper
    assert difference.made_with == "uncalibrated, n = 40"
    single = answers["wei_2022_tp53.asct.anc_engraftment"]
    own = arm["asct"][arm["asct"]["selected"]]
    assert single.estimate == pytest.approx(own["anc_engraftment_day"].median())
    rate = answers["wei_2022_tp53.cart.best_complete_response"]
    assert 0.0 <= rate.lower <= rate.estimate <= rate.upper <= 1.0


def test_what_follow_up_does_not_reach_stays_open(run):
    assert "wei_2022_tp53.asct_cart.pfs@730" not in claims.from_run(run)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="give the folder of a run"):
        claims.from_run(tmp_path)


def test_every_protocol_is_run_once(tmp_path, monkeypatch):
    asked = {"wei_2022_tp53": claims.questions()["wei_2022_tp53"][:1]}
    monkeypatch.setattr(claims, "questions", lambda: asked)
    told = []
    found = claims.predict(tmp_path, subjects=20, ensemble="none", workers=1, report=told.append)
    assert told == ["wei_2022_tp53: 20 subjects"]
    assert list(found) == [asked["wei_2022_tp53"][0].key]
    again = claims.predict(tmp_path, subjects=20, ensemble="none", workers=1)
    assert again == found
    assert len(list(tmp_path.iterdir())) == 1
