"""Work the shards of a run: in this process, on threads, on processes, or on a Dask cluster, with equal bits.

The work of a shard is a pure function of the request and the shard; where it runs changes nothing. Several
commands, on one machine or on several that share the folder, can work the same run: each claims the shards it
takes, and waits at the end for those that others hold.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager
from typing import Literal

from seedbed.errors import RunError
from seedbed.trial.manifest import Outcome, Request, Shard
from seedbed.trial.shards import ShardResult, Shards
from seedbed.trial.workers import open_processes

HEARTBEAT_SECONDS = 15.0
WORKER_GONE = (
    "a worker was killed, perhaps for want of memory; no finished shard is lost: "
    "run again to resume, with fewer --workers if memory is short"
)
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

    Raises
    ------
    RunError
        A shard cannot be written, or its worker is gone.
    """
    waiting = {shard.name: shard for shard in todo}
    running: dict[Future[ShardResult], Shard] = {}
    with heartbeats(store, lambda: list(running.values())):
        try:
            while waiting or running:
                for shard in list(waiting.values()):
                    if len(running) >= at_once:
                        break
                    if (outcome := store.outcome(shard)) is not None:
                        report(waiting.pop(shard.name), outcome)
                    elif store.claim(shard):
                        running[_submit(pool, store, work, request, shard)] = waiting.pop(shard.name)
                if running:
                    _collect(running, store, report)
                elif waiting:
                    time.sleep(0.5)
        finally:
            for future, shard in running.items():
                future.cancel()
                store.release(shard)


def _submit(pool: Executor, store: Shards, work: Work, request: Request, shard: Shard) -> Future[ShardResult]:
    try:
        return pool.submit(work, request, shard)
    except BrokenExecutor as error:
        store.release(shard)
        raise RunError(WORKER_GONE) from error


def _collect(running: dict[Future[ShardResult], Shard], store: Shards, report: Report) -> None:
    finished, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in finished:
        try:
            result = future.result()
        except (BrokenExecutor, CancelledError) as error:
            raise RunError(WORKER_GONE) from error
        report(running[future], store.finish(running[future], result))
        del running[future]


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
        A cluster is asked for and Dask is not installed, or the scheduler does not answer or has no worker.
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
    if not re.fullmatch(r"\w+://.+:\d+", address):
        raise RunError(f'"{address}" is no address of a Dask scheduler; expected tcp://host:port')
    try:
        client = Client(address, timeout=10)
    except OSError as error:
        raise RunError(f"no Dask scheduler answers at {address}") from error
    with client:
        slots = sum(client.ncores().values())
        if not slots:
            raise RunError(f"the Dask scheduler at {address} has no worker; start one: dask worker {address}")
        yield client.get_executor(pure=False, retries=5), 2 * slots
