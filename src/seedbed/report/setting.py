"""What every section of a run's report is made from."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from seedbed.report.catalogue import Catalogue
from seedbed.report.naming import arm_name
from seedbed.report.summary import Run
from seedbed.report.theme import Arms


@dataclass(frozen=True)
class Setting:
    """A run, the language, the arms with names and colors, and the published results to stand beside it.

    ``evidence`` has a row a published result, with the columns of `seedbed.report.published.COLUMNS`.
    """

    run: Run
    t: Catalogue
    arms: Arms
    evidence: pd.DataFrame = field(default_factory=pd.DataFrame)

    @classmethod
    def of(cls, run: Run, t: Catalogue, evidence: pd.DataFrame | None = None) -> Setting:
        """Return the setting of a run; arms are named by the protocol, or by what they hold."""
        labels = {arm: arm_name(run, arm, t) for arm in run.arms}
        return cls(run, t, Arms.of(labels), pd.DataFrame() if evidence is None else evidence)

    @property
    def is_calibrated(self) -> bool:
        """Whether the run used a calibrated ensemble."""
        return self.run.ensemble is not None

    @property
    def resolves_parameters(self) -> bool:
        """Whether parameter sets have patients enough that the spread between them can be told from chance at all."""
        return self.is_calibrated and bool(self.run.summary["parameter_sd"].notna().any())

    def combines(self, arm: str) -> bool:
        """Tell whether an arm gives both stem cells and CAR-T cells."""
        return self.run.has("stem_cell", arm) and self.run.has("cart", arm)
