"""Turn a `System` into machine code: choose the layout, write the LLVM text of all functions, compile, load."""

from __future__ import annotations

import ctypes
import functools
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from seedbed.engine import driver, elementary, linear_algebra, reducers, reduction, rosenbrock
from seedbed.engine.code import Places, Writer, fixed_frontier, library_declarations, lower
from seedbed.engine.expression import SHARED
from seedbed.engine.language import Signature, Target, declarations, translate
from seedbed.engine.layout import lay_out
from seedbed.engine.positivity import Signs, assumed_inputs, nonnegative_states
from seedbed.engine.switches import switching_times
from seedbed.engine.system import System
from seedbed.errors import SimulationError

ALIGNMENT = 64
MAX_EVENT_ROUNDS = 100
LONGEST_PLAN = 20_000  # multiply-adds of a factorization that are still written out one by one
LONGEST_FUNCTION = 6_000  # nodes of an expression function before it is split
LAST_ROWS = 10  # rows of a triangular solve worked side by side; with what else they need, they fill 16 registers
UNROLLED_STATES = 16  # more observed states than this are interpolated all together, in a loop
LANES_BY_FEATURE = (("avx512f", 8), ("avx2", 4))
MODEL_FUNCTIONS = (
    "rates",
    "rates_and_matrix",
    "observe",
    "triggers",
    "assignments",
    "initial_values",
    "fixed_values",
    "watch",
)
TWO_POINTERS = Signature(("Vectors", "Reals"), "None")

LINEAR_ALGEBRA = {"factorize": Signature(("Vectors",), "None"), "solve": Signature(("Vectors", "int"), "None")}
OTHER_FUNCTIONS = {
    "power": Signature(("Vector", "Vector"), "Vector"),
    "vector_exp": Signature(("Vector",), "Vector"),
}


@dataclass(frozen=True)
class Source:
    """The LLVM text of a program with what Python must know to run it.

    Attributes
    ----------
    text : LLVM assembly
    at : memory layout
    shared : ids of the shared inputs, in slot order
    shared_nodes : nodes computed from shared inputs, in the slots after the inputs
    assumed : (kind, slot) of the inputs the code takes to be >= 0
    nonnegative : numbers of the states proved to stay >= 0
    clock_is_known : whether steps can end at every time at which a formula switches by the clock
    """

    text: str
    at: SimpleNamespace
    shared: tuple[str, ...]
    shared_nodes: tuple[int, ...]
    assumed: tuple[tuple[str, int], ...]
    nonnegative: frozenset[int]
    clock_is_known: bool
    target: Target


