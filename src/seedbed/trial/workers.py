"""Processes that work shards: how they start, and what they find.

On Linux they fork from one server that has read the code once, so that a worker starts in milliseconds; the server
itself is a fresh process without threads, from which forking is safe. Elsewhere each worker starts anew and reads
the code itself. Nothing here imports much, so that a command can start the server before its own imports.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import BaseContext

READ_BY_WORKERS = "seedbed.trial.work"


def start_early(*modules: str) -> None:
    """Let the server read the code of workers, and further `modules`, while this process does something else."""
    if sys.platform == "linux":
        from multiprocessing import forkserver

        _context(modules)
        forkserver.ensure_running()


def open_processes(workers: int) -> ProcessPoolExecutor:
    """Return a pool of processes that have this one's environment as it is now."""
    environment = dict(os.environ)
    return ProcessPoolExecutor(workers, mp_context=_context(), initializer=_enter, initargs=(environment,))


def _context(modules: Sequence[str] = ()) -> BaseContext:
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([READ_BY_WORKERS, *modules])  # no effect on a server that runs
    return context


def _enter(environment: Mapping[str, str]) -> None:
    """Take over the environment of the process that asked, which may have changed since the server started.

    The worker ends when that process is killed, rather than wait for work forever.
    """
    os.environ.clear()
    os.environ.update(environment)
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
