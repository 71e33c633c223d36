"""The kernels of the reducers; see `seedbed.engine.reducers` for what each keeps."""

from __future__ import annotations

from typing import Any

from seedbed.engine.language import (
    Floats,
    Ints,
    Reals,
    Vector,
    Vectors,
    floats,
    fma,
    kernel,
    reals,
    static,
    vector,
    where,
)
from seedbed.engine.reducers import (
    AREA,
    FIRST_DOWN,
    FIRST_UP,
    LAST_ABOVE,
    MINIMUM,
    MINIMUM_TIME,
    PEAK,
    PEAK_TIME,
    TIME_ABOVE,
    TIME_BELOW,
    VALUE_AT,
    gauss_tables,
)

CONSTANTS = {
    "PEAKS": (PEAK, PEAK_TIME, MINIMUM, MINIMUM_TIME), "AREA": AREA, "DURATIONS": (TIME_BELOW, TIME_ABOVE),
    "TIME_BELOW": TIME_BELOW, "FIRSTS": (FIRST_UP, FIRST_DOWN), "FIRST_UP": FIRST_UP, "LAST_ABOVE": LAST_ABOVE,
    "VALUE_AT": VALUE_AT, **gauss_tables(),
}  # fmt: skip
PEAKS, DURATIONS, FIRSTS = CONSTANTS["PEAKS"], CONSTANTS["DURATIONS"], CONSTANTS["FIRSTS"]
VALUE, INTEGRAL, WEIGHT, WHOLE = (CONSTANTS[name] for name in ("VALUE", "INTEGRAL", "WEIGHT", "WHOLE"))

at: Any = None
interpolate: Any = None
watch: Any = None
vector_exp: Any = None


@kernel
def update_reducers(job: Ints, work: Vectors, clock: Floats, flags: Ints) -> None:
    """Let every reducer see the accepted steps."""
    sample_step(work, reals(job[at.JOB_SHARED]))
    if static(at.N_FATES > 0):
        update_fates(work, flags)
    if static(at.N_SINGLE > 0):
        for lane in range(at.LANES):
            if flags[at.ACCEPTED * at.LANES + lane] != 0:
                update_lane(job, work, clock, flags, lane)


@kernel
def sample_step(work: Vectors, shared: Reals) -> None:
    """Sample what is watched at five points of each lane's step."""
    for k in static(range(5)):
        work[at.THETA] = work[at.PART] * vector(0.25 * k)
        interpolate(work)
        watch(work, shared)
        for j in range(at.N_WATCHED):
            work[at.SAMPLES + k * at.N_WATCHED + j] = work[at.WATCHED + j]


@kernel
def update_fates(work: Vectors, flags: Ints) -> None:
    """Add the step to the birth-death integrals of the accepted lanes."""
    lanes = reals(work)
    for lane in range(at.LANES):
        lanes[at.CHOSEN * at.LANES + lane] = float(flags[at.ACCEPTED * at.LANES + lane])
    length = where(work[at.CHOSEN] > vector(0.5), work[at.STEP] * work[at.PART], vector(0.0))
    for fate in range(at.N_FATES):
        update_fate(work, length, fate)


@kernel
def update_fate(work: Vectors, length: Vector, fate: int) -> None:
    """Add one clone's integrals over a step: rho by its polynomial, J by Gauss points."""
    birth = at.SAMPLES + at.N_SINGLE + 2 * fate
    loss = work[at.FATES + 2 * fate]
    weighted = vector(0.0)
    for g in static(range(4)):
        death = vector(0.0)
        net = vector(0.0)
        for k in static(range(5)):
            d = work[birth + 1 + k * at.N_WATCHED]
            b = work[birth + k * at.N_WATCHED]
            death = fma(d, vector(VALUE[g][k]), death)
            net = fma(d - b, vector(INTEGRAL[g][k]), net)
        exponent = min(fma(net, length, loss), vector(at.LARGEST_EXPONENT))
        weighted = fma(death * vector(WEIGHT[g]), vector_exp(exponent), weighted)
    net = vector(0.0)
    for k in static(range(5)):
        net = fma(work[birth + 1 + k * at.N_WATCHED] - work[birth + k * at.N_WATCHED], vector(WHOLE[k]), net)
    taken = length > vector(0.0)
    total = work[at.FATES + 2 * fate + 1]
    work[at.FATES + 2 * fate] = where(taken, fma(net, length, loss), loss)
    work[at.FATES + 2 * fate + 1] = where(taken, fma(weighted, length, total), total)