@functools.cache
def host() -> tuple[str, str, str]:
    """Return the triple, the processor name and its features, as LLVM names them."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def choose_target(lanes: int | None, float_type: str) -> Target:
    """Return the target for this processor: as many lanes as a register holds, unless `lanes` says otherwise.

    Raises
    ------
    SimulationError
        `lanes` is not 1, 2, 4, 8 or 16, or `float_type` is unknown.
    """
    reals = {"float64": "double", "float32": "float"}
    if float_type not in reals:
        raise SimulationError(f"float_type {float_type!r} is unknown; use 'float64' or 'float32'")
    features = host()[2].split(",")
    if lanes is None:
        lanes = next((n for name, n in LANES_BY_FEATURE if f"+{name}" in features), 2)
        lanes *= 2 if float_type == "float32" else 1
    if lanes not in (1, 2, 4, 8, 16):
        raise SimulationError(f"lanes = {lanes}: must be 1, 2, 4, 8 or 16")
    fused = "+fma" in features or platform.machine().lower() in ("arm64", "aarch64")
    return Target(lanes, reals[float_type], fused)


def write(
    system: System,
    observables: Sequence[int],
    reduced: reducers.Plan,
    target: Target,
    declared: frozenset[int] = frozenset(),
) -> Source:
    """Write all functions of a program as LLVM text; `declared` states are non-negative by their meaning."""
    return _Writing(system, observables, reduced, target, declared).source()


class _Writing:
    """The steps from a system to its LLVM text."""

    def __init__(
        self,
        system: System,
        observables: Sequence[int],
        reduced: reducers.Plan,
        target: Target,
        declared: frozenset[int],
    ) -> None:
        self.system, self.graph, self.target, self.reduced = system, system.graph, target, reduced
        self.n = len(system.states)
        self.nonnegative, proof = nonnegative_states(system, declared)
        states = {self.graph.input("state", k) for k in self.nonnegative}
        self.signs = Signs(self.graph, assumed_inputs(system) | states)
        self.signs.used |= proof
        self.rates = self._lowered(system.rates)
        self.matrix = self._jacobian()
        self.slopes = [self._lowered_slope(rate) for rate in system.rates]
        self.observables = self._lowered(observables)
        watched = [system.observe(formula) for formula in reduced.formulas]
        self.watched = self._lowered(watched)
        self.triggers = self._lowered([event.trigger for event in system.events])
        self.assigned = self._lowered([value for event in system.events for _, value in event.assignments])
        self.initial = self._lowered(system.initial)
        switches, self.clock_is_known = switching_times(system, [*system.rates, *observables, *watched])
        self.switches = self._lowered(switches)
        self.factors = linear_algebra.plan(self.n, self.matrix)
        self.looped = self.factors.n_multiplications > LONGEST_PLAN
        if self.looped:
            self.factors = linear_algebra.plan_dense(self.n)

    def _lowered(self, nodes: Sequence[int]) -> list[int]:
        return lower(self.graph, nodes, self.signs)

    def _lowered_slope(self, rate: int) -> int:
        return self._lowered([self.graph.derivative(rate, self.graph.time)])[0]

    def _jacobian(self) -> dict[tuple[int, int], int]:
        graph, entries = self.graph, {}
        for row, rate in enumerate(self.system.rates):
            for column in graph.states_of(rate):
                entry = graph.derivative(rate, graph.input("state", column))
                if entry != graph.zero:
                    entries[row, column] = entry
        lowered = self._lowered(list(entries.values()))
        return dict(zip(entries, lowered, strict=True))

    # ---- layout -------------------------------------------------------------------------------------------
    def _frontier(self) -> list[int]:
        moving = [*self.rates, *self.matrix.values(), *self.slopes, *self.observables, *self.watched, *self.triggers]
        moving += self.assigned
        return fixed_frontier(self.graph, moving)

    def _layout(self, fixed: list[int]) -> SimpleNamespace:
        n, events = self.n, self.system.events
        n_memory = len(events) + 2 * len(self.reduced.fates)
        sizes = {
            "Y": n, "Y_NEW": n, "STAGE": n, "RATE": n, "SLOPE": n, "K": 8 * n, "DENSE": 3 * n,
            "MATRIX": self.factors.n_entries, "VARIED": len(self.system.varied),
            "FIXED": len(fixed) + len(self.switches),
            "OBSERVED": len(self.observables), "TRIGGER": len(events), "ASSIGNMENT": len(self.assigned),
            "WATCHED": len(self.watched), "SAMPLES": 5 * len(self.watched), "MEMORY": n_memory,
        }  # fmt: skip
        seen = {s for node in (*self.observables, *self.triggers, *self.watched) for s in self.graph.states_of(node)}
        if len(seen) > UNROLLED_STATES:
            seen = set(range(n))
        facts = {
            "N_STATES": n, "N_VARIED": len(self.system.varied), "N_FIXED": len(fixed) + len(self.switches),
            "N_OBSERVABLES": len(self.observables), "N_EVENTS": len(events), "N_MEMORY": n_memory,
            "N_SWITCHES": len(self.switches), "N_REDUCERS": len(self.watched), "N_WATCHED": len(self.watched),
            "N_SINGLE": len(self.reduced.single), "N_FATES": len(self.reduced.fates), "KINDS_FIRST": 0,
            "KINDS": tuple(r.kind for r in self.reduced.single), "ALWAYS_DENSE": bool(events or self.watched),
            "LARGEST_EXPONENT": 600.0 if self.target.real == "double" else 80.0,
            "CLOCK_GRAIN": 2.0**-52 if self.target.real == "double" else 2.0**-22,
            "TIME_DEPENDENT": any(slope != self.graph.zero for slope in self.slopes),
            "SEEN": tuple(sorted(seen)), "KEPT": tuple(range(n)) if events else tuple(sorted(seen)),
            "MAX_EVENT_ROUNDS": MAX_EVENT_ROUNDS, "ASSIGNED": self._assignment_slots(),
        }  # fmt: skip
        at = lay_out(self.target.lanes, sizes, facts)
        at.HELD, at.FATES = at.MEMORY, at.MEMORY + len(events)
        return at

    def _assignment_slots(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        number, slots = 0, []
        for event in self.system.events:
            slots.append(tuple((state, number + k) for k, (state, _) in enumerate(event.assignments)))
            number += len(event.assignments)
        return tuple(slots)

    # ---- text ---------------------------------------------------------------------------------------------
    def source(self) -> Source:
        fixed = self._frontier()
        varied = [node for node in fixed if self.graph.levels[node] > SHARED]
        shared = [node for node in fixed if self.graph.levels[node] == SHARED]
        at = self._layout(varied)
        n_shared = len(self.system.shared)
        from_varied = {node: at.FIXED + k for k, node in enumerate(varied)}
        from_shared = {node: n_shared + k for k, node in enumerate(shared)}
        at.SWITCH_SLOTS = tuple(at.FIXED + len(varied) + k for k in range(len(self.switches)))
        places = Places(at.STAGE, at.STAGE_TIME, at.VARIED, from_varied, from_shared, self.nonnegative)
        bare = Places(at.STAGE, at.STAGE_TIME, at.VARIED, {}, from_shared)
        text = "\n".join([
            declarations(self.target), library_declarations(), elementary.functions(self.target),
            *self._model_functions(at, places, bare, [*varied, *self.switches]), *self._linear_algebra(at),
            self._kernels(at), attributes(self.target),
        ])  # fmt: skip
        return Source(
            text=text,
            at=at,
            shared=tuple(self.system.shared),
            shared_nodes=tuple(shared),
            assumed=self._assumed(),
            nonnegative=self.nonnegative,
            clock_is_known=self.clock_is_known,
            target=self.target,
        )

    def _assumed(self) -> tuple[tuple[str, int], ...]:
        kinds, values = self.graph.operations, self.graph.values
        return tuple((kinds[k], int(values[k] or 0)) for k in sorted(self.signs.used) if kinds[k] != "state")

    def _model_functions(self, at: SimpleNamespace, places: Places, bare: Places, varied: list[int]) -> list[str]:
        results = {
            "rates": [(at.RATE + k, node) for k, node in enumerate(self.rates)],
            "rates_and_matrix": self._matrix_results(at),
            "observe": [(at.OBSERVED + k, node) for k, node in enumerate(self.observables)],
            "watch": [(at.WATCHED + k, node) for k, node in enumerate(self.watched)],
            "triggers": [(at.TRIGGER + k, self.graph.as_number(node)) for k, node in enumerate(self.triggers)],
            "assignments": [(at.ASSIGNMENT + k, node) for k, node in enumerate(self.assigned)],
        }
        texts = [self._function(name, wanted, places) for name, wanted in results.items()]
        start = [(at.Y + k, node) for k, node in enumerate(self.initial)]
        fixed = [(at.FIXED + k, self.graph.as_number(node)) for k, node in enumerate(varied)]
        texts.append(Writer(self.graph, self.target, bare).function("initial_values", start))
        texts.append(Writer(self.graph, self.target, bare).function("fixed_values", fixed))
        return texts

    def _function(self, name: str, results: list[tuple[int, int]], places: Places) -> str:
        """Write a function, in several parts where one would keep the compiler busy for minutes."""
        n_nodes = len(self.graph.ordered([node for _, node in results]))
        if n_nodes <= LONGEST_FUNCTION:
            return Writer(self.graph, self.target, places).function(name, results)
        size = -(-len(results) // -(-n_nodes // LONGEST_FUNCTION))
        parts = [results[k : k + size] for k in range(0, len(results), size)]
        texts = [
            Writer(self.graph, self.target, places).function(f"{name}_part{k}", part) for k, part in enumerate(parts)
        ]
        calls = [f"  call void @{name}_part{k}(ptr %work, ptr %shared)" for k in range(len(parts))]
        head = f"define internal void @{name}(ptr noalias %work, ptr noalias readonly %shared) #0 {{\nentry:"
        return "\n".join([*texts, head, *calls, "  ret void", "}", ""])

    def _matrix_results(self, at: SimpleNamespace) -> list[tuple[int, int]]:
        """Rates, and ``I/(gamma h) - J`` in the slots of the factorization; fill-in starts at 0."""
        graph = self.graph
        diagonal = graph.input("slot", at.DIAGONAL)
        results = [(at.RATE + k, node) for k, node in enumerate(self.rates)]
        for (row, column), slot in self.factors.slots.items():
            entry = self.matrix.get((row, column), graph.zero)
            value = graph.sub(diagonal, entry) if row == column else graph.neg(entry)
            results.append((at.MATRIX + slot, value))
        if at.TIME_DEPENDENT:
            results += [(at.SLOPE + k, node) for k, node in enumerate(self.slopes)]
        return results

    def _linear_algebra(self, at: SimpleNamespace) -> list[str]:
        if self.looped:
            return []
        return [factorize_text(self.factors, at, self.target), solve_text(self.factors, at, self.target)]

    def _kernels(self, at: SimpleNamespace) -> str:
        kernels = [*rosenbrock.KERNELS, *driver.KERNELS]
        if self.looped:
            kernels += rosenbrock.LOOPED_KERNELS
        if at.N_EVENTS:
            kernels += [*driver.EVENT_KERNELS, *rosenbrock.EVENT_KERNELS]
        if at.N_WATCHED:
            kernels += [*reduction.KERNELS, *(reduction.FATE_KERNELS if at.N_FATES else ())]
        known = dict.fromkeys(MODEL_FUNCTIONS, TWO_POINTERS)
        known |= {**OTHER_FUNCTIONS, **({} if self.looped else LINEAR_ALGEBRA)}
        names = {"factorize": "factorize_in_loops", "solve": "solve_in_loops"} if self.looped else {}
        constants = {"at": at, **rosenbrock.CONSTANTS, **driver.CONSTANTS, **reduction.CONSTANTS}
        return translate(kernels, constants, self.target, known, names)


def attributes(target: Target) -> str:
    """Return the attributes of all functions: vectors stay as wide as the lanes."""
    width = target.lanes * target.bytes * 8
    common = f'nounwind "prefer-vector-width"="{max(width, 128)}" "min-legal-vector-width"="{width}"'
    return f"attributes #0 = {{ {common} }}\nattributes #1 = {{ alwaysinline {common} }}\n"


class _Lines:
    """Collects the instructions of the linear algebra."""

    def __init__(self, target: Target) -> None:
        self.target, self.lines, self.count = target, [], 0

    def emit(self, code: str) -> str:
        self.count += 1
        self.lines.append(f"  %v{self.count} = {code}")
        return f"%v{self.count}"

    def load(self, base: str, index: str | int) -> str:
        t = self.target
        place = self.emit(f"getelementptr {t.vector}, ptr {base}, i64 {index}")
        return self.emit(f"load {t.vector}, ptr {place}, align {t.bytes * t.lanes}")

    def store(self, base: str, index: str | int, text: str) -> None:
        t = self.target
        place = self.emit(f"getelementptr {t.vector}, ptr {base}, i64 {index}")
        self.lines.append(f"  store {t.vector} {text}, ptr {place}, align {t.bytes * t.lanes}")

    def minus_product(self, total: str, a: str, b: str) -> str:
        """Return ``total - a * b``."""
        t = self.target
        if t.fused:
            negative = self.emit(f"fneg {t.vector} {a}")
            return self.emit(
                f"call {t.vector} @llvm.fma.{t.suffix}({t.vector} {negative}, {t.vector} {b}, {t.vector} {total})"
            )
        product = self.emit(f"fmul {t.vector} {a}, {b}")
        return self.emit(f"fsub {t.vector} {total}, {product}")

    def times(self, a: str, b: str) -> str:
        return self.emit(f"fmul {self.target.vector} {a}, {b}")


def factorize_text(plan: linear_algebra.Factorization, at: SimpleNamespace, target: Target) -> str:
    """Write the LU factorization in place, row by row; the diagonal ends as reciprocals of the pivots."""
    out = _Lines(target)
    one = target.splat(1.0)
    for p in plan.rows():
        row: dict[int, str] = {}
        for q in plan.lower[p]:
            here = at.MATRIX + _slot(plan, p, q)
            multiplier = out.times(row.get(q) or out.load("%work", here), _entry(out, plan, at, q, q))
            out.store("%work", here, multiplier)
            for r in plan.upper[q]:
                total = row.get(r) or _entry(out, plan, at, p, r)
                row[r] = out.minus_product(total, multiplier, _entry(out, plan, at, q, r))
        row[p] = out.emit(f"fdiv {target.vector} {one}, {row.get(p) or _entry(out, plan, at, p, p)}")
        for q in (p, *plan.upper[p]):
            if q in row:
                out.store("%work", at.MATRIX + _slot(plan, p, q), row[q])
    head = "define internal void @factorize(ptr noalias %work) #0 {\nentry:"
    return "\n".join([head, *out.lines, "  ret void", "}", ""])


def solve_text(plan: linear_algebra.Factorization, at: SimpleNamespace, target: Target) -> str:
    """Write the two triangular solves: from RATE to the vector that starts at slot `result`.

    The long rows at the end take up each unknown as soon as it is known, all of them side by side in registers; the
    short rows take up theirs one row after the other. In each row the unknown found last comes last.
    """
    out = _Lines(target)
    x = {p: out.load("%work", at.RATE + plan.order[p]) for p in plan.rows()}

    def take_up(places: Iterable[tuple[int, int]]) -> None:
        for p, q in places:
            x[p] = out.minus_product(x[p], x[q], _entry(out, plan, at, p, q))

    last = plan.rows()[-LAST_ROWS:]
    for p in plan.rows():
        take_up((p, q) for q in plan.lower[p] if p not in last)
        take_up((row, p) for row in last if p in plan.lower[row])
    for p in reversed(plan.rows()):
        take_up((p, q) for q in reversed(plan.upper[p]) if p not in last)
        x[p] = out.times(x[p], _entry(out, plan, at, p, p))
        take_up((row, p) for row in last if p in plan.upper[row])
    base = out.emit(f"getelementptr {target.vector}, ptr %work, i64 %result")
    for p in plan.rows():
        out.store(base, plan.order[p], x[p])
    head = "define internal void @solve(ptr noalias %work, i64 %result) #0 {\nentry:"
    return "\n".join([head, *out.lines, "  ret void", "}", ""])


def _entry(out: _Lines, plan: linear_algebra.Factorization, at: SimpleNamespace, p: int, q: int) -> str:
    """Load one entry of the factors, by positions in the order of elimination."""
    return out.load("%work", at.MATRIX + _slot(plan, p, q))


def _slot(plan: linear_algebra.Factorization, p: int, q: int) -> int:
    return plan.slots[plan.order[p], plan.order[q]]


class Machine:
    """Loaded machine code with its two entry points."""

    def __init__(self, library: llvm.ExecutionEngine) -> None:
        self._library = library  # the code lives as long as this object
        prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)
        self.prepare = prototype(library.get_function_address("prepare"))
        self.run = prototype(library.get_function_address("run"))


def aligned(n: int, dtype: Any) -> NDArray[Any]:
    """Return zeroed memory that starts at a multiple of 64 bytes, as vector loads need."""
    size = np.dtype(dtype).itemsize
    raw = np.zeros(n * size + ALIGNMENT, dtype=np.uint8)
    offset = -raw.ctypes.data % ALIGNMENT
    return raw[offset : offset + n * size].view(dtype)


def compile_text(text: str) -> bytes:
    """Compile LLVM text to an object file for this processor."""
    triple, cpu, features = host()
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features, opt=1)
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = triple, str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    options.loop_vectorization = False
    options.slp_vectorization = False
    options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return machine.emit_object(module)


def load_object(code: bytes) -> Machine:
    """Load an object file into this process."""
    triple, cpu, features = host()
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features, opt=2)
    empty = llvm.parse_assembly("")
    empty.triple, empty.data_layout = triple, str(machine.target_data)
    engine = llvm.create_mcjit_compiler(empty, machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Machine(engine)
