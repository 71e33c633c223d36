"""Response assessments of a record by a rule set: which visits, what they show, when progression is seen.

`assess` takes the scheduled visits of each subject (nearest grid day on the response clock), applies the criterion
of the population, and adds visits brought forward by symptoms. It reads measurements only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedbed.trial import criteria
from seedbed.trial.clinic import ClinicalRecord
from seedbed.trial.criteria import ball_marrow2020, imwg2016, ipcg2005, lugano2014
from seedbed.trial.measurement import Imaging, Marker, Values
from seedbed.trial.rules import RuleSet
from seedbed.trial.sampling import at, given_before, nearest_visit

FAMILIES = {lugano2014: "lymphoma", ipcg2005: "cns", imwg2016: "myeloma", ball_marrow2020: "leukemia"}
#: The least response that counts as one in each criterion's categories.
RESPONSE = {"nhl.lugano2014": "PR", "cns.ipcg2005": "PR", "mm.imwg2016": "PR", "ball.marrow2020": "CR"}


@dataclass(frozen=True)
class Assessments:
    """Response assessments, (n, S) each unless said otherwise.

    Attributes
    ----------
    rule : criterion, such as ``nhl.lugano2014``
    scheduled : (S,) days on the response clock [day]
    days : day from enrollment of each assessment, NaN where there is none
    codes : response codes, the position in `categories`
    position : grid position of each assessment, -1 where there is none
    progression_day : (n,) first progression seen [day from enrollment], NaN without
    progression_position : (n,) its grid position, -1 without
    unscheduled : (n,) whether symptoms brought that visit forward
    """

    rule: str
    scheduled: Values
    days: NDArray[np.float64]
    codes: NDArray[np.int8]
    position: NDArray[np.int64]
    progression_day: Values
    progression_position: NDArray[np.int64]
    unscheduled: NDArray[np.bool_]

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the codes."""
        return criteria.module(self.rule).CATEGORIES

    def code(self, name: str) -> int:
        """Return the code of a category."""
        return self.categories.index(name)


def assess(record: ClinicalRecord, rules: RuleSet, imaging: Imaging, marker: Marker) -> Assessments:
    """Assess response at the rule set's visits.

    Parameters
    ----------
    record : what the clinic measured
    rules : criteria and schedule
    imaging, marker : thresholds that are part of the reading (minimal enhancement, normal chain ratio, symptoms)

    Returns
    -------
    Assessments
    """
    rule = rules.criteria.response[record.response_criteria]
    scheduled = np.asarray(rules.schedule.response_days_for(record.response_criteria), dtype=float)
    target = record.day_zero[:, None] + scheduled[None, :]
    position = nearest_visit(record.days, target, rules.schedule.window_days)
    repeated = np.zeros(position.shape, dtype=bool)
    repeated[:, 1:] = position[:, 1:] == position[:, :-1]
    position = np.where(repeated, -1, position)
    reading = _Reading(record, rules, imaging, marker, position, baseline_position(record))
    codes = getattr(reading, FAMILIES[criteria.module(rule)])()
    codes = np.where(position < 0, 0, codes).astype(np.int8)
    if criteria.module(rule) is imwg2016:
        codes = imwg2016.confirmed(codes)
    days = np.where(position < 0, np.nan, record.days[np.maximum(position, 0)])
    progressed, seen, unscheduled = _first_progression(record, rules, imaging, position, codes)
    return Assessments(rule, scheduled, days, codes, position, progressed, seen, unscheduled)


def baseline_position(record: ClinicalRecord) -> NDArray[np.int64]:
    """Grid position of the baseline, the last day before or on the first drug of treatment, (n,)."""
    return np.maximum(np.searchsorted(record.days, record.conditioning_day, side="right") - 1, 0)


def _first_progression(
    record: ClinicalRecord, rules: RuleSet, imaging: Imaging, position: NDArray, codes: NDArray
) -> tuple[Values, NDArray[np.int64], NDArray[np.bool_]]:
    progressed = codes == 1
    ever = progressed.any(axis=1)
    first = np.argmax(progressed, axis=1)
    seen = np.where(ever, position[np.arange(len(ever)), first], -1)
    unscheduled = np.zeros(len(ever), dtype=bool)
    if rules.schedule.symptomatic_visits:
        symptoms = _symptoms(record, imaging)
        sooner = (symptoms >= 0) & ((seen < 0) | (symptoms < seen))
        seen, unscheduled = np.where(sooner, symptoms, seen), sooner
    return np.where(seen < 0, np.nan, record.days[np.maximum(seen, 0)]), seen, unscheduled


def _symptoms(record: ClinicalRecord, imaging: Imaging) -> NDArray[np.int64]:
    """First grid day after treatment on which a regrown tumor makes itself felt, -1 without, (n,)."""
    since = record.days[None, :] - record.day_zero[:, None]
    felt = np.zeros(since.shape, dtype=bool)
    if record.response_criteria in ("lugano2014", "ipcg2005"):
        felt |= _regrown(record.measurements["avid_volume"], since, imaging.symptomatic_volume.value)
    area = np.cbrt(6.0 * imaging.symptomatic_cns_volume.value / np.pi) ** 2
    felt |= _regrown(record.measurements["enhancing_area"], since, area)
    return np.where(felt.any(axis=1), np.argmax(felt, axis=1), -1)


def _regrown(values: NDArray, since: NDArray, threshold: float) -> NDArray[np.bool_]:
    """Whether a size lies above a threshold and above twice its lowest value since four weeks after treatment."""
    nadir = np.minimum.accumulate(np.where(since >= 0, values, np.inf), axis=1)
    return (since >= 28) & (values >= threshold) & (values >= 2.0 * nadir)


