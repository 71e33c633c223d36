"""Write docs/reference from the program and its library, and the index docs/README.md: `python docs/generate.py`.

A test compares the pages with what this script would write.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from typer.main import get_command

from seedbed import errors, library, tables
from seedbed.calibration.ensemble import Provenance
from seedbed.calibration.ensemble import read as read_ensemble
from seedbed.cli.main import application
from seedbed.documents import load
from seedbed.model import model_names, read_model
from seedbed.trial import criteria

DOCS = Path(__file__).parent
FOLDERS = {
    "tutorials": "Learn",
    "how_to": "Do",
    "explanation": "Understand",
    "decisions": "Why it was decided so",
    "reference": "Look up: written from the program and its library",
    ".": "Evidence",
}
TAIL = 0.1
NOTE = "<!-- Written by docs/generate.py; change the program or the library, not this page. -->\n\n"


def pages() -> dict[str, str]:
    """Return the text of every page of ``docs/reference`` by its place in ``docs``."""
    made = {
        "tables": _tables(),
        "commands": _commands(),
        "errors": _errors(),
        "library": _library(),
        "ensembles": _ensembles(),
    }
    made |= {f"model_{name}": _model(name) for name in model_names()}
    return {f"reference/{name}.md": text for name, text in made.items()}


def index() -> str:
    """Return the text of ``docs/README.md``: every page by its title, as the pages stand in ``docs`` now."""
    parts = ["# Documentation\n"]
    for folder, heading in FOLDERS.items():
        files = sorted(file for file in (DOCS / folder).glob("*.md") if file != DOCS / "README.md")
        links = [f"- [{_heading(file)}]({file.relative_to(DOCS).as_posix()})" for file in files]
        if links:
            parts.append(f"## {heading}\n\n" + "\n".join(links) + "\n")
    return NOTE + "\n".join(parts)


def _heading(file: Path) -> str:
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("# ") for line in lines if line.startswith("# "))


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


def _ensembles() -> str:
    parts = ["# Calibrated ensembles\n", "How they are made: [calibrate](../how_to/calibrate.md).\n"]
    names = library.names("ensembles")
    return NOTE + "\n".join(parts + ([_ensemble(name) for name in names] or ["The library holds none yet.\n"]))


def _ensemble(name: str) -> str:
    made, place = read_ensemble(name).provenance, library.find("ensembles", name)
    parts = [f"## {name}\n\n{made.title.en}\n", _table(("what", ""), _facts(made))]
    rounds = ("number", "effective", "temperatures", "acceptance", "mixing", "drift", "largest_drift")
    found = {kind: _beside(place, kind) for kind in ("rounds", "movement", "correlations", "misfits")}
    parts += ["### Log: rounds of simulation\n", _csv(found["rounds"], rounds)]
    moved = found["movement"]["moved"]
    stayed = ", ".join(f"`{parameter}`" for parameter in found["movement"].loc[~moved, "parameter"])
    parts += [
        "### What the data moved\n\nShift and standard deviation in units of the prior's; information in bits.\n",
        _csv(found["movement"][moved], ("parameter", "shift", "sd_ratio", "bits")),
        f"Stayed at their prior: {stayed or 'none'}.\n",
        "### Strongest correlations of the posterior\n",
        _csv(found["correlations"].head(20), ("first", "second", "correlation")),
        _misfits(found["misfits"]),
        *_validated(place),
    ]
    return "\n".join(parts)


def _facts(made: Provenance) -> list[tuple[object, ...]]:
    goes_on = f" --from <work folder of {made.updates}>" if made.updates else ""
    return [
        ("command", f"`seedbed calibrate {made.plan}{goes_on} --keep`, seed {made.seed}"),
        ("made", f"{made.created}, seedbed {made.seedbed_version}, {made.minutes:g} minutes of work"),
        ("parameter sets", f"{made.sets}; {made.effective:g} effective of {made.members} members"),
        ("used by default", "yes" if made.default else "no"),
        ("hash of the sets", f"`{made.hashes['sets']}`"),
        *((f"hash of the {kind}", f"`{text}`") for kind, text in made.hashes.items() if kind != "sets"),
        (f"{len(made.fitted)} arms fitted", ", ".join(made.fitted)),
        (f"{len(made.predicted)} arms predicted", ", ".join(made.predicted) or "none"),
    ]


def _misfits(found: pd.DataFrame) -> str:
    """Say which fitted numbers lie in the outer tenth of their predictions, where a tenth is expected to lie."""
    worst = found[found["tail"] < TAIL]
    text = (
        f"### Misfits that remain\n\n{len(worst)} of {len(found)} fitted numbers have a tail probability below {TAIL}, "
        f"where {TAIL * len(found):.0f} are expected of a sound model. Numbers within a curve or nested in another are "
        "conditional.\n"
    )
    return f"{text}\n{_csv(worst, ('term', 'observed', 'fitted', 'tail', 'emulator_error'))}"


def _validated(place: Path) -> Iterator[str]:
    """Write what `seedbed validate NAME --keep` left beside the ensemble."""
    if not place.with_name(f"{place.stem}-validation-totals.csv").exists():
        yield "### Validation\n\nNot run yet: `seedbed validate NAME --keep`.\n"
        return
    totals, rows = _beside(place, "validation-totals"), _beside(place, "validation-rows")
    columns = ("use", "rival", "rows", "studies", "hits", "coverage", "compared", "width", "rival_width", "score")
    yield "### Validation: totals\n\nRows `fit` are predicted from the other studies; less than 0 favors the model.\n"
    yield _csv(totals, (*columns, "rival_score", "difference", "standard_error"))
    parts = ("width_parameters", "width_study", "width_sampling")
    names = ("arm", "label", "observed", "median", "lower", "upper", *parts)
    for use, group in rows.groupby("use", sort=False):
        yield f"### Validation: {use}\n\n90 % predictive intervals.\n"
        yield _csv(group, (*names, "hit", "score", "meta_score", "null_score"))


def _beside(place: Path, kind: str) -> pd.DataFrame:
    return pd.read_csv(place.with_name(f"{place.stem}-{kind}.csv"))


def _csv(table: pd.DataFrame, columns: tuple[str, ...]) -> str:
    def text(value: object) -> str:
        return "" if pd.isna(value) else f"{value:.3g}" if isinstance(value, float) else str(value)

    rows = table[list(columns)].itertuples(index=False)
    return _table(columns, [tuple(text(value) for value in row) for row in rows])


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
    for place, text in pages().items():
        (DOCS / place).write_text(text, encoding="utf-8")
    (DOCS / "README.md").write_text(index(), encoding="utf-8")
