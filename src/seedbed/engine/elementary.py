"""Vector exponential, logarithm and power as LLVM text, the same bits in every lane and at every lane width.

Range reduction and a polynomial, accurate to about 1 unit in the last place. The logarithm follows the published
algorithm of fdlibm's ``e_log.c`` (Sun Microsystems, 1993) as arranged in musl; the exponential is the Taylor series on
``|r| <= ln(2)/2``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from seedbed.engine.expression import LOG_OF_ZERO
from seedbed.engine.language import Target


@dataclass(frozen=True)
class Format:
    """Constants of a floating-point format."""

    bits: int
    mantissa: int
    ln2_high: float
    ln2_low: float
    exp_degree: int
    exp_low: float
    exp_high: float
    log_series: tuple[float, ...]
    root_half: int
    log_of_zero: float

    @property
    def integer(self) -> str:
        """LLVM type of an integer of this size."""
        return f"i{self.bits}"

    @property
    def one(self) -> int:
        """Bit pattern of 1.0."""
        return (2 ** (self.bits - self.mantissa - 2) - 1) << self.mantissa


DOUBLE = Format(
    64, 52, 6.93147180369123816490e-01, 1.90821492927058770002e-10, 13, -708.0, 709.0,
    (6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
     1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01),
    0x3FE6A09E667F3BCD, LOG_OF_ZERO,
)  # fmt: skip
SINGLE = Format(
    32, 23, 0.693359375, -2.12194440054690583e-4, 7, -87.0, 88.0,
    (0.66666662693, 0.40000972152, 0.28498786688, 0.24279078841), 0x3F3504F3, -1e30,
)  # fmt: skip


class _Text:
    """Collects instructions on vectors."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.format = DOUBLE if target.real == "double" else SINGLE
        self.v = target.vector
        self.i = f"<{target.lanes} x {self.format.integer}>"
        self.lines: list[str] = []

    def emit(self, code: str) -> str:
        name = f"%t{len(self.lines)}"
        self.lines.append(f"  {name} = {code}")
        return name

    def real(self, value: float) -> str:
        return self.target.splat(value)

    def whole(self, value: int) -> str:
        return "<" + ", ".join([f"{self.format.integer} {value}"] * self.target.lanes) + ">"

    def op(self, name: str, a: str, b: str) -> str:
        return self.emit(f"{name} {self.v} {a}, {b}")

    def int_op(self, name: str, a: str, b: str) -> str:
        return self.emit(f"{name} {self.i} {a}, {b}")

    def fma(self, a: str, b: str, c: str) -> str:
        if self.target.fused:
            return self.emit(f"call {self.v} @llvm.fma.{self.target.suffix}({self.v} {a}, {self.v} {b}, {self.v} {c})")
        return self.op("fadd", self.op("fmul", a, b), c)

    def as_int(self, a: str) -> str:
        return self.emit(f"bitcast {self.v} {a} to {self.i}")

    def as_real(self, a: str) -> str:
        return self.emit(f"bitcast {self.i} {a} to {self.v}")

    def select(self, relation: str, a: str, b: str, choices: tuple[str, str]) -> str:
        mask = self.emit(f"fcmp {relation} {self.v} {a}, {b}")
        return self.emit(f"select {self.target.mask} {mask}, {self.v} {choices[0]}, {self.v} {choices[1]}")

    def polynomial(self, x: str, coefficients: Sequence[float]) -> str:
        """Evaluate sum c_k x**k in pairs (Estrin), which keeps the multiply-add units busy."""
        terms = [self.real(c) for c in coefficients]
        power = x
        while len(terms) > 1:
            pairs = [terms[k : k + 2] for k in range(0, len(terms), 2)]
            terms = [self.fma(pair[1], power, pair[0]) if len(pair) == 2 else pair[0] for pair in pairs]
            power = self.op("fmul", power, power) if len(terms) > 1 else power
        return terms[0]

    def function(self, name: str, result: str, arguments: str = "") -> str:
        arguments = arguments or f"{self.v} %x"
        body = "\n".join(self.lines)
        return f"define internal {self.v} @{name}({arguments}) #1 {{\n{body}\n  ret {self.v} {result}\n}}\n"


