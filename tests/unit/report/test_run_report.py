"""The page of a run: self-contained, whole, honest about calibration, in both languages."""

import re

import pytest
from rich.console import Console

from seedbed import report
from seedbed.errors import ContentError, RunError
from seedbed.report import page
from seedbed.report.blocks import Bullets, Cell, Paragraph, Section, Table
from seedbed.report.catalogue import load


@pytest.fixture(scope="session")
def english(two_arms):
    return report.write(two_arms, "en").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def chinese(square):
    return report.write(square, "zh").read_text(encoding="utf-8")


def without_scripts(html):
    return re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)


def test_nothing_is_loaded_from_outside(english):
    body = without_scripts(english)
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", body)
    assert "@import" not in body
    assert "url(" not in body
    assert "default-src 'none'" in body


def test_all_sections_stand_in_the_page_and_in_the_contents(english):
    anchors = re.findall(r'<section id="([a-z]+)"', english)
    assert anchors == [
        "question", "headline", "regimen", "flow", "baseline", "survival", "response", "toxicity", "recovery",
        "kinetics", "tumor", "difference", "selection", "published", "uncertainty", "limits", "dictionary", "rerun",
    ]  # fmt: skip
    assert all(f'href="#{anchor}"' in english for anchor in anchors)


def test_every_figure_has_its_specification_words_and_table(english):
    charts = re.findall(r'data-chart="([a-z0-9-]+)"', english)
    assert len(charts) == 16
    assert all(f'id="spec-{chart}"' in english for chart in charts)
    assert english.count('role="img" aria-label="') == len(charts)


def test_the_purpose_is_said(english, chinese):
    assert without_scripts(english).count("Simulation for hypothesis and design, not for treating a patient.") >= 2
    assert "不得用于指导患者治疗" in chinese


def test_an_uncalibrated_run_says_so_and_withholds_the_combination(english):
    body = without_scripts(english)
    assert "Uncalibrated: these numbers illustrate the model" in body
    assert "ASCT + CAR-T arms: published numbers withheld" in body
    assert ">withheld<" in body
    assert ">hit<" in body or ">miss<" in body
    rows = re.findall(r"<tr><th[^>]*>.*?</tr>", body.split('id="published"')[1].split("<section")[0])
    withheld = [row for row in rows if ">withheld<" in row]
    assert withheld
    assert all(re.findall(r'<td class="figure">([^<]*)</td>', row)[:3] == ["–"] * 3 for row in withheld)


def test_a_calibrated_run_names_its_ensemble_and_shows_everything(chinese):
    body = without_scripts(chinese)
    assert "monotherapy_2026" in body
    assert "未校准" not in body
    assert "暂不列出" not in body
    assert 'id="square"' in body
    assert "超额" in body


def test_chinese_has_the_terms_of_the_field(chinese):
    for term in (
        "无进展生存",
        "细胞因子释放综合征",
        "免疫效应细胞相关神经毒性综合征",
        "完全缓解",
        "风险人数",
        "预处理",
        "中性粒细胞植入",
    ):
        assert term in chinese


def test_chinese_page_has_no_english_sentence_of_its_own(chinese):
    body = re.sub(r"<(style|title)>.*?</\1>", "", without_scripts(chinese), flags=re.DOTALL)
    visible = re.sub(r"<[^>]+>", "\n", body)
    english = {text for key, text in load("en").texts.items() if re.search(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}", text)}
    assert [text for text in english if "{" not in text and text in visible] == []


def test_the_page_is_light(english):
    assert len(english.encode()) < 2.5e6


def test_the_same_run_gives_the_same_page(two_arms, english, tmp_path):
    again = report.write(two_arms, "en", tmp_path / "again.html").read_text(encoding="utf-8")
    assert again == english


def test_texts_of_content_cannot_inject_markup(tmp_path):
    section = Section("one", "A <b>title</b>", (Paragraph("<script>alert(1)</script> `code`"), Bullets(("a < b",))))
    html = page.write("T", [section], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script>alert" not in html
    assert "&lt;b&gt;title" in html
    assert "<code>code</code>" in html


def test_a_page_without_charts_carries_no_chart_library(tmp_path):
    made = page.write("T", [Section("one", "One", (Paragraph("text"),))], tmp_path / "page.html", "zh")
    assert made.stat().st_size < 50_000


def test_tables_show_groups_tones_and_notes(tmp_path):
    table = Table(("a", "b"), (("group",), ("x", Cell("1", "bad", "why"))), "Title")
    html = page.write("T", [Section("one", "One", (table,))], tmp_path / "page.html").read_text(encoding="utf-8")
    assert '<th scope="rowgroup" colspan="2">group</th>' in html
    assert 'class="figure bad">1<span class="note">why</span>' in html
    assert "Table 1." in html


def test_a_report_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="cannot be written"):
        page.write("T", [], tmp_path / "file" / "page.html")


def test_an_unknown_language_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ContentError, match='unknown language "de"'):
        report.write(tmp_path, "de")


def printed(renderable):
    console = Console(width=120, record=True, file=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_the_terminal_table_has_a_column_an_arm(two_arms):
    text = printed(report.terminal(two_arms, "en"))
    assert "CD19/CD22 CAR-T alone" in text
    assert re.search(r"Best complete response\s+\d+%\s+\(\d+% to \d+%\)\s+\d+%", text)
    assert "Uncalibrated" in text
    assert "not for treating a patient" in text


def test_the_terminal_table_speaks_chinese(square):
    text = printed(report.terminal(square, "zh"))
    assert "最佳完全缓解率" in text
    assert "未校准" not in text
