"""Lead each patient through a run: load into a lane, step, give doses, fire events, write outputs, hand back, refill.

All of this is Python of the subset in `seedbed.engine.language`, translated to machine code together with the model. A
*lane* is one place in the vector registers; patients take lanes in turn, each with its own time and step length. A
patient is at a *node* when it has reached a time at which something may happen besides stepping: the start, a dose, an
event, a switching time of the model, or the pause at which the caller takes over.

Memory: `work` holds vectors (see `seedbed.engine.layout`), `clock` 64-bit reals and `flags` integers, one for each lane
and field; `job` holds the addresses of the patients' arrays and the counts of a run.
"""

from __future__ import annotations

import math
from typing import Any

from seedbed.engine.language import (
    Floats,
    Ints,
    Reals,
    Vectors,
    any_lane,
    by_four,
    entry,
    fetch_add,
    floats,
    fma,
    ints,
    kernel,
    reals,
    static,
    vector,
    where,
)

__all__ = ["KERNELS", "Floats", "Ints", "Reals", "Vectors"]

NAN = math.nan
LARGEST_GROWTH = 50.0  # of a step: the first one after a dose is short on purpose
OK, TOO_MANY_STEPS, STEP_VANISHED, NOT_FINITE, EVENT_CYCLE, BAD_START = range(6)
CONSTANTS = {
    "OK": OK, "TOO_MANY_STEPS": TOO_MANY_STEPS, "STEP_VANISHED": STEP_VANISHED, "NOT_FINITE": NOT_FINITE,
    "EVENT_CYCLE": EVENT_CYCLE, "BAD_START": BAD_START, "NAN": NAN, "LARGEST_GROWTH": LARGEST_GROWTH,
}  # fmt: skip

# Known while translating: the memory layout, and functions emitted elsewhere.
at: Any = None
attempt: Any = None
measure_error: Any = None
dense_coefficients: Any = None
interpolate: Any = None
interpolate_all: Any = None
initial_step: Any = None
observe: Any = None
triggers: Any = None
assignments: Any = None
initial_values: Any = None
fixed_values: Any = None
sample_step: Any = None
update_reducers: Any = None


@entry
def prepare(job: Ints, work: Vectors, clock: Floats, flags: Ints) -> None:  # noqa: ARG001 -- entries look alike
    """Compute what is fixed for each patient, and the state at the start, for all patients."""
    patient = 0
    while patient < job[at.JOB_N]:
        prepare_block(job, work, patient)
        patient = patient + at.LANES


@kernel
def prepare_block(job: Ints, work: Vectors, first: int) -> None:
    """Prepare up to one lane-width of patients."""
    lanes = reals(work)
    inputs = floats(job[at.JOB_INPUTS])
    fixed = floats(job[at.JOB_FIXED])
    states = floats(job[at.JOB_STATES])
    count = min(job[at.JOB_N] - first, at.LANES)
    for lane in range(at.LANES):
        patient = first + min(lane, count - 1)
        for i in range(at.N_VARIED):
            lanes[(at.VARIED + i) * at.LANES + lane] = inputs[patient * at.N_VARIED + i]
    work[at.STAGE_TIME] = vector(floats(job[at.JOB_CLOCK])[0])
    fixed_values(work, reals(job[at.JOB_SHARED]))
    initial_values(work, reals(job[at.JOB_SHARED]))
    for lane in range(count):
        patient = first + lane
        for i in range(at.N_FIXED):
            fixed[patient * at.N_FIXED + i] = lanes[(at.FIXED + i) * at.LANES + lane]
        for i in range(at.N_STATES):
            states[patient * at.N_STATES + i] = lanes[(at.Y + i) * at.LANES + lane]


@entry
def run(job: Ints, work: Vectors, clock: Floats, flags: Ints) -> None:
    """Take patients from the common counter until none is left, each to the pause of this run."""
    shared = reals(job[at.JOB_SHARED])
    tolerances = reals(job[at.JOB_TOLERANCES])
    for lane in range(at.LANES):
        load_next(job, work, clock, flags, lane)
    settle_nodes(job, work, clock, flags)
    while is_busy(flags):
        choose_steps(job, work, clock, flags)
        attempt(work, shared)
        measure_error(work, tolerances)
        if judge_steps(job, work, clock, flags) > 0:
            take_steps(job, work, clock, flags)
        settle_nodes(job, work, clock, flags)


