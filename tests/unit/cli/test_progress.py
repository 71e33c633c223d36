"""Bars count to a total, with those who failed, and go where nothing was left to do."""

from io import StringIO

from rich.console import Console

from seedbed.cli.progress import shards_bar
from seedbed.trial.manifest import Outcome, Shard


def shown(outcomes, language="en"):
    console = Console(file=StringIO(), force_terminal=True, width=120)
    with shards_bar(console, 300, language) as progress:
        for index, outcome in enumerate(outcomes):
            progress(Shard(index=index, first_subject=0, last_subject=1), outcome)
    return console.file.getvalue()


def outcome(done, failed):
    return Outcome(done=done, failed=failed, seconds=1.0, files={})


def test_patients_of_several_arms_are_counted_once_with_those_who_failed():
    text = shown([outcome({"a": 100, "b": 98}, {"a": 0, "b": 2}), outcome({"a": 199, "b": 200}, {"a": 1, "b": 0})])
    assert "300/300" in text


def test_the_bar_goes_where_nothing_was_left():
    last_drawn = shown([]).rsplit("\r", 1)[-1]
    assert "0/300" in shown([])
    assert "0/300" not in last_drawn


def test_bars_speak_the_language_of_the_report():
    assert "virtual patients" in shown([])
    assert "虚拟患者" in shown([], "zh")
