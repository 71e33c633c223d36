"""The commands as functions, for notebooks and scripts.

>>> import seedbed
>>> trial = seedbed.run("wei_2022_tp53", subjects=60, until=120, out=folder)  # doctest: +SKIP
>>> trial.endpoints.groupby("arm")["crs_grade"].mean()  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path

from seedbed.report.summary import Run, read
from seedbed.trial import run as job
from seedbed.trial.execution import Where
from seedbed.trial.request import Options, make_request


def run(
    protocol: str | Path,
    *,
    subjects: int = 1000,
    seed: int = 1,
    until: float | None = None,
    square: bool = False,
    out: str | Path | None = None,
    workers: int = 2,
    where: Where = "threads",
) -> Run:
    """Run a virtual trial, or go on with one that was interrupted, and return its tables.

    Parameters
    ----------
    protocol : id of a protocol of the library, or a YAML file
    subjects : how many virtual patients to enroll; each stands in every arm
    until : follow-up [day from enrollment], by default the protocol's
    square : add the arms neither, ASCT alone and CAR-T alone
    out : run folder, by default ``runs/<protocol>-<fingerprint>``
    where : ``"threads"``, which suits notebooks, or ``"processes"``, which is faster

    Returns
    -------
    Run
        ``endpoints``, ``events``, ``subjects``, ``trajectories``, ``flow``, ``summary`` as tables, and ``folder``.

    Raises
    ------
    ContentError
        Every problem of the protocol and of what it names.
    RunError
        The folder holds another run, or more than 1 % of the subjects failed.
    """
    options = Options(subjects=subjects, seed=seed, until_days=until, square=square)
    request = make_request(protocol, options)
    folder = Path(out) if out is not None else Path("runs") / f"{request.protocol_id}-{request.fingerprint[:8]}"
    job.execute(folder, request, workers=workers, where=where)
    job.summarize(folder)
    return read(folder)
