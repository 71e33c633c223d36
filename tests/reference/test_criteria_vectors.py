"""Evidence: published. Worked examples and cut-offs of the grading papers (sources in each criteria module)."""

import numpy as np
import pytest

from seedbed.trial import criteria
from seedbed.trial.criteria import (
    astct2019,
    ball_marrow2020,
    car_hematotox2021,
    cibmtr2024,
    ctcae5,
    icaht_ehaebmt2023,
    imwg2016,
    ipcg2005,
    lugano2014,
)


@pytest.mark.parametrize(
    ("temperature", "treated", "prior", "pressure", "oxygen", "grade"),
    [
        (39.1, False, False, 2, 1, 3),  # the example of PMC8021214: one vasopressor and low-flow oxygen
        (38.4, False, False, 0, 0, 1),
        (36.8, True, True, 1, 0, 2),
        (36.8, True, True, 0, 0, 0),
        (37.5, False, False, 1, 0, 0),
        (38.0, False, False, 0, 3, 4),
        (38.0, False, False, 3, 0, 4),
        (36.8, True, False, 2, 0, 0),
        (37.9, False, True, 2, 0, 0),
    ],
)
def test_crs_vectors(temperature, treated, prior, pressure, oxygen, grade):
    assert astct2019.crs_grade(temperature, treated, prior, pressure, oxygen) == grade


def test_crs_other_cause_and_death():
    assert astct2019.crs_grade(39.0, False, False, 0, 0, other_cause=True) == 0
    assert astct2019.crs_grade(36.0, False, False, 0, 0, died_of_crs=True) == 5


def test_crs_course_closes_and_needs_a_cell_therapy_to_begin():
    temperature = np.array([[38.5, 39.0, 36.8, 36.8, 38.5]] * 2)
    pressure = np.array([[0, 1, 1, 0, 0]] * 2)
    treated = np.array([[False, False, True, True, True]] * 2)
    may_begin = np.array([[True] * 5, [False] * 5])
    none = np.zeros((2, 5), dtype=bool)
    course = astct2019.crs_course(
        temperature, pressure, 0 * pressure, treated=treated, other_cause=none, may_begin=may_begin
    )
    np.testing.assert_array_equal(course, [[1, 2, 2, 0, 1], [0] * 5])
    summary = astct2019.episodes(course, np.arange(5.0))
    np.testing.assert_array_equal(summary["grade"], [2, 0])
    np.testing.assert_array_equal(summary["onset_day"], [0, np.nan])
    np.testing.assert_array_equal(summary["end_day"], [5, np.nan])


def test_a_flare_after_a_gap_is_another_episode():
    days = np.array([0.0, 1, 2, 3, 4, 5, 6, 9, 10, 14])
    course = np.array([[0, 1, 2, 0, 0, 1, 0, 0, 0, 3], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0] * 10, [2] * 9 + [0]])
    found = astct2019.episodes(course, days)
    np.testing.assert_array_equal(found["grade"], [3, 1, 0, 2])
    np.testing.assert_array_equal(found["onset_day"], [1, 0, np.nan, 0])
    np.testing.assert_array_equal(found["end_day"], [6, 1, np.nan, 11])


@pytest.mark.parametrize(
    ("ice", "consciousness", "seizure", "weakness", "edema", "grade"),
    [
        (10, 0, 0, False, 0, 0),
        (9, 0, 0, False, 0, 1),
        (7, 0, 0, False, 0, 1),
        (6, 0, 0, False, 0, 2),
        (3, 0, 0, False, 0, 2),
        (2, 0, 0, False, 0, 3),
        (0, 0, 0, False, 0, 3),  # awake with ICE 0
        (0, 3, 0, False, 0, 4),  # not arousable
        (8, 1, 0, False, 0, 2),
        (8, 2, 0, False, 0, 3),
        (10, 0, 1, False, 0, 3),
        (10, 0, 2, False, 0, 4),
        (10, 0, 0, True, 0, 4),
        (10, 0, 0, False, 1, 3),
        (10, 0, 0, False, 2, 4),
        (np.nan, 0, 0, False, 0, 0),
    ],
)
def test_icans_vectors(ice, consciousness, seizure, weakness, edema, grade):
    assert astct2019.icans_grade(ice, consciousness, seizure, weakness, edema) == grade


