"""The clinic of one arm: measures at visits, grades, treats, and keeps the record.

Use, at each visit day of a common grid (days from enrollment)::

    clinic = Clinic(arm="asct_cart", arm_table=arm_table, subjects=subjects, seed=1,
                    disease="large_b_cell_lymphoma", response_criteria="lugano2014")
    for day in days:
        orders = clinic.visit(day, signals)     # signals: dict of (n,) arrays, see `Clinic.signals`
        for order in orders:                    # Order(target, amount (n,); NaN is no dose)
            batch.dose(order.target, order.amount)
    record = clinic.record()                    # ClinicalRecord, picklable

The record holds what would have been measured on every grid day; which of these days a patient really had blood
drawn or was scanned is decided by the rule set when endpoints are derived, so that another schedule needs no new
simulation. Reactive care at a visit sees that visit's values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from seedbed import streams
from seedbed.errors import SimulationError
from seedbed.trial.care import Care, CareRules, Order, read_care
from seedbed.trial.criteria import astct2019
from seedbed.trial.infection import EngraftmentFeverCourse, InfectionCourse
from seedbed.trial.measurement import (
    Frailty,
    MeasurementMap,
    Noise,
    Signals,
    TumorView,
    Values,
    assay_values,
    cytokine_rise,
    draw_frailty,
    neurological_signs,
    read_map,
    support_levels,
)
from seedbed.trial.outcomes import Outcomes, read_outcomes

DEFAULT_WEIGHT_KG = 75.0
LEAD_IN_DAYS = 7.0
CRS_ONSET_WINDOW_DAYS = 30.0
TREATED_WINDOW_DAYS = 14.0
#: Latent signals kept beside the measurements: for true times, causes and hazards, never for a criterion.
LATENT = ("tumor_systemic", "tumor_cns", "tumor_total", "tissue_injury", "cart_blood", "cart_exhausted_share",
          "cart_memory_share", "IL6_signal", "neutrophil_blood")  # fmt: skip


PER_SUBJECT = (
    "subjects",
    "age",
    "stem_cell_day",
    "cart_day",
    "day_zero",
    "conditioning_day",
    "selected",
    "engraftment_fever_day",
)


@dataclass(frozen=True)
class ClinicContents:
    """What a clinic works by: how it measures, how it treats, what befalls its patients."""

    measurement_map: MeasurementMap
    care_rules: CareRules
    outcomes: Outcomes

    @property
    def versions(self) -> dict[str, str]:
        """Ids and versions of the three."""
        parts = {"measurements": self.measurement_map, "care": self.care_rules, "outcomes": self.outcomes}
        return {name: f"{part.id}/{part.version}" for name, part in parts.items()}


def read_contents(
    measurement_map: str = "asct_cart", care: Iterable[str] = (), outcomes: str = "asct_cart"
) -> ClinicContents:
    """Return a clinic's contents by their names in the library, or by paths; care ``()`` is the standard.

    Raises
    ------
    ContentError
        Lists every problem of a file.
    """
    return ClinicContents(read_map(measurement_map), read_care(*care), read_outcomes(outcomes))


@dataclass(frozen=True)
class ClinicalRecord:
    """Everything one arm's clinic saw and did.

    Attributes
    ----------
    arm : id of the arm
    seed : seed of the study
    disease : disease, which decides on survival after progression
    response_criteria : ``lugano2014``, ``ipcg2005``, ``imwg2016`` or ``b_all``
    subjects : (n,) subject numbers
    age : (n,) [year]
    stem_cell_day, cart_day : (n,) the two day-0s [day from enrollment], NaN when not given
    day_zero : (n,) day 0 of response [day from enrollment]: CAR-T, else stem cells, else the planned day
    conditioning_day : (n,) first drug of conditioning or lymphodepletion, given or planned [day from enrollment]
    selected : (n,) whether the arm of an emulated study would have taken the subject
    days : (V,) visit grid [day from enrollment]
    measurements : name -> (n, V) float32, what a clinician would see on that day; NaN is not measurable
    latent : name -> (n, V) float32, the model's states behind it, for true times and causes only
    treatments : long table of reactive doses: subject, day, rule, kind, target, amount, unit
    infections : long table of episodes: subject, day, end_day, kind, grade, documented, fatal_luck,
        counts_as_infection
    engraftment_fever_day : (n,) [day from enrollment], NaN without
    contents : ids and versions of measurement map, care rules and outcomes
    """

    arm: str
    seed: int
    disease: str
    response_criteria: str
    subjects: NDArray[np.int64]
    age: Values
    stem_cell_day: Values
    cart_day: Values
    day_zero: Values
    conditioning_day: Values
    selected: NDArray[np.bool_]
    days: Values
    measurements: dict[str, NDArray[np.float32]]
    latent: dict[str, NDArray[np.float32]]
    treatments: pd.DataFrame
    infections: pd.DataFrame
    engraftment_fever_day: Values
    contents: dict[str, str]

    def content_id(self, part: str) -> str:
        """Return the id of the measurements, care or outcomes it was kept by."""
        return self.contents[part].rsplit("/", 1)[0]

    def take(self, rows: ArrayLike) -> ClinicalRecord:
        """Return the record of some of the subjects, by row or boolean mask."""
        rows = np.arange(len(self.subjects))[np.asarray(rows)]
        chosen: dict[str, object] = {item.name: getattr(self, item.name) for item in fields(self)}
        for name in PER_SUBJECT:
            chosen[name] = chosen[name][rows]  # type: ignore[index]
        for name in ("measurements", "latent"):
            chosen[name] = {key: values[rows] for key, values in getattr(self, name).items()}
        for name in ("treatments", "infections"):
            table = getattr(self, name)
            chosen[name] = table[table["subject"].isin(self.subjects[rows])].reset_index(drop=True)
        return ClinicalRecord(**chosen)  # type: ignore[arg-type]


class Clinic:
    """Sees one arm's subjects at the visits of a common grid of days.

    Parameters
    ----------
    arm : id of the arm (a label; luck never depends on it)
    arm_table : one row a subject, in the order of `subjects`: ``subject``, ``stem_cell_day``, ``cart_day``
        [day from enrollment, NaN when not given]; ``day_zero_day``, ``conditioning_day``, ``selected`` if there
    subjects : one row a virtual patient: ``subject``, ``age`` or ``age_years`` [year], ``weight_kg`` [kg]
    seed : seed of the study
    disease, response_criteria : as the population has them
    contents : measurement map, care rules and outcomes; default the library's, see `read_contents`
    days : the grid of visit days if known; only speeds up the drawing of noise

    Raises
    ------
    SimulationError
        The two tables do not list the same subjects.
    """

    def __init__(
        self,
        *,
        arm: str,
        arm_table: pd.DataFrame,
        subjects: pd.DataFrame,
        seed: int,
        disease: str = "large_b_cell_lymphoma",
        response_criteria: str = "lugano2014",
        contents: ClinicContents | None = None,
        days: ArrayLike | None = None,
    ) -> None:
        contents = contents or read_contents()
        self.arm, self.seed = arm, seed
        self.disease, self.response_criteria = disease, response_criteria
        self.subjects = subjects["subject"].to_numpy(dtype=np.int64)
        if not np.array_equal(self.subjects, arm_table["subject"].to_numpy(dtype=np.int64)):
            raise SimulationError(f"arm {arm}: the arm's table and the subjects' table list different subjects")
        self._map, self._outcomes = contents.measurement_map, contents.outcomes
        self._contents = contents.versions
        self.stem_cell_day = arm_table["stem_cell_day"].to_numpy(dtype=float)
        self.cart_day = arm_table["cart_day"].to_numpy(dtype=float)
        given = np.where(np.isnan(self.cart_day), self.stem_cell_day, self.cart_day)
        self.day_zero = _column(arm_table, ("day_zero_day",), np.nan_to_num(given))
        first = np.nan_to_num(np.fmin(self.stem_cell_day, self.cart_day))
        self.conditioning_day = _column(arm_table, ("conditioning_day",), np.maximum(first - LEAD_IN_DAYS, 0.0))
        self.selected = _column(arm_table, ("selected",), 1.0) > 0
        self.age = _column(subjects, ("age", "age_years"), self._outcomes.death.age_reference.value)
        weight = _column(subjects, ("weight_kg", "weight", "body_weight_kg"), DEFAULT_WEIGHT_KG)
        self._frailty = _frailty(self._map, seed, arm_table)
        self._noise = Noise(seed, self.subjects, None if days is None else np.asarray(days, dtype=float))
        self._tumor = TumorView(self._map, self._frailty, self._noise, response_criteria)
        self._care = Care(contents.care_rules, self.subjects, weight, self.stem_cell_day, self.cart_day)
        self._infections = InfectionCourse(self._outcomes, seed, self.subjects)
        fever = self._outcomes.engraftment_fever
        self._engraftment_fever = EngraftmentFeverCourse(fever, seed, self.subjects, self.stem_cell_day)
        self._days: list[float] = []
        self._seen: dict[str, list[NDArray[np.float32]]] = {}
        self._latent: dict[str, list[NDArray[np.float32]]] = {}
        self._open = np.zeros(len(self.subjects), dtype=bool)

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the model's observables that `visit` needs."""
        return tuple(dict.fromkeys([*self._map.signals, *self._outcomes.signals, *LATENT]))

    def visit(self, day: float, signals: Signals) -> list[Order]:
        """See every subject on a day and order what reactive care calls for.

        Parameters
        ----------
        day : days from enrollment [day], later than the last visit
        signals : name -> (n,) values of the model's observables, see `Clinic.signals`

        Returns
        -------
        list of Order
            Dose target and amount (n,), NaN where none; to be given at once.

        Raises
        ------
        SimulationError
            A signal is missing, or the day does not come after the last one.
        """
        elapsed = self._elapsed(day, signals)
        self._infections.advance(day, elapsed, signals)
        seen = {
            **self._vital_signs(day, signals),
            **self._neurology(day, elapsed, signals),
            **assay_values(self._map, signals, self._noise, day),
            **self._tumor.look(day, signals),
        }
        seen.update(self._grades(day, seen))
        orders = self._care.decide(day, seen)
        self._keep(day, seen, signals)
        return orders

    def record(self) -> ClinicalRecord:
        """Return everything seen and done so far."""
        return ClinicalRecord(
            arm=self.arm,
            seed=self.seed,
            disease=self.disease,
            response_criteria=self.response_criteria,
            subjects=self.subjects,
            age=self.age,
            stem_cell_day=self.stem_cell_day,
            cart_day=self.cart_day,
            day_zero=self.day_zero,
            conditioning_day=self.conditioning_day,
            selected=self.selected,
            days=np.asarray(self._days, dtype=float),
            measurements={name: np.stack(values, axis=1) for name, values in self._seen.items()},
            latent={name: np.stack(values, axis=1) for name, values in self._latent.items()},
            treatments=self._care.table(),
            infections=self._infections.table(),
            engraftment_fever_day=self._engraftment_fever.onset_day,
            contents=self._contents,
        )

    def _elapsed(self, day: float, signals: Signals) -> float:
        missing = [name for name in self.signals if name not in signals]
        if missing:
            raise SimulationError(f"the clinic needs observables the model does not give: {', '.join(missing)}")
        if self._days and day <= self._days[-1]:
            raise SimulationError(f"visit on day {day} after a visit on day {self._days[-1]}: days must increase")
        return day - self._days[-1] if self._days else 0.0

    def _vital_signs(self, day: float, signals: Signals) -> Signals:
        content = self._map.temperature
        infected, grade, documented = self._infections.active(day)
        spread = content.infection_rise_spread.value * self._noise.normal("infection", day)
        fever = content.infection_rise.value + spread
        engraftment = self._engraftment_fever.active(day, signals["neutrophil_blood"])
        others = np.maximum(np.where(infected, fever, 0.0), np.where(engraftment, content.engraftment_rise.value, 0.0))
        rise = cytokine_rise(content, self._frailty, signals)
        resting = content.normal.value + content.daily_noise.value * self._noise.normal("temperature", day)
        pressure, oxygen = support_levels(self._map.support, self._frailty, signals)
        septic = np.where(grade >= 4, 2.0, 0.0)
        return {
            "temperature": resting + np.maximum(rise, others),
            "blood_pressure_support": np.maximum(pressure, septic),
            "oxygen_support": np.maximum(oxygen, np.where(grade >= 4, 1.0, 0.0)),
            "documented_infection": documented.astype(float),
            "infection_active": infected.astype(float),
            "temperature_by_cytokines": resting + rise,
            "blood_pressure_support_by_cytokines": pressure,
            "oxygen_support_by_cytokines": oxygen,
        }

    def _neurology(self, day: float, elapsed: float, signals: Signals) -> Signals:
        luck = streams.uniform(self.seed, "seizure", self.subjects, self._noise.draw(day))
        return neurological_signs(
            self._map.neurology, self._frailty, signals["cns_inflammation"], luck, min(elapsed, 1.0)
        )

    def _grades(self, day: float, seen: Signals) -> Signals:
        """Grade as the clinicians at the bedside do, for reactive care."""
        since = day - self.cart_day
        on_board = (since >= 0) & (since <= CRS_ONSET_WINDOW_DAYS)
        treated = day - self._care.last_given("anti_cytokine", "steroid") <= TREATED_WINDOW_DAYS
        crs = astct2019.crs_grade(
            seen["temperature"],
            treated,
            self._open,
            seen["blood_pressure_support"],
            seen["oxygen_support"],
            seen["documented_infection"] > 0,
        )
        crs = np.where(on_board | self._open, crs, 0)
        self._open = crs > 0
        icans = astct2019.icans_grade(seen["ice_score"], seen["consciousness"], seen["seizure"], False, seen["edema"])
        return {"crs_grade": crs.astype(float), "icans_grade": np.where(since >= 0, icans, 0).astype(float)}

    def _keep(self, day: float, seen: Signals, signals: Signals) -> None:
        self._days.append(float(day))
        for name, values in seen.items():
            self._seen.setdefault(name, []).append(values.astype(np.float32))
        for name in LATENT:
            self._latent.setdefault(name, []).append(np.asarray(signals[name]).astype(np.float32))


def _frailty(content: MeasurementMap, seed: int, arm_table: pd.DataFrame) -> Frailty:
    """Draw the frailty of each subject; calibrated thresholds, where the arm's table has them, scale it."""
    drawn = draw_frailty(content, seed, arm_table["subject"].to_numpy(dtype=np.int64))
    support = _column(arm_table, ("clinic:support_threshold",), 1.0)
    return replace(
        drawn,
        fever=drawn.fever * _column(arm_table, ("clinic:fever_threshold",), 1.0),
        pressure=drawn.pressure * support,
        oxygen=drawn.oxygen * support,
        neurology=drawn.neurology * _column(arm_table, ("clinic:neurology_threshold",), 1.0),
        reading=drawn.reading * _column(arm_table, ("clinic:imaging_threshold",), 1.0),
    )


def _column(table: pd.DataFrame, names: tuple[str, ...], default: float | Values) -> Values:
    for name in names:
        if name in table:
            return table[name].to_numpy(dtype=float)
    return np.broadcast_to(np.asarray(default, dtype=float), (len(table),)).copy()