@kernel
def update_lane(job: Ints, work: Vectors, clock: Floats, flags: Ints, lane: int) -> None:
    """Update the reducers of one lane whose window meets the step."""
    patient = flags[at.PATIENT * at.LANES + lane]
    begin = clock[at.NOW * at.LANES + lane]
    end = clock[at.END * at.LANES + lane]
    for r in static(range(at.N_SINGLE)):
        window = (patient * at.N_SINGLE + r) * 2
        start = floats(job[at.JOB_WINDOWS])[window]
        stop = floats(job[at.JOB_WINDOWS])[window + 1]
        if start <= end and stop >= begin:
            clock[at.FROM * at.LANES + lane] = max((start - begin) / (end - begin), 0.0)
            clock[at.TO * at.LANES + lane] = min((stop - begin) / (end - begin), 1.0)
            slots = floats(job[at.JOB_REDUCED] + window * 8)
            update_one(work, clock, slots, lane, r)


@kernel
def update_one(work: Vectors, clock: Floats, slots: Floats, lane: int, r: int) -> None:
    """Update one reducer by its kind."""
    kind = at.KINDS_FIRST
    for k in static(range(at.N_SINGLE)):
        if r == k:
            kind = at.KINDS[k]
    if kind <= PEAKS[3]:
        keep_peak(work, clock, slots, lane, r)
    elif kind == AREA:
        slots[0] = slots[0] + area(work, clock, lane, r)
    elif kind == VALUE_AT:
        keep_value(work, clock, slots, lane, r)
    else:
        keep_crossings(work, clock, slots, lane, r, kind)


@kernel
def sampled(work: Vectors, lane: int, r: int, s: float) -> float:
    """Return the polynomial of the samples at the fraction `s` of the step (Newton's form)."""
    lanes = reals(work)
    first = (at.SAMPLES + r) * at.LANES + lane
    stride = at.N_WATCHED * at.LANES
    g0 = lanes[first]
    g1 = lanes[first + stride]
    g2 = lanes[first + 2 * stride]
    g3 = lanes[first + 3 * stride]
    g4 = lanes[first + 4 * stride]
    d2 = (g2 - 2.0 * g1 + g0) * 0.5
    d3 = (g3 - 3.0 * (g2 - g1) - g0) / 6.0
    d4 = (g4 - 4.0 * (g3 + g1) + 6.0 * g2 + g0) / 24.0
    x = 4.0 * s
    return g0 + x * (g1 - g0 + (x - 1.0) * (d2 + (x - 2.0) * (d3 + (x - 3.0) * d4)))


@kernel
def area(work: Vectors, clock: Floats, lane: int, r: int) -> float:
    """Return the integral over the part of the step inside the window (three Gauss points are exact)."""
    low = clock[at.FROM * at.LANES + lane]
    width = clock[at.TO * at.LANES + lane] - low
    reach = 0.3872983346207417 * width
    middle = low + 0.5 * width
    outer = sampled(work, lane, r, middle - reach) + sampled(work, lane, r, middle + reach)
    total = (5.0 * outer + 8.0 * sampled(work, lane, r, middle)) / 18.0
    return total * width * (clock[at.END * at.LANES + lane] - clock[at.NOW * at.LANES + lane])


@kernel
def keep_peak(work: Vectors, clock: Floats, slots: Floats, lane: int, r: int) -> None:
    """Keep the largest value seen and its time."""
    low = clock[at.FROM * at.LANES + lane]
    width = clock[at.TO * at.LANES + lane] - low
    best = sampled(work, lane, r, low)
    lowest = best
    place = 0
    for k in range(1, 9):
        value = sampled(work, lane, r, low + width * float(k) * 0.125)
        lowest = min(lowest, value)
        if value > best:
            best = value
            place = k
    if best + 0.1 * (best - lowest) > slots[0]:
        s = low + width * float(place) * 0.125
        # At an end of the step there is a summit only if the way inwards leads up.
        inside = min(max(s, low + width * 0.001), low + width * 0.999)
        if inside == s or sampled(work, lane, r, inside) > best:
            s = summit(work, lane, r, max(s - width * 0.125, low), min(s + width * 0.125, low + width))
        value = max(sampled(work, lane, r, s), best)
        if value > slots[0]:
            slots[0] = value
            slots[1] = time_at(clock, lane, s)


