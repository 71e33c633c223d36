"""The regimen, the flow of subjects and the baseline table."""

import pandas as pd
import pytest

from seedbed import protocol
from seedbed.report import consort, regimen
from seedbed.report.catalogue import load
from seedbed.report.sections import asked
from seedbed.report.setting import Setting


@pytest.fixture
def trial(run):
    return protocol.read_resolved(run.protocol)


def test_the_timeline_puts_both_clocks_on_one_axis(trial):
    table = regimen.table(trial, ("asct_cart", "cart"), load("en"))
    combined = table[table["arm"] == "asct_cart"]
    assert set(combined["clock"]) == {"stem_cell"}
    offset = trial.arms["asct_cart"].cart_offset
    assert combined.loc[combined["kind"] == "cart", "start"].tolist() == [offset]
    assert (combined["offset"] == offset).all()
    alone = table[table["arm"] == "cart"]
    assert set(alone["clock"]) == {"cart"}
    assert alone["offset"].isna().all()


def test_unbroken_days_are_one_bar_and_the_last_bar_carries_the_dose(trial):
    table = regimen.table(trial, ("asct_cart",), load("en"))
    etoposide = (
        table[table["label"] == "etoposide"]
        if "etoposide" in set(table["label"])
        else table[table["start"] < table["stop"]]
    )
    assert (etoposide.groupby("label")["text"].last() != "").all()
    assert regimen._runs([3, 1, 2, 7]) == [(1, 3), (7, 7)]


def test_doses_of_cells_are_powers_of_ten():
    assert regimen.cells(load("en"), 8.0e6, "cell/kg") == "8×10⁶ cells/kg"
    assert regimen.cells(load("zh"), 2.5e8, "cell/kg") == "2.5×10⁸ 个/kg"


def test_the_flow_shares_the_screening_and_tells_the_losses(run):
    boxes = consort.steps(run.flow, run.arms, load("en"))
    assert [box.label for box in boxes if box.arm == ""] == ["screened", "enrolled"]
    infused = [box for box in boxes if box.arm == "cart"]
    assert infused[0].label == "taken into this arm"
    before = infused[0].n
    assert 40 < before < 120
    for box in infused[1:]:
        assert box.n == before - sum(n for _, n in box.losses)
        before = box.n


def test_reasons_are_told_in_words():
    t = load("en")
    assert consort.reason_words("age >= 18 and <= 75", t) == "not Age [years] ≥ 18 & ≤ 75"
    assert consort.reason_words("transplant_eligible = yes", t) == "not Eligible for transplantation"
    assert consort.reason_words("manufacturing_failure", t) == "no CAR-T product"


def test_standardized_difference_by_hand():
    one, other = pd.Series([1.0, 3.0]), pd.Series([2.0, 6.0])
    assert asked.standardized_difference(one, other) == pytest.approx(-2 / (2.5**0.5))
    assert asked.standardized_difference(pd.Series([1.0, 1.0]), pd.Series([1.0])) == 0
    assert asked.standardized_difference(pd.Series([1.0, 1.0]), pd.Series([2.0])) == float("-inf")


def test_baseline_counts_those_treated(run):
    setting = Setting.of(run, load("en"))
    table = asked.baseline(setting).blocks[1]
    treated = int(run.arm("cart")["cart_day"].notna().sum())
    assert any(f"treated, n = {treated}" in cell.note for cell in table.header if not isinstance(cell, str))
    age = next(row for row in table.rows if row[0] == "Age [years]")
    assert len(age) == len(table.header)
