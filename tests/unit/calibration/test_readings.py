"""Published rows cut into terms, and the same terms read from simulated patients."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from seedbed.calibration.readings import ROW_COLUMNS, Readings, read_members, terms_of_arm
from seedbed.documents import Content

READINGS = Readings.model_validate(
    {
        "id": "test",
        "denominators": {"infused": "infused", "enrolled": None},
        "clocks": {"cart_infusion": "day_zero", "randomization": "enrollment"},
        "endpoints": {
            "orr": {"kind": "rate", "family": "response", "column": "best_response", "counts": ["CR", "PR"]},
            "cr": {
                "kind": "rate",
                "family": "response",
                "column": "best_response",
                "counts": ["CR"],
                "nested_in": "orr",
            },
            "pfs": {"kind": "survival", "family": "survival", "time": {"day_zero": "pfs_days"}, "event": "pfs_event"},
            "nrm": {
                "kind": "survival",
                "family": "mortality",
                "time": {"day_zero": "os_days"},
                "event": "os_event",
                "incidence": True,
                "cause_column": "death_cause",
                "causes": ["infection"],
            },
            "crs_any": {"kind": "rate", "family": "toxicity", "column": "crs_grade", "at_least": 1},
            "crs_grade3plus": {
                "kind": "rate",
                "family": "toxicity",
                "column": "crs_grade",
                "at_least": 3,
                "nested_in": "crs_any",
            },
            "neutrophil_recovery": {
                "kind": "median",
                "family": "recovery",
                "column": "anc_engraftment_day",
                "missing": "never",
            },
            "peak_in_remission": {"kind": "median", "family": "kinetics", "column": "peak", "among": "cr"},
            "peak_without": {"kind": "median", "family": "kinetics", "column": "peak", "not_among": "cr"},
            "cytopenia": {
                "kind": "rate",
                "family": "recovery",
                "column": "anc_d28",
                "below": 0.5,
                "missing": "left_out",
                "at_days": {28: "anc_d28", 90: "anc_d90"},
            },
        },
    }
)


def row(endpoint, value, n=40, statistic="proportion", **other):
    plain = dict.fromkeys(ROW_COLUMNS, np.nan) | {
        "interval_kind": "",
        "unit": "1",
        "clock": "cart_infusion",
        "denominator": "infused",
    }
    return plain | {"endpoint": endpoint, "row": endpoint, "value": value, "n": n, "statistic": statistic} | other


def cut(*rows):
    return terms_of_arm("arm", "study", pd.DataFrame(rows), READINGS)


def patients():
    return pd.DataFrame(
        {
            "infused": [True, True, True, True, False, True],
            "best_response": ["CR", "PR", "PD", "CR", "CR", None],
            "pfs_days": [800.0, 200.0, 30.0, 700.0, 900.0, 100.0],
            "pfs_event": [False, True, True, True, False, True],
            "os_days": [800.0, 300.0, 60.0, 700.0, 900.0, 100.0],
            "os_event": [False, True, True, False, False, True],
            "death_cause": ["", "lymphoma", "lymphoma", "", "", "infection"],
            "crs_grade": [1, 3, 0, 0, 4, 2],
            "peak": [50.0, 10.0, 20.0, 70.0, 90.0, 30.0],
            "anc_engraftment_day": [10.0, 12.0, np.nan, 11.0, 9.0, 14.0],
            "anc_d28": [0.4, 0.6, np.nan, 2.0, 0.1, 0.2],
            "anc_d90": [2.0, 2.0, np.nan, 2.0, 0.1, 0.2],
        }
    )


def read(pieces, member=None, n_members=1):
    table = patients()
    member = np.zeros(len(table), int) if member is None else np.asarray(member)
    estimate, weight = read_members(pieces, table, member, n_members)
    return {p.term.id: (estimate[:, i].tolist(), weight[:, i].tolist()) for i, p in enumerate(pieces)}


def test_nested_rates_become_conditional():
    pieces = cut(row("orr", 0.8), row("cr", 0.5))
    assert [(p.term.observed, p.term.size) for p in pieces] == [(0.8, 40.0), (pytest.approx(0.625), pytest.approx(32))]
    found = read(pieces)
    assert found["arm/orr"] == ([0.6], [5.0])
    assert found["arm/cr"] == ([pytest.approx(2 / 3)], [3.0])


def test_a_rate_of_other_patients_is_not_nested():
    pieces = cut(row("orr", 0.8, n=60), row("cr", 0.5))
    assert pieces[1].term.size == 40
    assert read(pieces)["arm/cr"] == ([0.4], [5.0])


def test_rates_whose_patients_differ_by_one_in_fifty_are_nested():
    nested = cut(row("orr", 0.8, n=127), row("cr", 0.5, n=128))
    assert nested[1].term.within == "arm/orr"


def test_landmarks_are_conditional_on_the_one_before():
    pieces = cut(
        row("pfs", 0.4, statistic="kaplan_meier", time_days=365),
        row("pfs", 0.6, statistic="kaplan_meier", time_days=90),
    )
    assert [p.term.id for p in pieces] == ["arm/pfs@90", "arm/pfs@365"]
    found = read(pieces)
    assert found["arm/pfs@90"] == ([0.8], [5.0])
    assert found["arm/pfs@365"] == ([0.5], [4.0])


def test_a_median_survival_is_the_landmark_of_one_half():
    (piece,) = cut(row("pfs", 250.0, statistic="median", unit="day"))
    assert (piece.term.observed, piece.time_days) == (0.5, 250.0)
    assert read([piece])["arm/pfs@250"] == ([0.4], [5.0])


def test_published_intervals_set_the_effective_patients():
    wide = row(
        "pfs", 0.4, n=100, statistic="kaplan_meier", time_days=365, lower=0.2, upper=0.6, interval_kind="published"
    )
    assert cut(wide)[0].term.size == pytest.approx(0.24 / (0.4 / 3.92) ** 2, rel=1e-3)


def test_two_reports_of_one_curve_do_not_count_twice():
    pieces = cut(
        row("pfs", 0.6, statistic="kaplan_meier", time_days=365),
        row("pfs", 0.61, statistic="kaplan_meier", time_days=365.25),
        row("pfs", 0.65, statistic="kaplan_meier", time_days=400),
    )
    assert len(pieces) == 1


def test_incidence_of_one_cause():
    (piece,) = cut(row("nrm", 0.1, statistic="cumulative_incidence", time_days=365))
    assert piece.term.observed == pytest.approx(0.9)
    assert read([piece])["arm/nrm@365"] == ([0.8], [5.0])


def test_medians_count_those_who_never_recover():
    (piece,) = cut(row("neutrophil_recovery", 11.0, statistic="median", unit="day"))
    estimate, weight = read([piece])["arm/neutrophil_recovery"]
    assert estimate == [pytest.approx(np.log(12.0))]
    assert weight[0] > 0
    assert piece.term.size == pytest.approx(40 / (1.2533 * 0.8) ** 2)


def test_medians_of_groups_by_outcome():
    inside, outside = (cut(row(name, 40.0, statistic="median"))[0] for name in ("peak_in_remission", "peak_without"))
    table = pd.concat([patients()] * 3, ignore_index=True)
    estimate, _ = read_members([inside, outside], table, np.zeros(len(table), int), 1)
    np.testing.assert_allclose(np.exp(estimate[0]), [np.sqrt(50 * 70), 20.0])


def test_columns_follow_the_time_of_the_row():
    early, late = (cut(row("cytopenia", 0.3, time_days=day))[0] for day in (30, 91))
    assert read([early])["arm/cytopenia@30"] == ([0.5], [4.0])
    assert read([late])["arm/cytopenia@91"] == ([0.25], [4.0])


def test_members_are_kept_apart():
    found = read(cut(row("orr", 0.8)), member=[0, 1, 1, 0, 1, 0], n_members=3)
    estimate, weight = found["arm/orr"]
    assert estimate[:2] == [pytest.approx(2 / 3), 0.5]
    assert np.isnan(estimate[2])
    assert weight == [3.0, 2.0, 0.0]


@pytest.mark.parametrize(
    ("given", "readable"),
    [
        (row("cr", 0.5), True),
        (row("cr", np.nan), False),
        (row("cr", 0.5, n=np.nan), False),
        (row("cr", 0.5, denominator="responders"), False),
        (row("pfs", 0.5, statistic="kaplan_meier"), False),
        (row("pfs", 0.5, statistic="crude", time_days=365), False),
        (row("pfs", 0.5, statistic="kaplan_meier", time_days=365, clock="randomization"), False),
        (row("pfs", 0.5, statistic="kaplan_meier", time_days=365, clock="relapse"), False),
        (row("neutrophil_recovery", 10, statistic="range"), False),
        (row("height", 0.5), False),
    ],
)
def test_what_can_be_compared(given, readable):
    assert READINGS.can_read(pd.Series(given)) is readable


def test_readings_refuse_contradictions():
    assert isinstance(READINGS, Content)
    data = READINGS.model_dump()
    data["endpoints"]["cr"]["nested_in"] = "scr"
    with pytest.raises(ValidationError, match='cr is nested in "scr", which has no reading of a rate'):
        Readings.model_validate(data)
    data["endpoints"]["cr"] |= {"nested_in": None, "below": 1.0}
    with pytest.raises(ValidationError, match="give one of counts, at_least, at_most and below"):
        Readings.model_validate(data)
