"""Build one self-contained HTML page from sections; every report of seedbed is written by it.

A section is a title and a list of blocks: text, tables, figures. Figures are Altair charts; the page embeds the
chart library that vl-convert carries, forbids itself by its content security policy to load anything, and gives
each figure a sentence and a table besides its picture.

>>> from seedbed.report.blocks import Paragraph, Section
>>> Section("aim", "What was asked", (Paragraph("Does it work?"),)).title
'What was asked'
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from seedbed.engine import cache as disk_cache
from seedbed.errors import RunError
from seedbed.report import catalogue, theme
from seedbed.report.blocks import Figure, Head, Section, Table


def write(
    title: str, sections: Iterable[Section], out: Path | str, language: str = "en", *, head: Head | None = None
) -> Path:
    """Write a report and return its path; the file appears at once and whole.

    Parameters
    ----------
    title : title of the report
    sections : its parts, in order; numbered by the page
    out : file to write
    language : ``"en"`` or ``"zh"``

    Raises
    ------
    RunError
        The file cannot be written.
    """
    sections = tuple(sections)
    specs = {name: _for_script(block.chart.to_dict(validate=False)) for name, block in _figures(sections)}
    html = (
        _environment()
        .get_template("page.html.j2")
        .render(
            t=catalogue.load(language),
            title=title,
            head=head or Head(),
            sections=sections,
            numbers=_figure_numbers(sections),
            specs=specs,
            fonts=theme.FONTS[language],
            library=_chart_library(),
        )
    )
    return _replace(Path(out), html)


def _figures(sections: Sequence[Section]) -> Iterator[tuple[str, Figure]]:
    """Yield the figures of a report with the anchors under which they stand."""
    for section in sections:
        figures = [block for block in section.blocks if isinstance(block, Figure)]
        for index, block in enumerate(figures, start=1):
            yield f"{section.name}-{index}", block


def _figure_numbers(sections: Sequence[Section]) -> dict[int, tuple[str, int]]:
    """Return anchor and number of each figure and of each titled table, by identity of the block."""
    numbers = {id(block): (name, n) for n, (name, block) in enumerate(_figures(sections), start=1)}
    tables = [block for section in sections for block in section.blocks if isinstance(block, Table) and block.title]
    return numbers | {id(block): (f"table-{n}", n) for n, block in enumerate(tables, start=1)}


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("seedbed.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["id"] = id
    environment.filters["code"] = _with_code
    return environment


def _with_code(text: str) -> Markup:
    """Return a text with what stands between backticks set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


@cache
def _chart_library() -> str:
    """Return the JavaScript of Vega, Vega-Lite and Vega-Embed that vl-convert carries, kept once it was bundled."""
    import vl_convert

    name = f"charts-{vl_convert.__version__}"
    stored = disk_cache.read(name)
    if stored is not None:
        return stored.decode()
    library = vl_convert.javascript_bundle().replace("</script", "<\\/script")  # three seconds
    disk_cache.write(name, library.encode())
    return library


def _for_script(spec: dict[str, Any]) -> str:
    """Return a chart's specification as JSON that may stand inside an HTML script element."""
    text = json.dumps(_rounded(spec), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _rounded(node: Any) -> Any:
    """Return a specification with its numbers at five figures, which no reader of a chart can tell apart."""
    if isinstance(node, float):
        return float(f"{node:.5g}")
    if isinstance(node, dict):
        return {key: _rounded(value) for key, value in node.items()}
    return [_rounded(item) for item in node] if isinstance(node, list) else node


def _replace(out: Path, text: str) -> Path:
    """Write a file beside its place and move it there, so that no half report is ever seen."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        temporary = Path(name)
        temporary.chmod(0o644)
        temporary.replace(out)
    except OSError as error:
        raise RunError(f"the report cannot be written to {out}: {error.strerror}") from error
    return out
