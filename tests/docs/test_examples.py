"""The examples run as they stand; the larger ones in the slow suite."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
QUICK = {"run_a_trial.py"}
SCRIPTS = [
    pytest.param(file, marks=[] if file.name in QUICK else [pytest.mark.slow], id=file.stem)
    for file in sorted(EXAMPLES.glob("*.py"))
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_example_runs_and_prints_a_result(script, tmp_path):
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 2
