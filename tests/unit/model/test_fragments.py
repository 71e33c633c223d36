"""Fragments are read statement by statement."""

from pathlib import Path

from seedbed.model.fragments import names_in, parse_fragment

TEXT = """// a comment; with a semicolon
quantity := a*exp(b)
    /(1 + c);
move: A => 2 B; k*A;
loss: B =>;
    (k + 2.5e-3)*B;  // trailing
x' = -k*x;
"""


def fragment():
    return parse_fragment(TEXT, Path("a.ant"))


def test_statements():
    kinds = [(s.kind, s.defines, s.line) for s in fragment().statements]
    assert kinds == [("assignment", "quantity", 2), ("reaction", "move", 4), ("reaction", "loss", 5), ("rate", "x", 7)]


def test_sides_of_a_reaction():
    move, loss = fragment().statements[1:3]
    assert (move.reactants, move.products) == (("A",), ("B",))
    assert (loss.reactants, loss.products) == (("B",), ())


def test_names_and_numbers():
    quantity, _, loss, _ = fragment().statements
    assert quantity.uses == ("a", "b", "c")
    assert quantity.numbers == ("1",)
    assert loss.numbers == ("2.5e-3",)
    assert names_in("x2*y + 3") == ("x2", "y")


def test_each_statement_stands_on_one_line_for_antimony():
    lines = fragment().flat.splitlines()
    assert lines[1] == "quantity := a*exp(b) /(1 + c);"
    assert lines[3] == "loss: B =>; (k + 2.5e-3)*B;"


def test_what_cannot_be_read_is_kept_as_such():
    assert [s.kind for s in parse_fragment("k = 3", Path("a.ant")).statements] == ["unknown"]
    assert parse_fragment("// nothing\n", Path("a.ant")).statements == ()
    assert parse_fragment("move: A => B; k*A", Path("a.ant")).statements[0].kind == "reaction"
    assert parse_fragment("move: A => B", Path("a.ant")).statements[0].kind == "unknown"