@kernel
def is_busy(flags: Ints) -> bool:
    """Tell whether any lane holds a patient."""
    last = -1
    for lane in range(at.LANES):
        last = max(last, flags[at.PATIENT * at.LANES + lane])
    return last >= 0


# ---- loading and handing back -----------------------------------------------------------------------------
@kernel
def load_next(job: Ints, work: Vectors, clock: Floats, flags: Ints, lane: int) -> None:
    """Put the next patient who has not failed into a lane, or mark the lane empty."""
    status = ints(job[at.JOB_STATUS])
    position = fetch_add(job, at.JOB_NEXT, 1)
    while position < job[at.JOB_N] and status[position * at.N_STATUS] != OK:
        position = fetch_add(job, at.JOB_NEXT, 1)
    flags[at.NODE * at.LANES + lane] = 0
    flags[at.ACCEPTED * at.LANES + lane] = 0
    flags[at.RESTART * at.LANES + lane] = 0
    if position >= job[at.JOB_N]:
        flags[at.PATIENT * at.LANES + lane] = -1
        reals(work)[at.STEP * at.LANES + lane] = 1.0
    else:
        load(job, work, clock, flags, lane, position)


@kernel
def load(job: Ints, work: Vectors, clock: Floats, flags: Ints, lane: int, patient: int) -> None:
    """Copy a patient into a lane; outputs it does not reach are not a number."""
    lanes = reals(work)
    states = floats(job[at.JOB_STATES])
    fixed = floats(job[at.JOB_FIXED])
    times = floats(job[at.JOB_CLOCK])
    status = ints(job[at.JOB_STATUS])
    memory = floats(job[at.JOB_MEMORY])
    output = floats(job[at.JOB_OUTPUT])
    size = job[at.JOB_N_TIMES] * at.N_OBSERVABLES
    for i in range(patient * size, (patient + 1) * size):
        output[i] = NAN
    for i in range(at.N_STATES):
        lanes[(at.Y + i) * at.LANES + lane] = states[patient * at.N_STATES + i]
    for i in range(at.N_FIXED):
        lanes[(at.FIXED + i) * at.LANES + lane] = fixed[patient * at.N_FIXED + i]
    for i in range(at.N_MEMORY):
        lanes[(at.MEMORY + i) * at.LANES + lane] = memory[patient * at.N_MEMORY + i]
    clock[at.NOW * at.LANES + lane] = times[patient * at.N_CLOCK]
    clock[at.PROPOSAL * at.LANES + lane] = times[patient * at.N_CLOCK + 1]
    lanes[at.TIME * at.LANES + lane] = times[patient * at.N_CLOCK]
    flags[at.PATIENT * at.LANES + lane] = patient
    flags[at.STEPS * at.LANES + lane] = status[patient * at.N_STATUS + 1]
    flags[at.REJECTED * at.LANES + lane] = status[patient * at.N_STATUS + 2]
    flags[at.NEXT_DOSE * at.LANES + lane] = status[patient * at.N_STATUS + 3]
    flags[at.RESTART * at.LANES + lane] = status[patient * at.N_STATUS + 4]
    flags[at.NEXT_OUTPUT * at.LANES + lane] = 0
    flags[at.LAST_REJECTED * at.LANES + lane] = 0
    flags[at.FAILED * at.LANES + lane] = OK
    flags[at.CULPRIT * at.LANES + lane] = -1
    flags[at.NODE * at.LANES + lane] = 1


@kernel
def unload(job: Ints, work: Vectors, clock: Floats, flags: Ints, lane: int) -> None:
    """Copy a patient back to its arrays."""
    lanes = reals(work)
    patient = flags[at.PATIENT * at.LANES + lane]
    states = floats(job[at.JOB_STATES])
    times = floats(job[at.JOB_CLOCK])
    status = ints(job[at.JOB_STATUS])
    for i in range(at.N_STATES):
        states[patient * at.N_STATES + i] = lanes[(at.Y + i) * at.LANES + lane]
    for i in range(at.N_MEMORY):
        floats(job[at.JOB_MEMORY])[patient * at.N_MEMORY + i] = lanes[(at.MEMORY + i) * at.LANES + lane]
    times[patient * at.N_CLOCK] = clock[at.NOW * at.LANES + lane]
    times[patient * at.N_CLOCK + 1] = clock[at.PROPOSAL * at.LANES + lane]
    status[patient * at.N_STATUS] = flags[at.FAILED * at.LANES + lane]
    status[patient * at.N_STATUS + 1] = flags[at.STEPS * at.LANES + lane]
    status[patient * at.N_STATUS + 2] = flags[at.REJECTED * at.LANES + lane]
    status[patient * at.N_STATUS + 3] = flags[at.NEXT_DOSE * at.LANES + lane]
    status[patient * at.N_STATUS + 4] = flags[at.RESTART * at.LANES + lane]
    status[patient * at.N_STATUS + 5] = flags[at.CULPRIT * at.LANES + lane]


