"""The engine's public face: compile a model, start a batch of patients, advance, dose, look, branch."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.engine import cache, machine
from seedbed.engine import reducers as reducing
from seedbed.engine.doses import Dose, DoseTable, per_patient, state_number, tabulate
from seedbed.engine.layout import CLOCK_FIELDS, FLAG_FIELDS, JOB_FIELDS, N_CLOCK, N_STATUS
from seedbed.engine.sbml import Network
from seedbed.engine.system import START_TIME, System, assemble
from seedbed.errors import SimulationError, unknown

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_ABSOLUTE_TOLERANCE = 1e-9
REASONS = {
    0: "ok",
    1: "step limit reached; the largest share of the last step's error is that of {state!r}",
    2: "step length vanished; the stiffest state is {state!r}",
    3: "not a finite number: state {state!r}",
    4: "events set each other off without end",
    5: "impossible start: {state!r}",
}


@dataclass(frozen=True)
class Simulation:
    """What `Program.simulate` returns: observables (n, times, m), reducers by name, and a status row each."""

    observables: NDArray[np.float64]
    reduced: dict[str, NDArray[np.float64]]
    status: pd.DataFrame


def compile_model(
    network: Network,
    varied: Sequence[str] = (),
    observables: Sequence[str] | None = None,
    reducers: Sequence[reducing.AnyReducer] = (),
    lanes: int | None = None,
    float_type: str = "float64",
    nonnegative: Sequence[str] = (),
) -> Program:
    """Compile a model to machine code for this processor, or load it from the cache.

    Parameters
    ----------
    network : from `read_model`
    varied : ids of parameters (or of states, meaning their initial value) that differ between patients
    observables : ids, or formulas of ids such as ``"A / (A + B)"``; None means all states
    reducers : what to reduce while stepping, see `seedbed.engine.reducers`
    lanes : patients side by side, 1, 2, 4, 8 or 16; None chooses by the processor
    float_type : ``"float64"`` or ``"float32"`` (faster, about 6e-5 relative error at best)
    nonnegative : states that are never negative by their meaning; the rates read them as max(state, 0). States for
        which this can be proved need no mention

    Returns
    -------
    Program

    Raises
    ------
    SimulationError
        An id is unknown (with the nearest match), or an option is out of range.
    ModelError
        The model contradicts itself.
    """
    system = assemble(network, varied)
    names = tuple(system.states if observables is None else observables)
    nodes = [system.observe(name) for name in names]
    target = machine.choose_target(lanes, float_type)
    plan = reducing.plan(reducers)
    declared = frozenset(state_number(system, state, "state") for state in nonnegative)
    source = machine.write(system, nodes, plan, target, declared)
    name = cache.key(source.text, *machine.host(), target)
    code = cache.read(name)
    if code is None:
        code = machine.compile_text(source.text)
        cache.write(name, code)
    return Program(network, system, names, plan, source, machine.load_object(code))


class Program:
    """A compiled model.

    Attributes
    ----------
    network : the model it was compiled from
    states : ids of the states
    observables : names of the columns that `Batch.advance` returns
    varied : ids that `values` must give for each patient
    """

    def __init__(
        self,
        network: Network,
        system: System,
        observables: tuple[str, ...],
        plan: reducing.Plan,
        source: machine.Source,
        code: machine.Machine,
    ) -> None:
        self.network, self.system, self.observables, self.plan = network, system, observables, plan
        self.target, self.source, self.code = source.target, source, code
        self.states = tuple(system.states)
        self.varied = tuple(system.varied)

    def start(  # noqa: PLR0913 -- named options with defaults
        self,
        values: Mapping[str, ArrayLike] | pd.DataFrame | ArrayLike | None = None,
        *,
        start: float = 0.0,
        doses: Sequence[Dose] = (),
        shared: Mapping[str, float] | None = None,
        relative_tolerance: float = 1e-5,
        absolute_tolerance: float | Mapping[str, float] | None = None,
        max_steps: int = 20000,
        threads: int = 1,
        n: int | None = None,
        windows: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
        max_step: float | None = None,
    ) -> Batch:
        """Start a batch of patients.

        Parameters
        ----------
        values : one column for each varied id, one row a patient: a table, a mapping or an array (n, n_varied)
        start : model time at which all patients start
        doses : doses at known times
        shared : values of parameters common to all patients, replacing the model's
        relative_tolerance, absolute_tolerance : step error allowed; absolute for all states or by id, in their units
        max_steps : a patient that needs more steps fails with the status "step limit reached"
        threads : worker threads
        n : number of patients when nothing varies
        max_step : longest step allowed; needed where a model pulses by a clock the engine cannot read
        windows : (start, stop) of reducers by name, one number or one for each patient; NaN never opens or closes

        Raises
        ------
        SimulationError
            A column is missing or unknown, or a value is missing, infinite or out of range.
        """
        table = self._table(values, n)
        options = _Options(start, relative_tolerance, absolute_tolerance, max_steps, threads, max_step)
        options.check(self.system)
        self._check_clock(max_step)
        return Batch(self, table, doses, dict(shared or {}), options, dict(windows or {}))

    def simulate(
        self,
        values: Mapping[str, ArrayLike] | pd.DataFrame | ArrayLike | None,
        times: ArrayLike,
        *,
        doses: Sequence[Dose] = (),
        **options: Any,
    ) -> Simulation:
        """Run patients from the first of `times` (or `start`) to the last and return their observables."""
        times = np.asarray(times, dtype=np.float64)
        batch = self.start(values, doses=doses, **{"start": float(times[0]) if times.size else 0.0, **options})
        observed = batch.advance(times=times)
        return Simulation(observed, batch.reduced(), batch.status)

    def _check_clock(self, max_step: float | None) -> None:
        if not self.source.clock_is_known and max_step is None:
            raise SimulationError(
                "the model switches by the clock at times that cannot be known beforehand (such as floor of time); "
                "give max_step, shorter than its shortest pulse"
            )

    def _table(self, values: Any, n: int | None) -> NDArray[np.float64]:
        if values is None:
            values = {}
        if hasattr(values, "columns"):
            values = {name: values[name].to_numpy() for name in values.columns}
        if isinstance(values, Mapping):
            return self._from_columns(values, n)
        array = np.asarray(values, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != len(self.varied):
            raise SimulationError(f"values have shape {array.shape}; expected (patients, {len(self.varied)})")
        self._check_finite(array)
        return np.ascontiguousarray(array)

    def _from_columns(self, values: Mapping[str, ArrayLike], n: int | None) -> NDArray[np.float64]:
        for name in values:
            if name not in self.varied:
                problem = unknown("varied parameter", name, self.varied)
                raise SimulationError(f"{problem}; name it in compile_model(varied=...)")
        missing = [name for name in self.varied if name not in values]
        if missing:
            raise SimulationError(f"no values for the varied parameters {', '.join(missing)}")
        columns = [np.atleast_1d(np.asarray(values[name], dtype=np.float64)) for name in self.varied]
        lengths = {len(column) for column in columns} or {1 if n is None else n}
        if len(lengths) != 1 or (n is not None and lengths != {n}):
            raise SimulationError(f"columns of values have different lengths: {sorted(lengths)}")
        array = np.stack(columns, axis=1) if columns else np.empty((lengths.pop(), 0))
        self._check_finite(array)
        return np.ascontiguousarray(array)

    def _check_finite(self, array: NDArray[np.float64]) -> None:
        rows, columns = np.nonzero(~np.isfinite(array))
        if len(rows):
            value = array[rows[0], columns[0]]
            raise SimulationError(
                f"value of {self.varied[columns[0]]!r} for patient {rows[0]} is {value}; {len(rows)} value(s) of this "
                "kind: give a finite number"
            )


@dataclass(frozen=True)
class _Options:
    start: float
    relative_tolerance: float
    absolute_tolerance: float | Mapping[str, float] | None
    max_steps: int
    threads: int
    max_step: float | None = None

    def check(self, system: System) -> None:
        """Refuse options out of range."""
        if not np.isfinite(self.start):
            raise SimulationError(f"start = {self.start}: must be a finite time")
        if not 1e-14 <= self.relative_tolerance <= 0.1:
            raise SimulationError(f"relative_tolerance = {self.relative_tolerance}: must lie in 1e-14 ... 0.1")
        if self.max_step is not None and not self.max_step > 0:
            raise SimulationError(f"max_step = {self.max_step}: must be above 0")
        if self.max_steps < 1 or self.threads < 1:
            raise SimulationError("max_steps and threads must be at least 1")
        if isinstance(self.absolute_tolerance, Mapping):
            for name in self.absolute_tolerance:
                state_number(system, name, "state")
        array = self.absolutes(system)
        if not (np.isfinite(array).all() and (array > 0).all()):
            raise SimulationError("every absolute_tolerance must be a finite number above 0")

    def absolutes(self, system: System) -> NDArray[np.float64]:
        """Return the absolute tolerance of each state, as an amount where states are held as amounts."""
        given = self.absolute_tolerance
        if not isinstance(given, Mapping):
            given = dict.fromkeys(system.states, DEFAULT_ABSOLUTE_TOLERANCE if given is None else given)
        own = np.array([float(given.get(name, DEFAULT_ABSOLUTE_TOLERANCE)) for name in system.states])
        return own * np.array(system.scales)


class _Memory:
    """Work memory of one thread; no two threads write to one cache line."""

    def __init__(self, program: Program) -> None:
        lanes, real = program.target.lanes, np.float64 if program.target.real == "double" else np.float32
        self.work = machine.aligned(program.source.at.WORK * lanes, real)
        self.clock = machine.aligned(len(CLOCK_FIELDS) * lanes, np.float64)
        self.flags = machine.aligned(len(FLAG_FIELDS) * lanes, np.int64)

    def addresses(self) -> tuple[int, int, int]:
        return self.work.ctypes.data, self.clock.ctypes.data, self.flags.ctypes.data


class Batch:
    """Patients under way: their times, states and status.

    Times are absolute model times. All patients share the pauses of `advance`; between pauses each steps on its own.
    """

    def __init__(
        self,
        program: Program,
        table: NDArray[np.float64],
        doses: Sequence[Dose],
        shared: dict[str, float],
        options: _Options,
        windows: Mapping[str, tuple[ArrayLike, ArrayLike]],
    ) -> None:
        self.program, self.options = program, options
        self.n, self.time = len(table), float(options.start)
        at, real = program.source.at, np.float64 if program.target.real == "double" else np.float32
        self._inputs = table
        self._factors: dict[int, Any] = {}
        self._shared = self._shared_values(shared).astype(real)
        self._tolerances = np.concatenate([[options.relative_tolerance], options.absolutes(program.system)]).astype(
            real
        )
        self._fixed = np.zeros((self.n, at.N_FIXED))
        self._states = np.zeros((self.n, at.N_STATES))
        self._memory = np.zeros((self.n, at.N_MEMORY))
        self._clock = np.zeros((self.n, N_CLOCK))
        self._clock[:, 0] = self.time
        self._status = np.zeros((self.n, N_STATUS), dtype=np.int64)
        self._status[:, 4:] = (1, -1)
        self._failed_at = np.full(self.n, np.nan)
        for k, event in enumerate(program.system.events):
            self._memory[:, k] = float(event.initially_true)
        self._windows = self._window_table(windows)
        self._reduced = np.tile([r.initial for r in program.plan.single], (self.n, 1, 1)).reshape(self.n, -1, 2)
        self._doses = self._dose_table(doses)
        self._prepare()

    # ---- setting up ---------------------------------------------------------------------------------------
    def _shared_values(self, given: Mapping[str, float]) -> NDArray[np.float64]:
        system = self.program.system
        self._check_shared(given)
        self._given = {**{name: float(value) for name, value in given.items()}, START_TIME: self.time}
        source = self.program.source
        values = [self._shared_value(name) for name in source.shared]
        for name, value in zip(source.shared, values, strict=True):
            if not np.isfinite(value):
                raise SimulationError(f"the value of {name!r} is {value}; give a finite number")
        numbers = {system.graph.input("shared", k): value for k, value in enumerate(values)}
        derived = [float(system.graph.evaluate(node, numbers)) for node in source.shared_nodes]
        array = np.array([*values, *derived], dtype=np.float64)
        self._check_signs(array)
        return array

    def _shared_value(self, name: str) -> float:
        return self._given.get(name, self.program.system.defaults[name])

    def _check_shared(self, given: Mapping[str, float]) -> None:
        system, network = self.program.system, self.program.network
        for name in given:
            if name in system.shared:
                continue
            if name not in network.symbols:
                raise SimulationError(str(unknown("shared parameter", name, system.shared)))
            if name in system.varied or name in network.initial_assignments or name in network.rules:
                reason = "it varies between patients" if name in system.varied else "a formula of the model gives it"
                raise SimulationError(f"{name!r} cannot be set as a shared parameter: {reason}")

    def _check_signs(self, shared: NDArray[np.float64]) -> None:
        system = self.program.system
        for kind, slot in self.program.source.assumed:
            column = shared[slot : slot + 1] if kind == "shared" else self._inputs[:, slot]
            if (column < 0).any():
                name = (system.shared if kind == "shared" else system.varied)[slot]
                raise SimulationError(
                    f"{name!r} is negative for patient {int(np.flatnonzero(column < 0)[0])}; its value in the model is "
                    "positive and the rates rely on that: give the model itself a negative value if one is meant"
                )

    def _window_table(self, windows: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> NDArray[np.float64]:
        single = self.program.plan.single
        for name in windows:
            if name not in [r.name for r in single]:
                raise SimulationError(str(unknown("reducer with a window", name, [r.name for r in single])))
        table = np.empty((self.n, len(single), 2))
        for k, reducer in enumerate(single):
            pair = windows.get(reducer.name, (reducer.start, reducer.stop))
            for side, (value, never) in enumerate(zip(pair, (np.inf, -np.inf), strict=True)):
                column = np.asarray(value, dtype=np.float64)
                if column.shape not in ((), (self.n,)):
                    raise SimulationError(f"the window of reducer {reducer.name!r} has shape {column.shape}")
                table[:, k, side] = np.where(np.isnan(column), never, column)
            if isinstance(reducer, reducing.ValueAt):
                table[:, k, 1] = table[:, k, 0]
        return table

    def _dose_table(self, doses: Sequence[Dose]) -> DoseTable:
        targets = [state_number(self.program.system, dose.target, "dose target") for dose in doses]
        amounts = [self._amount(k, dose) for k, dose in enumerate(doses)]
        return tabulate(doses, amounts, targets, self.n, self.time)

    def _amount(self, number: int, dose: Dose) -> NDArray[np.float64]:
        if isinstance(dose.amount, str):
            values = self.evaluate(dose.amount)
        else:
            values = per_patient(dose.amount, self.n, f"the amount of dose {number + 1} ({dose.target})")
        return values * self._factor(state_number(self.program.system, dose.target, "dose target"))

    def evaluate(self, formula: str) -> NDArray[np.float64]:
        """Return a formula of parameters, such as ``"dose_per_kg * weight"``, for each patient."""
        node = self.program.system.parameter_formula(formula)
        return np.broadcast_to(np.asarray(self._fixed_value(node), dtype=np.float64), (self.n,))

    def _fixed_value(self, node: int) -> Any:
        system = self.program.system
        inputs: dict[int, Any] = {
            system.graph.input("shared", k): self._shared_value(name) for k, name in enumerate(system.shared)
        }
        inputs |= {system.graph.input("varied", k): self._inputs[:, k] for k in range(len(system.varied))}
        try:
            return system.graph.evaluate(node, inputs)
        except KeyError as error:
            raise SimulationError("this formula is not fixed by the parameters alone") from error

    def _factor(self, state: int) -> Any:
        if state not in self._factors:
            self._factors[state] = self._fixed_value(self.program.system.factors[state])
        return self._factors[state]

    def _prepare(self) -> None:
        job = self._job(self.time, np.empty(0), np.empty((self.n, 0, 0)))
        memory = _Memory(self.program)
        self.program.code.prepare(job.ctypes.data, *memory.addresses())
        bad = ~np.isfinite(self._states)
        bad[:, sorted(self.program.source.nonnegative)] |= self._states[:, sorted(self.program.source.nonnegative)] < 0
        for patient in np.flatnonzero(bad.any(axis=1)):
            self._fail(int(patient), 5, int(np.flatnonzero(bad[patient])[0]))

    def _fail(self, patient: int, code: int, state: int) -> None:
        self._status[patient, 0] = code
        self._status[patient, 5] = state
        self._failed_at[patient] = self.time

    # ---- running ------------------------------------------------------------------------------------------
    def advance(self, *, until: float | None = None, times: ArrayLike | None = None) -> NDArray[np.float64]:
        """Go on to a time and pause there, just before any dose due at that time.

        Parameters
        ----------
        until : time of the pause
        times : several times to observe at, ascending; the pause is at the last

        Returns
        -------
        (n, m) observables at `until`, or (n, len(times), m) at `times`; NaN for a patient who failed before

        Raises
        ------
        SimulationError
            Neither or both are given, a time is not finite, or lies before the batch.
        """
        if (until is None) == (times is None):
            raise SimulationError("give either until= or times=")
        wanted = np.ascontiguousarray(np.atleast_1d(np.asarray(until if times is None else times, dtype=np.float64)))
        self._check_times(wanted)
        output = np.empty((self.n, len(wanted), len(self.program.observables)))
        if len(wanted):
            self._run(float(wanted[-1]), wanted, output)
        return output[:, 0, :] if times is None else output

    def _check_times(self, times: NDArray[np.float64]) -> None:
        if times.ndim != 1 or not np.isfinite(times).all():
            raise SimulationError("times must be finite numbers")
        if (np.diff(times) < 0).any():
            raise SimulationError("times must not go back")
        if len(times) and times[0] < self.time:
            raise SimulationError(f"time {times[0]} lies before the batch, which is at {self.time}")

    def _run(self, pause: float, times: NDArray[np.float64], output: NDArray[np.float64]) -> None:
        job = self._job(pause, times, output)
        failed = self._status[:, 0] != 0
        output[failed] = np.nan  # the kernel does so for a patient it loads
        run = self.program.code.run
        n_threads = max(1, min(self.options.threads, -(-self.n // self.program.target.lanes)))
        memories = [_Memory(self.program) for _ in range(n_threads)]
        if n_threads == 1:
            run(job.ctypes.data, *memories[0].addresses())
        else:
            with ThreadPoolExecutor(n_threads) as pool:
                for task in [pool.submit(run, job.ctypes.data, *m.addresses()) for m in memories]:
                    task.result()
        self.time = pause
        newly = (self._status[:, 0] != 0) & ~failed
        self._failed_at[newly] = self._clock[newly, 0]

    def _job(self, pause: float, times: NDArray[np.float64], output: NDArray[np.float64]) -> NDArray[np.int64]:
        self._limits = np.array([pause, self.options.max_step or np.inf])
        self._times = times
        arrays = {
            "SHARED": self._shared, "TOLERANCES": self._tolerances, "LIMITS": self._limits, "INPUTS": self._inputs,
            "FIXED": self._fixed, "STATES": self._states, "MEMORY": self._memory, "CLOCK": self._clock,
            "STATUS": self._status, "DOSE_TIMES": self._doses.times, "DOSE_AMOUNTS": self._doses.amounts,
            "DOSE_TARGETS": self._doses.targets, "TIMES": times, "OUTPUT": output,
            "WINDOWS": self._windows, "REDUCED": self._reduced,
        }  # fmt: skip
        numbers = {
            "N": self.n, "N_DOSES": self._doses.times.shape[1], "N_TIMES": len(times),
            "MAX_STEPS": self.options.max_steps,
        }  # fmt: skip
        fields = {**{name: a.ctypes.data for name, a in arrays.items()}, **numbers}
        return np.array([fields.get(name, 0) for name in JOB_FIELDS], dtype=np.int64)

    # ---- acting -------------------------------------------------------------------------------------------
    def dose(self, target: str, amount: ArrayLike) -> None:
        """Add an amount to a state now, for each patient; NaN or 0 leaves a patient alone.

        Raises
        ------
        SimulationError
            The target is unknown, or an amount is infinite or has the wrong shape.
        """
        state = state_number(self.program.system, target, "dose target")
        values = np.nan_to_num(per_patient(amount, self.n, f"the amount of {target}"), nan=0.0) * self._factor(state)
        given = values != 0
        self._states[given, state] += values[given]
        self._status[given, 4] = 1

    def state(self, name: str) -> NDArray[np.float64]:
        """Return a state now, for each patient, in the units formulas see (max(state, 0), as the rates read it)."""
        state = state_number(self.program.system, name, "state")
        values = self._states[:, state] / self._factor(state)
        return np.maximum(values, 0.0) if state in self.program.source.nonnegative else values

    def set_state(self, name: str, values: ArrayLike, where: ArrayLike | None = None) -> None:
        """Set a state now, for the patients chosen by the mask `where` (None: all).

        Raises
        ------
        SimulationError
            The state is unknown, a value is not finite, or a value is negative for a state that cannot be.
        """
        state = state_number(self.program.system, name, "state")
        mask = np.ones(self.n, bool) if where is None else np.asarray(where, dtype=bool)
        numbers = per_patient(values, self.n, f"the value of {name}")
        if np.isnan(numbers[mask]).any():
            raise SimulationError(f"the value of {name} is NaN for a patient it is set for")
        if state in self.program.source.nonnegative and (numbers[mask] < 0).any():
            raise SimulationError(f"{name} cannot be negative")
        self._states[mask, state] = (numbers * self._factor(state))[mask]

    def observe(self) -> NDArray[np.float64]:
        """Return the observables now, (n, m): after doses and changes made at this pause; NaN for the failed."""
        twin = self.copy()
        output = np.empty((self.n, 1, len(self.program.observables)))
        twin._run(self.time, np.array([self.time]), output)
        return output[:, 0, :]

    def reduced(self) -> dict[str, NDArray[np.float64]]:
        """Return the reducers' results so far, by name, (n,) each."""
        plan, first_fate = self.program.plan, len(self.program.system.events)
        results = {r.name: r.result(self._reduced[:, k]) for k, r in enumerate(plan.single)}
        for k, fate in enumerate(plan.fates):
            results[f"{fate.name}.net_loss"] = self._memory[:, first_fate + 2 * k].copy()
            results[f"{fate.name}.weighted_death"] = self._memory[:, first_fate + 2 * k + 1].copy()
        return results

    def reset_reducer(self, name: str) -> None:
        """Set a reducer back to its start, for all patients.

        Raises
        ------
        SimulationError
            No reducer has this name.
        """
        plan, first_fate = self.program.plan, len(self.program.system.events)
        if name not in plan.names:
            raise SimulationError(str(unknown("reducer", name, plan.names)))
        for k, reducer in enumerate(plan.single):
            if reducer.name == name:
                self._reduced[:, k] = reducer.initial
        for k, fate in enumerate(plan.fates):
            if fate.name == name:
                self._memory[:, first_fate + 2 * k : first_fate + 2 * k + 2] = 0.0

    @property
    def status(self) -> pd.DataFrame:
        """One row a patient: code (0 is ok), reason, time of failure (NaN if none), steps, rejected steps."""
        import pandas as pd

        codes, states = self._status[:, 0], self._status[:, 5]
        names = [self.program.states[k] if k >= 0 else "" for k in states]
        return pd.DataFrame(
            {
                "code": codes.copy(),
                "reason": [REASONS[int(code)].format(state=name) for code, name in zip(codes, names, strict=True)],
                "time": self._failed_at.copy(),
                "steps": self._status[:, 1].copy(),
                "rejected": self._status[:, 2].copy(),
            }
        )

    def branch(self, doses: Sequence[Dose]) -> Batch:
        """Return an independent batch in the same state with other doses to come.

        Parameters
        ----------
        doses : the whole schedule from the start; what lies before now must be what this batch was given
        """
        twin = self.copy()
        amounts = [twin._amount(k, dose) for k, dose in enumerate(doses)]
        targets = [state_number(self.program.system, dose.target, "dose target") for dose in doses]
        twin._doses = tabulate(doses, amounts, targets, self.n, float(self.options.start))
        return twin

    def copy(self) -> Batch:
        """Return an independent batch in the same state, to branch from."""
        twin = copy.copy(self)
        for name in ("_fixed", "_states", "_memory", "_clock", "_status", "_failed_at", "_reduced"):
            setattr(twin, name, getattr(self, name).copy())
        return twin
