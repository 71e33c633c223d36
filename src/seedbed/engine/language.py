"""Translate a small subset of Python into LLVM, so that the driver can be read as Python and runs as machine code.

A kernel is a typed function of this subset: assignments, ``if``, ``while``, ``for ... in range``, arithmetic,
comparisons, ``and``/``or``/``not``, indexing and calls. Types are

======= ================================================================================================
int     64-bit integer
float   64-bit real
bool    truth value
Vector  one real for each lane (the patients worked side by side)
Mask    one truth value for each lane
Reals   memory of lane reals, read and written one lane at a time (widened to 64 bits when lanes are 32)
Vectors the same memory, read and written all lanes at once
Floats  memory of 64-bit reals
Ints    memory of 64-bit integers
======= ================================================================================================

Names that are not local are constants of the translation (`constants`), evaluated while translating: that is how the
memory layout and the coefficients of the method enter. ``for k in static(range(...))`` is written out, ``for k in
by_four(n)`` counts to n, known while translating, and writes four turns at once, and ``if static(...)`` keeps only the
branch that is taken.
"""

from __future__ import annotations

import ast
import inspect
import struct
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any


class Vector:
    """One real for each lane."""


class Mask:
    """One truth value for each lane."""


class Reals:
    """Memory of lane reals, seen one lane at a time."""


class Vectors:
    """Memory of lane reals, seen all lanes at once."""


class Floats:
    """Memory of 64-bit reals."""


class Ints:
    """Memory of 64-bit integers."""


def static(value: Any) -> Any:
    """Mark a value as known while translating."""
    return value


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function of the subset: it is translated, never called from Python."""
    return function


def template(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a kernel that is written out at each call, its constant arguments known; the others keep their names."""
    function.is_template = True  # type: ignore[attr-defined]
    return function


