"""Whatever the seed and the subset: the same patient, and the correlations that were asked for."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seedbed import population, protocol
from seedbed.population.correlation import uniforms
from seedbed.population.schema import Correlation
from seedbed.trial import enrollment
from seedbed.trial.enrollment import model_parameters

SOURCE = {"how": "assumed", "reason": "a test"}
WHO = population.read("large_b_cell_lymphoma")
PARAMETERS = model_parameters(WHO.model)
TRIAL, TP53 = enrollment.read("wei_2022_tp53")


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31), subjects=st.lists(st.integers(0, 10**9), min_size=1, max_size=20, unique=True))
def test_a_patient_depends_on_the_number_and_the_seed_only(seed, subjects):
    together = population.draw(WHO, PARAMETERS, subjects, seed)
    backwards = population.draw(WHO, PARAMETERS, subjects[::-1], seed).iloc[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(together, backwards)
    alone = population.draw(WHO, PARAMETERS, subjects[:1], seed)
    pd.testing.assert_frame_equal(alone, together.iloc[:1])


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    first=st.floats(-0.6, 0.6),
    second=st.floats(-0.6, 0.6),
)
def test_rank_correlations_come_out_as_asked(seed, first, second):
    wanted = {
        "a": Correlation(between=("x", "y"), rank=first, source=SOURCE),
        "b": Correlation(between=("y", "z"), rank=second, source=SOURCE),
    }
    u = uniforms(["x", "y", "z", "free"], wanted, np.arange(8000), seed)
    assert stats.spearmanr(u["x"], u["y"]).statistic == pytest.approx(first, abs=0.05)
    assert stats.spearmanr(u["y"], u["z"]).statistic == pytest.approx(second, abs=0.05)
    assert stats.spearmanr(u["x"], u["free"]).statistic == pytest.approx(0, abs=0.05)
    for values in u.values():
        assert stats.kstest(values, "uniform").pvalue > 1e-6


def test_the_correlations_of_a_population_come_out_in_its_patients():
    drawn = population.draw(WHO, PARAMETERS, np.arange(20000), seed=5)
    for name in ("age_naive_t", "lines_cd34", "crp_ferritin", "naive_fitness", "platelets_hemoglobin"):
        item = WHO.correlations[name]
        found = stats.spearmanr(*(drawn[member] for member in item.between)).statistic
        assert found == pytest.approx(item.rank, abs=0.06), name


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_a_new_covariate_shifts_no_other(seed):
    extra = WHO.covariates["age"]
    wider = WHO.model_copy(update={"covariates": {"another": extra, **WHO.covariates}})
    before = population.draw(WHO, {}, np.arange(30), seed)
    after = population.draw(wider, {}, np.arange(30), seed)
    pd.testing.assert_frame_equal(after.drop(columns="another"), before)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_the_same_luck_in_every_arm(seed):
    trial = protocol.square(TRIAL)
    enrolled = enrollment.enroll(trial, TP53, 60, seed)
    tables = enrolled.arm_tables
    combined, alone = tables["asct_cart"], tables["cart"]
    no_mobilization = combined["not_infused"] != "mobilization_failure"
    both_stay = combined["leaves_day"].isna() & alone["leaves_day"].isna() & no_mobilization
    failed = [table["not_infused"].eq("manufacturing_failure")[both_stay] for table in (combined, alone)]
    np.testing.assert_array_equal(*failed)
    left = alone["leaves_day"].notna()
    np.testing.assert_array_equal(combined.loc[left, "leaves_day"], alone.loc[left, "leaves_day"])
    alone_arm = enrollment.enroll(TRIAL, TP53, 60, seed).arm_tables["cart"]
    pd.testing.assert_frame_equal(alone_arm, tables["cart"])


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**31), size=st.integers(7, 40))
def test_any_blocking_enrolls_the_same_people(seed, size):
    ranges = enrollment.blocks(TRIAL, TP53, 60, seed, size=size)
    parts = [enrollment.enroll_between(TRIAL, TP53, first, last, seed) for first, last in ranges]
    whole = enrollment.enroll(TRIAL, TP53, 60, seed)
    for arm in TRIAL.arms:
        together = pd.concat([part.arm_tables[arm] for part in parts], ignore_index=True)
        pd.testing.assert_frame_equal(together, whole.arm_tables[arm])
