import csv

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from seedbed.cli import bench, simulate, verify
from seedbed.errors import SimulationError
from seedbed.study.benchmark.reference_models import read_case
from shared import shared

MODEL = "model m; A' = -k*A; B' = k*A; A = 1; B = 0; k = 0.5; end"


@pytest.fixture(scope="module")
def app():
    made = typer.Typer()
    for command in (simulate, verify, bench):
        command.register(made)
    return made


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.ant"
    path.write_text(MODEL)
    return str(path)


def run(app, *arguments):
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(a) for a in arguments])


def test_simulate_prints_all_states(app, model):
    result = run(app, "simulate", model, "--until", 2, "--points", 3, "--set", "k=1")
    assert result.exit_code == 0
    assert "0.36787944" in result.stdout
    assert result.stdout.split()[:3] == ["time", "A", "B"]


def test_simulate_writes_csv(app, model, tmp_path):
    place = tmp_path / "out.csv"
    assert run(app, "simulate", model, "--until", 2, "--points", 5, "--observe", "A + B", "--csv", place).exit_code == 0
    with place.open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["time"]) for row in rows] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert all(abs(float(row["A + B"]) - 1) < 1e-12 for row in rows)


#: compartments of 0.18, 0.3 and 0.3: amounts and concentrations differ by far more than the tolerances
CASES = [("00494", ("--amounts",)), ("00022", ("--amounts",)), ("00588", ())]
VOLUMES = """
model volumes
  compartment C = 0.5
  species A in C
  substanceOnly species B in C
  A -> B; k*A*C
  A = 4; B = 0; k = 1
end
"""


@pytest.mark.parametrize(("options", "a"), [((), 4.0), (("--amounts",), 2.0)])
def test_simulate_prints_species_as_their_ids_mean_or_as_amounts(app, tmp_path, options, a):
    path, place = tmp_path / "volumes.ant", tmp_path / "out.csv"
    path.write_text(VOLUMES)
    assert run(app, "simulate", path, "--until", 1, "--points", 2, "--csv", place, *options).exit_code == 0
    table = pd.read_csv(place)
    assert table.columns.tolist() == ["time", "A", "B"]
    np.testing.assert_allclose(table["A"], [a, a * np.exp(-1)], rtol=1e-6)
    np.testing.assert_allclose(table["B"], [0, 2 - 2 * np.exp(-1)], rtol=1e-6)


def test_amounts_leave_ids_inside_formulas_alone(app, tmp_path):
    path = tmp_path / "volumes.ant"
    path.write_text(VOLUMES)
    result = run(app, "simulate", path, "--until", 1, "--points", 2, "--observe", "A", "--observe", "A + 0",
                 "--observe", "k", "--amounts")  # fmt: skip
    first_row = result.stdout.splitlines()[1].split()
    assert [float(x) for x in first_row] == [0, 2, 4, 1]


@pytest.mark.parametrize(("case", "options"), CASES)
def test_simulate_matches_the_results_of_the_sbml_test_suite(app, tmp_path, case, options):
    folder, place = shared(f"reference/sbml_test_suite/{case}"), tmp_path / "out.csv"
    expected = read_case(folder)
    assert run(app, "simulate", folder / "model.xml", "--until", expected.times[-1], "--points", len(expected.times),
               "--csv", place, *options).exit_code == 0  # fmt: skip
    found = pd.read_csv(place)
    np.testing.assert_allclose(found["time"], expected.times, atol=1e-12)
    np.testing.assert_allclose(
        found[expected.variables], expected.expected, rtol=expected.relative, atol=expected.absolute
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--until", 1, "--set", "k"), "the = is missing"),
        (("--until", 1, "--set", "k=fast"), "expected name=number"),
        (("--until", 1, "--set", "kk=1"), 'unknown parameter "kk"'),
        (("--until", 1, "--set", "k=1", "--set", "k=2"), "--set gives k more than once"),
        (("--until", 1, "--csv", "nowhere/at/all.csv"), "there is no folder"),
        (("--until", -1), "must be a finite time after the start"),
    ],
)
def test_simulate_says_what_is_wrong(app, model, arguments, message):
    result = run(app, "simulate", model, *arguments)
    assert isinstance(result.exception, SimulationError)
    assert message in str(result.exception)


def test_simulate_reports_a_failed_run(app, tmp_path):
    path = tmp_path / "pole.ant"
    path.write_text("model m; x' = x*x; x = 1; end")
    result = run(app, "simulate", path, "--until", 3)
    assert "stopped at time" in str(result.exception)


def test_verify_prints_the_report_and_its_verdict(app, model):
    result = run(app, "verify", model, "--until", 5)
    assert result.exit_code == 0
    assert "passed" in result.stdout
    assert run(app, "verify", model, "--until", 5, "--balance", "A + 2*B").exit_code == 1


def test_verify_gives_the_doses_of_the_benchmark_and_says_so(app, model):
    assert "time 0 to 5, without doses" in run(app, "verify", model, "--until", 5).stdout
    assert verify.doses_until(model, 5.0) == []
    doses = verify.doses_until("asct_cart", 10.0)
    assert [when for when, _, _ in doses] == [6.0, 7.0, 8.0, 9.0]
    assert verify.title("asct_cart", 10.0, doses).endswith(
        "time 0 to 10, with the 4 doses of its benchmark before then"
    )


def test_simulate_prints_each_column_once(app, model):
    result = run(app, "simulate", model, "--until", 1, "--points", 2, "--observe", "k", "--observe", "k",
                 "--observe", "time")  # fmt: skip
    assert result.stdout.split()[:2] == ["time", "k"]
    assert len(result.stdout.split()) == 6


def test_bench_without_a_model_prints_the_bars(app, tmp_path):
    place = tmp_path / "bars.csv"
    shared = tmp_path / "empty"
    shared.mkdir()
    result = run(app, "bench", "--only", "bit", "--shared", shared)
    assert 'did you mean "bits"' in str(result.exception)
    result = CliRunner(env={"COLUMNS": "200", "SEEDBED_SHARED": str(tmp_path / "nowhere")}).invoke(
        app, ["bench", "--only", "references", "--csv", str(place)]
    )
    assert result.exit_code == 0, result.exception
    assert "Bars of the engine" in result.stdout
    assert place.read_text().count("not run: no design folder") == 4


def test_bench_prints_ratios_with_errors(app, model):
    result = run(app, "bench", model, "--subjects", 2, "--rounds", 1, "--until", 5)
    assert result.exit_code == 0, result.exception
    assert "seedbed is faster by" in result.stdout
    assert "libRoadRunner" in result.stdout
