"""Which two arms stand in the section on selection."""

from types import SimpleNamespace

import pandas as pd
import pytest

from seedbed.report.sections import selection


def setting(emulates, chosen, combined=("both",)):
    n = 200
    rows = [
        {"subject": subject, "arm": arm, "selected": took(subject)}
        for arm, took in chosen.items()
        for subject in range(n)
    ]
    endpoints = pd.DataFrame(rows)
    run = SimpleNamespace(
        protocol={"emulates": {"study": "s", "arms": emulates}} if emulates else {},
        arms=tuple(chosen),
        endpoints=endpoints,
        arm=lambda arm, columns: endpoints[endpoints["arm"] == arm][list(columns)],
    )
    return SimpleNamespace(run=run, combines=lambda arm: arm in combined)


def everybody(_subject):
    return True


def even(subject):
    return subject % 2 == 0


@pytest.mark.parametrize(
    ("emulates", "chosen", "combined", "expected"),
    [
        (None, {"cart": everybody, "both": even}, ("both",), ("both", "cart")),
        (None, {"cart": everybody, "both": everybody}, ("both",), None),  # a randomized trial
        ({"asct": "asct", "both": "both"}, {"asct": everybody, "both": everybody}, ("both",), ("both", "asct")),
        ({"low": "all", "high": "all"}, {"low": everybody, "high": everybody}, ("low", "high"), None),  # two doses
    ],
)
def test_arms_are_compared_unless_only_chance_allocates(emulates, chosen, combined, expected):
    assert selection.compared(setting(emulates, chosen, combined)) == expected
