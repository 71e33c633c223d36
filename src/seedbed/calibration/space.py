r"""The coordinates of a calibration: parameters, products, and how studies differ.

Everything unknown is written with standard normal coordinates in one flat vector (a *latent vector*):

``shared``    one per parameter;
``spread``    one per parameter that differs between products: ln of the between-product deviation;
``product``   one per such parameter and product;
``tau``       one per family of endpoints: ln of the between-study deviation;
``study``     one per study and family: the deviation that the study's endpoints share;
``row``       one per term: the term's own deviation, and the emulator's error.

So the prior is :math:`N(0, I)` and samplers need not know what a coordinate means (the non-centred form of a
hierarchical model).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.calibration.priors import Prior
from seedbed.calibration.terms import Terms

Floats = NDArray[np.float64]
SPREAD_SD = 0.5
"""Prior standard deviation of ln(between-product deviation) and ln(between-study deviation)."""
SHARED_PART = 0.5
"""Part of the between-study variance that the endpoints of one study and family have in common."""


@dataclass(frozen=True)
class Parameter:
    """A parameter that is calibrated; `product_sd` > 0 when it differs between products (on the prior's scale)."""

    id: str
    prior: Prior
    product_sd: float = 0.0


@dataclass(frozen=True)
class Space:
    """Parameters, products and between-study deviations of one calibration.

    Attributes
    ----------
    parameters : in order
    product_of : product of each arm; None for an arm without a product or with one that is not fitted
    tau : prior median of the between-study deviation of each family, on the link scale
    """

    parameters: tuple[Parameter, ...]
    product_of: Mapping[str, str | None]
    tau: Mapping[str, float]

    @cached_property
    def ids(self) -> list[str]:
        """Ids of the parameters."""
        return [parameter.id for parameter in self.parameters]

    @cached_property
    def products(self) -> list[str]:
        """The products that are fitted, in order of first appearance."""
        return list(dict.fromkeys(product for product in self.product_of.values() if product))

    @cached_property
    def varying(self) -> NDArray[np.int64]:
        """Positions of the parameters that differ between products."""
        return np.array([i for i, p in enumerate(self.parameters) if p.product_sd > 0], np.int64)

    @cached_property
    def product_scale(self) -> Floats:
        """Prior median of the between-product deviation of the varying parameters, in coordinates."""
        return np.array([p.product_sd / p.prior.scale for p in self.parameters if p.product_sd > 0], float)

    def values(self, coordinates: Floats, prefix: str = "") -> pd.DataFrame:
        """Return parameter values, one row a member, from (K, d) standard normal coordinates."""
        columns = {prefix + p.id: p.prior.value(coordinates[:, i]) for i, p in enumerate(self.parameters)}
        return pd.DataFrame(columns)


@dataclass(frozen=True)
class Latent:
    """Where each kind of coordinate stands in the latent vector of a space and its terms."""

    space: Space
    terms: Terms

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Number of coordinates of each kind, in order."""
        varying = len(self.space.varying)
        return {
            "shared": len(self.space.parameters),
            "spread": varying,
            "product": varying * len(self.space.products),
            "tau": len(self.terms.families),
            "study": len(self.terms.clusters),
            "row": len(self.terms),
        }

    @cached_property
    def size(self) -> int:
        """Length of the latent vector."""
        return sum(self.sizes.values())

    @cached_property
    def _places(self) -> dict[str, slice]:
        ends = np.cumsum([0, *self.sizes.values()])
        return {kind: slice(int(a), int(b)) for kind, a, b in zip(self.sizes, ends[:-1], ends[1:], strict=True)}

    def place(self, kind: str) -> slice:
        """Return the slice of one kind."""
        return self._places[kind]

    def product_place(self, product: str) -> slice:
        """Return the slice of one product's deviations."""
        start, varying = self.place("product").start, len(self.space.varying)
        position = self.space.products.index(product)
        return slice(start + position * varying, start + (position + 1) * varying)

    def product_deviation(self, latent: Floats) -> Floats:
        """Return the (K, varying) between-product deviation in coordinates."""
        return self.space.product_scale * np.exp(SPREAD_SD * latent[:, self.place("spread")])

    def coordinates(self, latent: Floats, product: str | None) -> Floats:
        """Return the (K, d) coordinates that hold for a product, or for a typical one (None)."""
        result = latent[:, self.place("shared")].copy()
        if product is not None and product in self.space.products and len(self.space.varying):
            result[:, self.space.varying] += self.product_deviation(latent) * latent[:, self.product_place(product)]
        return result

    def of_arm(self, latent: Floats, arm: str) -> Floats:
        """Return the (K, d) coordinates of an arm."""
        return self.coordinates(latent, self.space.product_of.get(arm))

    def tau(self, latent: Floats) -> Floats:
        """Return the (K, families) between-study deviation on the link scale."""
        middle = np.array([self.space.tau[family] for family in self.terms.families], float)
        return middle * np.exp(SPREAD_SD * latent[:, self.place("tau")])


def family_positions(terms: Terms) -> NDArray[np.int64]:
    """Return the position of each term's family."""
    families = terms.families
    return np.array([families.index(term.family) for term in terms.items], np.int64)


def cluster_positions(terms: Terms) -> NDArray[np.int64]:
    """Return the position of each term's (study, family)."""
    clusters = terms.clusters
    return np.array([clusters.index((term.study, term.family)) for term in terms.items], np.int64)


def arm_coordinates(latent: Latent, vectors: Floats, arms: Sequence[str]) -> dict[str, Floats]:
    """Return the coordinates of every arm."""
    return {arm: latent.of_arm(vectors, arm) for arm in arms}
