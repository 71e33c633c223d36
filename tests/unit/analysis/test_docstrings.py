"""The examples in the docstrings run."""

import doctest
import importlib
import pkgutil

import pytest

from seedbed import analysis

MODULES = [module.name for module in pkgutil.iter_modules(analysis.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    assert doctest.testmod(importlib.import_module(f"seedbed.analysis.{name}")).failed == 0
