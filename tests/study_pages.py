"""Checks that hold for the page of every study, in either language."""

import re

import vl_convert

from seedbed.report.blocks import Figure
from seedbed.report.catalogue import load

SENTENCE = re.compile(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}")


def examine(file, language):
    """Check that a page is whole, loads nothing, tells figures in words, speaks one language; return what is read."""
    html = file.read_text(encoding="utf-8")
    body = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", body)
    charts = re.findall(r'data-chart="([a-z0-9_-]+)"', html)
    assert charts
    assert all(f'id="spec-{chart}"' in html for chart in charts)
    assert html.count('role="img" aria-label="') == len(charts)
    assert all(f'href="#{anchor}"' in html for anchor in re.findall(r'<section id="([a-z0-9_]+)"', html))
    visible = re.sub(r"<[^>]+>", "\n", re.sub(r"<(style|title)>.*?</\1>", "", body, flags=re.DOTALL))
    assert load(language)("page.purpose") in visible
    assert "nan" not in re.findall(r"[A-Za-z]+", visible)
    if language == "zh":
        english = {text for text in load("en").texts.values() if SENTENCE.search(text) and "{" not in text}
        assert [text for text in english if text in visible] == []
    return visible


def lost_titles(spec):
    """Yield the channels of layered charts whose axis title one layer gives and another takes away."""
    if isinstance(spec, list):
        for part in spec:
            yield from lost_titles(part)
    elif isinstance(spec, dict):
        encodings = [layer.get("encoding", {}) for layer in spec.get("layer", ())]
        for channel in ("x", "y"):
            titles = [item[channel]["title"] for item in encodings if "title" in item.get(channel, {})]
            if None in titles and any(titles):
                yield channel, titles
        yield from (found for part in spec.values() for found in lost_titles(part))


def compile_figures(sections, capfd):
    """Compile every chart of the sections to SVG; none may warn, lose an axis title or draw what is missing."""
    figures = [block for section in sections for block in section.blocks if isinstance(block, Figure)]
    assert figures
    for figure in figures:
        assert list(lost_titles(figure.chart.to_dict())) == [], figure.title
        svg = vl_convert.vegalite_to_svg(figure.chart.to_dict(validate=True), show_warnings=True)
        assert capfd.readouterr() == ("", ""), figure.title
        assert "NaN" not in svg, figure.title
        assert "undefined" not in svg, figure.title
