"""Evidence: independent. Published models as content, run by the engine and libRoadRunner, against stored trajectories.

The trajectories were computed elsewhere from the papers' equations (SciPy, rtol 1e-10) or from the curated SBML.
"""

import numpy as np
import pandas as pd
import pytest

from roadrunner_course import Course, largest_difference
from seedbed import engine
from seedbed.model import read_model
from shared import shared

MUELLER_SCHOELL = {
    "TN": "cart_naive",
    "TCM": "cart_central_memory",
    "TEM": "cart_effector_memory",
    "TEff": "cart_effector",
    "tumour_mL": "tumor",
}
CASES = {
    "BIOMD0000001041": (
        "kimmel2021",
        {},
        {"Normal_T_cells": "t_normal", "CAR_T_cells": "cart_blood", "Antigen_presenting_tumour_cells": "tumor"},
    ),
    "LIT_Stein2019_tisacel_typical": ("stein2019", {}, {"transgene_copies_per_ug": "transgene"}),
    **{
        f"LIT_MuellerSchoell2021_ASCT{asct}_low{low}": (
            "muellerschoell2021",
            {"previous_asct": float(asct), "low_expander": float(low)},
            MUELLER_SCHOELL,
        )
        for asct in (0, 1)
        for low in (0, 1)
    },
    "LIT_Friberg_Kloft2006_pulse_E0.9_72h": (
        "kloft2006",
        {"inhibition_size": 0.9},
        {"prol": "neutrophil_progenitor", "ANC_1e9_per_L": "neutrophil_blood"},
    ),
}


def by_engine(model, names, times, values):
    program = engine.compile_model(
        engine.read_model(model.sbml), varied=tuple(values) or (next(iter(model.parameters)),), observables=names
    )
    given = {name: np.array([value]) for name, value in values.items()}
    if not given:
        first = next(iter(model.parameters.values()))
        given = {first.id: np.array([first.value])}
    batch = program.start(given, start=0.0, relative_tolerance=1e-8, absolute_tolerance=1e-12)
    return pd.DataFrame(batch.advance(times=np.asarray(times))[0], index=times, columns=list(names))


@pytest.mark.parametrize("reference", CASES)
def test_trajectory_is_reproduced(reference):
    name, values, columns = CASES[reference]
    expected = pd.read_csv(shared(f"reference/reference/{reference}.csv")).rename(columns=columns)
    expected = expected.set_index(next(c for c in expected.columns if c.startswith("time")))[list(columns.values())]
    model = read_model(name)
    times = [float(time) for time in expected.index]
    expected.index = times
    found = {
        "libRoadRunner": Course(model.sbml, relative=1e-9).run(times, list(columns.values()), values=values),
        "engine": by_engine(model, tuple(columns.values()), times, values),
    }
    for program, course in found.items():
        difference = largest_difference(course, expected)
        # 1e-4 of each column's largest value, as the reference data ask for
        assert difference.max() < 1e-4, (program, difference)
