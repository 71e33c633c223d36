"""What a clinician sees of the model's states: content of `library/measurements`, and the arithmetic on arrays.

Latent signals go in, measurements come out: temperature, support levels, ICE score, counts and assays, imaging,
marker, marrow. Noise and frailty come from named streams (seed, purpose, subject, draw) and never from the arm;
the draw of a day's noise is the day itself, so that another visit schedule leaves each measurement as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, pdtrik

from seedbed import library, streams
from seedbed.documents import Content, read
from seedbed.sources import Source

Values = NDArray[np.float64]
Signals = dict[str, Values]

#: Signals the map reads besides those of its assays.
READS = ("IL6_signal", "IL1_signal", "cns_inflammation", "tumor_systemic", "tumor_cns", "tumor_total", "serum_marker",
         "tumor_target_negative_share")  # fmt: skip
DRAWS_PER_DAY = 4
MARROW_DISEASES = ("imwg2016", "b_all")
BLOCK = 32


class Quantity(Content):
    """A number of content with its unit and where it comes from."""

    value: float
    unit: str
    source: Source


class Temperature(Content):
    """Body temperature and what raises it."""

    normal: Quantity
    daily_noise: Quantity
    cytokine_rise: Quantity
    interleukin6_half: Quantity
    interleukin1_half: Quantity
    frailty: Quantity
    infection_rise: Quantity
    infection_rise_spread: Quantity
    engraftment_rise: Quantity


class Support(Content):
    """Cytokine levels at which circulation and lungs need the next level of support."""

    fluids: Quantity
    one_vasopressor: Quantity
    several_vasopressors: Quantity
    low_flow_oxygen: Quantity
    high_flow_oxygen: Quantity
    positive_pressure: Quantity
    interleukin1_weight: Quantity
    shared_frailty: Quantity
    own_frailty: Quantity


class Neurology(Content):
    """From inflammation of the central nervous system to ICE score, arousal and seizures."""

    half: Quantity
    hill: Quantity
    frailty: Quantity
    wakes_to_voice: Quantity
    wakes_to_touch: Quantity
    not_arousable: Quantity
    seizure_hazard: Quantity
    diffuse_edema: Quantity


class Assay(Content):
    """A laboratory value: which signal it shows, its noise (log SD) and lower limit."""

    signal: str
    unit: str
    noise: Quantity
    lower_limit: Quantity


class Imaging(Content):
    """PET, CT, brain MRI and fluid."""

    avid_for_score_2: Quantity
    avid_for_score_3: Quantity
    avid_for_score_4: Quantity
    avid_for_score_5: Quantity
    reading_frailty: Quantity
    volume_noise: Quantity
    washout_half_life: Quantity
    n_targets: Quantity
    diameter_noise: Quantity
    cns_visible: Quantity
    cns_minimal: Quantity
    csf_half: Quantity
    symptomatic_volume: Quantity
    symptomatic_cns_volume: Quantity


class Marker(Content):
    """M-protein, free light chains, circulating tumor DNA."""

    m_protein_per_tumor: Quantity
    m_protein_spread: Quantity
    m_protein_noise: Quantity
    m_protein_quantified: Quantity
    immunofixation_limit: Quantity
    light_chain_only: Quantity
    chain_per_tumor: Quantity
    chain_spread: Quantity
    chain_noise: Quantity
    chain_ratio_normal_below: Quantity
    ctdna_per_tumor: Quantity
    ctdna_detection: Quantity
    ctdna_noise: Quantity


class Marrow(Content):
    """Marrow smear and minimal residual disease."""

    cells: Quantity
    patchiness: Quantity
    smear_noise: Quantity
    cells_counted: Quantity
    mrd_sensitivity: Quantity
    leukemia_sensitivity: Quantity


class MeasurementMap(Content):
    """The content file that maps latent states to measurements."""

    id: str
    version: str
    describes: str
    temperature: Temperature
    support: Support
    neurology: Neurology
    assays: dict[str, Assay]
    imaging: Imaging
    marker: Marker
    marrow: Marrow

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the model's observables this map reads."""
        return tuple(dict.fromkeys([*READS, *(assay.signal for assay in self.assays.values())]))


