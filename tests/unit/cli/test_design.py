"""The command `seedbed design` on a pool that stands ready."""

from types import SimpleNamespace

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from design_pool import exponential_tables
from seedbed.cli import design
from seedbed.errors import ContentError, RunError
from seedbed.study.design import from_tables, pool, read_plan


@pytest.fixture
def application():
    made = typer.Typer()

    @made.callback()
    def main():
        """Stand in for the other commands."""

    design.register(made)
    return made


@pytest.fixture
def run_folder(tmp_path, monkeypatch):
    events, endpoints, subjects = exponential_tables(
        900, {"cart": 1 / 900, "asct_cart": 1 / 900}, extra={"cart": 1 / 300, "asct_cart": 1 / 600}
    )
    subjects["remission_status"] = ["PR" if s % 2 else "CR" for s in subjects["subject"]]
    subjects["ldh_ratio"] = [0.5 + (s % 3) / 2 for s in subjects["subject"]]
    endpoints["selected"] = True
    folder = tmp_path / "run"
    folder.mkdir()
    for name, table in (("events", events), ("endpoints", endpoints), ("subjects", subjects)):
        table.to_parquet(folder / f"{name}.parquet")
    request = SimpleNamespace(until_days=800.0, ensemble="single_therapies", ensemble_fits_model=False)
    monkeypatch.setattr(pool, "_request", lambda _folder: request)
    return folder


def test_the_command_writes_tables_and_report(application, run_folder, tmp_path):
    out = tmp_path / "out"
    arguments = ["design", "design_asct_cart_tp53", "--pool", str(run_folder), "--replicates", "40", "--out", str(out)]
    found = CliRunner().invoke(application, [*arguments, "--lang", "zh"])
    assert found.exit_code == 0, found.output
    assert "试验成功概率" in found.output
    assert "single_therapies（以本模型的另一版本拟合）" in (out / "report-zh.html").read_text(encoding="utf-8")
    assert (out / "design.json").exists()
    table = pd.read_parquet(out / "operating_characteristics.parquet")
    assert {"power", "type_1_error"} <= set(table["characteristic"])


def test_observe_writes_the_rows_into_the_run_or_where_it_is_told(application, run_folder, tmp_path):
    found = CliRunner().invoke(application, ["observe", "design_asct_cart_tp53", str(run_folder), "--lang", "zh"])
    assert found.exit_code == 0, found.output
    assert "单纯 CAR-T" in found.output
    rows = pd.read_parquet(run_folder / "observed-design_asct_cart_tp53.parquet")
    assert set(rows["arm"]) == {"cart", "asct_cart"}
    assert rows["analysis"].nunique() == 4
    place = tmp_path / "rows.csv"
    arguments = ["observe", "design_asct_cart_tp53", str(run_folder), "--out"]
    assert CliRunner().invoke(application, [*arguments, str(place)]).exit_code == 0
    assert len(pd.read_csv(place)) == len(rows)
    assert isinstance(CliRunner().invoke(application, [*arguments, "rows.xls"]).exception, ContentError)


def test_a_wrong_plan_and_a_missing_pool_are_errors(application, tmp_path):
    found = CliRunner().invoke(application, ["design", "design_asct_cart_tp35"])
    assert isinstance(found.exception, ContentError)
    found = CliRunner().invoke(application, ["design", "design_asct_cart_tp53", "--pool", str(tmp_path)])
    assert isinstance(found.exception, RunError)
    assert "no finished run" in str(found.exception)


def test_only_subjects_whom_every_arm_would_take_are_kept(run_folder):
    plan = read_plan("design_asct_cart_tp53")
    plan = plan.model_copy(update={"pool": plan.pool.model_copy(update={"selected_only": True})})
    tables = [pd.read_parquet(run_folder / f"{name}.parquet") for name in ("events", "endpoints", "subjects")]
    tables[1]["selected"] = (tables[1]["subject"] < 500) | (tables[1]["arm"] == "cart")
    assert from_tables(plan, *tables, follow_up_days=800).n == 500