# ---- nodes ------------------------------------------------------------------------------------------------
@kernel
def settle_nodes(job: Ints, work: Vectors, clock: Floats, flags: Ints) -> None:
    """Do what is due at the nodes reached, until every lane is ready to step."""
    while count_nodes(flags) > 0:
        if static(at.N_EVENTS > 0):
            fire_events(job, work, flags)
        write_at_nodes(job, work, clock, flags)
        for lane in range(at.LANES):
            if flags[at.NODE * at.LANES + lane] != 0:
                settle(job, work, clock, flags, lane)
    restart_steps(job, work, clock, flags)


@kernel
def count_nodes(flags: Ints) -> int:
    """Count the lanes at a node."""
    count = 0
    for lane in range(at.LANES):
        count += flags[at.NODE * at.LANES + lane]
    return count


@kernel
def settle(job: Ints, work: Vectors, clock: Floats, flags: Ints, lane: int) -> None:
    """Give the doses due, or hand the patient back at the pause or after a failure."""
    now = clock[at.NOW * at.LANES + lane]
    if flags[at.FAILED * at.LANES + lane] != OK or now >= floats(job[at.JOB_LIMITS])[0]:
        unload(job, work, clock, flags, lane)
        load_next(job, work, clock, flags, lane)
        return
    dosed = give_doses(job, work, clock, flags, lane)
    flags[at.NODE * at.LANES + lane] = 0
    if static(at.N_EVENTS > 0):
        flags[at.NODE * at.LANES + lane] = dosed
    choose_stop(job, work, clock, flags, lane)


@kernel
def give_doses(job: Ints, work: Vectors, clock: Floats, flags: Ints, lane: int) -> int:
    """Add the doses due by now to their states; return 1 if there were any."""
    patient = flags[at.PATIENT * at.LANES + lane]
    now = clock[at.NOW * at.LANES + lane]
    n_doses = job[at.JOB_N_DOSES]
    times = floats(job[at.JOB_DOSE_TIMES])
    amounts = floats(job[at.JOB_DOSE_AMOUNTS])
    targets = ints(job[at.JOB_DOSE_TARGETS])
    lanes = reals(work)
    dosed = 0
    following = flags[at.NEXT_DOSE * at.LANES + lane]
    while following < n_doses and times[patient * n_doses + following] <= now:
        place = (at.Y + targets[patient * n_doses + following]) * at.LANES + lane
        lanes[place] = lanes[place] + amounts[patient * n_doses + following]
        following += 1
        dosed = 1
    flags[at.NEXT_DOSE * at.LANES + lane] = following
    if dosed > 0:
        flags[at.RESTART * at.LANES + lane] = 1
    return dosed


@kernel
def choose_stop(job: Ints, work: Vectors, clock: Floats, flags: Ints, lane: int) -> None:
    """Find the next time a step must end exactly: the pause, a dose, or a switching time of the model."""
    patient = flags[at.PATIENT * at.LANES + lane]
    now = clock[at.NOW * at.LANES + lane]
    n_doses = job[at.JOB_N_DOSES]
    stop = floats(job[at.JOB_LIMITS])[0]
    flags[at.AT_SWITCH * at.LANES + lane] = 0
    following = flags[at.NEXT_DOSE * at.LANES + lane]
    if following < n_doses:
        stop = min(stop, floats(job[at.JOB_DOSE_TIMES])[patient * n_doses + following])
    for k in static(range(at.N_SWITCHES)):
        switch = reals(work)[at.SWITCH_SLOTS[k] * at.LANES + lane]
        before = switch - max(abs(switch) * at.CLOCK_GRAIN, 1e-300)
        if switch > now and before < stop:
            stop = max(before, now)
            clock[at.SWITCH_TIME * at.LANES + lane] = switch + max(abs(switch) * at.CLOCK_GRAIN, 1e-300)
            flags[at.AT_SWITCH * at.LANES + lane] = 1
    clock[at.STOP * at.LANES + lane] = stop