def entry(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a kernel that Python calls by address."""
    return function


def _only_in_kernels(*_arguments: Any) -> Any:
    raise TypeError("this function exists only inside kernels")


#: a vector with the same value in each lane; the value where a mask holds, else another; a * b + c
vector = where = fma = sqrt = _only_in_kernels
#: the numbers below a static number, for a loop whose body is written four times
by_four = _only_in_kernels
#: whether a mask holds in any lane; atomic addition that returns the old value
any_lane = fetch_add = _only_in_kernels
#: the memory at an address, as one of the four kinds of memory
floats = ints = reals = vectors = _only_in_kernels


STATIC_FUNCTIONS = {"range": range, "len": len, "static": static, "int": int, "float": float, "max": max, "min": min}
SCALARS = {"int": "i64", "float": "double", "bool": "i1"}
POINTERS = ("Reals", "Vectors", "Floats", "Ints")
COMPARISONS = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne"}
ARITHMETIC = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.BitAnd: "and", ast.BitOr: "or"}


@dataclass(frozen=True)
class Target:
    """What the code is made for.

    Attributes
    ----------
    lanes : patients side by side in a vector
    real : LLVM type of a lane value, ``double`` or ``float``
    fused : whether the processor multiplies and adds in one rounding
    """

    lanes: int
    real: str = "double"
    fused: bool = True

    @property
    def vector(self) -> str:
        """LLVM type of a `Vector`."""
        return f"<{self.lanes} x {self.real}>"

    @property
    def mask(self) -> str:
        """LLVM type of a `Mask`."""
        return f"<{self.lanes} x i1>"

    @property
    def bytes(self) -> int:
        """Size of a lane value."""
        return 8 if self.real == "double" else 4

    @property
    def suffix(self) -> str:
        """Suffix of LLVM intrinsics on vectors."""
        return f"v{self.lanes}f{8 * self.bytes}"

    def llvm(self, kind: str) -> str:
        """Return the LLVM type of a kind of value."""
        return {**SCALARS, "Vector": self.vector, "Mask": self.mask, "None": "void"}.get(kind, "ptr")

    def literal(self, value: float) -> str:
        """Return a real constant as LLVM writes it, exact to the bit."""
        if self.real == "float":
            value = struct.unpack("f", struct.pack("f", value))[0] if abs(value) < 3e38 else value
        return exact(value)

    def splat(self, value: float) -> str:
        """Return a vector constant with the same value in each lane."""
        return "<" + ", ".join([f"{self.real} {self.literal(value)}"] * self.lanes) + ">"


def exact(value: float) -> str:
    """Return a 64-bit real as LLVM writes it."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


@dataclass(frozen=True)
class Value:
    """An LLVM value (`text`) and its kind."""

    text: str
    kind: str


@dataclass(frozen=True)
class Signature:
    """Kinds of the arguments and of the result of a function that kernels may call."""

    arguments: tuple[str, ...]
    result: str


class TranslationError(Exception):
    """A kernel leaves the subset: a fault of the engine itself, never of a model."""


def signature(kernel: Callable[..., Any]) -> Signature:
    """Return the signature of a kernel from its annotations."""
    notes = {name: note if isinstance(note, str) else getattr(note, "__name__", "None")
             for name, note in kernel.__annotations__.items()}  # fmt: skip
    return Signature(tuple(notes[name] for name in inspect.signature(kernel).parameters), notes.get("return", "None"))


def translate(
    kernels: Iterable[Callable[..., Any]],
    constants: Mapping[str, Any],
    target: Target,
    known: Mapping[str, Signature],
    renamed: Mapping[str, str] | None = None,
) -> str:
    """Return the LLVM text of kernels.

    Parameters
    ----------
    kernels : functions of the subset; they may call each other and the functions in `known`
    constants : values of the names that are not local
    target : lanes and type of a lane value
    known : functions emitted elsewhere
    renamed : for calls to a name, the function that is called instead

    Raises
    ------
    TranslationError
        A kernel uses something outside the subset.
    """
    kernels = list(kernels)
    templates = {k.__name__: _definition(k) for k in kernels if hasattr(k, "is_template")}
    kernels = [k for k in kernels if k.__name__ not in templates]
    signatures = {**known, **{kernel.__name__: signature(kernel) for kernel in kernels}}
    others = templates, dict(renamed or {})
    return "\n".join(_Function(kernel, dict(constants), target, signatures, others).text() for kernel in kernels)


class _Function:
    """Translates one kernel."""

    def __init__(
        self,
        kernel: Callable[..., Any],
        constants: dict[str, Any],
        target: Target,
        known: dict[str, Signature],
        others: tuple[dict[str, ast.FunctionDef], dict[str, str]],
    ) -> None:
        self.name, self.constants, self.target, self.known = kernel.__name__, constants, target, known
        self.signature = known[self.name]
        self.definition, (self.templates, self.renamed) = _definition(kernel), others
        self.lines: list[str] = []
        self.slots: list[str] = []
        self.kinds: dict[str, str] = {}
        self.exits: list[tuple[str, str]] = []
        self.n_names = 0
        self.closed = False

    def text(self) -> str:
        arguments = [a.arg for a in self.definition.args.args]
        for name, kind in zip(arguments, self.signature.arguments, strict=True):
            self._store_name(name, Value(f"%{name}.in", kind))
        self._block(self.definition.body)
        if not self.closed:
            self._end("ret void" if self.signature.result == "None" else "unreachable")
        listed = ", ".join(
            f"{self.target.llvm(kind)} %{name}.in"
            for name, kind in zip(arguments, self.signature.arguments, strict=True)
        )
        head = f"define {self._linkage()}{self.target.llvm(self.signature.result)} @{self.name}({listed}) #0 {{"
        return "\n".join([head, "entry:", *self.slots, *self.lines, "}", ""])

    def _linkage(self) -> str:
        return (
            ""
            if any(isinstance(d, ast.Name) and d.id == "entry" for d in self.definition.decorator_list)
            else "internal "
        )

    # ---- plumbing -----------------------------------------------------------------------------------------
    def _fail(self, node: ast.AST, why: str) -> TranslationError:
        return TranslationError(f"kernel {self.name}, line {getattr(node, 'lineno', 0)}: {why}: {ast.unparse(node)}")

    def _fresh(self, stem: str = "v") -> str:
        self.n_names += 1
        return f"{stem}{self.n_names}"

    def _emit(self, kind: str, code: str) -> Value:
        name = f"%{self._fresh()}"
        self.lines.append(f"  {name} = {code}")
        return Value(name, kind)

    def _end(self, code: str) -> None:
        self.lines.append(f"  {code}")
        self.closed = True

    def _start(self, label: str) -> None:
        if not self.closed:
            self._end(f"br label %{label}")
        self.lines.append(f"{label}:")
        self.closed = False

    def _store_name(self, name: str, value: Value) -> None:
        if name not in self.kinds:
            self.kinds[name] = value.kind
            self.slots.append(f"  %{name} = alloca {self.target.llvm(value.kind)}")
        value = self._convert(value, self.kinds[name])
        self.lines.append(f"  store {self.target.llvm(value.kind)} {value.text}, ptr %{name}")

    def _convert(self, value: Value, kind: str) -> Value:
        if value.kind == kind or (value.kind in POINTERS and kind in POINTERS):
            return Value(value.text, kind)
        if (value.kind, kind) == ("int", "float"):
            return self._emit("float", f"sitofp i64 {value.text} to double")
        if (value.kind, kind) == ("bool", "int"):
            return self._emit("int", f"zext i1 {value.text} to i64")
        if kind == "Vector" and value.kind in ("int", "float"):
            return self._splat(self._convert(value, "float"))
        raise TranslationError(f"kernel {self.name}: cannot use a {value.kind} as a {kind}")

    def _splat(self, value: Value) -> Value:
        t = self.target
        scalar = value.text if t.real == "double" else self._emit("real", f"fptrunc double {value.text} to float").text
        one = self._emit("Vector", f"insertelement {t.vector} undef, {t.real} {scalar}, i32 0")
        return self._emit(
            "Vector", f"shufflevector {t.vector} {one.text}, {t.vector} undef, <{t.lanes} x i32> zeroinitializer"
        )

    # ---- constants ----------------------------------------------------------------------------------------
    def _static(self, node: ast.AST) -> tuple[bool, Any]:
        """Return (True, value) for an expression made of constants only."""
        if isinstance(node, ast.Constant):
            return True, node.value
        for name in _names_in(node):
            if name in self.kinds or not (name in self.constants or name in STATIC_FUNCTIONS):
                return False, None
        scope = {**STATIC_FUNCTIONS, **self.constants}
        return True, eval(_code_of(node), {"__builtins__": {}}, scope)  # noqa: S307 -- the engine's own source

    def _literal(self, value: Any, node: ast.AST) -> Value:
        if isinstance(value, bool):
            return Value("true" if value else "false", "bool")
        if isinstance(value, int):
            return Value(str(value), "int")
        if isinstance(value, float):
            return Value(exact(value), "float")
        raise self._fail(node, f"not a number: {value!r}")

    # ---- statements ---------------------------------------------------------------------------------------
    def _block(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            if self.closed:
                return
            handler = getattr(self, f"_statement_{type(statement).__name__}", None)
            if handler is None:
                raise self._fail(statement, "statement outside the subset")
            handler(statement)

    def _statement_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self._value(node.value)

    def _statement_Pass(self, _node: ast.Pass) -> None:
        return

    def _statement_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self._end("ret void")
            return
        value = self._convert(self._value(node.value), self.signature.result)
        self._end(f"ret {self.target.llvm(value.kind)} {value.text}")

    def _statement_Assign(self, node: ast.Assign) -> None:
        value = self._value(node.value)
        for place in node.targets:
            self._store(place, value)

    def _statement_AugAssign(self, node: ast.AugAssign) -> None:
        left = ast.copy_location(ast.fix_missing_locations(_loaded(node.target)), node)
        self._store(node.target, self._arithmetic(node.op, self._value(left), self._value(node.value), node))

    def _store(self, place: ast.expr, value: Value) -> None:
        if isinstance(place, ast.Name):
            self._store_name(place.id, value)
        elif isinstance(place, ast.Subscript):
            self._store_element(place, value)
        else:
            raise self._fail(place, "cannot assign")

    def _store_element(self, place: ast.Subscript, value: Value) -> None:
        memory, address = self._address(place)
        t = self.target
        if memory == "Reals":
            value = self._convert(value, "float")
            text = (
                value.text if t.real == "double" else self._emit("real", f"fptrunc double {value.text} to float").text
            )
            self.lines.append(f"  store {t.real} {text}, ptr {address}")
            return
        kind = {"Vectors": "Vector", "Floats": "float", "Ints": "int"}[memory]
        value = self._convert(value, kind)
        align = f", align {t.bytes * t.lanes}" if memory == "Vectors" else ""
        self.lines.append(f"  store {t.llvm(kind)} {value.text}, ptr {address}{align}")

    def _statement_If(self, node: ast.If) -> None:
        known, value = self._static(node.test)
        if known:
            self._block(node.body if value else node.orelse)
            return
        then, other, after = self._fresh("then"), self._fresh("else"), self._fresh("after")
        self._branch(node.test, then, other if node.orelse else after)
        self._start(then)
        self._block(node.body)
        if node.orelse:
            if not self.closed:
                self._end(f"br label %{after}")
            self._start(other)
            self._block(node.orelse)
        self._start(after)

    def _branch(self, test: ast.expr, then: str, other: str) -> None:
        """Jump on a condition; ``and`` and ``or`` stop as soon as the answer is known."""
        if isinstance(test, ast.BoolOp):
            is_and = isinstance(test.op, ast.And)
            for part in test.values[:-1]:
                following = self._fresh("and" if is_and else "or")
                self._branch(part, following if is_and else then, other if is_and else following)
                self._start(following)
            self._branch(test.values[-1], then, other)
            return
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            self._branch(test.operand, other, then)
            return
        self._end(f"br i1 {self._truth(test).text}, label %{then}, label %{other}")

    def _truth(self, test: ast.expr) -> Value:
        value = self._value(test)
        if value.kind == "int":
            return self._emit("bool", f"icmp ne i64 {value.text}, 0")
        if value.kind != "bool":
            raise self._fail(test, f"a {value.kind} is not a condition")
        return value

    def _statement_While(self, node: ast.While) -> None:
        head, body, after = self._fresh("while"), self._fresh("do"), self._fresh("done")
        self._start(head)
        self._branch(node.test, body, after)
        self._start(body)
        self._loop_body(node.body, head, after)
        self._start(after)

    def _loop_body(self, body: list[ast.stmt], again: str, after: str) -> None:
        self.exits.append((again, after))
        self._block(body)
        self.exits.pop()
        if not self.closed:
            self._end(f"br label %{again}")

    def _statement_Break(self, _node: ast.Break) -> None:
        self._end(f"br label %{self.exits[-1][1]}")

    def _statement_Continue(self, _node: ast.Continue) -> None:
        self._end(f"br label %{self.exits[-1][0]}")

    def _statement_For(self, node: ast.For) -> None:
        call = node.iter
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and isinstance(node.target, ast.Name)):
            raise self._fail(node, "loop outside the subset")
        if call.func.id == "static":
            self._unrolled(node, call)
        elif call.func.id == "range":
            self._counted(node.target.id, call, node.body)
        elif call.func.id == "by_four":
            self._by_four(node, call)
        else:
            raise self._fail(node, "loop outside the subset")

    def _unrolled(self, node: ast.For, call: ast.Call) -> None:
        known, values = self._static(call)
        if not known:
            raise self._fail(node, "not static")
        name = node.target.id  # type: ignore[attr-defined]
        before = self.constants.get(name)
        for value in values:
            self.constants[name] = value
            self._block(node.body)
        if before is None:
            self.constants.pop(name, None)
        else:
            self.constants[name] = before

    def _by_four(self, node: ast.For, call: ast.Call) -> None:
        """Write a loop whose body is four turns, which then share the constants they load, and the turns left."""
        known, n = self._static(call.args[0])
        if not known:
            raise self._fail(node, "not static")
        name = node.target.id  # type: ignore[attr-defined]
        first, loop, following = ast.parse(f"{name} = 0\nwhile {name} < {n - n % 4}: pass\n{name} = {name} + 1").body
        turn = [*node.body, following]
        loop.body = 4 * turn  # type: ignore[attr-defined]
        self._block([first, *([loop] if n >= 4 else []), *(n % 4 * turn)])

    def _counted(self, name: str, call: ast.Call, body: list[ast.stmt]) -> None:
        bounds = [self._convert(self._value(a), "int") for a in call.args]
        start, stop = (Value("0", "int"), bounds[0]) if len(bounds) == 1 else (bounds[0], bounds[1])
        self._store_name(name, start)
        head, inside, step, after = (self._fresh(s) for s in ("for", "body", "next", "done"))
        self._start(head)
        counter = self._emit("int", f"load i64, ptr %{name}")
        more = self._emit("bool", f"icmp slt i64 {counter.text}, {stop.text}")
        self._end(f"br i1 {more.text}, label %{inside}, label %{after}")
        self._start(inside)
        self._loop_body(body, step, after)
        self._start(step)
        counter = self._emit("int", f"load i64, ptr %{name}")
        following = self._emit("int", f"add i64 {counter.text}, 1")
        self.lines.append(f"  store i64 {following.text}, ptr %{name}")
        self._end(f"br label %{head}")
        self._start(after)

    # ---- expressions --------------------------------------------------------------------------------------
    def _value(self, node: ast.expr) -> Value:
        known, value = self._static(node)
        if known:
            return self._literal(value, node)
        handler = getattr(self, f"_expression_{type(node).__name__}", None)
        if handler is None:
            raise self._fail(node, "expression outside the subset")
        return handler(node)

    def _expression_Name(self, node: ast.Name) -> Value:
        kind = self.kinds.get(node.id)
        if kind is None:
            raise self._fail(node, "unknown name")
        return self._emit(kind, f"load {self.target.llvm(kind)}, ptr %{node.id}")

    def _address(self, node: ast.Subscript) -> tuple[str, str]:
        memory = self._value(node.value)
        index = self._convert(self._value(node.slice), "int")
        element = {"Reals": self.target.real, "Vectors": self.target.vector, "Floats": "double", "Ints": "i64"}
        if memory.kind not in element:
            raise self._fail(node, f"cannot index a {memory.kind}")
        code = f"getelementptr {element[memory.kind]}, ptr {memory.text}, i64 {index.text}"
        return memory.kind, self._emit("ptr", code).text

    def _expression_Subscript(self, node: ast.Subscript) -> Value:
        memory, address = self._address(node)
        t = self.target
        if memory == "Vectors":
            return self._emit("Vector", f"load {t.vector}, ptr {address}, align {t.bytes * t.lanes}")
        if memory == "Reals":
            value = self._emit("float", f"load {t.real}, ptr {address}")
            return value if t.real == "double" else self._emit("float", f"fpext float {value.text} to double")
        kind = "float" if memory == "Floats" else "int"
        return self._emit(kind, f"load {t.llvm(kind)}, ptr {address}")

    def _expression_BinOp(self, node: ast.BinOp) -> Value:
        return self._arithmetic(node.op, self._value(node.left), self._value(node.right), node)

    def _arithmetic(self, operator: ast.operator, a: Value, b: Value, node: ast.AST) -> Value:
        name = ARITHMETIC.get(type(operator))
        if name is None:
            raise self._fail(node, "operator outside the subset")
        kind = _wider(a.kind, b.kind)
        if kind in ("Mask", "bool"):
            return self._emit(kind, f"{name} {self.target.llvm(kind)} {a.text}, {b.text}")
        a, b = self._convert(a, kind), self._convert(b, kind)
        if kind == "int":
            name = {"div": "sdiv"}.get(name, name)
        elif name in ("and", "or"):
            raise self._fail(node, "& and | are for masks and integers")
        else:
            name = f"f{name}"
        return self._emit(kind, f"{name} {self.target.llvm(kind)} {a.text}, {b.text}")

    def _expression_UnaryOp(self, node: ast.UnaryOp) -> Value:
        value = self._value(node.operand)
        if isinstance(node.op, ast.USub):
            if value.kind == "int":
                return self._emit("int", f"sub i64 0, {value.text}")
            return self._emit(value.kind, f"fneg {self.target.llvm(value.kind)} {value.text}")
        if isinstance(node.op, ast.Not) and value.kind == "bool":
            return self._emit("bool", f"xor i1 {value.text}, true")
        raise self._fail(node, "operator outside the subset")

    def _expression_Compare(self, node: ast.Compare) -> Value:
        a, b = self._value(node.left), self._value(node.comparators[0])
        name = COMPARISONS[type(node.ops[0])]
        kind = _wider(a.kind, b.kind)
        a, b = self._convert(a, kind), self._convert(b, kind)
        if kind == "bool":
            return self._emit("bool", f"icmp {name} i1 {a.text}, {b.text}")
        if kind == "int":
            signed = name if name in ("eq", "ne") else f"s{name}"
            return self._emit("bool", f"icmp {signed} i64 {a.text}, {b.text}")
        ordered = "une" if name == "ne" else f"o{name}"
        result = "Mask" if kind == "Vector" else "bool"
        return self._emit(result, f"fcmp {ordered} {self.target.llvm(kind)} {a.text}, {b.text}")

    def _expression_BoolOp(self, node: ast.BoolOp) -> Value:
        slot, then, other, after = (self._fresh(s) for s in ("flag", "yes", "no", "both"))
        self.slots.append(f"  %{slot} = alloca i1")
        self._branch(node, then, other)
        for label, truth in ((then, "true"), (other, "false")):
            self._start(label)
            self.lines.append(f"  store i1 {truth}, ptr %{slot}")
            self._end(f"br label %{after}")
        self._start(after)
        return self._emit("bool", f"load i1, ptr %{slot}")

    def _expression_Call(self, node: ast.Call) -> Value:
        if not isinstance(node.func, ast.Name):
            raise self._fail(node, "call outside the subset")
        name = self.renamed.get(node.func.id, node.func.id)
        if name in self.templates:
            return self._written_out(self.templates[name], node)
        if name in self.known:
            return self._call(name, node)
        arguments = [self._value(a) for a in node.args]
        handler = getattr(self, f"_builtin_{name}", None)
        if handler is None:
            raise self._fail(node, "unknown function")
        return handler(*arguments)

    def _written_out(self, definition: ast.FunctionDef, node: ast.Call) -> Value:
        before = dict(self.constants)
        for parameter, argument in zip(definition.args.args, node.args, strict=True):
            known, value = self._static(argument)
            if known:
                self.constants[parameter.arg] = value
            elif not (isinstance(argument, ast.Name) and argument.id == parameter.arg):
                raise self._fail(node, "a template takes constants, or names it uses itself")
        self._block(definition.body)
        self.constants = before
        return Value("", "None")

    def _call(self, name: str, node: ast.Call) -> Value:
        wanted = self.known[name]
        if len(wanted.arguments) != len(node.args):
            raise self._fail(node, f"needs {len(wanted.arguments)} arguments")
        given = [self._convert(self._value(a), kind) for a, kind in zip(node.args, wanted.arguments, strict=True)]
        listed = ", ".join(f"{self.target.llvm(v.kind)} {v.text}" for v in given)
        code = f"call {self.target.llvm(wanted.result)} @{name}({listed})"
        if wanted.result == "None":
            self.lines.append(f"  {code}")
            return Value("", "None")
        return self._emit(wanted.result, code)

    # ---- built-in functions -------------------------------------------------------------------------------
    def _builtin_float(self, a: Value) -> Value:
        return self._convert(a, "float")

    def _builtin_int(self, a: Value) -> Value:
        if a.kind == "float":
            return self._emit("int", f"fptosi double {a.text} to i64")
        return self._convert(a, "int")

    def _builtin_vector(self, a: Value) -> Value:
        return self._convert(a, "Vector")

    def _builtin_min(self, a: Value, b: Value) -> Value:
        return self._pick("lt", a, b)

    def _builtin_max(self, a: Value, b: Value) -> Value:
        return self._pick("gt", a, b)

    def _pick(self, relation: str, a: Value, b: Value) -> Value:
        kind = _wider(a.kind, b.kind)
        a, b = self._convert(a, kind), self._convert(b, kind)
        code = f"icmp s{relation}" if kind == "int" else f"fcmp o{relation}"
        mask = "Mask" if kind == "Vector" else "bool"
        better = self._emit(mask, f"{code} {self.target.llvm(kind)} {a.text}, {b.text}")
        return self._builtin_where(better, a, b)

    def _builtin_where(self, mask: Value, a: Value, b: Value) -> Value:
        kind = _wider(a.kind, b.kind)
        a, b = self._convert(a, kind), self._convert(b, kind)
        t = self.target
        return self._emit(
            kind, f"select {t.llvm(mask.kind)} {mask.text}, {t.llvm(kind)} {a.text}, {t.llvm(kind)} {b.text}"
        )

    def _builtin_abs(self, a: Value) -> Value:
        suffix = "f64" if a.kind == "float" else self.target.suffix
        llvm = self.target.llvm(a.kind)
        return self._emit(a.kind, f"call {llvm} @llvm.fabs.{suffix}({llvm} {a.text})")

    def _builtin_sqrt(self, a: Value) -> Value:
        suffix = "f64" if a.kind == "float" else self.target.suffix
        llvm = self.target.llvm(a.kind)
        return self._emit(a.kind, f"call {llvm} @llvm.sqrt.{suffix}({llvm} {a.text})")

    def _builtin_fma(self, a: Value, b: Value, c: Value) -> Value:
        kind = "Vector" if "Vector" in (a.kind, b.kind, c.kind) else "float"
        a, b, c = (self._convert(x, kind) for x in (a, b, c))
        return Value(fused_text(self._emit, self.target, (a.text, b.text, c.text), kind), kind)

    def _builtin_any_lane(self, a: Value) -> Value:
        return self._emit("bool", f"call i1 @llvm.vector.reduce.or.v{self.target.lanes}i1({self.target.mask} {a.text})")

    def _builtin_fetch_add(self, memory: Value, index: Value, step: Value) -> Value:
        address = self._emit("ptr", f"getelementptr i64, ptr {memory.text}, i64 {index.text}")
        return self._emit("int", f"atomicrmw add ptr {address.text}, i64 {step.text} seq_cst")

    def _pointer(self, kind: str, address: Value) -> Value:
        if address.kind in POINTERS:
            return Value(address.text, kind)
        return self._emit(kind, f"inttoptr i64 {address.text} to ptr")

    def _builtin_floats(self, address: Value) -> Value:
        return self._pointer("Floats", address)

    def _builtin_ints(self, address: Value) -> Value:
        return self._pointer("Ints", address)

    def _builtin_reals(self, address: Value) -> Value:
        return self._pointer("Reals", address)

    def _builtin_vectors(self, address: Value) -> Value:
        return self._pointer("Vectors", address)


def fused_text(emit: Callable[[str, str], Value], target: Target, parts: tuple[str, str, str], kind: str) -> str:
    """Emit ``a * b + c``, in one rounding where the processor can, and return the result's name."""
    llvm = target.llvm(kind)
    a, b, c = parts
    if target.fused:
        suffix = target.suffix if kind == "Vector" else "f64"
        return emit(kind, f"call {llvm} @llvm.fma.{suffix}({llvm} {a}, {llvm} {b}, {llvm} {c})").text
    product = emit(kind, f"fmul {llvm} {a}, {b}").text
    return emit(kind, f"fadd {llvm} {product}, {c}").text


def _names_in(node: ast.AST) -> tuple[str, ...]:
    """Return the names an expression mentions, remembered on the node."""
    if not hasattr(node, "mentioned"):
        children = (_names_in(child) for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr_context))
        own = (node.id,) if isinstance(node, ast.Name) else ()
        node.mentioned = tuple(dict.fromkeys([*own, *(name for names in children for name in names)]))  # type: ignore[attr-defined]
    return node.mentioned  # type: ignore[attr-defined]


