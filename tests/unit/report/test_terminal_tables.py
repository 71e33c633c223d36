"""The terminal tables of validate and calibrate: words of the language asked for, every row, warnings."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from rich.console import Console

from seedbed.calibration.validation_run import Validation
from seedbed.report import calibration_tables, validation_charts
from seedbed.report.blocks import Table
from seedbed.report.terminal import as_table


def printed(renderable):
    console = Console(width=240)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def validation():
    row = {
        "use": "predict", "arm": "study.arm", "label": "complete response [a]", "observed": 0.5, "published_lower": 0.4,
        "published_upper": 0.6, "median": 0.45, "lower": 0.3, "upper": 0.7, "width_parameters": 0.1, "width_study": 0.2,
        "width_sampling": 0.1, "hit": False, "meta_lower": float("nan"), "meta_upper": float("nan"),
        "null_lower": 0.1, "null_upper": 0.2,
    }  # fmt: skip
    total = {
        "use": "predict", "rival": "null_world", "compared": 1, "rows": 1, "studies": 1, "hits": 0, "coverage": 0.0,
        "width": 0.4, "rival_width": 0.1, "score": 0.4, "rival_score": 6.1, "difference": -5.7, "standard_error": 0.2,
    }  # fmt: skip
    return Validation(pd.DataFrame([row]), pd.DataFrame(), pd.DataFrame([total]))


@pytest.mark.parametrize(
    ("language", "words"), [("en", ("outside", "null world", "Predicted")), ("zh", ("区间外", "零效应世界", "预测"))]
)
def test_a_validation_is_printed_in_the_language_asked_for(language, words):
    shown = printed(validation_charts.terminal(validation(), language))
    assert all(word in shown for word in (*words, "study.arm", "complete response [a]", "0.45 (0.3–0.7)", "-5.700"))
    if language == "zh":
        assert "outside" not in shown


MOVED = pd.DataFrame({"parameter": ["k_a", "k_b"], "moved": [True, False], "shift": [0.5, 0.0], "sd_ratio": [0.4, 1.0],
                      "bits": [1.3, 0.0]})  # fmt: skip
MISSES = pd.DataFrame({"term": ["study.arm.crs_any"], "observed": [0.5], "fitted": [0.25], "tail": [0.01]})


def outcome(effective):
    provenance = SimpleNamespace(sets=100, effective=effective, members=400, minutes=2.0)
    plan = SimpleNamespace(budget=SimpleNamespace(wanted_effective=50))
    setup = SimpleNamespace(latent=None, checked=SimpleNamespace(plan=plan))
    return SimpleNamespace(
        ensemble=SimpleNamespace(provenance=provenance), calibration=SimpleNamespace(vectors=None), setup=setup
    )


@pytest.mark.parametrize(
    ("language", "words", "warning"),
    [("en", ("k_b (stayed at its prior)", "Tail probability"), "lies below the plan"),
     ("zh", ("k_b（仍为先验）", "尾部概率"), "有效数低于方案要求")],
)  # fmt: skip
def test_a_calibration_is_printed_in_the_language_asked_for(monkeypatch, language, words, warning):
    monkeypatch.setattr(calibration_tables.diagnostics, "movement", lambda *_: MOVED)
    monkeypatch.setattr(calibration_tables.diagnostics, "misfits", lambda _: MISSES)
    shown = {n: printed(calibration_tables.terminal(outcome(n), Path("runs/x"), language)) for n in (20.0, 80.0)}
    assert all(word in shown[80.0] for word in (*words, "+0.50", "0.25", "runs/x"))
    assert warning in shown[20.0]
    assert warning not in shown[80.0]


def test_a_heading_row_stands_above_its_rows_and_the_note_below():
    shown = printed(as_table(Table(("a", "b"), (("group",), ("x", "1")), "title", "note")))
    places = [shown.index(word) for word in ("title", "group", "x", "note")]
    assert places == sorted(places)
