"""A small trial simulator with the nonlinearities of the real one, fast enough for many calibrations.

Patients differ in burden, chemosensitivity and CAR-T potency; conditioning and CAR-T each kill logs of tumor;
less than one cell left is a cure; what is left grows back; burden at infusion and CAR-T drive the toxicity.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from seedbed.calibration.priors import LogitNormal, LogNormal, Normal
from seedbed.calibration.simulator import MemberTerms
from seedbed.calibration.space import Latent, Parameter, Space
from seedbed.calibration.terms import Term, Terms

PARAMETERS = (
    Parameter("conditioning_kill_median", LogNormal(median=3.5, sd_log=0.35)),
    Parameter("conditioning_kill_spread", LogNormal(median=0.5, sd_log=0.3)),
    Parameter("cart_kill_median", LogNormal(median=4.0, sd_log=0.35), product_sd=0.2),
    Parameter("cart_kill_spread", LogNormal(median=0.5, sd_log=0.3)),
    Parameter("growth_rate", LogNormal(median=0.04, sd_log=0.4)),
    Parameter("toxicity_cutoff", Normal(mean=0.0, sd=1.0)),
    Parameter("severe_gap", LogNormal(median=2.0, sd_log=0.4)),
    Parameter("burden_effect", LogNormal(median=0.5, sd_log=0.5)),
    Parameter("cure_share_in_remission", LogitNormal(median=0.3, sd_logit=0.8)),
)


@dataclass(frozen=True)
class Setting:
    """An arm: what is given, and how its patients were chosen."""

    log10_burden: float
    conditioning: bool = False
    cart: bool = False
    remission: float = 0.0
    product: str | None = None
    n: int = 100
    predicted: bool = False


ARMS = {
    "cart_alpha": Setting(10.5, cart=True, product="alpha", n=101),
    "cart_beta": Setting(10.3, cart=True, product="beta", n=250),
    "cart_gamma": Setting(10.8, cart=True, product="gamma", n=90),
    "asct_sensitive": Setting(9.0, conditioning=True, remission=0.6, n=220),
    "asct_refractory": Setting(10.6, conditioning=True, n=80),
}
COMBINATION = Setting(10.4, conditioning=True, cart=True, product=None, n=40, predicted=True)
TAU = {"response": 0.25, "survival": 0.25, "toxicity": 0.4, "kinetics": 0.2}


def outcomes(parameters: pd.DataFrame, setting: Setting, n_subjects: int, seed: list[int]) -> dict[str, np.ndarray]:
    """Return (K, n) outcomes of patients of their own for every member."""
    draw = np.random.default_rng(seed)
    p = {name: column.to_numpy()[:, None] for name, column in parameters.items()}
    shape = (len(parameters), n_subjects)
    burden = setting.log10_burden + 0.7 * draw.standard_normal(shape)
    in_remission = draw.random(shape) < setting.remission
    cured_before = in_remission & (draw.random(shape) < p["cure_share_in_remission"])
    chemo = p["conditioning_kill_median"] * np.exp(p["conditioning_kill_spread"] * draw.standard_normal(shape))
    potency = p["cart_kill_median"] * np.exp(p["cart_kill_spread"] * draw.standard_normal(shape))
    chemo = chemo if setting.conditioning else 0.6 * np.ones(shape)
    at_infusion = burden - 2.0 * in_remission - chemo
    left = at_infusion - potency * setting.cart
    cured = cured_before | (draw.random(shape) < np.exp(-(10.0 ** np.minimum(left, 3.0))))
    response = (burden - left > 1.0) | in_remission
    complete = response & (left + 1.2 * draw.standard_normal(shape) < 7.0)
    growth = p["growth_rate"] * np.exp(0.7 * draw.standard_normal(shape))
    time = np.where(cured, np.inf, np.maximum(0.0, 11.0 - left) * np.log(10.0) / growth)
    signal = p["burden_effect"] * (at_infusion - 9.0) + 0.8 * np.log(potency / 4.0) + draw.standard_normal(shape)
    peak = np.log(20.0) + np.log(potency / 4.0) + 0.15 * (at_infusion - 9.0) + 0.6 * draw.standard_normal(shape)
    return {
        "response": response,
        "complete": complete,
        "time": time,
        "log_peak": peak,
        "toxic": signal > p["toxicity_cutoff"],
        "severe": signal > p["toxicity_cutoff"] + p["severe_gap"],
    }


ENDPOINTS = {
    "orr": "response",
    "cr|orr": "response",
    "pfs@180": "survival",
    "pfs@730|180": "survival",
    "crs_any": "toxicity",
    "crs_severe|any": "toxicity",
    "peak": "kinetics",
}


def endpoints_of(setting: Setting) -> list[str]:
    """Return the endpoints that an arm reports."""
    return [name for name in ENDPOINTS if setting.cart or name in {"orr", "cr|orr", "pfs@180", "pfs@730|180"}]


def read(found: dict[str, np.ndarray], endpoint: str) -> tuple[np.ndarray, np.ndarray]:
    """Return estimate and weight of one endpoint for each member."""
    among, success = {
        "orr": (np.ones_like(found["response"]), found["response"]),
        "cr|orr": (found["response"], found["complete"]),
        "pfs@180": (np.ones_like(found["response"]), found["time"] > 180),
        "pfs@730|180": (found["time"] > 180, found["time"] > 730),
        "crs_any": (np.ones_like(found["response"]), found["toxic"]),
        "crs_severe|any": (found["toxic"], found["severe"]),
        "peak": (None, None),
    }[endpoint]
    if among is None:
        n = found["log_peak"].shape[1]
        spread = np.subtract(*np.percentile(found["log_peak"], [75, 25], axis=1)) / 1.349
        return np.median(found["log_peak"], axis=1), n / (1.2533 * np.maximum(spread, 0.1)) ** 2
    trials = among.sum(1)
    with np.errstate(invalid="ignore"):
        return np.where(trials > 0, (among & success).sum(1) / np.maximum(trials, 1), np.nan), trials.astype(float)


@dataclass(frozen=True)
class SyntheticSimulator:
    """The simulator of these tests."""

    settings: dict[str, Setting] = field(default_factory=lambda: dict(ARMS))

    def __call__(self, arm, parameters, members, n_subjects, seed):
        own = [seed, int(members[0]), sorted(self.settings).index(arm)]
        found = outcomes(parameters, self.settings[arm], n_subjects, own)
        pairs = [read(found, endpoint) for endpoint in endpoints_of(self.settings[arm])]
        return MemberTerms(np.column_stack([e for e, _ in pairs]), np.column_stack([w for _, w in pairs]))


def space(settings: dict[str, Setting] = ARMS, parameters=PARAMETERS) -> Space:
    """Return the space of the synthetic calibration."""
    return Space(parameters, {arm: setting.product for arm, setting in settings.items()}, TAU)


def skeleton(settings: dict[str, Setting] = ARMS) -> Terms:
    """Return the terms with placeholder observations."""
    items = []
    for arm, setting in settings.items():
        for endpoint in endpoints_of(setting):
            kind = "value" if endpoint == "peak" else "share"
            items.append(Term(f"{arm}/{endpoint}", arm, arm, ENDPOINTS[endpoint], endpoint, kind, 0.5, 1.0))
    return Terms(tuple(items))


def published(
    truth: np.ndarray, seed: int, settings: dict[str, Setting] = ARMS, *, n_exact: int = 20_000, space_of=None
) -> Terms:
    """Return what studies would publish when `truth` (a latent vector of `space` and `skeleton`) holds.

    Between-study deviations act on the link scale; then each study has its own patients.
    """
    latent = Latent(space(settings) if space_of is None else space_of(), skeleton(settings))
    draw = np.random.default_rng([seed, 7])
    vector = truth[None, :]
    tau = dict(zip(latent.terms.families, latent.tau(vector)[0], strict=True))
    shared = {c: draw.standard_normal() for c in latent.terms.clusters}
    items = []
    for arm, setting in settings.items():
        parameters = latent.space.values(latent.of_arm(vector, arm))
        found = outcomes(parameters, setting, n_exact, [seed, 8, sorted(settings).index(arm)])
        sizes: dict[str, float] = {}
        for endpoint in endpoints_of(setting):
            estimate = read(found, endpoint)[0][0]
            family = ENDPOINTS[endpoint]
            bend = tau[family] * (np.sqrt(0.5) * shared[(arm, family)] + np.sqrt(0.5) * draw.standard_normal())
            given = endpoint.partition("|")[2]
            parent = {"orr": "orr", "any": "crs_any", "180": "pfs@180"}.get(given)
            if endpoint == "peak":
                size = setting.n / (1.2533 * 0.8) ** 2
                observed = estimate + bend + draw.standard_normal() / np.sqrt(size)
            else:
                chance = expit(logit(np.clip(estimate, 1 / n_exact, 1 - 1 / n_exact)) + bend)
                size = sizes[parent] if parent else float(setting.n)
                successes = draw.binomial(int(size), chance)
                sizes[endpoint] = float(successes)
                observed, size = successes / max(size, 1.0), max(size, 1e-6)
            kind = "value" if endpoint == "peak" else "share"
            items.append(Term(f"{arm}/{endpoint}", arm, arm, family, endpoint, kind, float(observed), size))
    return Terms(tuple(items))


def true_outputs(
    parameters: pd.DataFrame, setting: Setting = COMBINATION, n: int = 4000, seed: int = 5
) -> pd.DataFrame:
    """Return what decisions need of an arm that is not fitted: CR, 2-year PFS, severe toxicity."""
    found = outcomes(parameters, setting, n, [seed])
    return pd.DataFrame(
        {
            "cr": found["complete"].mean(1),
            "pfs_730": (found["time"] > 730).mean(1),
            "crs_any": found["toxic"].mean(1),
            "crs_severe": found["severe"].mean(1),
        }
    )