def test_icans_death_and_ice_points():
    assert astct2019.icans_grade(10, died_of_icans=True) == 5
    assert astct2019.ice_points(4, 3, 1, 1, 1) == 10
    with pytest.raises(ValueError, match="naming has 4: expected 0 to 3"):
        astct2019.ice_points(4, 4, 1, 1, 1)


@pytest.mark.parametrize(
    ("analyte", "values", "grades"),
    [
        ("neutrophils", [2.0, 1.5, 1.49, 1.0, 0.99, 0.5, 0.49], [0, 1, 2, 2, 3, 3, 4]),
        ("platelets", [150, 149, 75, 74, 50, 49, 25, 24], [0, 1, 1, 2, 2, 3, 3, 4]),
        ("lymphocytes", [1.0, 0.99, 0.8, 0.79, 0.5, 0.49, 0.2, 0.19], [0, 1, 1, 2, 2, 3, 3, 4]),
        ("leukocytes", [4.0, 3.0, 2.0, 1.0, 0.9], [0, 1, 2, 3, 4]),
        ("hemoglobin", [12.0, 11.0, 10.0, 9.9, 8.0, 7.9], [0, 1, 1, 2, 2, 3]),
    ],
)
def test_ctcae_boundaries_belong_to_the_milder_grade(analyte, values, grades):
    np.testing.assert_array_equal(ctcae5.laboratory_grade(analyte, values), grades)


def test_ctcae_missing_is_no_grade():
    assert ctcae5.laboratory_grade("neutrophils", np.nan) == 0


@pytest.mark.parametrize(
    ("low", "very_low", "never", "grade"),
    [
        (0, 0, False, 0),
        (1, 0, False, 1),
        (6, 0, False, 1),
        (7, 0, False, 2),
        (13, 6, False, 2),
        (14, 0, False, 3),
        (8, 7, False, 3),
        (20, 14, False, 4),
        (31, 0, True, 4),
    ],
)
def test_icaht_early(low, very_low, never, grade):
    assert icaht_ehaebmt2023.early_grade(low, very_low, never) == grade


def test_icaht_late_and_platelets():
    np.testing.assert_array_equal(icaht_ehaebmt2023.late_grade([2, 1.5, 1.0, 0.5, 0.1, np.nan]), [0, 1, 2, 3, 4, 0])
    early = icaht_ehaebmt2023.early_thrombocytopenia_grade([0, 1, 6, 7, 7, 20], [0, 0, 0, 0, 13, 14])
    np.testing.assert_array_equal(early, [0, 1, 1, 2, 3, 4])
    late = icaht_ehaebmt2023.late_thrombocytopenia_grade([0, 1, 9, 9, 20], [0, 0, 1, 1, 20], [0, 0, 0, 13, 14])
    np.testing.assert_array_equal(late, [0, 1, 2, 3, 4])


def test_icaht_short_recovery_does_not_end_an_episode():
    low = np.array(
        [[1, 1, 0, 0, 1, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 1, 0, 1, 0, 1, 0, 0, 0, 0]], bool
    )
    np.testing.assert_array_equal(icaht_ehaebmt2023.days_in_episodes(low), [6, 0, 5])


GOLDEN_A = [10, 30, 25, 10, 15, 19, 23, 25, 40, 50, 56, 65, 72]
GOLDEN_B = [10, 35, 30, 25, 10, 15, 19, 23, 25, 40, 50]


@pytest.mark.parametrize(
    ("values", "threshold", "expected"),
    [(GOLDEN_A, 20, 7), (GOLDEN_A, 50, 9), (GOLDEN_B, 20, 7), (GOLDEN_B, 50, np.nan)],
)
def test_cibmtr_platelet_examples(values, threshold, expected):
    days = np.arange(len(values), dtype=float)[None, :]
    transfused = days == 0
    day = cibmtr2024.platelet_engraftment_day(days, np.array([values], float), transfused, threshold=threshold)
    np.testing.assert_array_equal(day, [expected])


