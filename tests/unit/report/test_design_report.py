"""What the report of a design says of its tests."""

import numpy as np
import pandas as pd

from seedbed.report import catalogue
from seedbed.report.design_report import most_powerful

ALPHA, REPLICATES = 0.025, 2000


def table(power, null):
    rows = [
        {"world": world, "test": test, "estimate": value, "replicates": REPLICATES,
         "standard_error": float(np.sqrt(value * (1 - value) / REPLICATES))}
        for world, values in (("simulated", power), ("null", null))
        for test, value in values.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def said(power, null):
    return most_powerful(catalogue.load("en"), table(power, null), ALPHA)


def test_one_that_is_clearly_ahead_is_named_alone():
    text = said({"logrank": 0.80, "rmst": 0.70}, {"logrank": 0.025, "rmst": 0.025})
    assert "is log-rank, 80.0%" in text
    assert "restricted" not in text


def test_those_that_chance_does_not_tell_apart_are_named_together():
    text = said({"logrank": 0.80, "rmst": 0.805}, {"logrank": 0.025, "rmst": 0.025})
    assert "restricted mean, log-rank" in text
    assert "chance does not tell them apart" in text


def test_a_test_that_does_not_keep_its_level_is_not_the_most_powerful():
    text = said({"logrank": 0.80, "rmst": 0.95}, {"logrank": 0.025, "rmst": 0.06})
    assert "is log-rank, 80.0%" in text
    assert "Rejects more often than its level in the null world: restricted mean" in text
