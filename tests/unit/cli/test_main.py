"""The command line itself: threads of linear algebra, exit codes, help."""

import os
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from seedbed.cli import main
from seedbed.errors import ContentError, SimulationError

LOOK = "import os, sys, seedbed.cli.main; print('numpy' in sys.modules, os.environ['OPENBLAS_NUM_THREADS'])"


@pytest.mark.parametrize(("given", "used"), [(None, "1"), ("3", "3")])
def test_linear_algebra_has_one_thread_unless_told_otherwise(given, used):
    environment = {name: value for name, value in os.environ.items() if name not in main.THREADS}
    if given:
        environment["OPENBLAS_NUM_THREADS"] = given
    result = subprocess.run([sys.executable, "-c", LOOK], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", used], "the variable is read when NumPy is first imported"


def test_every_command_has_help():
    application = main.application()
    whole = CliRunner().invoke(application, ["--help"])
    assert whole.exit_code == 0
    for command in main.COMMANDS:
        result = CliRunner().invoke(application, [command, "--help"])
        assert result.exit_code == 0, command
        assert "Usage" in result.output


def test_a_failed_job_ends_with_its_name_and_code_one(monkeypatch, capsys):
    def fail():
        raise SimulationError("no subject is left")

    monkeypatch.setattr(main, "application", lambda: fail)
    with pytest.raises(SystemExit) as ended:
        main.app()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "SimulationError: no subject is left\n"


def commands(group, path=()):
    """Return the words and the parameters of every command below a group."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command.params


SPEAKING = {
    words: parameters
    for words, parameters in commands(get_command(main.application()))
    if any("--lang" in parameter.opts for parameter in parameters)
}


@pytest.mark.parametrize("words", SPEAKING, ids=" ".join)
def test_an_unknown_language_is_refused_before_anything_is_read_or_simulated(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    needed = [parameter for parameter in SPEAKING[words] if parameter.required]
    given = [word for p in needed for word in ((p.opts[0],) if p.opts[0].startswith("-") else ()) + ("no_such_thing",)]
    result = CliRunner().invoke(main.application(), [*words, *given, "--lang", "fr"])
    assert isinstance(result.exception, ContentError)
    assert 'unknown language "fr"; expected one of en, zh' in str(result.exception)
    assert not list(tmp_path.iterdir())