def read_map(name_or_path: str = "asct_cart") -> MeasurementMap:
    """Return a measurement map of the library, or of a file.

    Raises
    ------
    ContentError
        Lists every problem of the file.
    """
    return read(library.find("measurements", name_or_path), MeasurementMap)


@dataclass
class Noise:
    """Standard normal noise of each measurement and day, drawn in blocks of coming visits."""

    seed: int
    subjects: NDArray[np.int64]
    days: Values | None = None
    _blocks: dict[str, tuple[int, NDArray[np.float64]]] = field(default_factory=dict)

    def normal(self, purpose: str, day: float) -> Values:
        """Return (n,) standard normal numbers for a measurement on a day."""
        position = None if self.days is None else int(np.searchsorted(self.days, day - 1e-9))
        if position is None or position >= len(self.days) or abs(self.days[position] - day) > 1e-6:
            return streams.normal(self.seed, f"noise of {purpose}", self.subjects, self.draw(day))
        block = position // BLOCK
        if purpose not in self._blocks or self._blocks[purpose][0] != block:
            draws = self.draw(self.days[block * BLOCK : (block + 1) * BLOCK])
            drawn = streams.normal(self.seed, f"noise of {purpose}", self.subjects, draws)
            self._blocks[purpose] = (block, np.ascontiguousarray(drawn.T))
        return self._blocks[purpose][1][position - block * BLOCK]

    @staticmethod
    def draw(day: float | Values) -> NDArray[np.int64]:
        """Return the draw number of a day, the same on every visit schedule."""
        return np.rint((np.asarray(day) + 1000.0) * DRAWS_PER_DAY).astype(np.int64)


@dataclass(frozen=True)
class Frailty:
    """What is constant in a patient: how much it takes to make this one ill, and how the tumor shows (n,) each."""

    fever: Values
    pressure: Values
    oxygen: Values
    neurology: Values
    reading: Values
    m_protein_per_tumor: Values
    chain_per_tumor: Values
    light_chain_only: NDArray[np.bool_]


def draw_frailty(content: MeasurementMap, seed: int, subjects: NDArray[np.int64]) -> Frailty:
    """Draw the frailty of each subject.

    Parameters
    ----------
    content : the measurement map
    seed : seed of the study
    subjects : (n,) subject numbers

    Returns
    -------
    Frailty
        Multipliers of thresholds: above 1 is a sturdier patient.
    """

    def spread(purpose: str, log_sd: float) -> Values:
        return np.exp(log_sd * streams.normal(seed, f"frailty of {purpose}", subjects))

    support, marker = content.support, content.marker
    shared = spread("support", support.shared_frailty.value)
    return Frailty(
        fever=spread("fever", content.temperature.frailty.value),
        pressure=shared * spread("blood pressure", support.own_frailty.value),
        oxygen=shared * spread("oxygen", support.own_frailty.value),
        neurology=spread("neurology", content.neurology.frailty.value),
        reading=spread("imaging", content.imaging.reading_frailty.value),
        m_protein_per_tumor=marker.m_protein_per_tumor.value * spread("m-protein", marker.m_protein_spread.value),
        chain_per_tumor=marker.chain_per_tumor.value * spread("light chain", marker.chain_spread.value),
        light_chain_only=streams.uniform(seed, "light chain only", subjects) < marker.light_chain_only.value,
    )


def cytokine_rise(content: Temperature, frailty: Frailty, signals: Signals) -> Values:
    """Return the rise of temperature by cytokines [degree Celsius], (n,)."""
    drive = signals["IL6_signal"] / content.interleukin6_half.value
    drive = drive + signals["IL1_signal"] / content.interleukin1_half.value
    drive = np.maximum(drive, 0.0) / frailty.fever
    return content.cytokine_rise.value * drive / (1.0 + drive)


