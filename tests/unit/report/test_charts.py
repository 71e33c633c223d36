"""Every chart compiles to SVG without a word of warning, in both languages, and shows what its table holds."""

import json
import re

import pandas as pd
import pytest
import vl_convert

from seedbed import protocol
from seedbed.report import charts, run_report, summary, theme
from seedbed.report.blocks import Figure
from seedbed.report.catalogue import load
from seedbed.report.setting import Setting


def figures(run, language):
    setting = Setting.of(run, load(language), run_report.published.of_protocol(protocol.read_resolved(run.protocol)))
    sections = run_report.sections(setting, protocol.read_resolved(run.protocol))
    return {block.title: block for section in sections for block in section.blocks if isinstance(block, Figure)}


@pytest.fixture(scope="session")
def english(square_run):
    return figures(square_run, "en")


@pytest.fixture(scope="session")
def chinese(run):
    return figures(run, "zh")


def test_a_run_has_all_its_figures(english, chinese):
    assert len(english) == 17
    assert len(chinese) == 16  # the square needs four arms


def compiled(figure, capfd):
    svg = vl_convert.vegalite_to_svg(figure.chart.to_dict(validate=True), show_warnings=True)
    assert capfd.readouterr() == ("", "")
    return svg


def test_charts_compile_without_warnings_in_english(english, capfd):
    for figure in english.values():
        assert compiled(figure, capfd).startswith("<svg")


def test_charts_compile_without_warnings_in_chinese(chinese, capfd):
    for figure in chinese.values():
        svg = compiled(figure, capfd)
        assert re.search("[一-鿿]", svg)
        assert "undefined" not in svg
        assert "NaN" not in svg


def test_every_figure_is_told_in_words(english, chinese):
    for figure in (*english.values(), *chinese.values()):
        assert len(figure.description) > 20
        assert figure.chart.to_dict(validate=False)["description"] == figure.description


def test_arms_keep_their_color_in_every_chart(english):
    for figure in english.values():
        spec = str(figure.chart.to_dict(validate=False))
        for domain, colors in re.findall(r"'domain': (\[[^\]]*\]), 'range': (\[[^\]]*\])", spec):
            if "ASCT alone" in domain and "#" in colors:  # not the dashes
                assert theme.ARM_COLORS["asct"] in colors


def test_lines_of_arms_differ_by_their_dashes_too_for_print_in_gray(english):
    for title in ("Progression-free survival", "CAR-T cells, IL-15 and IL-6 in blood", "Engraftment"):
        spec = english[title].chart.to_dict(validate=False)
        dashes = re.findall(r"'strokeDash': \{'field': 'arm_name'.*?'range': (\[\[.*?\]\])", str(spec))
        drawn = [tuple(dash) for dash in json.loads(dashes[0])]
        assert len(set(drawn)) == len(drawn) >= 2


def test_colors_differ_and_repeat_only_when_they_run_out():
    arms = theme.Arms.of({f"arm_{i}": str(i) for i in range(6)} | {"cart": "c"})
    assert len(set(arms.colors.values())) == 7
    assert arms.colors["cart"] == theme.ARM_COLORS["cart"]


def test_numbers_at_risk_stand_under_the_curve(run, capfd):
    t = load("en")
    arms = Setting.of(run, t).arms
    chart = charts.survival(*summary.survival(run, "pfs"), t, arms)
    svg = vl_convert.vegalite_to_svg(chart.to_dict())
    assert ">120<" in svg
    assert "Number at risk" in svg
    capfd.readouterr()


def test_tumor_cells_are_drawn_down_to_none(english):
    assert charts._log_cells(pd.Series([0.0, 1e-9, 1.0])).tolist() == [charts.NO_CELLS, 0.0, 9.0]
    spec = english["Living tumor cells, down to the last one"].chart.to_dict()
    assert "none" in vl_convert.vegalite_to_svg(spec)