def test_platelets_never_low_and_never_transfused_do_not_apply():
    days = np.arange(10.0)[None, :]
    counts = np.full((1, 10), 60.0)
    none = np.zeros((1, 10), dtype=bool)
    assert np.isnan(cibmtr2024.platelet_engraftment_day(days, counts, none)[0])
    assert cibmtr2024.never_below(days, counts, 20.0)[0]


def test_neutrophil_engraftment_waits_for_the_nadir_and_skips_missing_values():
    days = np.arange(14.0)[None, :].repeat(3, axis=0)
    counts = np.array(
        [
            [3, 2, 1, 0.7, 0.3, 0.1, 0.05, 0.1, 0.3, 0.6, 0.9, 2, 3, 3],  # high values before the nadir do not count
            [3, 2, 1, 0.7, 0.3, 0.1, 0.05, 0.6, 0.4, 0.6, np.nan, 0.9, 2, 3],
            [3, 2, 1, 0.7, 0.3, 0.1, 0.05, 0.1, 0.1, 0.1, 0.1, 0.1, 0.6, 0.7],
        ]
    )
    np.testing.assert_array_equal(cibmtr2024.neutrophil_engraftment_day(days, counts), [9, 9, np.nan])
    platelets = np.full_like(counts, 10.0)
    assert not cibmtr2024.primary_graft_failure(days, counts, platelets).any()
    long_days = np.linspace(0, 31, 14)[None, :]
    assert cibmtr2024.primary_graft_failure(long_days, np.full((1, 14), 0.1), platelets[:1])[0]


def names(module, codes):
    return [module.CATEGORIES[code] for code in np.atleast_1d(codes)]


def test_lugano_metabolic_response():
    codes = lugano2014.metabolic_response(
        deauville=[1, 3, 4, 5, 4, 4, 2, np.nan],
        uptake=[0.1, 0.4, 20, 90, 160, 70, 0.2, np.nan],
        baseline_uptake=100,
        nadir_uptake=[0.1, 0.4, 20, 90, 100, 70, 0.2, 100],
        new_lesion=[False, False, False, False, False, False, True, False],
    )
    assert names(lugano2014, codes) == ["CR", "CR", "PR", "SD", "PD", "SD", "PD", "NE"]


def test_lugano_size_response():
    codes = lugano2014.size_response(
        product_of_diameters=[2.0, 10.0, 15.0, 40.0, 30.0, np.nan],
        baseline_product=24.0,
        nadir_product=[2.0, 10.0, 15.0, 24.0, 24.0, 24.0],
        longest_diameter=[1.4, 2.5, 3.0, 5.0, 4.2, np.nan],
        nadir_longest_diameter=[1.4, 2.5, 3.0, 3.9, 3.9, 3.9],
    )
    assert names(lugano2014, codes) == ["CR", "PR", "SD", "PD", "SD", "NE"]


def test_ipcg_response():
    codes = ipcg2005.response(
        enhancing_area=[0, 0, 0.2, 2, 0, 8, 5, 3, np.nan],
        baseline_area=6.0,
        nadir_area=[0, 0, 0.2, 2, 0, 6, 5, 2, 6],
        on_steroids=[False, True, False, False, False, False, False, False, False],
        csf_positive=[False, False, False, False, True, False, False, False, False],
        minimal_area=0.25,
    )
    assert names(ipcg2005, codes) == ["CR", "CRu", "CRu", "PR", "PR", "PD", "SD", "PD", "NE"]


def test_imwg_response():
    codes = imwg2016.serum_response(
        serum_m=[0, 0, 0, 0.3, 1.0, 2.0, 2.9, 3.8, 0.6, 0.4, np.nan],
        baseline_m=3.0,
        nadir_m=[0, 0, 0, 0.3, 1.0, 2.0, 2.9, 2.9, 0.05, 0.05, 3.0],
        immunofixation_positive=[False, False, False] + [True] * 8,
        marrow_plasma_cells=[1, 1, 9, 3, 8, 20, 30, 30, 2, 2, np.nan],
        stringent_evidence=[True] + [False] * 10,
        nadir_marrow=[1, 1, 9, 3, 8, 20, 30, 30, 2, 2, 30],
    )
    expected = ["sCR", "CR", "VGPR", "VGPR", "PR", "MR", "SD", "PD", "PD", "PR", "NE"]
    assert names(imwg2016, codes) == expected