@kernel
def restart_steps(job: Ints, work: Vectors, clock: Floats, flags: Ints) -> None:
    """Choose a careful first step for lanes whose state has just been changed."""
    wanted = 0
    for lane in range(at.LANES):
        wanted += flags[at.RESTART * at.LANES + lane]
    if wanted > 0:
        initial_step(work, reals(job[at.JOB_SHARED]), reals(job[at.JOB_TOLERANCES]))
        for lane in range(at.LANES):
            if flags[at.RESTART * at.LANES + lane] != 0:
                clock[at.PROPOSAL * at.LANES + lane] = reals(work)[at.FACTOR * at.LANES + lane]
                flags[at.RESTART * at.LANES + lane] = 0


# ---- stepping ---------------------------------------------------------------------------------------------
@kernel
def choose_steps(job: Ints, work: Vectors, clock: Floats, flags: Ints) -> None:
    """Set STEP in every lane; the last two steps before a stop share the way evenly."""
    for lane in range(at.LANES):
        if flags[at.PATIENT * at.LANES + lane] >= 0:
            step = min(clock[at.PROPOSAL * at.LANES + lane], floats(job[at.JOB_LIMITS])[1])
            left = clock[at.STOP * at.LANES + lane] - clock[at.NOW * at.LANES + lane]
            flags[at.LAST * at.LANES + lane] = 0
            if step >= left * 0.99:
                step = left
                flags[at.LAST * at.LANES + lane] = 1
            elif step > left * 0.5:
                step = left * 0.5
            clock[at.TRIED * at.LANES + lane] = step
            reals(work)[at.STEP * at.LANES + lane] = step


@kernel
def judge_steps(job: Ints, work: Vectors, clock: Floats, flags: Ints) -> int:
    """Accept or reject each lane's step and propose the next length; return the number accepted."""
    accepted = 0
    for lane in range(at.LANES):
        flags[at.ACCEPTED * at.LANES + lane] = 0
        if flags[at.PATIENT * at.LANES + lane] >= 0:
            flags[at.STEPS * at.LANES + lane] += 1
            if reals(work)[at.ERROR * at.LANES + lane] <= 1.0:
                accept(work, clock, flags, lane)
                accepted += 1
            else:
                reject(job, work, clock, flags, lane)
            if flags[at.STEPS * at.LANES + lane] >= job[at.JOB_MAX_STEPS]:
                fail(flags, lane, TOO_MANY_STEPS)
                blame(job, work, flags, lane)
    return accepted


@kernel
def accept(work: Vectors, clock: Floats, flags: Ints, lane: int) -> None:
    """Note where the step ends and how long the next may be."""
    tried = clock[at.TRIED * at.LANES + lane]
    factor = min(max(reals(work)[at.FACTOR * at.LANES + lane], 0.2), LARGEST_GROWTH)
    if flags[at.LAST_REJECTED * at.LANES + lane] != 0:
        factor = min(factor, 1.0)
    following = tried * factor
    if tried < clock[at.PROPOSAL * at.LANES + lane]:
        following = max(following, clock[at.PROPOSAL * at.LANES + lane])
    clock[at.PROPOSAL * at.LANES + lane] = following
    clock[at.END * at.LANES + lane] = clock[at.NOW * at.LANES + lane] + tried
    if flags[at.LAST * at.LANES + lane] != 0:
        clock[at.END * at.LANES + lane] = clock[at.STOP * at.LANES + lane]
    reals(work)[at.PART * at.LANES + lane] = 1.0
    flags[at.LAST_REJECTED * at.LANES + lane] = 0
    flags[at.ACCEPTED * at.LANES + lane] = 1


@kernel
def reject(job: Ints, work: Vectors, clock: Floats, flags: Ints, lane: int) -> None:
    """Shorten the step; give up when it no longer moves the time."""
    tried = clock[at.TRIED * at.LANES + lane]
    factor = reals(work)[at.FACTOR * at.LANES + lane]
    if not (factor > 0.1 and reals(work)[at.ERROR * at.LANES + lane] <= 1e300):
        factor = 0.1
    clock[at.PROPOSAL * at.LANES + lane] = tried * min(factor, 0.9)
    flags[at.LAST_REJECTED * at.LANES + lane] = 1
    flags[at.REJECTED * at.LANES + lane] += 1
    now = clock[at.NOW * at.LANES + lane]
    if now + clock[at.PROPOSAL * at.LANES + lane] * 0.01 == now:
        fail(flags, lane, STEP_VANISHED)
        blame(job, work, flags, lane)