def _code_of(node: ast.AST) -> CodeType:
    """Return the compiled code of an expression, remembered on the node."""
    if not hasattr(node, "code"):
        node.code = compile(ast.Expression(node), "kernel", "eval")  # type: ignore[attr-defined, arg-type]
    return node.code  # type: ignore[attr-defined]


def _wider(a: str, b: str) -> str:
    if "Mask" in (a, b):
        return "Mask"
    if "Vector" in (a, b):
        return "Vector"
    if "float" in (a, b):
        return "float"
    return "bool" if (a, b) == ("bool", "bool") else "int"


def _definition(function: Callable[..., Any]) -> ast.FunctionDef:
    """Return the syntax tree of a kernel."""
    return ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]  # type: ignore[return-value]


def _loaded(place: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(place), mode="eval").body


def declarations(target: Target) -> str:
    """Return the LLVM declarations of the intrinsics that kernels use."""
    v, s = target.vector, target.suffix
    lines = {f"declare i1 @llvm.vector.reduce.or.v{target.lanes}i1({target.mask})"}
    for name in ("fabs", "sqrt", "floor", "ceil"):
        lines |= {f"declare {v} @llvm.{name}.{s}({v})", f"declare double @llvm.{name}.f64(double)"}
    lines |= {f"declare {v} @llvm.fma.{s}({v}, {v}, {v})", "declare double @llvm.fma.f64(double, double, double)"}
    return "\n".join(sorted(lines))