@dataclass(frozen=True)
class _Reading:
    """The measurements of a record at its assessments, read by each criterion."""

    record: ClinicalRecord
    rules: RuleSet
    imaging: Imaging
    marker: Marker
    position: NDArray[np.int64]
    baseline: NDArray[np.int64]

    def lymphoma(self) -> NDArray[np.int8]:
        """Lugano 2014 by PET or CT; a brain lesion that was not there before is a new lesion."""
        brain_before = self._at_baseline("enhancing_area")[:, None] > 0
        new_lesion = (self._at("enhancing_area") > 0) & ~brain_before
        codes = self._metabolic(new_lesion) if self.rules.response.method == "pet" else self._size(new_lesion)
        early = self._days_since_cart() < self.rules.response.pseudoprogression_days
        return np.where((codes == lugano2014.PD) & early & ~new_lesion, lugano2014.SD, codes)

    def cns(self) -> NDArray[np.int8]:
        """IPCG 2005 for the brain; systemic disease counts as a new site, or by Lugano where it was there before."""
        steroids = given_before(self.record, ("steroid",), self.rules.response.steroid_window_days)
        systemic_before = self._at_baseline("deauville")[:, None] >= 4
        systemic = self._metabolic(np.zeros(self.position.shape, dtype=bool))
        area, before = self._at("enhancing_area"), self._at_baseline("enhancing_area")[:, None]
        codes = ipcg2005.response(
            area,
            before,
            self._nadir("enhancing_area"),
            on_steroids=at(steroids, self.position) > 0,
            csf_positive=self._at("csf_positive") > 0,
            new_site=(self._at("deauville") >= 4) & ~systemic_before,
            minimal_area=np.cbrt(6.0 * self.imaging.cns_minimal.value / np.pi) ** 2,
        )
        as_ipcg = np.asarray([ipcg2005.NE, ipcg2005.PD, ipcg2005.SD, ipcg2005.PR, ipcg2005.CR], dtype=np.int8)[systemic]
        worse = np.where(codes == ipcg2005.NE, as_ipcg, np.minimum(codes, as_ipcg))
        return np.where(systemic_before, worse, codes).astype(np.int8)

    def myeloma(self) -> NDArray[np.int8]:
        """IMWG 2016 by serum M-protein, or by free light chains in light chain disease."""
        difference, marrow = self._at("chain_difference"), self._at("marrow_tumor")
        normal_ratio = difference < self.marker.chain_ratio_normal_below.value
        clonal = self._at("clonal_cells") < imwg2016.EVENTS_FOR_DETECTION
        fixed = self._at("immunofixation") > 0
        serum = imwg2016.serum_response(
            self._at("m_protein"),
            self._at_baseline("m_protein")[:, None],
            self._nadir("m_protein"),
            immunofixation_positive=fixed,
            marrow_plasma_cells=marrow,
            stringent_evidence=normal_ratio & clonal,
            nadir_marrow=self._nadir("marrow_tumor"),
        )
        chain = imwg2016.chain_response(
            difference,
            self._at_baseline("chain_difference")[:, None],
            self._nadir("chain_difference"),
            ratio_normal=normal_ratio,
            immunofixation_positive=fixed,
            marrow_plasma_cells=marrow,
            clonal_cells_absent=clonal,
        )
        by_chain = self._at_baseline("light_chain_disease")[:, None] > 0
        return np.where(by_chain, chain, serum).astype(np.int8)

    def leukemia(self) -> NDArray[np.int8]:
        """Marrow response of acute leukemia; an enhancing brain lesion or positive fluid is disease outside."""
        outside = (self._at("enhancing_area") > 0) | (self._at("csf_positive") > 0)
        before = (self._at_baseline("enhancing_area") > 0) | (self._at_baseline("csf_positive") > 0)
        return ball_marrow2020.response(
            self._at("marrow_tumor"), self._nadir("marrow_tumor"), outside, outside & ~before[:, None]
        )

    def _metabolic(self, new_lesion: NDArray[np.bool_]) -> NDArray[np.int8]:
        return lugano2014.metabolic_response(
            self._at("deauville"),
            self._at("avid_volume"),
            self._at_baseline("avid_volume")[:, None],
            self._nadir("avid_volume"),
            new_lesion,
            significant_change=self.rules.response.significant_change,
        )

    def _size(self, new_lesion: NDArray[np.bool_]) -> NDArray[np.int8]:
        return lugano2014.size_response(
            self._at("sum_of_products"),
            self._at_baseline("sum_of_products")[:, None],
            self._nadir("sum_of_products"),
            self._at("longest_diameter"),
            self._nadir("longest_diameter"),
            new_lesion,
        )

    def _at(self, name: str) -> NDArray[np.float64]:
        return at(self.record.measurements[name], self.position)

    def _at_baseline(self, name: str) -> Values:
        return at(self.record.measurements[name], self.baseline)

    def _nadir(self, name: str) -> NDArray[np.float64]:
        """Lowest value at baseline and the assessments before each one, (n, S)."""
        values = np.concatenate([self._at_baseline(name)[:, None], self._at(name)], axis=1)
        return np.fmin.accumulate(values, axis=1)[:, :-1]

    def _days_since_cart(self) -> NDArray[np.float64]:
        return self.record.days[np.maximum(self.position, 0)] - self.record.cart_day[:, None]
