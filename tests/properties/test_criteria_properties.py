"""Grading rules hold for any measurement: monotone, bounded, the same whatever else stands in the array."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seedbed.trial.criteria import astct2019, cibmtr2024, ctcae5, icaht_ehaebmt2023, imwg2016, lugano2014

level = st.integers(0, 3)
count = st.floats(0, 500, allow_nan=False)


@given(st.floats(35, 42), st.booleans(), st.booleans(), level, level)
def test_crs_grade_never_falls_with_more_support(temperature, treated, prior, pressure, oxygen):
    grade = astct2019.crs_grade(temperature, treated, prior, pressure, oxygen)
    assert 0 <= grade <= 4
    assert astct2019.crs_grade(temperature, treated, prior, min(pressure + 1, 3), oxygen) >= grade
    assert astct2019.crs_grade(max(temperature, 38.0), treated, prior, pressure, oxygen) >= grade


@given(st.integers(0, 10), level, st.integers(0, 2), st.booleans(), st.integers(0, 2))
def test_icans_grade_is_the_worst_of_its_rows(ice, consciousness, seizure, weakness, edema):
    grade = astct2019.icans_grade(ice, consciousness, seizure, weakness, edema)
    rows = [
        astct2019.icans_grade(ice),
        astct2019.icans_grade(10, consciousness),
        astct2019.icans_grade(10, 0, seizure),
        astct2019.icans_grade(10, 0, 0, weakness),
        astct2019.icans_grade(10, 0, 0, False, edema),
    ]
    assert grade == max(int(row) for row in rows)
    assert astct2019.icans_grade(max(ice - 1, 0), consciousness, seizure, weakness, edema) >= grade


@given(arrays(float, st.integers(1, 8), elements=count))
def test_laboratory_grade_rises_as_counts_fall(values):
    for analyte in ctcae5.CUTOFFS:
        lower = ctcae5.laboratory_grade(analyte, values * 0.5)
        assert (lower >= ctcae5.laboratory_grade(analyte, values)).all()


@given(st.integers(0, 31), st.integers(0, 31))
def test_icaht_never_falls_with_more_days(low, very_low):
    very_low = min(low, very_low)
    grade = icaht_ehaebmt2023.early_grade(low, very_low)
    assert icaht_ehaebmt2023.early_grade(low + 1, very_low) >= grade
    assert icaht_ehaebmt2023.early_grade(low, very_low + 1) >= grade


@given(arrays(bool, (3, 31)))
def test_joined_days_cover_the_low_days(low):
    days = icaht_ehaebmt2023.days_in_episodes(low)
    assert (days >= low.sum(axis=1)).all()
    span = [np.ptp(np.flatnonzero(row)) + 1 if row.any() else 0 for row in low]
    assert (days <= span).all()


@settings(max_examples=50)
@given(arrays(float, (1, 20), elements=st.floats(0, 3, allow_nan=False)), st.integers(0, 19))
def test_engraftment_day_is_followed_by_good_values_and_ignores_missing_visits(counts, gap):
    days = np.arange(20.0)[None, :]
    day = cibmtr2024.neutrophil_engraftment_day(days, counts)[0]
    if np.isfinite(day):
        assert (counts[0, int(day) : int(day) + 3] >= 0.5).all()
        assert day >= np.argmin(counts[0])
    inserted = np.insert(counts, gap, np.nan, axis=1)
    moved = np.insert(days, gap, gap + 0.5, axis=1)
    np.testing.assert_array_equal(
        cibmtr2024.neutrophil_engraftment_day(np.sort(moved, axis=1), inserted[:, np.argsort(moved[0])]), [day]
    )


@given(count, count, st.floats(1, 100))
def test_response_does_not_depend_on_the_unit_of_volume(now, baseline, factor):
    code = lugano2014.metabolic_response(5, now, baseline + 1, min(now + 1, baseline + 1))
    scaled = lugano2014.metabolic_response(
        5, now * factor, (baseline + 1) * factor, min(now + 1, baseline + 1) * factor
    )
    near_a_cutoff = any(abs(now - cut) < 1e-6 * (1 + now) for cut in (0.5 * (baseline + 1), 1.5 * (baseline + 1)))
    assert code == scaled or near_a_cutoff


@given(arrays(np.int8, (4, 6), elements=st.integers(0, 7)))
def test_confirmation_never_betters_a_response(codes):
    confirmed = imwg2016.confirmed(codes)
    assert (confirmed[codes > imwg2016.SD] <= codes[codes > imwg2016.SD]).all()
    np.testing.assert_array_equal(confirmed == imwg2016.NE, codes == imwg2016.NE)