def functions(target: Target) -> str:
    """Return the text of ``vector_exp``, ``vector_log``, ``vector_powerlog`` and ``power``."""
    return "\n".join([_exp(target), _log(target), _powerlog(target), _power(target)])


def _exp(target: Target) -> str:
    t = _Text(target)
    f = t.format
    magic = 1.5 * 2.0**f.mantissa  # adding it rounds to a whole number, kept in the low bits
    shifted = t.fma("%x", t.real(1.0 / math.log(2.0)), t.real(magic))
    whole = t.op("fsub", shifted, t.real(magic))
    r = t.fma(whole, t.real(-f.ln2_high), "%x")
    r = t.fma(whole, t.real(-f.ln2_low), r)
    series = t.polynomial(r, [1.0 / math.factorial(k) for k in range(f.exp_degree + 1)])
    exponent = t.int_op("shl", t.as_int(shifted), t.whole(f.mantissa))
    result = t.as_real(t.int_op("add", t.as_int(series), exponent))
    result = t.select("olt", "%x", t.real(f.exp_low), (t.real(0.0), result))
    result = t.select("ogt", "%x", t.real(f.exp_high), (t.real(math.inf), result))
    return t.function("vector_exp", t.select("uno", "%x", "%x", ("%x", result)))


def _log(target: Target) -> str:
    t = _Text(target)
    f = t.format
    tiny = t.real(2.0 ** (2 - 2 ** (f.bits - f.mantissa - 2)))
    lift = f.mantissa + 2
    x = t.select("olt", "%x", tiny, (t.op("fmul", "%x", t.real(2.0**lift)), "%x"))
    offset = t.select("olt", "%x", tiny, (t.real(float(lift)), t.real(0.0)))
    bits = t.int_op("add", t.as_int(x), t.whole(f.one - f.root_half))
    exponent = t.int_op("lshr", bits, t.whole(f.mantissa))
    biased = t.int_op("or", exponent, t.whole(_bits(2.0**f.mantissa, f)))
    bias = 2.0**f.mantissa + 2 ** (f.bits - f.mantissa - 2) - 1
    k = t.op("fsub", t.op("fsub", t.as_real(biased), t.real(bias)), offset)
    fraction = t.int_op("and", bits, t.whole(2**f.mantissa - 1))
    m = t.as_real(t.int_op("add", fraction, t.whole(f.root_half)))
    result = _log_of_reduced(t, t.op("fsub", m, t.real(1.0)), k)
    result = t.select("oeq", "%x", t.real(math.inf), ("%x", result))
    result = t.select("oeq", "%x", t.real(0.0), (t.real(-math.inf), result))
    result = t.select("uge", "%x", t.real(0.0), (result, t.real(math.nan)))
    return t.function("vector_log", t.select("uno", "%x", "%x", ("%x", result)))


def _log_of_reduced(t: _Text, f: str, k: str) -> str:
    """Return ``k * ln 2 + log(1 + f)`` for f near 0."""
    s = t.op("fdiv", f, t.op("fadd", t.real(2.0), f))
    z = t.op("fmul", s, s)
    series = t.op("fmul", z, t.polynomial(z, t.format.log_series))
    half = t.op("fmul", t.op("fmul", t.real(0.5), f), f)
    low = t.op("fadd", t.op("fmul", s, t.op("fadd", half, series)), t.op("fmul", k, t.real(t.format.ln2_low)))
    rest = t.op("fadd", t.op("fsub", low, half), f)
    return t.op("fadd", rest, t.op("fmul", k, t.real(t.format.ln2_high)))


def _bits(value: float, form: Format) -> int:
    code, whole = ("<d", "<Q") if form.bits == 64 else ("<f", "<I")
    return int(struct.unpack(whole, struct.pack(code, value))[0])


def _powerlog(target: Target) -> str:
    t = _Text(target)
    log = t.emit(f"call {t.v} @vector_log({t.v} %x)")
    result = t.select("oeq", "%x", t.real(0.0), (t.real(t.format.log_of_zero), log))
    return t.function("vector_powerlog", result)


def _power(target: Target) -> str:
    t = _Text(target)
    log = t.emit(f"call {t.v} @vector_powerlog({t.v} %x)")
    result = t.emit(f"call {t.v} @vector_exp({t.v} {t.op('fmul', '%y', log)})")
    return t.function("power", result, f"{t.v} %x, {t.v} %y")
