"""The regimen, the flow of subjects and the baseline table."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from seedbed import protocol
from seedbed.report import consort, diagrams, regimen, theme
from seedbed.report.blocks import Notice
from seedbed.report.catalogue import load
from seedbed.report.sections import asked, comparison, efficacy
from seedbed.report.setting import Setting
from seedbed.trial import enrollment


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
    boxes = consort.steps(run, load("en"))
    assert [box.label for box in boxes if box.arm == ""] == ["screened", "enrolled"]
    infused = [box for box in boxes if box.arm == "cart"]
    assert infused[0].label == "taken into this arm"
    assert 40 < infused[0].n < 120


def test_each_box_of_an_arm_is_the_one_before_less_the_losses(run):
    boxes = consort.steps(run, load("en"))
    for arm in run.arms:
        before = next(box.n for box in boxes if box.label == "enrolled")
        for box in (box for box in boxes if box.arm == arm):
            assert box.n == before - sum(n for _, n in box.losses)
            before = box.n


def test_who_dies_before_the_cells_is_lost(run):
    endpoints = run.endpoints.copy()
    who = endpoints.index[(endpoints["arm"] == "cart") & endpoints["selected"] & endpoints["cart_day"].notna()][:3]
    endpoints.loc[who, ["cart_day", "os_event"]] = np.nan, True
    boxes = consort.steps(replace(run, endpoints=endpoints), load("en"))
    losses = [box.losses for box in boxes if box.arm == "cart" and box.label == "CAR-T cells infused"]
    assert ("died during treatment", 3) in losses[0]


def test_the_last_box_holds_those_of_the_baseline_table(run):
    boxes = {box.arm: box.n for box in consort.steps(run, load("en"))}
    setting = Setting.of(run, load("en"))
    assert all(boxes[arm] == len(asked.treated(setting, arm)) for arm in run.arms)


def test_reasons_are_told_in_words():
    t = load("en")
    assert consort.reason_words("age >= 18 and <= 75", t) == "Age [years] < 18 or > 75"
    assert consort.reason_words("remission_status in PR, CR", t) == "Response to the last therapy not CR or PR"
    assert consort.reason_words("transplant_eligible = yes", t) == "Eligible for transplantation: no"
    assert consort.reason_words("manufacturing_failure", t) == "no CAR-T product"


def test_standardized_difference_by_hand():
    one, other = pd.Series([1.0, 3.0]), pd.Series([2.0, 6.0])
    assert asked.standardized_difference(one, other) == pytest.approx(-2 / (2.5**0.5))
    assert asked.standardized_difference(pd.Series([1.0, 1.0]), pd.Series([1.0])) == 0
    assert asked.standardized_difference(pd.Series([1.0, 1.0]), pd.Series([2.0])) == float("-inf")


def test_baseline_counts_those_treated(run):
    setting = Setting.of(run, load("en"))
    table = asked.baseline(setting).blocks[1]
    rows = run.arm("cart")
    treated = int((rows["cart_day"].notna() & rows["selected"]).sum())
    assert any(f"treated, n = {treated}" in cell.note for cell in table.header if not isinstance(cell, str))
    age = next(row for row in table.rows if row[0] == "Age [years]")
    assert len(age) == len(table.header)


def test_a_course_outside_the_days_drawn_is_told():
    found, who = enrollment.read("myeloma_cd19_bcma_consolidation")
    told = regimen.outside(protocol.read_resolved(enrollment.resolve(found, who)["protocol"]), "asct", load("en"))
    assert len(told) == 1
    assert told[0].startswith("Lenalidomide")
    assert "doses from day +" in told[0]


def test_intervals_of_days_do_not_reach_below_zero(square_run):
    setting = Setting.of(square_run, load("en"))
    rows = [row for name in comparison.SPREAD_ENDPOINTS for row in comparison._spread_rows(setting, name)]
    assert {row["spread"] for row in rows} == {"between_patient", "parameter", "monte_carlo"}
    assert min(row["lower"] for row in rows) >= 0
    assert all(row["lower"] <= row["middle"] <= row["upper"] for row in rows)


def test_long_names_of_arms_are_written_in_lines_not_cut():
    label = "ASCT + CD19 and BCMA CAR-T + lenalidomide"
    assert " ".join(theme.lines(label)) == label
    assert len(theme.lines(label)) == 2
    assert theme.lines("CAR-T") == ["CAR-T"]
    chinese = "含噻替哌自体移植联合嵌合抗原受体T细胞治疗"
    assert len(theme.lines(chinese)) == 2
    assert "".join(theme.lines(chinese)) == chinese
    assert theme.legend_of([label] * 4).columns < 4


def test_losses_of_an_arm_end_before_the_next_arm_begins(run):
    step = consort.FlowStep("cart", "infused", 5, (("died before infusion, as invented", 12), ("progression", 3)))
    lines = diagrams._loss_lines(step, load("en"), 90.0)
    assert len(lines) > 2
    assert max(theme.text_width(line) for line in lines) <= 90.0


def test_a_run_too_small_for_its_parameter_sets_says_so(square_run):
    assert Setting.of(square_run, load("en")).resolves_parameters
    few = square_run.summary.assign(parameter_sd=np.nan)
    setting = Setting.of(replace(square_run, summary=few), load("en"))
    notices = [block for block in comparison.uncertainty(setting).blocks if isinstance(block, Notice)]
    assert "too few to tell the spread from parameters" in notices[0].text
    assert "cannot be told" in efficacy.headline(setting).blocks[1].text
    table = comparison.uncertainty(setting).blocks[-1]
    assert "not resolved" in {str(row[3]) for row in table.rows if len(row) > 1}
    assert "not yet" not in {str(row[3]) for row in table.rows if len(row) > 1}


def test_one_arm_is_not_told_as_several(run):
    only = replace(run, endpoints=run.endpoints[run.endpoints["arm"] == "cart"])
    setting = Setting.of(only, load("en"))
    question = asked.question(setting).blocks
    assert dict(question[0].pairs)["Virtual patients"] == f"{only.subjects['subject'].nunique()}, in one arm"
    assert not any("same luck" in getattr(block, "text", "") for block in question)
    assert "SMD" not in asked.baseline(setting).blocks[1].note
