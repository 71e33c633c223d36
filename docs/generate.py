"""Write the pages of docs/reference from the program and its library: `python docs/generate.py`.

A test compares the pages with what this script would write.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

from typer.main import get_command

from seedbed import errors, library, tables
from seedbed.cli.main import application
from seedbed.documents import load
from seedbed.model import model_names, read_model
from seedbed.trial import criteria

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py; change the program or the library, not this page. -->\n\n"


def pages() -> dict[str, str]:
    """Return the text of every generated page by its file name."""
    made = {
        "tables.md": _tables(),
        "commands.md": _commands(),
        "errors.md": _errors(),
        "library.md": _library(),
    }
    return made | {f"model_{name}.md": _model(name) for name in model_names()}


def _table(header: tuple[str, ...], rows: Iterator[tuple[object, ...]] | list[tuple[object, ...]]) -> str:
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    lines += [" | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def _tables() -> str:
    parts = ["# Tables of a run folder\n"]
    for name in library.names("tables"):
        table = tables.describe(name)
        rows = [
            (f"`{c.name}`", c.meaning, c.unit, c.clock, c.rule, c.missing if c.missing != "never" else "")
            for c in table.columns
        ]
        parts.append(f"## {name}.parquet\n\n{table.describes.strip()}\n")
        parts.append(_table(("column", "meaning", "unit", "clock", "rule", "missing when"), rows))
        if table.further_columns:
            parts.append(f"Further columns: {table.further_columns}\n")
    return NOTE + "\n".join(parts)


def _commands() -> str:
    parts = ["# Commands\n"]
    for name, command in sorted(get_command(application()).commands.items()):  # type: ignore[attr-defined]
        leaves = getattr(command, "commands", {"": command})
        for leaf, inner in sorted(leaves.items()):
            title = f"seedbed {name} {leaf}".strip()
            parts.append(f"## `{title}`\n\n{(inner.help or '').strip()}\n")
            rows = [
                (", ".join(f"`{o}`" for o in p.opts) or f"`{p.name}`", getattr(p, "help", "") or "", _default(p))
                for p in inner.params
            ]
            parts.append(_table(("option or argument", "meaning", "default"), rows))
    return NOTE + "\n".join(parts)


def _default(parameter: object) -> str:
    value = getattr(parameter, "default", None)
    return "" if value is None or callable(value) else str(value)


def _errors() -> str:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, Exception)]
    rows = [(f"`{c.__name__}`", f"`{c.__bases__[0].__name__}`", (c.__doc__ or "").split("\n")[0]) for c in classes]
    tree = (errors.__doc__ or "").split("::")[1].split("A `ContentError`")[0].rstrip()
    return NOTE + f"# Errors\n\n```{tree}\n```\n\n" + _table(("error", "kind of", "meaning"), rows)


def _library() -> str:
    parts = ["# Library\n"]
    for kind in ("protocols", "populations", "regimens", "products", "care", "plans"):
        rows = [(f"`{name}`", _title(kind, name)) for name in library.names(kind)]
        parts.append(f"## {kind.capitalize()}\n\n{_table(('id', 'title'), rows)}")
    rules = [(f"`{criteria.version(rule)}`", _first_line(module)) for rule, module in criteria.RULES.items()]
    parts.append(f"## Criteria\n\n{_table(('rule and its version', 'grades'), rules)}")
    return NOTE + "\n".join(parts)


def _first_line(documented: object) -> str:
    return (documented.__doc__ or "").strip().split("\n")[0]


def _title(kind: str, name: str) -> str:
    data = load(library.find(kind, name)).data
    title = data.get("title") or data.get("describes") or data.get("question") or ""
    return title.get("en", "") if isinstance(title, dict) else str(title)


def _model(name: str) -> str:
    model = read_model(name)
    parts = [f"# Model {name}\n\n{model.content.describes.strip()}\n"]
    for mechanism in model.mechanisms:
        parts.append(f"## {mechanism.content.title}\n\n{mechanism.content.notes.strip()}\n")
        parts.append(f"```\n{mechanism.fragment.text.strip()}\n```\n")
        states = [(f"`{s.id}`", s.describes, s.unit) for s in mechanism.states]
        parts.append(_table(("state", "meaning", "unit"), states))
        rows = [
            (f"`{p.id}`", p.describes, f"{p.value:.6g}", p.unit, p.origin, _source(p)) for p in mechanism.parameters
        ]
        parts.append(_table(("parameter", "meaning", "value", "unit", "origin", "source or reason"), rows))
    return NOTE + "\n".join(parts)


def _source(parameter: object) -> str:
    source, assumed = getattr(parameter, "source", None), getattr(parameter, "assumed", None)
    if source is not None:
        return " ".join(str(v) for v in source.model_dump(exclude_none=True).values())
    return "" if assumed is None else " ".join(str(v) for v in assumed.model_dump(exclude_none=True).values())


if __name__ == "__main__":
    REFERENCE.mkdir(exist_ok=True)
    for file, text in pages().items():
        (REFERENCE / file).write_text(text, encoding="utf-8")
