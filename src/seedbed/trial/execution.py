"""Work the shards of a run: in this process, on threads, on processes, or on a Dask cluster, with equal bits.

The work of a shard is a pure function of the request and the shard; where it runs changes nothing. Several
commands, on one machine or on several that share the folder, can work the same run: each claims the shards it
takes, and waits at the end for those that others hold.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Literal

from seedbed.errors import RunError
from seedbed.trial.manifest import Outcome, Request, Shard
from seedbed.trial.shards import ShardResult, Shards
from seedbed.trial.workers import open_processes

HEARTBEAT_SECONDS = 15.0
Where = Literal["processes", "threads"]
Report = Callable[[Shard, Outcome], None]


Work = Callable[[Request, Shard], ShardResult]


def work_shards(
    request: Request,
    todo: list[Shard],
    store: Shards,
    work: Work,
    pool: Executor,
    *,
    at_once: int,
    report: Report,
) -> None:
    """Work every shard that nobody else holds, then wait for the others' shards.

    Parameters
    ----------
    pool : where to work
    at_once : how many shards are under way at any time
    report : called with each shard that is finished, whoever worked it
    """
    waiting = {shard.name: shard for shard in todo}
    running: dict[Future[ShardResult], Shard] = {}
    with heartbeats(store, lambda: list(running.values())):
        while waiting or running:
            for shard in list(waiting.values()):
                if len(running) >= at_once:
                    break
                if (outcome := store.outcome(shard)) is not None:
                    report(waiting.pop(shard.name), outcome)
                elif store.claim(shard):
                    running[pool.submit(work, request, shard)] = waiting.pop(shard.name)
            if running:
                _collect(running, store, report)
            elif waiting:
                time.sleep(0.5)


def _collect(running: dict[Future[ShardResult], Shard], store: Shards, report: Report) -> None:
    finished, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in finished:
        shard = running.pop(future)
        try:
            result = future.result()
        except BaseException:
            for held in (shard, *running.values()):
                store.release(held)
            raise
        report(shard, store.finish(shard, result))


@contextmanager
def heartbeats(store: Shards, held: Callable[[], list[Shard]]) -> Iterator[None]:
    """Keep the claims that `held` returns alive while the block runs."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            for shard in held():
                store.heartbeat(shard)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def open_pool(where: Where, workers: int, cluster: str | None = None) -> Iterator[tuple[Executor, int]]:
    """Open the place of work; yields it and how many shards to keep under way.

    Raises
    ------
    RunError
        A cluster is asked for and Dask is not installed, or the scheduler does not answer.
    """
    if cluster is not None:
        with _dask(cluster) as (executor, slots):
            yield executor, slots
    elif workers == 1 or where == "threads":
        with ThreadPoolExecutor(workers) as threads:
            yield threads, workers
    else:
        with open_processes(workers) as processes:
            yield processes, workers


@contextmanager
def _dask(address: str) -> Iterator[tuple[Executor, int]]:
    try:
        from distributed import Client
    except ImportError as error:
        raise RunError('a cluster needs Dask: python -m pip install "seedbed[cluster]"') from error
    try:
        client = Client(address, timeout=10)
    except OSError as error:
        raise RunError(f"no Dask scheduler answers at {address}") from error
    with client:
        yield client.get_executor(pure=False, retries=5), 2 * max(1, sum(client.ncores().values()))