@kernel
def blame(job: Ints, work: Vectors, flags: Ints, lane: int) -> None:
    """Name the first state that is no longer a finite number, or else the one with the largest share of the error."""
    lanes = reals(work)
    tolerances = reals(job[at.JOB_TOLERANCES])
    worst = -1.0
    for i in range(at.N_STATES):
        value = lanes[(at.Y_NEW + i) * at.LANES + lane]
        if not (abs(value) <= 1e300):
            flags[at.CULPRIT * at.LANES + lane] = i
            flags[at.FAILED * at.LANES + lane] = NOT_FINITE
            return
        larger = max(abs(lanes[(at.Y + i) * at.LANES + lane]), abs(value))
        scale = tolerances[at.RELATIVE] * larger + tolerances[at.ABSOLUTE + i]
        share = abs(lanes[(at.K + 7 * at.N_STATES + i) * at.LANES + lane]) / scale
        if share > worst:
            worst = share
            flags[at.CULPRIT * at.LANES + lane] = i


@kernel
def fail(flags: Ints, lane: int, code: int) -> None:
    """Mark the patient in a lane as failed; it is handed back at once."""
    flags[at.FAILED * at.LANES + lane] = code
    flags[at.CULPRIT * at.LANES + lane] = -1
    flags[at.NODE * at.LANES + lane] = 1


@kernel
def take_steps(job: Ints, work: Vectors, clock: Floats, flags: Ints) -> None:
    """Move the accepted lanes to the end of their step, or to the first event inside it."""
    if static(at.ALWAYS_DENSE) or outputs_due(job, clock, flags) > 0:
        dense_coefficients(work)
    if static(at.N_EVENTS > 0):
        find_events(job, work, clock, flags)
    if static(at.N_REDUCERS > 0):
        update_reducers(job, work, clock, flags)
    write_in_steps(job, work, clock, flags)
    commit(work, clock, flags)


@kernel
def commit(work: Vectors, clock: Floats, flags: Ints) -> None:
    """Make the end of the step the current state of the accepted lanes."""
    lanes = reals(work)
    accepted = 0
    for lane in range(at.LANES):
        accepted += flags[at.ACCEPTED * at.LANES + lane]
        lanes[at.CHOSEN * at.LANES + lane] = float(flags[at.ACCEPTED * at.LANES + lane])
    taken = work[at.CHOSEN] > vector(0.5)
    cut = 0
    if static(at.N_EVENTS > 0):
        work[at.THETA] = work[at.PART]
        if any_lane(work[at.PART] < vector(1.0)):
            interpolate_all(work)
            cut = 1
    if accepted == at.LANES and cut == 0:
        for i in by_four(at.N_STATES):
            work[at.Y + i] = work[at.Y_NEW + i]
    else:
        for i in range(at.N_STATES):
            end = work[at.Y_NEW + i]
            if cut != 0:
                end = work[at.STAGE + i]
            work[at.Y + i] = where(taken, end, work[at.Y + i])
    for lane in range(at.LANES):
        if flags[at.ACCEPTED * at.LANES + lane] != 0:
            advance_clock(work, clock, flags, lane)


@kernel
def advance_clock(work: Vectors, clock: Floats, flags: Ints, lane: int) -> None:
    """Set the time to the end of the step; across a switching time, to just behind it."""
    clock[at.NOW * at.LANES + lane] = clock[at.END * at.LANES + lane]
    if reals(work)[at.PART * at.LANES + lane] < 1.0:
        flags[at.NODE * at.LANES + lane] = 1
    elif flags[at.LAST * at.LANES + lane] != 0:
        flags[at.NODE * at.LANES + lane] = 1
        if flags[at.AT_SWITCH * at.LANES + lane] != 0:
            clock[at.NOW * at.LANES + lane] = clock[at.SWITCH_TIME * at.LANES + lane]
            flags[at.RESTART * at.LANES + lane] = 1
    reals(work)[at.TIME * at.LANES + lane] = clock[at.NOW * at.LANES + lane]


