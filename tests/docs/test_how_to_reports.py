"""The page on reports: its code runs, its command exists, its table names real sections."""

import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seedbed import report
from seedbed.cli.main import application

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how_to" / "reports.md").read_text(encoding="utf-8")
sys.path.insert(0, str(ROOT / "tests" / "unit" / "report"))

import synthetic_run  # noqa: E402


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    synthetic_run.write(folder / "runs" / "mine", n=60)
    return folder


def test_the_code_runs_as_it_stands(runs, monkeypatch):
    monkeypatch.chdir(runs)
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    exec(compile(code, "reports.md", "exec"), {})  # noqa: S102 - the documentation's own code
    assert Path("pfs.svg").read_text().startswith("<svg")
    assert "My report" in Path("mine.html").read_text(encoding="utf-8")


def test_the_commands_run_as_they_stand(runs, monkeypatch):
    monkeypatch.chdir(runs)
    commands = re.findall(r"^seedbed (report .*)$", PAGE, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        result = CliRunner().invoke(application(), command.split())
        assert result.exit_code == 0, result.output
    assert "目录" in Path("runs/mine/report-zh.html").read_text(encoding="utf-8")
    assert Path("summary.html").exists()


def test_the_sections_named_exist():
    assert report.__doc__ is not None
    modules = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src/seedbed/report").rglob("*.py"))
    assert all(name in modules for name in re.findall(r"`seedbed\.report\.([a-z_]+)", PAGE))
