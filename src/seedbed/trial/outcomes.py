"""Content of what befalls a patient beside the model's states: infections, deaths, next therapies.

The numbers stand in `library/outcomes`; `infection.py` and `events.py` use them.
"""

from __future__ import annotations

from seedbed import library
from seedbed.documents import Content, read
from seedbed.trial.measurement import Quantity


class Risk(Content):
    """A low signal that adds hazard; `by_injury` is the share of it that needs mucosal injury."""

    signal: str
    below: float
    steepness: float
    adds: Quantity
    by_injury: float = 0.0


class InfectionProcess(Content):
    """One kind of infection or fever."""

    describes: str
    counts_as_infection: bool = True
    base: Quantity
    risks: tuple[Risk, ...] = ()
    severe_share: Quantity
    life_threatening_share: Quantity
    documented_share: Quantity
    duration: Quantity
    fatality: Quantity


class EngraftmentFever(Content):
    """Fever when neutrophils return after a transplant."""

    probability: Quantity
    duration: Quantity
    rises_from: Quantity


class DeathHazards(Content):
    """Hazards of death without progression, and their spread after it."""

    crs_grade_4: Quantity
    crs_grade_3: Quantity
    icans_grade_4: Quantity
    icans_grade_3: Quantity
    hlh: Quantity
    hlh_ferritin: Quantity
    organ_toxicity: Quantity
    background: Quantity
    background_age: Quantity
    age_reference: Quantity
    after_progression_spread: Quantity


class AfterProgression(Content):
    """What follows progression in one group of diseases."""

    median_survival: Quantity
    next_therapy: Quantity
    next_therapy_delay: Quantity
    allograft: Quantity


class Outcomes(Content):
    """The content file of outcomes."""

    id: str
    version: str
    describes: str
    infections: dict[str, InfectionProcess]
    infection_duration_spread: Quantity
    infection_fatality_age: Quantity
    engraftment_fever: EngraftmentFever
    death: DeathHazards
    after_progression: dict[str, AfterProgression]

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the model's observables that drive infections."""
        risks = [risk.signal for process in self.infections.values() for risk in process.risks]
        return tuple(dict.fromkeys(["tissue_injury", "neutrophil_blood", *risks]))


def read_outcomes(name_or_path: str = "asct_cart") -> Outcomes:
    """Return the outcomes of the library, or of a file.

    Raises
    ------
    ContentError
        Lists every problem of the file.
    """
    return read(library.find("outcomes", name_or_path), Outcomes)
