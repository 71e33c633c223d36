import pytest

from seedbed.errors import ContentError
from seedbed.report import forest


@pytest.fixture(scope="module")
def responses():
    return forest.select(endpoint="cr", therapy="asct_cart")


def test_only_preferred_rates_are_chosen(responses):
    assert responses["preferred"].all()
    assert set(responses["therapy"]) == {"asct_cart"}
    assert {"wei_2022_tp53", "wang_t_2022", "xue_2022_cnsl", "zhang_p_2022_cd30"} <= set(responses["study"])
    everything = forest.select(endpoint="cr", therapy="asct_cart", every_row=True)
    assert len(everything) > len(responses)
    assert list(forest.pool(everything)["k"]) == list(forest.pool(responses)["k"])


def test_lines_stand_by_stratum_with_the_pooled_rate_last(responses):
    shown = forest.lines(responses, forest.pool(responses), forest.words("en"))
    assert list(shown["kind"].head(5)) == ["header", "study", "study", "pooled", "note"]
    first = shown.iloc[1]
    assert (first["label"], first["counts"]) == ("wang_t_2022 · asct_cart", "15/21")
    assert first["rate"] == "71% [48%–89%]"
    assert (shown["kind"] == "study").sum() == len(responses)
    assert "doubt" in set(shown["mark"])
    assert {"digest", "recalled", "read"} <= set(shown["mark"])


def test_scales_have_their_own_strata_and_an_unstated_one_is_not_pooled():
    rows = forest.select(endpoint="crs_grade3plus", therapy="cart", disease="b_cell_lymphoma")
    pooled = forest.pool(rows).set_index("scale")
    assert {"lee2014", "astct2019", "penn2014", "not_stated"} <= set(pooled.index)
    assert pooled.loc["not_stated", "not_pooled"] == "scale_not_stated"
    shown = forest.lines(rows, pooled.reset_index(), forest.words("en"))
    assert "not pooled: grading scale not stated" in set(shown["label"])


def test_survival_blind_to_follow_up_is_shown_and_not_pooled():
    rows = forest.select(endpoint="pfs", therapy="cart", disease="b_cell_lymphoma")
    at = (rows["time_days"] == 365) & (rows["clock"] == "cart_infusion")
    crude = rows[at & (rows["statistic"] == "crude")]
    pooled = forest.pool(rows)
    row = pooled[(pooled["time_days"] == 365) & (pooled["clock"] == "cart_infusion")].iloc[0]
    assert len(crude) == 1
    assert row["k"] == at.sum() - 1


@pytest.mark.parametrize(("language", "suffix"), [("en", "html"), ("zh", "svg")])
def test_the_plot_is_written_whole(tmp_path, language, suffix):
    chart = forest.forest(endpoint="cr", therapy="asct_cart", language=language)
    path = forest.save(chart, tmp_path / "new" / f"forest.{suffix}")
    text = path.read_text(encoding="utf-8")
    assert "wei_2022_tp53" in text
    if suffix == "html":
        assert 'src="http' not in text


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(ContentError, match=r'unknown endpoint "crr".*did you mean "cr"'):
        forest.select(endpoint="crr")
    with pytest.raises(ContentError, match='no rate of "cart_tmax" fits'):
        forest.select(endpoint="cart_tmax")
    with pytest.raises(ContentError, match='no rate of "cr" fits'):
        forest.select(endpoint="cr", therapy="radiotherapy")
    with pytest.raises(ContentError, match="expected a file ending in"):
        forest.save(forest.forest(endpoint="cr", therapy="asct_cart"), tmp_path / "forest.doc")
    with pytest.raises(ContentError, match='unknown language "fr"'):
        forest.words("fr")
