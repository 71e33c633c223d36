"""Priors as functions of a standard normal number."""

import numpy as np
import pytest
from pydantic import ValidationError

from seedbed.calibration.priors import LogitNormal, LogNormal, Normal, Uniform

PRIORS = [
    Normal(mean=1.0, sd=2.0),
    LogNormal(median=3.0, sd_log=0.4),
    LogitNormal(median=0.3, sd_logit=1.0),
    Uniform(lower=2.0, upper=5.0),
    Uniform(lower=0.1, upper=10.0, log=True),
]


@pytest.mark.parametrize("prior", PRIORS)
def test_value_and_coordinate_are_inverse(prior):
    at = np.linspace(-3, 3, 13)
    np.testing.assert_allclose(prior.coordinate(prior.value(at)), at, atol=1e-9)
    assert np.all(np.diff(prior.value(at)) > 0)


def test_medians_and_scales():
    assert [float(prior.value(0.0)) for prior in PRIORS] == pytest.approx([1.0, 3.0, 0.3, 3.5, 1.0])
    assert [prior.scale for prior in PRIORS] == pytest.approx([2.0, 0.4, 1.0, 3 / 12**0.5, np.log(100) / 12**0.5])


def test_impossible_priors_are_refused():
    with pytest.raises(ValidationError, match=r"upper \(2\) must lie above lower \(3\)"):
        Uniform(lower=3, upper=2)
    with pytest.raises(ValidationError, match="needs lower > 0"):
        Uniform(lower=0, upper=2, log=True)
