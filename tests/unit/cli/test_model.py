"""The command `seedbed model`."""

import shutil

import pytest
import typer
from typer.testing import CliRunner

from seedbed.cli import model as command
from seedbed.errors import ContentError, ModelError, RunError
from seedbed.model import consistency_messages, read_model


@pytest.fixture
def run():
    application = typer.Typer()
    command.register(application)
    application.callback()(lambda: None)

    def invoke(*arguments):
        result = CliRunner().invoke(application, ["model", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout

    return invoke


def test_list(run):
    text = run("list")
    assert "asct_cart" in text
    assert "kimmel2021" in text


def test_show_names_everything_with_its_origin(run):
    text = run("show", "asct_cart")
    model = read_model("asct_cart")
    for name in (*model.states, *model.parameters, *(m.id for m in model.mechanisms)):
        assert name in text
    counts = {origin: sum(p.origin == origin for p in model.parameters.values()) for origin in command.ORIGINS}
    assert ", ".join(f"{number} {origin}" for origin, number in counts.items()) in text
    assert "lognormal, CV 30%" in text


def test_show_draws(run, tmp_path):
    path = tmp_path / "wiring.svg"
    assert "Wiring drawn into" in run("show", "kimmel2021", "--diagram", str(path))
    assert path.read_text().startswith("<svg")


def test_show_ends_with_the_units(run, tmp_path):
    assert run("show", "stein2019").rstrip().endswith("Units agree, says libSBML.")
    copy = tmp_path / "stein2019"
    shutil.copytree(read_model("stein2019").path.parent, copy)
    file = next(file for file in (copy / "mechanisms").glob("*.yaml") if "unit: 1/day" in file.read_text())
    file.write_text(file.read_text().replace("unit: 1/day", "unit: day", 1))
    with pytest.raises(ModelError, match="UnitsAgree"):
        run("show", str(copy / "model.yaml"))


def test_export_to_standard_output_and_file(run, tmp_path):
    assert run("export", "stein2019", "--to", "antimony") == read_model("stein2019").antimony
    path = tmp_path / "stein.xml"
    assert run("export", "stein2019", "--to", "sbml", "--out", str(path)) == ""
    assert consistency_messages(path.read_text()) == []


def test_errors(run, tmp_path):
    with pytest.raises(ContentError, match='did you mean "asct_cart"'):
        run("show", "asct_crat")
    with pytest.raises(RunError, match="cannot be written"):
        run("export", "stein2019", "--to", "sbml", "--out", str(tmp_path / "absent" / "a.xml"))


def test_spreads_in_words():
    parameters = read_model("asct_cart").parameters
    assert command.spread_in_words(parameters["ln_10"]) == "same in all"
    assert command.spread_in_words(parameters["f_cart_engraftment"]) == "logitnormal, SD 0.5"
    assert command.spread_in_words(parameters["EC50_antigen_cart"]) == "loguniform, 0.05 to 0.8"
