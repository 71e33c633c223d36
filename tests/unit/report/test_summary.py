"""Reading a run folder, and the small tables made from it."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from seedbed.documents import content_hash
from seedbed.errors import RunError
from seedbed.report import catalogue, run_report, summary
from seedbed.report.setting import Setting


def test_reads_what_the_folder_holds(run):
    assert run.arms == ("asct_cart", "cart")
    assert run.ensemble is None
    assert not any(name.startswith("parameter:") for name in run.subjects)
    assert len(run.endpoints) == 240


def test_a_missing_file_is_an_error_with_the_cure(two_arms, tmp_path):
    copy = shutil.copytree(two_arms, tmp_path / "copy")
    (copy / "endpoints.parquet").unlink()
    with pytest.raises(RunError, match=r"endpoints.parquet: missing; the run is unfinished"):
        summary.read(copy)


def test_no_run_is_an_error(tmp_path):
    with pytest.raises(RunError, match="manifest"):
        summary.read(tmp_path)


def test_survival_at_risk_adds_up_and_counts_the_last_day(run):
    curves, at_risk = summary.survival(run, "os")
    assert (at_risk["n"] + at_risk["events"] + at_risk["censored"] == 120).all()
    last = at_risk[(at_risk["arm"] == "asct_cart") & (at_risk["time"] == 24)].iloc[0]
    assert last["n"] == int((run.arm("asct_cart")["os_days"] >= 730).sum()) > 0
    assert curves.groupby("arm")["estimate"].apply(lambda s: s.is_monotonic_decreasing).all()
    assert curves["estimate"].between(curves["lower"], curves["upper"]).all()


@pytest.mark.parametrize(("days", "last"), [(90, 3), (365, 12), (730, 24), (1825, 60)])
def test_months_are_round_and_few(days, last):
    ticks = summary.month_ticks(days)
    assert ticks[0] == 0
    assert ticks[-1] <= last
    assert 3 <= len(ticks) <= 11


def test_shares_leave_out_the_missing_or_count_them():
    frame = pd.Series(["CR", "PR", None, "CR"])
    assert summary.shares(frame, ("CR", "PR"))["share"].tolist() == [2 / 3, 1 / 3]
    filled = summary._filled(frame, "NE")
    assert summary.shares(filled, ("CR", "PR", "NE"))["n"].tolist() == [2, 1, 1]


def test_bands_are_ordered_and_on_the_clock(run):
    table = summary.bands(summary.courses(run, ["cart_blood"], range(-5, 31), clock="cart"), ["cart_blood"])
    assert table["time"].between(-5, 30).all()
    assert (np.diff(table[list(summary.QUANTILES)].to_numpy(), axis=1) >= 0).all()
    assert (table.loc[table["time"] < 0, "q95"] == 0).all()


def test_courses_hold_the_last_visit_and_end_at_death(run):
    table = summary.courses(run, ["tumor_total"], range(0, 731, 7), clock="enrollment")
    kept = run.trajectories
    one = table[(table["arm"] == "cart") & (table["subject"] == kept["subject"].iloc[0])]
    visits = kept[(kept["arm"] == "cart") & (kept["subject"] == kept["subject"].iloc[0])].sort_values("day")
    expected = [visits.loc[visits["day"] <= time, "tumor_total"].iloc[-1] for time in one["time"]]
    assert one["tumor_total"].tolist() == expected
    last = table.groupby(["arm", "subject"])["time"].max()
    died = run.endpoints[run.endpoints["os_event"]].set_index(["arm", "subject"])["os_days"]
    both = pd.concat([last, died], axis=1, join="inner")
    assert len(both) > 5
    assert (both["time"] <= both["os_days"]).all()


def test_depths_add_up_and_the_dead_stay_in_the_denominator(run):
    table = summary.courses(run, ["tumor_total"], range(0, 731, 30), clock="enrollment")
    depths = summary.depths(table, "tumor_total", {"visible": 1.0, "below_imaging": 1e-3, "below_mrd": 1e-9})
    assert depths.groupby(["arm", "time"])["share"].sum().to_numpy() == pytest.approx(1.0)
    start = depths[depths["time"] == 0].set_index(["arm", "level"])["share"]
    assert start["cart", "visible"] == 1
    end = depths[(depths["time"] == 720) & (depths["arm"] == "cart")].set_index("level")["share"]
    kept = run.endpoints[run.endpoints["subject"].isin(run.trajectories["subject"]) & (run.endpoints["arm"] == "cart")]
    assert end["dead"] == pytest.approx((kept["os_event"] & (kept["os_days"] < 720)).mean())


def test_cumulative_share_keeps_those_without_recovery_in_the_denominator(run):
    table = summary.cumulative_share(run, "anc_engraftment_day", until=60)
    rows = run.arm("asct_cart")
    expected = rows["anc_engraftment_day"].le(60).sum() / rows["stem_cell_day"].notna().sum()
    assert table.loc[table["arm"] == "asct_cart", "share"].iloc[-1] == pytest.approx(expected)


def test_cumulative_share_leaves_out_whom_it_does_not_concern(run):
    everybody = summary.cumulative_share(run, "anc_engraftment_day", until=60)
    some = summary.cumulative_share(run, "anc_engraftment_day", until=60, concerns="tocilizumab_doses")
    assert 0 < some["n"].iloc[0] < everybody["n"].iloc[0]


def test_a_curve_ends_before_the_last_few_draw_a_cliff():
    days = np.r_[np.full(99, 700.0), 720.0]
    event = np.r_[np.zeros(99, bool), True]
    curve = summary._curve(days, event, 730.0)
    assert curve["time"].max() == pytest.approx(700 / summary.MONTH)
    assert curve["estimate"].min() == 1


def test_estimate_finds_the_nearest_landmark(run):
    assert summary.estimate(run, "cart", "pfs", 725.0)["time_days"] == 730
    assert summary.estimate(run, "cart", "pfs", 500.0) is None
    assert summary.estimate(run, "cart", "no_such_endpoint") is None


@pytest.mark.parametrize(("rate_law", "fits"), [("A => ; k*A", True), ("A => ; k*A*A", False)])
def test_an_ensemble_fits_only_the_model_it_was_fitted_to(square_run, rate_law, fits):
    fitted = content_hash({"mechanisms/loss.ant": "A => ; k*A"})
    request = square_run.manifest.request.model_copy(
        update={
            "files": {
                "models/asct_cart/mechanisms/loss.ant": rate_law,
                "ensembles/monotherapy_2026.yaml": f"hashes: {{model: {fitted}}}",
            }
        }
    )
    changed = replace(square_run, manifest=square_run.manifest.model_copy(update={"request": request}))
    assert changed.manifest.request.ensemble_fits_model is fits
    notices = {
        language: [notice.title for notice in run_report.head(Setting.of(changed, catalogue.load(language))).notices]
        for language in catalogue.LANGUAGES
    }
    assert ("Not calibrated to this model" in notices["en"][0]) is not fits
    assert ("未针对本模型校准" in notices["zh"][0]) is not fits