# ---- outputs ----------------------------------------------------------------------------------------------
@kernel
def outputs_due(job: Ints, clock: Floats, flags: Ints) -> int:
    """Count the accepted lanes with an output time inside their step."""
    count = 0
    for lane in range(at.LANES):
        if flags[at.ACCEPTED * at.LANES + lane] != 0:
            count += output_waits(job, flags, lane, clock[at.END * at.LANES + lane])
    return count


@kernel
def output_waits(job: Ints, flags: Ints, lane: int, until: float) -> int:
    """Return 1 if the next output time of a lane is not after `until`."""
    following = flags[at.NEXT_OUTPUT * at.LANES + lane]
    if following < job[at.JOB_N_TIMES] and floats(job[at.JOB_TIMES])[following] <= until:
        return 1
    return 0


@kernel
def write_in_steps(job: Ints, work: Vectors, clock: Floats, flags: Ints) -> None:
    """Write the observables at all output times inside the accepted steps."""
    while outputs_due(job, clock, flags) > 0:
        for lane in range(at.LANES):
            flags[at.WRITES * at.LANES + lane] = 0
            reals(work)[at.THETA * at.LANES + lane] = 1.0
            if flags[at.ACCEPTED * at.LANES + lane] != 0:
                end = clock[at.END * at.LANES + lane]
                if output_waits(job, flags, lane, end) != 0:
                    flags[at.WRITES * at.LANES + lane] = 1
                    wanted = floats(job[at.JOB_TIMES])[flags[at.NEXT_OUTPUT * at.LANES + lane]]
                    now = clock[at.NOW * at.LANES + lane]
                    if wanted < end or reals(work)[at.PART * at.LANES + lane] < 1.0:
                        theta = (wanted - now) / clock[at.TRIED * at.LANES + lane]
                        reals(work)[at.THETA * at.LANES + lane] = theta
        interpolate(work)
        observe(work, reals(job[at.JOB_SHARED]))
        for lane in range(at.LANES):
            if flags[at.WRITES * at.LANES + lane] != 0:
                write_row(job, work, flags, lane)


@kernel
def write_at_nodes(job: Ints, work: Vectors, clock: Floats, flags: Ints) -> None:
    """Write the observables for output times that equal the time of a node."""
    due = 0
    for lane in range(at.LANES):
        flags[at.WRITES * at.LANES + lane] = 0
        if flags[at.NODE * at.LANES + lane] != 0:
            flags[at.WRITES * at.LANES + lane] = output_waits(job, flags, lane, clock[at.NOW * at.LANES + lane])
            due += flags[at.WRITES * at.LANES + lane]
    if due > 0:
        stage_is_state(work)
        observe(work, reals(job[at.JOB_SHARED]))
        for lane in range(at.LANES):
            if flags[at.WRITES * at.LANES + lane] != 0:
                while output_waits(job, flags, lane, clock[at.NOW * at.LANES + lane]) != 0:
                    write_row(job, work, flags, lane)


@kernel
def stage_is_state(work: Vectors) -> None:
    """Set the stage, which all expressions read, to the current state and time."""
    work[at.STAGE_TIME] = work[at.TIME]
    for i in range(at.N_STATES):
        work[at.STAGE + i] = work[at.Y + i]


@kernel
def write_row(job: Ints, work: Vectors, flags: Ints, lane: int) -> None:
    """Copy a lane's observables to the output table and move on to the next output time."""
    patient = flags[at.PATIENT * at.LANES + lane]
    row = patient * job[at.JOB_N_TIMES] + flags[at.NEXT_OUTPUT * at.LANES + lane]
    output = floats(job[at.JOB_OUTPUT])
    for i in range(at.N_OBSERVABLES):
        output[row * at.N_OBSERVABLES + i] = reals(work)[(at.OBSERVED + i) * at.LANES + lane]
    flags[at.NEXT_OUTPUT * at.LANES + lane] += 1


# ---- events -----------------------------------------------------------------------------------------------
@kernel
def fire_events(job: Ints, work: Vectors, flags: Ints) -> None:
    """Fire the events whose trigger has turned true at a node, until no assignment turns on another."""
    rounds = 0
    fired = 1
    while fired > 0:
        stage_is_state(work)
        triggers(work, reals(job[at.JOB_SHARED]))
        assignments(work, reals(job[at.JOB_SHARED]))
        fired = 0
        rounds += 1
        for lane in range(at.LANES):
            if flags[at.NODE * at.LANES + lane] != 0 and flags[at.FAILED * at.LANES + lane] == OK:
                mine = fire(work, flags, lane)
                fired += mine
                if mine > 0 and rounds > at.MAX_EVENT_ROUNDS:
                    fail(flags, lane, EVENT_CYCLE)


