import math

import pandas as pd
import pytest

from seedbed.analysis.meta_analysis import pool, pool_strata
from seedbed.errors import TableError


def table(**columns):
    defaults = {
        "endpoint": "crs_grade3plus", "time_days": math.nan, "unit": "1", "scale": "lee2014", "clock": "",
        "kind": "rate", "lower": math.nan, "upper": math.nan, "interval_kind": "",
    }  # fmt: skip
    return pd.DataFrame(columns).assign(**{name: value for name, value in defaults.items() if name not in columns})


def test_scales_are_never_pooled_across():
    rows = table(value=[0.1, 0.2, 0.4, 0.5], n=[50, 60, 50, 60], scale=["lee2014", "lee2014", "penn2014", "penn2014"])
    pooled = pool_strata(rows).set_index("scale")
    assert list(pooled["k"]) == [2, 2]
    assert pooled.loc["lee2014", "estimate"] < 0.2 < 0.4 < pooled.loc["penn2014", "estimate"]


def test_a_scale_that_is_not_stated_is_pooled_with_nothing():
    rows = table(value=[0.1, 0.2, 0.3], n=[50, 60, 40], scale="not_stated")
    row = pool_strata(rows).iloc[0]
    assert row["not_pooled"] == "scale_not_stated"
    assert math.isnan(row["estimate"])


def test_landmarks_and_clocks_stay_apart():
    rows = table(
        endpoint="pfs", kind="survival", scale="", value=[0.5, 0.6, 0.4, 0.3], n=[50, 60, 40, 30],
        time_days=[365, 365, 730, 365], clock=["cart_infusion", "cart_infusion", "cart_infusion", "randomization"],
    )  # fmt: skip
    pooled = pool_strata(rows)
    assert list(pooled["k"]) == [2, 1, 1]
    assert list(pooled["not_pooled"]) == ["", "too_few", "too_few"]
    assert pooled.loc[0, "transform"] == "complementary_log_log"


def test_rows_without_rate_or_size_do_not_enter():
    rows = table(value=[0.1, 0.2, None, 0.3], n=[50, 60, 40, None])
    assert pool_strata(rows).iloc[0]["k"] == 2


def test_further_columns_keep_rows_apart():
    rows = table(value=[0.1, 0.2, 0.3, 0.4], n=[50, 60, 40, 50], family=["a", "a", "b", "b"])
    assert len(pool_strata(rows, by=["family"])) == 2
    assert len(pool_strata(rows)) == 1


def test_heterogeneity_widens_the_interval_and_the_prediction_most():
    alike, apart = pool([0.5, 0.5, 0.5], [80, 80, 80]), pool([0.3, 0.5, 0.7], [80, 80, 80])
    assert alike.i2 == 0
    assert apart.i2 > 0.8
    assert apart.upper - apart.lower > alike.upper - alike.lower
    assert apart.prediction_lower < apart.lower < apart.upper < apart.prediction_upper


def test_two_studies_have_no_prediction_interval():
    assert math.isnan(pool([0.3, 0.4], [40, 50]).prediction_lower)


@pytest.mark.parametrize("transform", ["logit", "freeman_tukey"])
def test_rates_of_none_and_all_can_be_pooled(transform):
    result = pool([0, 0, 1], [16, 8, 8], transform=transform)
    assert 0 <= result.lower <= result.estimate <= result.upper <= 1


@pytest.mark.parametrize(
    ("rates", "sizes", "words"),
    [
        ([0.5], [10], "at least two studies"),
        ([0.5, 1.2], [10, 10], "rates from 0 to 1"),
        ([0.5, 0.5], [10, 0], "above 0"),
    ],
)
def test_what_cannot_be_pooled_is_refused(rates, sizes, words):
    with pytest.raises(TableError, match=words):
        pool(rates, sizes)


def test_a_table_without_its_columns_is_refused():
    with pytest.raises(TableError, match="lacks scale, clock"):
        pool_strata(table(value=[0.1], n=[10]).drop(columns=["scale", "clock"]))
