import numpy as np
import pytest
from pydantic import ValidationError

from seedbed.population.effects import Effect

SOURCE = {"how": "assumed", "reason": "a test"}


def _effect(form, **content):
    return Effect(covariate="x", changes="k", form=form, source=SOURCE, **content)


@pytest.mark.parametrize(
    ("effect", "covariate", "expected"),
    [
        (_effect("set", value=0.5), [100.0, 0.0], [50.0, 0.0]),
        (_effect("factor", value=0.75), [True, False], [0.75, 1.0]),
        (_effect("power", value=0.5, reference=4.0), [4.0, 16.0], [1.0, 2.0]),
        (_effect("exponential", value=-0.04, reference=50), [50.0, 75.0], [1.0, np.exp(-1.0)]),
        (_effect("geometric", value=0.9, reference=2), [2.0, 4.0], [1.0, 0.81]),
        (_effect("levels", levels={"PD": 2.0, "CR": 0.2}), ["PD", "SD", "CR"], [2.0, 1.0, 0.2]),
        (_effect("power", value=1.0, reference=1.0, limits=(0.5, 2.0)), [0.1, 1.0, 9.0], [0.5, 1.0, 2.0]),
    ],
)
def test_each_form_does_what_it_says(effect, covariate, expected):
    np.testing.assert_allclose(effect.apply(np.array(covariate, dtype=object)), expected, rtol=1e-12)


def test_a_form_without_what_it_needs_is_refused():
    with pytest.raises(ValidationError, match='an effect of form "power" needs reference'):
        _effect("power", value=0.5)
    with pytest.raises(ValidationError, match='an effect of form "levels" needs levels'):
        _effect("levels")