@kernel
def fire(work: Vectors, flags: Ints, lane: int) -> int:
    """Apply the assignments of the newly true triggers of one lane."""
    lanes = reals(work)
    fired = 0
    for e in static(range(at.N_EVENTS)):
        holds = lanes[(at.TRIGGER + e) * at.LANES + lane]
        if holds > 0.5 and lanes[(at.HELD + e) * at.LANES + lane] < 0.5:
            fired += 1
            for k in static(range(len(at.ASSIGNED[e]))):
                value = lanes[(at.ASSIGNMENT + at.ASSIGNED[e][k][1]) * at.LANES + lane]
                lanes[(at.Y + at.ASSIGNED[e][k][0]) * at.LANES + lane] = value
        lanes[(at.HELD + e) * at.LANES + lane] = holds
    if fired > 0:
        flags[at.RESTART * at.LANES + lane] = 1
    return fired


@kernel
def find_events(job: Ints, work: Vectors, clock: Floats, flags: Ints) -> None:
    """Cut each accepted step at the first moment a trigger turns true, looking at quarters of the step."""
    for lane in range(at.LANES):
        flags[at.FOUND * at.LANES + lane] = 0
    for quarter in range(4):
        part = float(quarter + 1) * 0.25
        work[at.THETA] = vector(part)
        interpolate(work)
        triggers(work, reals(job[at.JOB_SHARED]))
        for lane in range(at.LANES):
            searching = flags[at.ACCEPTED * at.LANES + lane] != 0 and flags[at.FOUND * at.LANES + lane] == 0
            if searching and rises(work, lane, 1) != 0:
                flags[at.FOUND * at.LANES + lane] = 1
                clock[at.HIGH * at.LANES + lane] = part
                clock[at.LOW * at.LANES + lane] = part - 0.25
    for lane in range(at.LANES):
        if flags[at.FOUND * at.LANES + lane] != 0:
            locate_event(job, work, clock, flags, lane)


@kernel
def rises(work: Vectors, lane: int, forget: int) -> int:
    """Return 1 if a trigger that did not hold holds now; with `forget`, note those that have ceased to hold."""
    lanes = reals(work)
    for e in range(at.N_EVENTS):
        holds = lanes[(at.TRIGGER + e) * at.LANES + lane] > 0.5
        held = lanes[(at.HELD + e) * at.LANES + lane] > 0.5
        if holds and not held:
            return 1
    if forget != 0:
        for e in range(at.N_EVENTS):
            lanes[(at.HELD + e) * at.LANES + lane] = lanes[(at.TRIGGER + e) * at.LANES + lane]
    return 0


@kernel
def locate_event(job: Ints, work: Vectors, clock: Floats, flags: Ints, lane: int) -> None:
    """Halve the interval until the moment is known to rounding, then let the step end there."""
    lanes = reals(work)
    low = clock[at.LOW * at.LANES + lane]
    high = clock[at.HIGH * at.LANES + lane]
    for _halving in range(48):
        middle = (low + high) * 0.5
        work[at.THETA] = vector(middle)
        interpolate(work)
        triggers(work, reals(job[at.JOB_SHARED]))
        if rises(work, lane, 0) != 0:
            high = middle
        else:
            low = middle
    if high < 1.0:
        now = clock[at.NOW * at.LANES + lane]
        lanes[at.PART * at.LANES + lane] = high
        clock[at.END * at.LANES + lane] = fma(high, clock[at.TRIED * at.LANES + lane], now)
    else:
        flags[at.NODE * at.LANES + lane] = 1


KERNELS = (
    prepare, prepare_block, run, is_busy, load_next, load, unload, settle_nodes, count_nodes, settle, give_doses,
    choose_stop, restart_steps, choose_steps, judge_steps, accept, reject, blame, fail, take_steps, commit,
    advance_clock, outputs_due, output_waits, write_in_steps, write_at_nodes, stage_is_state, write_row,
)  # fmt: skip
EVENT_KERNELS = (fire_events, fire, find_events, rises, locate_event)
