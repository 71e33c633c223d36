"""Two synthetic run folders for all tests of the report: a two-arm uncalibrated run, and a calibrated square."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import synthetic_run

from seedbed.report import catalogue, summary
from seedbed.report.setting import Setting


@pytest.fixture(scope="session")
def two_arms(tmp_path_factory):
    return synthetic_run.write(tmp_path_factory.mktemp("runs") / "two_arms", n=120)


@pytest.fixture(scope="session")
def square(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "square"
    return synthetic_run.write(folder, arms=synthetic_run.SQUARE, n=80, calibrated=True)


@pytest.fixture(scope="session")
def run(two_arms):
    return summary.read(two_arms)


@pytest.fixture(scope="session")
def square_run(square):
    return summary.read(square)


@pytest.fixture(scope="session", params=catalogue.LANGUAGES)
def t(request):
    return catalogue.load(request.param)


@pytest.fixture(scope="session")
def setting(run, t):
    return Setting.of(run, t)