def test_imwg_progression_needs_an_absolute_rise():
    np.testing.assert_array_equal(
        imwg2016.serum_progression([0.4, 0.5, 6.0, 6.3], [0, 0, 5.2, 5.0]), [False, True, False, True]
    )
    np.testing.assert_array_equal(imwg2016.marrow_progression([12, 12, np.nan], [1, 5, 1]), [True, False, False])


def test_imwg_light_chain_response():
    codes = imwg2016.chain_response(
        difference=[0.1, 4, 40, 80, 60],
        baseline_difference=100,
        nadir_difference=[0.1, 4, 40, 80, 40],
        ratio_normal=[True, False, False, False, False],
        immunofixation_positive=[False, True, True, True, True],
        marrow_plasma_cells=[1, 2, 10, 30, 10],
    )
    assert names(imwg2016, codes) == ["CR", "VGPR", "PR", "SD", "PD"]


def test_imwg_confirmation():
    codes = np.array([[imwg2016.PR, imwg2016.CR, imwg2016.CR], [imwg2016.PD, imwg2016.SD, imwg2016.PD]], dtype=np.int8)
    expected = [[imwg2016.PR, imwg2016.CR, imwg2016.CR], [imwg2016.SD, imwg2016.SD, imwg2016.PD]]
    np.testing.assert_array_equal(imwg2016.confirmed(codes), expected)


def test_mrd_call_and_sustained():
    calls = imwg2016.mrd_call([0, 19, 20, 5, 40, np.nan], [2e6, 2e6, 2e6, 1e6, 1e6, 2e6])
    assert [imwg2016.MRD_CATEGORIES[code] for code in calls] == [
        "NEG",
        "NEG",
        "POS",
        "INSUFFICIENT",
        "POS",
        "INSUFFICIENT",
    ]
    negative, positive = imwg2016.MRD_NEG, imwg2016.MRD_POS
    courses = np.array(
        [[negative, negative, negative], [negative, positive, negative], [positive, negative, negative]], np.int8
    )
    np.testing.assert_array_equal(
        imwg2016.sustained_negative(courses, np.array([90.0, 300.0, 456.0])), [True, False, False]
    )


def test_leukemia_marrow_response():
    codes = ball_marrow2020.response([1, 4.9, 6, 6, 40, 30, np.nan], [1, 4, 1, 50, 20, 30, 10])
    assert names(ball_marrow2020, codes) == ["CR", "CR", "PD", "SD", "PD", "SD", "NE"]


def test_car_hematotox_points():
    points = car_hematotox2021.score(
        platelets=[200, 175, 74, 200],
        neutrophils=[3, 1.2, 1, 3],
        hemoglobin=[11, 9, 8, 11],
        crp=[5, 30, 90, 29],
        ferritin=[300, 650, 2001, 2000],
    )
    np.testing.assert_array_equal(points, [0, 5, 7, 1])
    np.testing.assert_array_equal(car_hematotox2021.is_high(points), [False, True, True, False])


def test_every_rule_has_a_version_and_unknown_rules_are_named():
    assert criteria.version("crs.astct2019") == "crs.astct2019/1"
    with pytest.raises(criteria.ContentError, match=r'did you mean "mm\.imwg2016"'):
        criteria.module("mm.imwg2014")


def test_measurable_myeloma():
    serum, urine, chain = [1.0, 0.9, 0.0, 0.0, 0.0], [0, 0, 200, 0, 0], [0, 0, 0, 10, 10]
    measurable = imwg2016.is_measurable(serum, urine, chain, [True, True, True, True, False])
    np.testing.assert_array_equal(measurable, [True, False, True, True, False])
