"""Where everything lies in the memory that kernels share."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

#: fields of `job`, 64-bit integers: addresses of the patients' arrays, and counts
JOB_FIELDS = (
    "N", "NEXT", "SHARED", "TOLERANCES", "LIMITS", "INPUTS", "FIXED", "STATES", "MEMORY", "CLOCK", "STATUS",
    "N_DOSES", "DOSE_TIMES", "DOSE_AMOUNTS", "DOSE_TARGETS", "N_TIMES", "TIMES", "OUTPUT", "MAX_STEPS",
    "WINDOWS", "REDUCED",
)  # fmt: skip
#: fields of `clock`, a 64-bit real for each lane
CLOCK_FIELDS = ("NOW", "PROPOSAL", "STOP", "TRIED", "END", "SWITCH_TIME", "HIGH", "LOW", "FROM", "TO", "CROSSING")
#: fields of `flags`, an integer for each lane
FLAG_FIELDS = (
    "PATIENT", "STEPS", "REJECTED", "NEXT_DOSE", "RESTART", "NEXT_OUTPUT", "LAST_REJECTED", "FAILED", "NODE",
    "CULPRIT", "AT_SWITCH", "LAST", "ACCEPTED", "WRITES", "FOUND",
)  # fmt: skip
#: single vectors in `work`
SCALAR_SLOTS = ("TIME", "STEP", "DIAGONAL", "STAGE_TIME", "THETA", "PART", "ERROR", "FACTOR", "CHOSEN")
N_STATUS = 6  # code, steps, rejected, next dose, restart, culprit
N_CLOCK = 2  # time, proposed step


def lay_out(lanes: int, sizes: dict[str, int], facts: dict[str, Any]) -> SimpleNamespace:
    """Return the names that kernels use for slots, fields and counts.

    Parameters
    ----------
    lanes : patients side by side
    sizes : number of vectors in each named region of `work`
    facts : further constants, passed through
    """
    at = SimpleNamespace(LANES=lanes, N_STATUS=N_STATUS, N_CLOCK=N_CLOCK, RELATIVE=0, ABSOLUTE=1, **facts)
    for k, name in enumerate(JOB_FIELDS):
        setattr(at, f"JOB_{name}", k)
    for fields in (CLOCK_FIELDS, FLAG_FIELDS, SCALAR_SLOTS):
        for k, name in enumerate(fields):
            setattr(at, name, k)
    position = len(SCALAR_SLOTS)
    for name, size in sizes.items():
        setattr(at, name, position)
        position += size
    at.WORK = position
    return at
