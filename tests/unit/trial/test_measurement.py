"""What a clinician sees of latent signals."""

import numpy as np
import pytest
from scipy import stats

import clinic_signals
from seedbed import errors
from seedbed.trial import measurement
from seedbed.trial.measurement import Noise, TumorView, draw_frailty, poisson_counts, read_map

CONTENT = read_map()
SUBJECTS = np.arange(2000)


@pytest.fixture(scope="module")
def frailty():
    return draw_frailty(CONTENT, 1, SUBJECTS)


def test_noise_of_a_day_does_not_depend_on_the_schedule_or_on_the_other_subjects():
    days = np.arange(0.0, 40.0)
    planned, unplanned = Noise(1, SUBJECTS, days), Noise(1, SUBJECTS)
    some = Noise(1, SUBJECTS[5:9], np.array([3.0, 17.0, 33.0]))
    for day in (3.0, 33.0, 17.0):
        np.testing.assert_array_equal(planned.normal("PET", day), unplanned.normal("PET", day))
        np.testing.assert_array_equal(some.normal("PET", day), unplanned.normal("PET", day)[5:9])
    assert not np.array_equal(unplanned.normal("PET", 3.0), unplanned.normal("CT", 3.0))


def test_fever_and_support_rise_with_cytokines_and_overlap_between_patients(frailty):
    n = len(SUBJECTS)
    rises = [
        measurement.cytokine_rise(
            CONTENT.temperature, frailty, {"IL6_signal": np.full(n, level), "IL1_signal": np.full(n, 2.0)}
        )
        for level in (4.0, 60.0, 1000.0)
    ]
    medians = [np.median(rise) for rise in rises]
    assert medians[0] < 0.5 < medians[1] < medians[2] < CONTENT.temperature.cytokine_rise.value
    levels = [
        measurement.support_levels(CONTENT.support, frailty, inflamed(np.full(n, level)))[0]
        for level in (80, 500, 3000)
    ]
    assert [np.median(level) for level in levels] == [0, 1, 2]
    assert len(np.unique(levels[1])) > 1


def inflamed(interleukin6):
    """Signals of activated macrophages: in the model IL-6 grows with the power 1.5 of their number, IL-1 with 1."""
    return {"IL6_signal": interleukin6, "IL1_signal": 30.0 * (interleukin6 / 2000.0) ** (2 / 3)}


def test_peak_interleukin6_by_grade_is_that_of_cart_alone(frailty):
    """CAR-T alone: grade 0-1 below 200, grade 2 100-1,000, grade 3 and more above 1,000 pg/mL, overlapping."""
    peak = np.exp(np.random.default_rng(1).normal(np.log(200), 1.4, len(SUBJECTS)))
    pressure, oxygen = measurement.support_levels(CONTENT.support, frailty, inflamed(peak))
    grade = np.maximum(pressure, oxygen) + 1
    assert np.median(peak[grade == 1]) < 200
    assert 100 < np.median(peak[grade == 2]) < 1000
    assert np.median(peak[grade >= 3]) > 1000
    assert peak[grade >= 3].min() < peak[grade == 1].max()


def test_neurological_signs_worsen_with_inflammation(frailty):
    n, calm = len(SUBJECTS), np.full(len(SUBJECTS), 0.999)
    quiet, severe = (
        measurement.neurological_signs(CONTENT.neurology, frailty, np.full(n, level), calm, 1.0) for level in (0.1, 40)
    )
    assert (quiet["ice_score"] == 10).all()
    assert np.median(severe["ice_score"]) <= 2
    assert np.median(severe["consciousness"]) >= 2
    seized = measurement.neurological_signs(CONTENT.neurology, frailty, np.full(n, 40.0), np.zeros(n), 1.0)
    assert seized["seizure"].any()


def test_assay_below_its_limit_shows_none():
    signals = clinic_signals.signals(0.0, clinic_signals.arm_table(3))
    signals["cart_blood"] = np.array([0.0, 0.05, 5.0])
    values = measurement.assay_values(CONTENT, signals, Noise(1, SUBJECTS[:3]), 0.0)
    assert values["cart"][0] == 0
    assert values["cart"][1] == 0
    assert values["cart"][2] == pytest.approx(5.0, rel=0.8)


def test_dead_tissue_washes_out_more_slowly_than_uptake():
    table = clinic_signals.arm_table(2, stem_cell_day=0.0, cart_day=2.0)
    view = TumorView(CONTENT, draw_frailty(CONTENT, 1, SUBJECTS[:2]), Noise(1, SUBJECTS[:2]), "lugano2014")
    view.look(0.0, clinic_signals.signals(0.0, table))
    later = view.look(30.0, clinic_signals.signals(30.0, table, cured=np.array([True, True])))
    assert (later["deauville"] <= 3).all()
    assert (later["longest_diameter"] > 1.5).all()


def test_poisson_counts_have_the_mean_and_variance_of_poisson():
    normal = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    for mean in (0.3, 20.0, 500.0, 5000.0):
        counts = poisson_counts(np.full(4000, mean), normal)
        assert counts.mean() == pytest.approx(mean, rel=0.02)
        assert counts.var() == pytest.approx(mean, rel=0.05)
    exact = poisson_counts(np.full(4000, 3.0), normal)
    np.testing.assert_array_equal(exact, stats.poisson.ppf(stats.norm.cdf(normal), 3.0))


def test_a_number_without_a_source_is_refused(tmp_path):
    text = measurement.library.path("measurements/asct_cart.yaml").read_text()
    broken = tmp_path / "map.yaml"
    broken.write_text(
        text.replace('source: {how: assumed, reason: "most infections', 'source: {how: guessed, x: "most', 1)
    )
    with pytest.raises(errors.ContentError, match=r"infection_rise_spread\.source\.how"):
        read_map(str(broken))
