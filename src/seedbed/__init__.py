"""seedbed: in-silico clinical trials of autologous stem-cell transplantation followed by CAR-T cells.

`seedbed.run` and its companions are the commands as functions; they are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "run": "seedbed.api",
    "sweep": "seedbed.study.sweep",
    "first_line": "seedbed.study.first_line",
    "select": "seedbed.study.select",
    "sensitivity": "seedbed.study.sensitivity",
    "attribute": "seedbed.study.attribution",
    "design": "seedbed.study.design",
    "forecast": "seedbed.study.forecast",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'seedbed' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
