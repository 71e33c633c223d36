"""How near the machine code comes to what a core can do: multiply-adds at best, and those a step needs."""

from __future__ import annotations

import re
import time

import numpy as np

from seedbed.engine import machine
from seedbed.engine.language import Floats, Ints, Target, Vectors, declarations, entry, fma, translate
from seedbed.engine.rosenbrock import N_STAGES, A

CHAINS = 8  # multiply-adds in flight, enough that none waits for the one before
TURNS = 8_000_000
FUNCTION = re.compile(r"^define internal .*?@(\w+)\(.*?\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
OPERATION = re.compile(
    r"= (?:(fadd|fsub|fmul|fdiv) <|call .*?@llvm\.(fma|sqrt)\.v)|call .*?@(vector_\w+|power|\w+_part\d+)\("
)


@entry
def prepare(job: Ints, work: Vectors, clock: Floats, flags: Ints) -> None:
    """Do nothing: `run` needs no start."""


@entry
def run(job: Ints, work: Vectors, clock: Floats, flags: Ints) -> None:  # noqa: ARG001
    """Do nothing but multiply-adds, in chains that stay in registers."""
    p = work[0]
    q = work[1]
    r = work[2]
    s = work[3]
    t = work[4]
    u = work[5]
    v = work[6]
    w = work[7]
    x = work[8]
    y = work[9]
    for _turn in range(job[0]):
        p = fma(p, x, y)
        q = fma(q, x, y)
        r = fma(r, x, y)
        s = fma(s, x, y)
        t = fma(t, x, y)
        u = fma(u, x, y)
        v = fma(v, x, y)
        w = fma(w, x, y)
    work[0] = p + q + r + s + t + u + v + w


def peak(target: Target) -> float:
    """Return the floating-point operations a second of one core, two for each multiply-add, by CPU time."""
    kernels = translate([prepare, run], {}, target, {})
    text = "\n".join([declarations(target), kernels, machine.attributes(target)])
    code = machine.load_object(machine.compile_text(text))
    job, work = np.array([TURNS]), machine.aligned((CHAINS + 2) * target.lanes, np.float64)
    work[:] = 0.5
    unused = np.zeros(1)
    addresses = [array.ctypes.data for array in (job, work, unused, unused)]
    started = time.process_time()
    code.run(*addresses)
    return 2.0 * TURNS * CHAINS * target.lanes / (time.process_time() - started)


def operations_of_step(source: machine.Source) -> int:
    """Return the floating-point operations of one step of one patient, counted in the code of a program."""
    functions = dict(FUNCTION.findall(source.text))

    def count(name: str) -> int:
        total = 0
        for plain, intrinsic, called in OPERATION.findall(functions[name]):
            total += count(called) if called else 2 if intrinsic == "fma" else 1 if plain or intrinsic else 0
        return total

    stages = N_STAGES - 1
    once = count("rates_and_matrix") + count("factorize") + stages * count("rates") + N_STAGES * count("solve")
    sums = sum(2 * len(row) for row in A[1:6]) + 2  # the states of the stages; the last two only add the one before
    earlier = sum(2 * stage + 1 for stage in range(1, N_STAGES))  # sums of C/h k
    error = 6
    dense = 3 * 2 * N_STAGES * len(source.at.KEPT)
    return once + dense + source.at.N_STATES * (sums + earlier + error)