@kernel
def summit(work: Vectors, lane: int, r: int, low: float, high: float) -> float:
    """Return where the polynomial is largest between two points (thirds, each step keeps two of three)."""
    for _third in range(30):
        a = low + (high - low) / 3.0
        b = high - (high - low) / 3.0
        if sampled(work, lane, r, a) < sampled(work, lane, r, b):
            low = a
        else:
            high = b
    return (low + high) * 0.5


@kernel
def time_at(clock: Floats, lane: int, s: float) -> float:
    """Return the model time at the fraction `s` of the step."""
    begin = clock[at.NOW * at.LANES + lane]
    end = clock[at.END * at.LANES + lane]
    if s >= 1.0:
        return end
    return begin + s * (end - begin)


@kernel
def keep_value(work: Vectors, clock: Floats, slots: Floats, lane: int, r: int) -> None:
    """Keep the value at the start of the window, once."""
    if slots[1] != slots[1]:
        slots[0] = sampled(work, lane, r, clock[at.FROM * at.LANES + lane])
        slots[1] = 1.0


@kernel
def keep_crossings(work: Vectors, clock: Floats, slots: Floats, lane: int, r: int, kind: int) -> None:
    """Walk the step in eighths; where the sign changes, find the crossing by halving."""
    low = clock[at.FROM * at.LANES + lane]
    width = (clock[at.TO * at.LANES + lane] - low) * 0.125
    before = sampled(work, lane, r, low)
    s = low
    for k in range(1, 9):
        following = low + width * float(k)
        value = sampled(work, lane, r, following)
        crossing = following
        if (before < 0.0) != (value < 0.0):
            crossing = crossing_between(work, lane, r, s, following)
        clock[at.CROSSING * at.LANES + lane] = crossing
        note(clock, slots, lane, kind, s, following, before, value)
        before = value
        s = following


@kernel
def note(
    clock: Floats, slots: Floats, lane: int, kind: int, s: float, following: float, before: float, value: float
) -> None:
    """Note an eighth of a step that starts on the side of `before` and, from CROSSING, is on that of `value`."""
    crossing = clock[at.CROSSING * at.LANES + lane]
    length = clock[at.END * at.LANES + lane] - clock[at.NOW * at.LANES + lane]
    if kind <= DURATIONS[1]:
        below = 0.0
        if before < 0.0:
            below = crossing - s
        if value < 0.0:
            below = below + following - crossing
        if kind != TIME_BELOW:
            below = following - s - below
        slots[0] = slots[0] + below * length
    elif kind <= FIRSTS[1]:
        if slots[0] != slots[0]:
            keep_first(clock, slots, lane, kind, s, before, value)
    elif value >= 0.0:
        slots[0] = time_at(clock, lane, following)
    elif before >= 0.0:
        slots[0] = time_at(clock, lane, crossing)


@kernel
def keep_first(clock: Floats, slots: Floats, lane: int, kind: int, s: float, before: float, value: float) -> None:
    """Keep the first time on the wanted side."""
    if kind != FIRSTS[0]:
        before = -before - 1e-300
        value = -value - 1e-300
    if before >= 0.0:
        slots[0] = time_at(clock, lane, s)
    elif value >= 0.0:
        slots[0] = time_at(clock, lane, clock[at.CROSSING * at.LANES + lane])


@kernel
def crossing_between(work: Vectors, lane: int, r: int, low: float, high: float) -> float:
    """Return where the polynomial changes sign between two points."""
    low_side = sampled(work, lane, r, low) < 0.0
    for _halving in range(40):
        middle = (low + high) * 0.5
        if (sampled(work, lane, r, middle) < 0.0) == low_side:
            low = middle
        else:
            high = middle
    return high


KERNELS = (
    update_reducers, sample_step, update_lane, update_one, sampled, area, keep_peak, summit, time_at, keep_value,
    keep_crossings, note, keep_first, crossing_between,
)  # fmt: skip
FATE_KERNELS = (update_fates, update_fate)