def support_levels(content: Support, frailty: Frailty, signals: Signals) -> tuple[Values, Values]:
    """Return blood pressure support and oxygen support caused by cytokines, levels 0 to 3, (n,) each.

    The IL-1 pathway adds to the IL-6 signal, so that blocking the IL-6 receptor does not undo all of it.
    """
    drive = signals["IL6_signal"] + content.interleukin1_weight.value * signals["IL1_signal"]
    pressure = (content.fluids, content.one_vasopressor, content.several_vasopressors)
    oxygen = (content.low_flow_oxygen, content.high_flow_oxygen, content.positive_pressure)
    return _level(drive / frailty.pressure, pressure), _level(drive / frailty.oxygen, oxygen)


def _level(value: Values, thresholds: tuple[Quantity, ...]) -> Values:
    return np.searchsorted([threshold.value for threshold in thresholds], value, side="right").astype(float)


def neurological_signs(
    content: Neurology, frailty: Frailty, inflammation: Values, luck: Values, elapsed: float
) -> dict[str, Values]:
    """Return ICE score, consciousness, seizure and edema as `criteria.astct2019.icans_grade` takes them.

    Parameters
    ----------
    content, frailty : of the measurement map
    inflammation : (n,) CNS inflammation [1]
    luck : (n,) uniform numbers that decide on a seizure
    elapsed : time since the last visit [day]
    """
    relative = np.maximum(inflammation, 0.0) / (content.half.value * frailty.neurology)
    loss = 10.0 * relative**content.hill.value / (1.0 + relative**content.hill.value)
    arousal = (content.wakes_to_voice, content.wakes_to_touch, content.not_arousable)
    hazard = content.seizure_hazard.value * np.maximum(relative - 1.0, 0.0) * max(elapsed, 0.0)
    return {
        "ice_score": np.clip(np.rint(10.0 - loss), 0.0, 10.0),
        "consciousness": _level(relative, arousal),
        "seizure": (luck < -np.expm1(-hazard)).astype(float),
        "edema": np.where(relative >= content.diffuse_edema.value, 2.0, 0.0),
    }


def assay_values(content: MeasurementMap, signals: Signals, noise: Noise, day: float) -> dict[str, Values]:
    """Return every laboratory value of a day, (n,) each; below its lower limit an assay shows 0."""
    shown = {}
    for name, assay in content.assays.items():
        value = np.maximum(signals[assay.signal], 0.0) * np.exp(assay.noise.value * noise.normal(name, day))
        shown[name] = np.where(value < assay.lower_limit.value, 0.0, value)
    return shown


