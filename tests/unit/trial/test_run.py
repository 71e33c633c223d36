"""The main job on a real protocol, small: same bits however it is worked, resumed after a kill, repeated."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from seedbed.errors import ContentError, RunError
from seedbed.tables import check
from seedbed.trial import manifest
from seedbed.trial.request import Options, make_request
from seedbed.trial.run import execute, join, open_folder, summarize

TABLES = ("subjects", "events", "endpoints", "failures", "trajectories", "flow")


def small(**changes):
    options = {"subjects": 100, "seed": 3, "until_days": 150.0, "trajectories": 5, "ensemble": "none"}
    return make_request("wei_2022_tp53", Options(**(options | changes)))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "a"
    execute(folder, small(), workers=1)
    summarize(folder)
    return folder


def test_the_run_folder_holds_every_table_as_documented(finished):
    for name in TABLES:
        check(name, pd.read_parquet(finished / f"{name}.parquet"))
    endpoints = pd.read_parquet(finished / "endpoints.parquet")
    assert endpoints.groupby("arm").size().to_dict() == {"asct_cart": 100, "cart": 100}
    flow = pd.read_parquet(finished / "flow.parquet")
    assert not flow.duplicated(["arm", "step"]).any()
    held = manifest.read(finished)
    assert (held.n_done, held.n_failed) == (200, 0)
    assert set(held.request.hashes) >= {"protocol", "population", "model", "clinic"}


def test_two_workers_give_the_same_bytes(finished, tmp_path):
    execute(tmp_path / "b", small(), workers=2)
    for name in TABLES:
        first, second = (folder / f"{name}.parquet" for folder in (finished, tmp_path / "b"))
        assert first.read_bytes() == second.read_bytes(), name


def test_a_rerun_from_the_manifest_gives_the_same_bytes(finished, tmp_path):
    request = manifest.read(finished / "manifest.json").request
    execute(tmp_path / "again", request, workers=2, where="threads")
    assert (finished / "endpoints.parquet").read_bytes() == (tmp_path / "again" / "endpoints.parquet").read_bytes()


def test_more_subjects_leave_the_first_ones_as_they_were(finished, tmp_path):
    execute(tmp_path / "more", small(subjects=140), workers=1)
    few, many = (pd.read_parquet(folder / "endpoints.parquet") for folder in (finished, tmp_path / "more"))
    both = [table.sort_values(["arm", "subject"], ignore_index=True) for table in (few, many)]
    same = both[1].merge(few[["subject", "arm"]])[few.columns]
    pd.testing.assert_frame_equal(same, both[0], check_exact=True)


def test_another_run_in_the_folder_is_refused_and_the_difference_named(finished):
    with pytest.raises(RunError, match="seed 3 there, 4 asked"):
        open_folder(finished, small(seed=4))


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(RunError, match="no run of seedbed"):
        open_folder(tmp_path, small())


def test_a_folder_whose_command_was_killed_before_the_manifest_stood_is_taken(finished, tmp_path):
    (tmp_path / ".manifest.json.host.123.456.tmp").write_text("{")
    assert open_folder(tmp_path, manifest.read(finished).request).fingerprint == manifest.read(finished).fingerprint


def test_of_two_commands_that_make_a_folder_at_once_one_is_refused(finished, tmp_path, monkeypatch):
    ours, theirs = small(seed=4), manifest.read(finished)

    def slow_plan(request):
        manifest.write(tmp_path, theirs)  # while we plan, another command makes the folder
        return theirs.shards

    monkeypatch.setattr("seedbed.trial.run.plan", slow_plan)
    with pytest.raises(RunError, match="seed 3 there, 4 asked"):
        open_folder(tmp_path, ours)
    assert manifest.read(tmp_path) == theirs


def test_a_run_lists_its_inputs_and_its_memory(finished):
    assert {file.name for file in finished.glob("*.yaml")} == {"protocol.yaml", "population.yaml"}
    held = manifest.read(finished)
    assert 0 < held.worker_memory_mib < 20_000
    assert held.memory_mib > held.worker_memory_mib - 1  # one worker, the same process; Linux counts pages in batches


def test_an_unknown_protocol_names_the_nearest():
    with pytest.raises(ContentError, match='did you mean "wei_2022_tp53"'):
        make_request("wei_2022_tp35", Options())


def test_a_run_killed_with_sigkill_resumes_to_the_same_bytes(finished, tmp_path):
    folder = tmp_path / "killed"
    script = (
        "from pathlib import Path; from seedbed.trial import manifest; from seedbed.trial.run import execute;"
        f"execute(Path({str(folder)!r}), manifest.read(Path({str(finished)!r})).request, workers=1)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], env=os.environ)
    while not list(folder.glob("shards/0*/outcome.json")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "endpoints.parquet").exists()
    execute(folder, manifest.read(finished).request, workers=1)
    assert (folder / "endpoints.parquet").read_bytes() == (finished / "endpoints.parquet").read_bytes()


def test_other_processes_can_join_the_work(finished, tmp_path):
    folder = tmp_path / "shared"
    open_folder(folder, manifest.read(finished).request)
    assert join(folder) == 2
    assert join(folder) == 0
    execute(folder, manifest.read(finished).request, workers=1)
    assert (folder / "endpoints.parquet").read_bytes() == (finished / "endpoints.parquet").read_bytes()


def test_summary_rows_name_arm_endpoint_and_who(finished):
    rows = pd.DataFrame(summarize(finished))
    assert set(rows["subjects"]) == {"enrolled", "selected"}
    rate = rows[(rows["endpoint"] == "complete_response_d90") & (rows["subjects"] == "enrolled")]
    assert rate["n"].eq(100).all()
    assert rate["monte_carlo_se"].between(0, 0.06).all()


def test_an_ensemble_given_by_its_path_stands_in_the_request_and_changes_the_patients(finished, tmp_path):
    file = tmp_path / "two.yaml"
    file.write_text("seed: 0\nparameters: {growth: {changes: median, of: k_tumor_growth}}\n")
    file.with_suffix(".csv").write_text("growth\n0.5\n2.0\n")
    request = small(ensemble=str(file), subjects=50, until_days=60.0)
    file.unlink()
    execute(tmp_path / "sets", request, workers=1)
    usual = pd.read_parquet(finished / "subjects.parquet").set_index("subject")["parameter:k_tumor_growth"]
    ours = pd.read_parquet(tmp_path / "sets" / "subjects.parquet").set_index("subject")["parameter:k_tumor_growth"]
    factor = (ours / usual).dropna()
    assert len(factor) == 50
    assert factor.round(9).to_dict() == {number: 2.0 if number % 2 else 0.5 for number in factor.index}


def test_an_unknown_ensemble_is_refused():
    with pytest.raises(ContentError, match="posteriour"):
        small(ensemble="posteriour")
