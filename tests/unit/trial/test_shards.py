import json
import os
import signal
import socket
import subprocess
import sys
import time

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seedbed.errors import RunError
from seedbed.trial import execution, manifest
from seedbed.trial.execution import open_pool, work_shards
from seedbed.trial.manifest import Request, Shard
from seedbed.trial.shards import ShardResult, Shards


def request():
    return Request(
        inputs={"protocol": {"id": "p", "arms": {"asct": {}}}},
        files={},
        subjects=80,
        seed=1,
        until_days=30,
        relative_tolerance=1e-5,
        trajectories=0,
        shard_size=10,
        hashes={},
    )


def shards():
    return [Shard(index=index, first_subject=10 * index, last_subject=10 * index + 9) for index in range(8)]


def fake_work(asked, shard):
    """A pure function of the request and the shard, as the real work is."""
    subjects = list(range(shard.first_subject, shard.last_subject + 1))
    frame = pd.DataFrame({"subject": subjects, "value": [asked.seed * 0.1 + s for s in subjects]})
    return ShardResult(
        {"endpoints": pa.Table.from_pandas(frame)}, done={"asct": len(subjects)}, failed={"asct": 0}, seconds=0.0
    )


def failing_work(asked, shard):
    if shard.index == 3:
        raise RunError("a shard that cannot be worked")
    return fake_work(asked, shard)


def run(folder, work=fake_work, workers=1, where="threads"):
    store, seen = Shards(folder), []
    with open_pool(where, workers) as (pool, at_once):
        work_shards(
            request(), shards(), store, work, pool, at_once=at_once, report=lambda shard, _: seen.append(shard.index)
        )
    store.merge(shards(), folder, ("endpoints",))
    return (folder / "endpoints.parquet").read_bytes(), seen


def test_every_shard_is_worked_once_and_merged_in_order(tmp_path):
    _, seen = run(tmp_path)
    assert sorted(seen) == list(range(8))
    table = pq.read_table(tmp_path / "endpoints.parquet")
    assert table["subject"].to_pylist()[:20] == list(range(20))
    assert table.num_rows == 80


@pytest.mark.parametrize("where", ["threads", "processes"])
def test_threads_and_processes_give_equal_bytes(tmp_path, where):
    alone, _ = run(tmp_path / "alone")
    together, _ = run(tmp_path / "together", workers=2, where=where)
    assert alone == together


def test_a_failed_shard_stops_the_run_and_a_second_run_resumes_with_what_was_finished(tmp_path):
    with pytest.raises(RunError, match="cannot be worked"):
        run(tmp_path, failing_work)
    finished = [shard.index for shard in shards() if Shards(tmp_path).outcome(shard)]
    assert finished == [0, 1, 2]
    assert not list((tmp_path / "shards").glob("*.claim"))
    resumed, _ = run(tmp_path)
    undisturbed, _ = run(tmp_path / "other")
    assert resumed == undisturbed


@pytest.mark.parametrize("name", ["endpoints.parquet", "outcome.json"])
@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(b"\xffdamaged"), lambda file: file.unlink()])
def test_a_damaged_shard_is_worked_again(tmp_path, name, damage):
    before, _ = run(tmp_path)
    damage(tmp_path / "shards" / shards()[2].name / name)
    after, _ = run(tmp_path)
    assert before == after


def test_a_shard_that_is_gone_is_never_left_out_in_silence(tmp_path):
    run(tmp_path)
    (tmp_path / "shards" / shards()[2].name / "endpoints.parquet").unlink()
    with pytest.raises(RunError, match=r"000002/endpoints\.parquet: was removed"):
        Shards(tmp_path).merge(shards(), tmp_path, ("endpoints",))


def test_two_that_finish_the_same_shard_leave_it_whole(tmp_path):
    first, second = Shards(tmp_path), Shards(tmp_path)
    outcomes = [store.finish(shards()[0], fake_work(request(), shards()[0])) for store in (first, second)]
    assert outcomes[0].files == outcomes[1].files
    assert [path.name for path in first.folder.iterdir()] == ["000000"]


def test_the_memory_of_the_process_that_worked_a_shard_is_told(tmp_path):
    outcome = Shards(tmp_path).finish(shards()[0], fake_work(request(), shards()[0]))
    assert 10 < outcome.memory_mib < 100_000


