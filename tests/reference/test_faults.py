"""Evidence: exact (a disturbed run must equal an undisturbed one, byte for byte). Slow: many processes are killed.

SEEDBED_FAULT_SUBJECTS=20000 python -m pytest -m slow -s tests/reference/test_faults.py -k ten_times
took 48 minutes on two cores shared with eight other jobs; -s shows the shards finished at each kill.
"""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-c", "from seedbed.cli.main import app; app()"]
SUBJECTS = int(os.environ.get("SEEDBED_FAULT_SUBJECTS", "4000"))
PROTOCOL = "large_b_cell_lymphoma_asct_or_cart"


def run_command(folder, *more):
    options = ["--subjects", str(SUBJECTS), "--until", "45", "--seed", "5", "--endpoints-only", "--out", str(folder)]
    return [*COMMAND, "run", PROTOCOL, *options, *more]


def finished_shards(folder):
    return len(list(folder.glob("shards/0*/outcome.json")))


def test_a_run_killed_ten_times_equals_an_undisturbed_one(tmp_path):
    calm, disturbed = tmp_path / "calm", tmp_path / "disturbed"
    began = time.monotonic()
    subprocess.run(run_command(calm, "--workers", "2"), check=True)
    whole = time.monotonic() - began
    luck, after_a_shard, finished = random.Random(1), 0, []
    for kill in range(10):
        before = finished_shards(disturbed)
        process = subprocess.Popen(run_command(disturbed, "--workers", "2"))
        if kill % 2:
            while finished_shards(disturbed) == before and process.poll() is None:
                time.sleep(0.02)
        else:
            time.sleep(luck.uniform(0.0, 0.1) * whole)
        process.kill()  # the command alone: its workers must end by themselves
        process.wait()
        after_a_shard += finished_shards(disturbed) > before
        finished.append(finished_shards(disturbed))
    assert after_a_shard >= min(5, finished_shards(calm) - 1), f"shards finished at each kill: {finished}"
    subprocess.run(run_command(disturbed, "--workers", "2"), check=True)
    assert (calm / "endpoints.parquet").read_bytes() == (disturbed / "endpoints.parquet").read_bytes()
    sys.stdout.write(f"{SUBJECTS} subjects, shards finished at each kill: {finished}, then resumed: equal bytes\n")


def test_a_dask_cluster_that_loses_a_worker_gives_the_same_bytes(tmp_path):
    distributed = pytest.importorskip("distributed")
    alone, together = tmp_path / "alone", tmp_path / "together"
    subprocess.run(run_command(alone, "--workers", "2"), check=True)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        process = subprocess.Popen(run_command(together, "--cluster", cluster.scheduler_address))
        while finished_shards(together) == 0:
            assert process.poll() is None
            time.sleep(0.05)
        victim = next(iter(cluster.workers.values())).process.pid
        os.kill(victim, signal.SIGKILL)
        assert process.wait() == 0
    assert (alone / "endpoints.parquet").read_bytes() == (together / "endpoints.parquet").read_bytes()
