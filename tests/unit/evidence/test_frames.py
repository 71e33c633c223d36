import math

import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from studies import write

from seedbed import evidence
from seedbed.errors import ContentError
from seedbed.evidence import clopper_pearson, read_folder

CONTRACT = [
    "study", "arm", "disease", "therapy", "endpoint", "time_days", "scale", "clock", "value", "lower", "upper",
    "events", "n", "unit", "seen", "preferred", "cohort_group", "use", "source",
]  # fmt: skip


@pytest.fixture
def table(tmp_path):
    write(tmp_path)
    return evidence.rows(among=read_folder(tmp_path)).set_index("row")


def test_rows_have_the_columns_that_others_rely_on(table):
    assert set(CONTRACT) <= {*table.columns}


def test_a_published_interval_is_kept_and_else_it_is_exact(table):
    assert table.loc["cr", "interval_kind"] == "published"
    assert (table.loc["cr", "lower"], table.loc["cr", "upper"]) == (0.34, 0.66)
    exact = proportion_confint(30, 40, method="beta")
    assert table.loc["orr", "interval_kind"] == "exact"
    assert (table.loc["orr", "lower"], table.loc["orr", "upper"]) == pytest.approx(exact)
    assert table.loc["crs_grade3plus", "interval_kind"] == "exact_rounded"
    assert table.loc["crs_grade3plus", "upper"] == pytest.approx(proportion_confint(4, 40, method="beta")[1])


def test_survival_without_interval_is_marked_as_blind_to_censoring(table):
    assert table.loc["pfs_12m", "interval_kind"] == "approximate"
    assert table.loc["pfs_12m", "lower"] == pytest.approx(stats.beta.ppf(0.025, 18, 23))


def test_times_are_in_days_and_keep_what_was_printed(table):
    row = table.loc["pfs_median"]
    assert row["value"] == pytest.approx(10 * 365.25 / 12)
    assert (row["unit"], row["published_value"], row["published_unit"]) == ("day", 10, "month")


def test_the_arm_lends_its_size_to_a_row_that_counts_the_whole_arm(table, tmp_path):
    assert table.loc["pfs_median", "n"] == 40
    assert table.loc["pfs_median", "n_from_arm"]
    write(tmp_path, ("kind: single_arm", "kind: randomized"))
    randomized = evidence.rows(among=read_folder(tmp_path)).set_index("row")
    assert randomized["n"].isna()["pfs_median"]
    assert not randomized.loc["pfs_median", "n_from_arm"]


@pytest.mark.parametrize(
    ("filters", "only"),
    [
        ({"therapy": "asct_cart"}, ("therapy", {"asct_cart"})),
        ({"disease": "cns_lymphoma"}, ("disease", {"cns_lymphoma"})),
        ({"disease": "b_cell_lymphoma", "therapy": "asct"}, ("disease", {"lbcl", "aggressive_b_nhl"})),
        ({"endpoint": ["cr", "orr"], "study": "zuma_1"}, ("endpoint", {"cr", "orr"})),
        ({"use": "not_fitted"}, ("therapy", {"asct_cart"})),
        ({"study": "zuma1_2023"}, ("study", {"zuma_1"})),
        ({"product": "cilta_cel"}, ("product", {"cilta_cel"})),
    ],
)
def test_filters_keep_what_was_asked(filters, only):
    column, allowed = only
    found = evidence.rows(**filters)
    assert set(found[column]) == allowed


def test_an_unknown_word_in_a_filter_names_the_nearest():
    with pytest.raises(ContentError, match=r'unknown endpoint "pfss".*did you mean "pfs"'):
        evidence.rows(endpoint="pfss")
    with pytest.raises(ContentError, match=r'unknown therapy "asct_car".*did you mean "asct_cart"'):
        evidence.rows(therapy=["cart", "asct_car"])


def test_published_gives_all_rows_of_one_study():
    table = evidence.published("wei_2022_tp53")
    assert set(table["arm"]) == {"asct_cart_tp53", "cart_tp53", "asct_cart_all"}
    complete = table[(table["arm"] == "cart_tp53") & (table["endpoint"] == "cr")].iloc[0]
    assert (complete["events"], complete["n"]) == (14, 31)


def test_contrasts_stand_apart_from_rates():
    table = evidence.contrasts().set_index(["study", "id"])
    row = table.loc[("wang_t_2022", "pfs_difference_asct_cart")]
    assert (row["value"], row["p"], row["measure"]) == (0.36, "0.036", "difference")


def test_kinetic_facts_with_groups_give_a_row_for_each():
    table = evidence.kinetics(quantity="terminal_half_life", therapy="cart")
    mine = table[table["id"] == "k213"].set_index("group")
    assert mine.loc["responders", "value"] == 91.3
    assert evidence.fact("k044").value == 3.27
    with pytest.raises(ContentError, match='did you mean "tmax"'):
        evidence.kinetics(quantity="tmaxx")


@pytest.mark.parametrize(("events", "n"), [(0, 16), (8, 8), (3, 28), (101, 359)])
def test_exact_intervals_are_those_of_statsmodels(events, n):
    assert clopper_pearson(events, n) == pytest.approx(proportion_confint(events, n, method="beta"))


def test_an_impossible_count_has_no_interval():
    assert all(math.isnan(end) for end in clopper_pearson(5, 3))
