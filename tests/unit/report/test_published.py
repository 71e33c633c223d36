"""Published results beside simulated ones: what matches what, verdicts, filters, withholding."""

import numpy as np
import pandas as pd
import pytest

from seedbed import protocol
from seedbed.report import published
from seedbed.report.catalogue import load
from seedbed.report.setting import Setting


def row(**changes):
    base = {
        "arm": "cart", "endpoint": "cr", "time_days": np.nan, "statistic": "proportion", "assessment": "best",
        "denominator": "infused", "clock": "cart_infusion", "unit": "1", "value": 0.5, "lower": 0.3,
        "upper": 0.7, "n": 30, "seen": True, "source": "Somebody 2020",
    }  # fmt: skip
    return {**base, **changes}


def compare(run, *rows):
    trial = protocol.read_resolved(run.protocol)
    frame = pd.DataFrame(list(rows), columns=list(published.COLUMNS))
    return published.compare(Setting.of(run, load("en"), frame), trial)


@pytest.mark.parametrize(
    ("changes", "ours"),
    [
        ({}, ("best_complete_response", None)),
        ({"time_days": 91.0, "assessment": ""}, ("complete_response_d90", None)),
        ({"endpoint": "orr", "time_days": 28.0, "assessment": ""}, ("overall_response_d28", None)),
        ({"endpoint": "pfs", "statistic": "kaplan_meier", "time_days": 730.0}, ("pfs", 730.0)),
        ({"endpoint": "pfs", "statistic": "kaplan_meier", "time_days": 540.0}, None),
        ({"endpoint": "os", "statistic": "median"}, ("os_median", None)),
        ({"endpoint": "trm", "time_days": 100.0}, ("non_relapse_mortality", 100.0)),
        ({"endpoint": "crs_grade3plus"}, ("crs_grade_3", None)),
        ({"endpoint": "icu_admission"}, None),
    ],
)
def test_what_answers_to_a_published_endpoint(changes, ours):
    assert published.ours(row(**changes)) == ours


def measurable(run):
    """The rows of those whom the arm of CAR-T alone takes by its protocol."""
    subjects = run.subjects
    taken = subjects["remission_status"].isin(["PD", "SD", "PR"]) & (subjects["tumor_burden_ml"] > 1.0)
    rows = run.arm("cart")
    return rows[rows["subject"].isin(subjects.loc[taken, "subject"])]


def test_inside_the_interval_is_a_hit_outside_a_miss(run):
    share = float(measurable(run).dropna(subset=["cart_day"])["best_response"].eq("CR").mean())
    hit, miss = row(lower=share - 0.1, upper=share + 0.1), row(lower=share + 0.05, upper=share + 0.2, value=0.99)
    unjudged = row(lower=np.nan, upper=np.nan, value=0.1)
    assert compare(run, hit, miss, unjudged)["verdict"].tolist() == ["hit", "miss", "no_interval"]


def test_an_uncalibrated_combination_shows_no_published_number(run):
    found = compare(run, row(arm="asct_cart")).iloc[0]
    assert found["verdict"] == "withheld"
    assert np.isnan(found["published"])
    assert np.isnan(found["published_lower"])
    assert not found["source"]


def test_a_calibrated_combination_is_judged(square_run):
    assert compare(square_run, row(arm="asct_cart", lower=0.0, upper=1.0)).iloc[0]["verdict"] == "hit"


def test_the_denominator_is_the_studys(run):
    found = compare(run, row(denominator="infused"), row(denominator="randomized", value=0.4))
    rows = measurable(run)
    infused = rows.dropna(subset=["cart_day"])
    assert found["simulated"].tolist() == pytest.approx(
        [infused["best_response"].eq("CR").mean(), rows["best_response"].eq("CR").mean()]
    )


def test_the_selection_is_the_studys(square_run):
    found = compare(square_run, row(arm="asct_cart")).iloc[0]
    trial = protocol.read_resolved(square_run.protocol)
    taken = square_run.subjects
    for condition in trial.arms["asct_cart"].selection:
        taken = taken[condition.holds(taken)]
    rows = square_run.arm("asct_cart")
    rows = rows[rows["subject"].isin(taken["subject"])].dropna(subset=["cart_day", "stem_cell_day"])
    assert found["simulated"] == pytest.approx(rows["best_response"].eq("CR").mean())


def test_the_protocols_study_is_found_with_its_arms(run):
    table = published.of_protocol(protocol.read_resolved(run.protocol))
    assert set(table["arm"]) == {"asct_cart", "cart"}
    assert list(table.columns) == list(published.COLUMNS)


def test_a_protocol_that_emulates_nothing_has_no_published_results(run):
    trial = protocol.read_resolved(run.protocol).model_copy(update={"emulates": None})
    assert published.of_protocol(trial).empty
