"""The commands of the studies, each from a small plan to its folder, page and table."""

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from seedbed import library
from seedbed.cli.main import application

N = 520  # the screening of a sensitivity needs two patients for each of about 250 inputs
SHORT = {"follow_up_days": 210, "horizon_days": 180}


def command(*words):
    arguments = [str(word) for word in words] + ["--workers", "1"]
    result = CliRunner(env={"COLUMNS": "160"}).invoke(application(), arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def written(folder):
    return {file.name for file in folder.iterdir()}


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory):
    """Return a function that writes a plan of the library with changes to a file."""
    folder = tmp_path_factory.mktemp("plans")

    def write(name, changes):
        data = yaml.safe_load(library.find("plans", name).read_text(encoding="utf-8"))
        assert set(changes) <= {*data, "follow_up_days", "parameter_sets"}
        file = folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(data | changes, allow_unicode=True), encoding="utf-8")
        return file

    return write


@pytest.fixture(scope="module")
def selected(plan_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("select")
    output = command(
        "select", plan_file("select_asct_before_cart_lbcl", SHORT | {"further": []}), "--out", folder, "--subjects", N
    )
    return output, folder


def test_select_writes_tables_and_page(selected):
    output, folder = selected
    assert {"select.json", "strata.parquet", "leaves.parquet", "report.html"} <= written(folder)
    assert pd.read_parquet(folder / "run" / "endpoints.parquet")["subject"].nunique() == N
    assert "Who gains from ASCT before CAR-T in large B-cell lymphoma" in output
    assert str(folder / "report.html") in output


def test_sensitivity_screens_a_run_that_stands_ready(selected, plan_file, tmp_path):
    name = "sensitivity_asct_before_cart_lbcl"
    factors = yaml.safe_load(library.find("plans", name).read_text(encoding="utf-8"))["factors"]
    few = {factor: factors[factor] for factor in ("killing", "tp53")}
    changes = {"factors": few, "design": {"method": "morris", "samples": 8, "panel": 2}}
    plan = plan_file(name, changes | SHORT)
    output = command(
        "sensitivity", plan, "--run", selected[1] / "run", "--samples", 4, "--out", tmp_path, "--lang", "zh"
    )
    assert {"sensitivity.json", "indices.parquet", "points.parquet", "report-zh.html"} <= written(tmp_path)
    points = pd.read_parquet(tmp_path / "points.parquet")
    assert points["point"].nunique() == 4 * (len(few) + 1)
    assert factors["killing"]["title"]["zh"] in output


def test_sweep_runs_a_plan_of_factors(plan_file, tmp_path):
    name = "sweep_infusion_day_tp53"
    factors = yaml.safe_load(library.find("plans", name).read_text(encoding="utf-8"))["factors"]
    changes = {
        "factors": {"day": factors["day"] | {"values": [2, 14]}}, "outcomes": ["cart_peak", "icans_3"],
        "benefit": "cart_peak", "structures": [], "follow_up_days": 75, "parameter_sets": 2,
    }  # fmt: skip
    output = command("sweep", plan_file(name, changes), "--subjects", 20, "--seed", 3, "--out", tmp_path)
    assert {"sweep.json", "response.parquet", "report.html"} <= written(tmp_path)
    assert set(pd.read_parquet(tmp_path / "response.parquet")["option"]) == {"day 2", "day 14"}
    assert str(tmp_path / "report.html") in output


def test_sweep_runs_a_plan_of_two_times(plan_file, tmp_path):
    plan = plan_file("first_line_lbcl", {"horizon_days": 60})
    output = command("sweep", plan, "--subjects", 20, "--out", tmp_path, "--lang", "zh")
    assert {"first_line.json", "report-zh.html"} <= written(tmp_path)
    assert "一线" in output


def test_attribute_takes_a_file_of_mechanisms(tmp_path):
    data = yaml.safe_load(library.find("mechanisms", "asct_cart").read_text(encoding="utf-8"))
    data["mechanisms"] = {"sink": data["mechanisms"]["sink"]}
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    options = ("--mechanisms", tmp_path / "one.yaml", "--subjects", 20, "--until", 40, "--out", tmp_path / "out")
    output = command("attribute", "wei_2022_tp53", *options)
    assert {"attribution.json", "shares.parquet", "report.html"} <= written(tmp_path / "out")
    assert set(pd.read_parquet(tmp_path / "out" / "shares.parquet")["part"]) >= {"sink", "growth_factor"}
    assert str(tmp_path / "out" / "report.html") in output
