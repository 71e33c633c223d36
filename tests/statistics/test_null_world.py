"""Evidence: exact. The null world of the library: the analysis finds selection, and nothing else."""

import pytest

from seedbed import protocol
from seedbed.report import catalogue, published, summary
from seedbed.report.contrasts import Outcome
from seedbed.report.sections import selection
from seedbed.report.setting import Setting
from seedbed.trial.request import Options, make_request
from seedbed.trial.run import execute, summarize


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    folder = tmp_path_factory.mktemp("null") / "run"
    request = make_request(
        "null_world_tp53", Options(subjects=300, seed=5, until_days=250.0, trajectories=0, ensemble="none")
    )
    execute(folder, request, workers=1)
    summarize(folder)
    run = summary.read(folder)
    return Setting.of(run, catalogue.load("en"), published.of_protocol(protocol.read_resolved(run.protocol)))


def test_the_null_world_of_the_library_is_recognised(setting):
    arms = selection.compared(setting)
    assert arms is not None
    chosen = setting.run.arm("chosen")["selected"].mean()
    assert 0.1 < chosen < 0.8
    order = ("chosen", "everybody")
    found = selection.of_outcome(setting, order, Outcome("best_complete_response"))
    assert found is not None
    assert found.randomized.estimate == 0.0
    assert (found.randomized.lower, found.randomized.upper) == (0.0, 0.0)
    assert found.with_selection.estimate == pytest.approx(found.selection.estimate)
    assert found.with_selection.estimate > 0.02


def test_the_report_has_the_section(setting):
    section = selection.selection(setting)
    assert section is not None
    assert section.name == "selection"
