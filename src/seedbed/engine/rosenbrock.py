"""Rodas5P: a step of an L-stable Rosenbrock method of order 5 with dense output of order 4, for all lanes at once.

A step from ``y`` of length ``h`` solves, for stages i = 1..8 with one matrix,

    (I/(gamma h) - J) k_i = f(t + c_i h, y + sum_j a_ij k_j) + sum_j (C_ij/h) k_j + h d_i df/dt

and ends at ``y + sum_j b_j k_j``, where the last stage ``k_8`` is the difference from the embedded method of order 4.
Within the step ``y(theta) = (1-theta) y_0 + theta (y_1 + (1-theta) (e_1 + theta e_2 + theta**2 e_3))`` with
``e_r = sum_j h_rj k_j``.

Source: G. Steinebach, Construction of Rosenbrock-Wanner method Rodas5P and numerical benchmarks within the Julia
Differential Equations package, BIT Numerical Mathematics 63:27, 2023 (coefficients in the transformed form of Hairer
and Wanner, Solving Ordinary Differential Equations II, section IV.7). The order of both formulas is proved by
``tests/convergence``.
"""

from __future__ import annotations

from typing import Any

from seedbed.engine.language import Reals, Vector, Vectors, by_four, fma, kernel, sqrt, static, template, vector, where