def test_the_claim_of_a_dead_process_is_taken_over_and_that_of_a_living_one_is_not(tmp_path):
    store, shard = Shards(tmp_path), shards()[0]
    claim = store.folder / f"{shard.name}.claim"
    claim.write_text(json.dumps({"host": socket.gethostname(), "process": os.getppid()}))
    assert not store.claim(shard)
    claim.write_text(json.dumps({"host": socket.gethostname(), "process": 2**22 - 7}))
    assert store.claim(shard)


@pytest.mark.parametrize("text", ["", '{"host": "he', '{"host": "%s", "process": %d}'])
def test_a_claim_that_nobody_keeps_alive_is_taken_over_whatever_it_says(tmp_path, text):
    """A claim half written, and one whose process number another process got after the machine was started anew."""
    store, shard = Shards(tmp_path), shards()[0]
    claim = store.folder / f"{shard.name}.claim"
    claim.write_text(text % (socket.gethostname(), os.getppid()) if "%" in text else text)
    assert not store.claim(shard)
    long_ago = time.time() - 1000
    os.utime(claim, (long_ago, long_ago))
    assert store.claim(shard)


def test_the_claim_of_another_machine_is_taken_over_once_it_is_silent(tmp_path):
    store, shard = Shards(tmp_path), shards()[0]
    claim = store.folder / f"{shard.name}.claim"
    claim.write_text(json.dumps({"host": "elsewhere", "process": 1}))
    assert not store.claim(shard)
    long_ago = time.time() - 1000
    os.utime(claim, (long_ago, long_ago))
    assert store.claim(shard)


def test_a_full_disk_is_reported_with_the_cure_and_loses_no_finished_shard(tmp_path, monkeypatch):
    store = Shards(tmp_path)
    store.finish(shards()[0], fake_work(request(), shards()[0]))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(RunError, match=r"No space left on device.*resume"):
        store.finish(shards()[1], fake_work(request(), shards()[1]))
    assert store.outcome(shards()[0]) is not None
    assert store.outcome(shards()[1]) is None


def test_a_claim_on_a_full_disk_is_reported(tmp_path, monkeypatch):
    store = Shards(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.open", full)
    with pytest.raises(RunError, match=r"000000\.claim: cannot be written \(No space left on device\)"):
        store.claim(shards()[0])


def killed_work(asked, shard):
    if shard.index == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return fake_work(asked, shard)


def test_a_worker_that_is_killed_is_told_and_its_shard_is_free_again(tmp_path):
    with pytest.raises(RunError, match="a worker was killed, perhaps for want of memory"):
        run(tmp_path, killed_work, workers=2, where="processes")
    assert not list((tmp_path / "shards").glob("*.claim"))
    resumed, _ = run(tmp_path)
    undisturbed, _ = run(tmp_path / "other")
    assert resumed == undisturbed


ORPHANS = """
import time
from seedbed.trial.execution import open_pool
if __name__ == "__main__":
    with open_pool("processes", 2) as (pool, _):
        list(pool.map(abs, range(8)))
        print("working", flush=True)
        time.sleep(600)
"""


def test_workers_end_when_their_command_is_killed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(ORPHANS)
    command = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert command.stdout.readline() == "working\n"
    command.kill()
    command.communicate(timeout=60)  # ends when every process that holds the pipe has ended


def test_the_manifest_survives_a_round_trip_and_tells_requests_apart(tmp_path):
    written = manifest.new(request(), tuple(shards()))
    manifest.write(tmp_path, written)
    assert manifest.read(tmp_path) == written
    other = request().model_copy(update={"seed": 2})
    assert other.fingerprint != written.fingerprint


def test_a_folder_without_manifest_is_refused(tmp_path):
    with pytest.raises(RunError, match="give the folder of a run"):
        manifest.read(tmp_path)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda whole: whole[: len(whole) // 2], "Invalid JSON"),
        (lambda whole: b"\xff\xfe" + whole, "no text"),
        (lambda whole: whole.replace(b'"seed"', b'"sead"'), r"request\.seed: Field required"),
    ],
)
def test_a_damaged_manifest_is_refused_with_the_reason(tmp_path, damage, told):
    manifest.write(tmp_path, manifest.new(request(), tuple(shards())))
    file = tmp_path / "manifest.json"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(RunError, match=told):
        manifest.read(tmp_path)


def test_a_word_that_is_no_address_of_a_cluster_is_refused():
    with pytest.raises(RunError, match=r'"nonsense" is no address .* tcp://host:port'):
        execution.open_pool("threads", 1, "nonsense").__enter__()


def test_a_cluster_that_does_not_answer_is_named():
    with pytest.raises(RunError, match=r"cluster|answers"), execution.open_pool("threads", 1, "tcp://127.0.0.1:9"):
        pass
