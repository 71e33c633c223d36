import json
import os
import socket
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


def test_a_damaged_shard_is_worked_again(tmp_path):
    before, _ = run(tmp_path)
    (tmp_path / "shards" / shards()[2].name / "endpoints.parquet").write_bytes(b"damaged")
    after, _ = run(tmp_path)
    assert before == after


def test_the_claim_of_a_dead_process_is_taken_over_and_that_of_a_living_one_is_not(tmp_path):
    store, shard = Shards(tmp_path), shards()[0]
    claim = store.folder / f"{shard.name}.claim"
    claim.write_text(json.dumps({"host": socket.gethostname(), "process": os.getppid()}))
    assert not store.claim(shard)
    claim.write_text(json.dumps({"host": socket.gethostname(), "process": 2**22 - 7}))
    assert store.claim(shard)


def test_the_claim_of_another_machine_is_taken_over_once_it_is_silent(tmp_path):
    store, shard = Shards(tmp_path), shards()[0]
    claim = store.folder / f"{shard.name}.claim"
    claim.write_text(json.dumps({"host": "elsewhere", "process": 1}))
    assert not store.claim(shard)
    long_ago = time.time() - 1000
    os.utime(claim, (long_ago, long_ago))
    assert store.claim(shard)


def test_what_a_killed_process_left_half_written_is_swept_away(tmp_path):
    store = Shards(tmp_path)
    left = store.folder / f".000000.{socket.gethostname()}.{2**22 - 7}"
    left.mkdir()
    store.sweep()
    assert not left.exists()


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


def test_the_manifest_survives_a_round_trip_and_tells_requests_apart(tmp_path):
    written = manifest.new(request(), tuple(shards()))
    manifest.write(tmp_path, written)
    assert manifest.read(tmp_path) == written
    other = request().model_copy(update={"seed": 2})
    assert other.fingerprint != written.fingerprint


def test_a_folder_without_manifest_is_refused(tmp_path):
    with pytest.raises(RunError, match="give the folder of a run"):
        manifest.read(tmp_path)


def test_a_cluster_that_does_not_answer_is_named():
    with pytest.raises(RunError, match=r"cluster|answers"), execution.open_pool("threads", 1, "tcp://127.0.0.1:9"):
        pass