N_STAGES = 8
ORDER = 5
GAMMA = 0.21193756319429014
_LAST = (-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946)
A: tuple[tuple[float, ...], ...] = (
    (),
    (3.0,),
    (2.849394379747939, 0.45842242204463923),
    (-6.954028509809101, 2.489845061869568, -10.358996098473584),
    (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
    _LAST,
    (*_LAST, 1.0),
    (*_LAST, 1.0, 1.0),
)
C: tuple[tuple[float, ...], ...] = (
    (),
    (-14.155112264123755,),
    (-17.97296035885952, -2.859693295451294),
    (147.12150275711716, -1.41221402718213, 71.68940251302358),
    (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
    (24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471),
    (30.91273214028599, -3.1208243349937974, 77.79954646070892, 34.28646028294783, -19.097331116725623,
     -28.087943162872662),
    (37.80277123390563, -3.2571969029072276, 112.26918849496327, 66.9347231244047, -40.06618937091002,
     -54.66780262877968, -9.48861652309627),
)  # fmt: skip
STAGE_TIMES = (0.0, 0.6358126895828704, 0.4095798393397535, 0.9769306725060716, 0.4288403609558664, 1.0, 1.0, 1.0)
TIME_SLOPES = (GAMMA, -0.42387512638858027, -0.3384627126235924, 1.8046452872882734, 2.325825639765069, 0.0, 0.0, 0.0)
DENSE: tuple[tuple[float, ...], ...] = (
    (25.948786856663858, -2.5579724845846235, 10.433815404888879, -2.3679251022685204,
     0.524948541321073, 1.1241088310450404, 0.4272876194431874, -0.17202221070155493),
    (-9.91568850695171, -0.9689944594115154, 3.0438037242978453, -24.495224566215796,
     20.176138334709044, 15.98066361424651, -6.789040303419874, -6.710236069923372),
    (11.419903575922262, 2.8879645146136994, 72.92137995996029, 80.12511834622643,
     -52.072871366152654, -59.78993625266729, -0.15582684282751913, 4.883087185713722),
)  # fmt: skip
CONSTANTS = {
    "N_STAGES": N_STAGES, "GAMMA": GAMMA, "A": A, "C": C, "STAGE_TIMES": STAGE_TIMES, "TIME_SLOPES": TIME_SLOPES,
    "DENSE": DENSE,
}  # fmt: skip

# Known while translating: the memory layout, and functions emitted from the model's expressions.
at: Any = None
rates: Any = None
rates_and_matrix: Any = None
factorize: Any = None
solve: Any = None
power: Any = None


@kernel
def attempt(work: Vectors, shared: Reals) -> None:
    """Try one step in every lane: from Y, TIME, STEP to Y_NEW, ERROR and the stages K."""
    step = work[at.STEP]
    inverse = vector(1.0) / step
    work[at.DIAGONAL] = inverse * vector(1.0 / GAMMA)
    work[at.STAGE_TIME] = work[at.TIME]
    for i in by_four(at.N_STATES):
        work[at.STAGE + i] = work[at.Y + i]
    rates_and_matrix(work, shared)
    factorize(work)
    for stage in static(range(N_STAGES)):
        if static(stage > 0):
            work[at.STAGE_TIME] = fma(vector(STAGE_TIMES[stage]), step, work[at.TIME])
            stage_state(work, stage)
            rates(work, shared)
            add_stages(work, inverse, stage)
        if static(at.TIME_DEPENDENT and TIME_SLOPES[stage] != 0.0):
            for i in by_four(at.N_STATES):
                work[at.RATE + i] = fma(work[at.SLOPE + i], step * vector(TIME_SLOPES[stage]), work[at.RATE + i])
        solve(work, at.K + stage * at.N_STATES)
    for i in by_four(at.N_STATES):
        work[at.Y_NEW + i] = work[at.STAGE + i] + work[at.K + (N_STAGES - 1) * at.N_STATES + i]


@template
def stage_state(work: Vectors, stage: int) -> None:
    """Set STAGE to y + sum_j a_ij k_j; the last two stages only add the one before."""
    for i in by_four(at.N_STATES):
        if static(stage > 5):
            work[at.STAGE + i] = work[at.STAGE + i] + work[at.K + (stage - 1) * at.N_STATES + i]
        else:
            state = work[at.Y + i]
            for j in static(range(stage)):
                state = fma(vector(A[stage][j]), work[at.K + j * at.N_STATES + i], state)
            work[at.STAGE + i] = state


@template
def add_stages(work: Vectors, inverse: Vector, stage: int) -> None:
    """Add sum_j (C_ij/h) k_j to RATE."""
    for i in by_four(at.N_STATES):
        earlier = work[at.K + i] * vector(C[stage][0])
        for j in static(range(1, stage)):
            earlier = fma(vector(C[stage][j]), work[at.K + j * at.N_STATES + i], earlier)
        work[at.RATE + i] = fma(earlier, inverse, work[at.RATE + i])


@kernel
def measure_error(work: Vectors, tolerances: Reals) -> None:
    """Set ERROR to the scaled root mean square of the error, and FACTOR to the step change it suggests."""
    total = vector(0.0)
    relative = vector(tolerances[at.RELATIVE])
    for i in by_four(at.N_STATES):
        larger = max(abs(work[at.Y + i]), abs(work[at.Y_NEW + i]))
        scale = fma(relative, larger, vector(tolerances[at.ABSOLUTE + i]))
        ratio = work[at.K + (N_STAGES - 1) * at.N_STATES + i] / scale
        total = fma(ratio, ratio, total)
    work[at.ERROR] = sqrt(total * vector(1.0 / max(at.N_STATES, 1)))
    work[at.FACTOR] = vector(0.9) * power(max(work[at.ERROR], vector(1e-12)), vector(-0.2))


@kernel
def dense_coefficients(work: Vectors) -> None:
    """Set the three vectors of the dense output of the last step, for the states that anything looks at."""
    if static(len(at.KEPT) == at.N_STATES):
        for i in range(at.N_STATES):
            dense_coefficient(work, i)
    else:
        for i in static(at.KEPT):
            dense_coefficient(work, i)


@kernel
def dense_coefficient(work: Vectors, i: int) -> None:
    """Set the dense output of one state."""
    for row in static(range(3)):
        total = work[at.K + i] * vector(DENSE[row][0])
        for j in static(range(1, N_STAGES)):
            total = fma(vector(DENSE[row][j]), work[at.K + j * at.N_STATES + i], total)
        work[at.DENSE + row * at.N_STATES + i] = total


@kernel
def interpolate(work: Vectors) -> None:
    """Set STAGE_TIME and the states that anything looks at to the fraction THETA of the last step."""
    work[at.STAGE_TIME] = fma(work[at.THETA], work[at.STEP], work[at.TIME])
    if static(len(at.SEEN) == at.N_STATES):
        for i in by_four(at.N_STATES):
            interpolate_state(work, i)
    else:
        for i in static(at.SEEN):
            interpolate_state(work, i)


@kernel
def interpolate_all(work: Vectors) -> None:
    """Set STAGE_TIME and STAGE to the fraction THETA of the last step."""
    work[at.STAGE_TIME] = fma(work[at.THETA], work[at.STEP], work[at.TIME])
    for i in by_four(at.N_STATES):
        interpolate_state(work, i)


@kernel
def interpolate_state(work: Vectors, i: int) -> None:
    """Set one state of STAGE to the fraction THETA of the last step; the end itself is exact."""
    theta = work[at.THETA]
    rest = vector(1.0) - theta
    cubic = fma(theta, work[at.DENSE + 2 * at.N_STATES + i], work[at.DENSE + at.N_STATES + i])
    bend = rest * fma(theta, cubic, work[at.DENSE + i])
    inside = fma(rest, work[at.Y + i], theta * (work[at.Y_NEW + i] + bend))
    work[at.STAGE + i] = where(theta >= vector(1.0), work[at.Y_NEW + i], inside)


@kernel
def initial_step(work: Vectors, shared: Reals, tolerances: Reals) -> None:
    """Set FACTOR to a first step length from Y: one that changes the state by about 1 % of its scale."""
    work[at.STAGE_TIME] = work[at.TIME]
    for i in by_four(at.N_STATES):
        work[at.STAGE + i] = work[at.Y + i]
    rates(work, shared)
    size = vector(0.0)
    speed = vector(0.0)
    for i in by_four(at.N_STATES):
        scale = fma(vector(tolerances[at.RELATIVE]), abs(work[at.Y + i]), vector(tolerances[at.ABSOLUTE + i]))
        inverse = vector(1.0) / scale
        size = fma(work[at.Y + i] * inverse, work[at.Y + i] * inverse, size)
        speed = fma(work[at.RATE + i] * inverse, work[at.RATE + i] * inverse, speed)
    work[at.FACTOR] = vector(0.01) * sqrt(max(size, vector(1.0)) / max(speed, vector(1e-30)))


KERNELS = (
    attempt, stage_state, add_stages, measure_error, dense_coefficients, dense_coefficient, interpolate,
    interpolate_state, initial_step,
)  # fmt: skip
EVENT_KERNELS = (interpolate_all,)


@kernel
def factorize_in_loops(work: Vectors) -> None:
    """Factorize a full matrix in place, row by row; the diagonal ends as reciprocals of the pivots."""
    for p in range(at.N_STATES):
        row = at.MATRIX + p * at.N_STATES
        for q in range(p):
            other = at.MATRIX + q * at.N_STATES
            multiplier = work[row + q] * work[other + q]
            work[row + q] = multiplier
            for r in range(q + 1, at.N_STATES):
                work[row + r] = fma(-multiplier, work[other + r], work[row + r])
        work[row + p] = vector(1.0) / work[row + p]


@kernel
def solve_in_loops(work: Vectors, result: int) -> None:
    """Solve the two triangular systems of a full matrix, from RATE to the vector at slot `result`."""
    for p in range(at.N_STATES):
        total = work[at.RATE + p]
        for q in range(p):
            total = fma(-work[at.MATRIX + p * at.N_STATES + q], work[result + q], total)
        work[result + p] = total
    for step in range(at.N_STATES):
        p = at.N_STATES - 1 - step
        total = work[result + p]
        for q in range(p + 1, at.N_STATES):
            total = fma(-work[at.MATRIX + p * at.N_STATES + q], work[result + q], total)
        work[result + p] = total * work[at.MATRIX + p * at.N_STATES + p]


LOOPED_KERNELS = (factorize_in_loops, solve_in_loops)
