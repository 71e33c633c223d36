"""Every command that answers a question is a function of the package, as README and examples use them."""

import inspect
from pathlib import Path

import pytest

import seedbed

QUESTIONS = ("run", "sweep", "first_line", "select", "sensitivity", "attribute", "design", "forecast")


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_command_is_a_function_that_scripts_can_call(name):
    function = getattr(seedbed, name)
    assert inspect.isfunction(function)
    assert function.__name__ == name
    # a script without a guarded main part cannot start processes, so threads are the default
    assert inspect.signature(function).parameters["where"].default == "threads"


def test_the_names_are_listed():
    assert set(seedbed.__all__) == {"__version__", *QUESTIONS}


def test_every_example_calls_a_public_function():
    examples = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
    assert len(examples) >= len(QUESTIONS) - 1
    for file in examples:
        text = file.read_text(encoding="utf-8")
        assert any(f"seedbed.{name}(" in text or f"from seedbed import {name}\n" in text for name in QUESTIONS), file
