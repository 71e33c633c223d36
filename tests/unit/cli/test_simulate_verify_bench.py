import csv

import pytest
import typer
from typer.testing import CliRunner

from seedbed.cli import bench, simulate, verify
from seedbed.errors import SimulationError

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
