import ctypes

import llvmlite.binding as llvm
import numpy as np
import pytest

from seedbed.engine import machine
from seedbed.engine.language import (
    Floats,
    Ints,
    Reals,
    Target,
    TranslationError,
    Vectors,
    declarations,
    entry,
    fma,
    kernel,
    reals,
    static,
    template,
    translate,
    vector,
    where,
)

TARGET = Target(4)
WEIGHTS = (1.0, 2.0, 3.0)
n = 3


@kernel
def helper(values: Floats, x: float) -> float:
    """Return a value to the caller."""
    if x > 2.0:
        return x * values[5]
    return 0.0


@entry
def lanes(work: Vectors) -> None:
    """Work all lanes at once and one at a time."""
    for k in static(range(len(WEIGHTS))):
        weigh(work, k)
    work[4] = where(work[1] > vector(2.5), work[1], vector(-1.0))
    single = reals(work)
    single[5 * 4 + 2] = 9.0


@template
def weigh(work: Vectors, k: int) -> None:
    """Add a weighted vector: written out for each k."""
    work[3] = fma(vector(WEIGHTS[k]), work[k], work[3])


@kernel
def outside(values: Floats) -> None:
    """Use a statement the subset lacks."""
    with values:
        pass


@kernel
def stranger(values: Floats) -> None:
    """Call what nobody knows."""
    values[0] = print(values[0])  # noqa: T201


def compiled(kernels):
    text = declarations(TARGET) + "\n" + translate(kernels, {"WEIGHTS": WEIGHTS, "n": n}, TARGET, {})
    triple, cpu, features = machine.host()
    module = llvm.parse_assembly(text + "\nattributes #0 = { nounwind }\n")
    module.verify()
    made = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features, opt=1)
    return llvm.create_mcjit_compiler(module, made)


def call(engine, name, *arrays):
    address = engine.get_function_address(name)
    ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(arrays))(address)(*[a.ctypes.data for a in arrays])


def test_control_flow_and_scalars():
    @entry
    def control(numbers: Ints, values: Floats) -> None:
        total = 0
        for k in range(10):
            if k == 7:
                break
            if k > 2 and not (k < 5 and k > 3):
                total += k
        numbers[0] = total
        k = 0
        while k < 5 or numbers[0] < 0:
            k = k + 1
            if k < 3:
                continue
            numbers[1] = numbers[1] + k
        values[0] = helper(values, 2.5) - float(n)
        values[1] = float(int(values[0]) / 2)
        values[2] = min(values[0], abs(-7.0))

    engine = compiled([control, helper])
    numbers, values = np.zeros(2, dtype=np.int64), np.array([0.0, 0.0, 0.0, 0.0, 0.0, 4.0])
    call(engine, "control", numbers, values)
    assert numbers.tolist() == [3 + 5 + 6, 3 + 4 + 5]
    assert values[:3].tolist() == [7.0, 3.0, 7.0]


def test_vectors_templates_and_lanes():
    engine = compiled([lanes, weigh])
    raw = np.zeros(6 * 4 + 8)
    work = raw[(-raw.ctypes.data % 64) // 8 :][:24]
    work[:12] = np.arange(12.0)
    call(engine, "lanes", work)
    table = work.reshape(6, 4)
    np.testing.assert_array_equal(table[3], table[0] + 2 * table[1] + 3 * table[2])
    np.testing.assert_array_equal(table[4], np.where(table[1] > 2.5, table[1], -1.0))
    assert table[5].tolist() == [0.0, 0.0, 9.0, 0.0]


def test_what_lies_outside_the_subset_is_named_with_its_line():
    with pytest.raises(TranslationError, match=r"kernel outside, line \d+: statement outside the subset"):
        translate([outside], {}, TARGET, {})
    with pytest.raises(TranslationError, match="unknown function"):
        translate([stranger], {}, TARGET, {})


def test_helpers_exist_only_inside_kernels():
    with pytest.raises(TypeError, match="only inside kernels"):
        vector(1.0)
    assert static(3) == 3
    assert issubclass(Reals, object)