@dataclass
class TumorView:
    """How imaging, marker and marrow show the tumor; remembers the baseline and the mass not yet washed out.

    Scans are taken in every disease; marrow in myeloma and leukemia, M-protein and light chains in myeloma,
    circulating tumor DNA in lymphoma.
    """

    content: MeasurementMap
    frailty: Frailty
    noise: Noise
    response_criteria: str
    baseline: Values | None = None
    mass: Values | None = None
    last_day: float = 0.0

    def look(self, day: float, signals: Signals) -> dict[str, Values]:
        """Return what imaging, marker and marrow would show on a day, (n,) each."""
        systemic = np.maximum(signals["tumor_systemic"], 0.0)
        central = np.maximum(signals["tumor_cns"], 0.0)
        total = np.maximum(signals["tumor_total"], 0.0)
        if self.baseline is None or self.mass is None:
            self.baseline, self.mass, self.last_day = total.copy(), systemic.copy(), day
        decay = np.exp2(-(day - self.last_day) / self.content.imaging.washout_half_life.value)
        self.mass = np.maximum(systemic, self.mass * decay)
        self.last_day = day
        seen = self._scans(day, systemic, central)
        seen["target_negative_share"] = np.clip(signals["tumor_target_negative_share"], 0.0, 1.0)
        if self.response_criteria in MARROW_DISEASES:
            seen |= self._marrow(day, total)
        else:
            seen |= self._tumor_dna(day, total)
        if self.response_criteria == "imwg2016":
            seen |= self._secreted(day, total, np.maximum(signals["serum_marker"], 0.0))
        return seen

    def _scans(self, day: float, systemic: Values, central: Values) -> dict[str, Values]:
        imaging, noise, n_targets = self.content.imaging, self.noise, self.content.imaging.n_targets.value
        volume_noise = np.exp(imaging.volume_noise.value * noise.normal("PET", day))
        avid = systemic * volume_noise / self.frailty.reading
        steps = (imaging.avid_for_score_2, imaging.avid_for_score_3, imaging.avid_for_score_4, imaging.avid_for_score_5)
        per_target = self.mass / n_targets * np.exp(3 * imaging.diameter_noise.value * noise.normal("CT", day))
        diameter = np.cbrt(6.0 * per_target / np.pi)
        brain = central * np.exp(imaging.volume_noise.value * noise.normal("MRI", day))
        seen = np.where(brain >= imaging.cns_visible.value, np.cbrt(6.0 * brain / np.pi) ** 2, 0.0)
        fluid = central / (central + imaging.csf_half.value * self.frailty.reading)
        return {
            "deauville": 1.0 + _level(avid, steps),
            "avid_volume": avid,
            "longest_diameter": diameter,
            "sum_of_products": n_targets * diameter**2,
            "enhancing_area": seen,
            "csf_positive": (fluid > 0.5).astype(float),
        }

    def _secreted(self, day: float, total: Values, relative: Values) -> dict[str, Values]:
        marker, frailty, noise = self.content.marker, self.frailty, self.noise
        protein = frailty.m_protein_per_tumor * self.baseline * relative
        protein = protein * np.exp(marker.m_protein_noise.value * noise.normal("m-protein", day))
        protein = np.where(frailty.light_chain_only, 0.0, protein)
        chain = frailty.chain_per_tumor * total
        chain = chain * np.exp(marker.chain_noise.value * noise.normal("light chain", day))
        return {
            "m_protein": np.where(protein >= marker.m_protein_quantified.value, protein, 0.0),
            "immunofixation": (protein >= marker.immunofixation_limit.value).astype(float),
            "chain_difference": chain,
            "light_chain_disease": frailty.light_chain_only.astype(float),
        }

    def _tumor_dna(self, day: float, total: Values) -> dict[str, Values]:
        """Return circulating tumor DNA, whose half-life of about an hour lets it follow the tumor at once."""
        marker = self.content.marker
        dna = marker.ctdna_per_tumor.value * total * np.exp(marker.ctdna_noise.value * self.noise.normal("ctDNA", day))
        return {"ctdna": np.where(dna >= marker.ctdna_detection.value, dna, 0.0)}

    def _marrow(self, day: float, total: Values) -> dict[str, Values]:
        marrow, noise = self.content.marrow, self.noise
        aspirate = np.exp(marrow.patchiness.value * noise.normal("aspirate", day) - marrow.patchiness.value**2 / 2)
        fraction = np.minimum(total / (total + marrow.cells.value) * aspirate, 1.0)
        smear = 100.0 * fraction * np.exp(marrow.smear_noise.value * noise.normal("smear", day))
        expected = fraction * marrow.cells_counted.value
        return {
            "marrow_tumor": np.minimum(smear, 100.0),
            "clonal_cells": poisson_counts(expected, noise.normal("clonal cells", day)),
        }


def poisson_counts(expected: Values, normal: Values) -> Values:
    """Turn standard normal numbers into Poisson counts by inversion (normal limit above 1,000).

    Parameters
    ----------
    expected : (n,) means
    normal : (n,) standard normal numbers

    Returns
    -------
    (n,) float array of whole numbers
    """
    small = np.clip(expected, 1e-12, 1000.0)
    exact = np.ceil(pdtrik(np.clip(ndtr(normal), 1e-12, 1 - 1e-12), small) - 1e-9)
    exact = np.where(np.exp(-small) >= ndtr(normal), 0.0, exact)
    limit = np.rint(expected + np.sqrt(expected) * normal)
    return np.maximum(np.where(expected > 1000.0, limit, exact), 0.0)
