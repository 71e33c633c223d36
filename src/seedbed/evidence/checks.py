"""Small named checks that published evidence must pass; each returns its problems with file and line."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from seedbed.documents import Document
from seedbed.errors import Problem, unknown
from seedbed.evidence.schema import Arm, Contrast, Interval, PublishedValue, Spread, Study
from seedbed.evidence.vocabulary import vocabulary

REGISTRY_NUMBER = re.compile(r"^(NCT\d{8}|ChiCTR\d{10}|ChiCTR-[A-Z]{3}-\d{8}|EudraCT \d{4}-\d{6}-\d{2})$")
DOI = re.compile(r"^10\.\d{4,9}/\S+$")
PMID = re.compile(r"^[1-9]\d{0,7}$")
RATES = frozenset({"proportion", "crude", "kaplan_meier", "cumulative_incidence", "pooled", "upper_limit", "range"})
Place = Sequence[str | int]
COUNTED = frozenset({"proportion", "crude"})


@dataclass(frozen=True)
class StudyFile:
    """A study and the document it was read from."""

    study: Study
    document: Document

    def rows(self) -> Iterator[tuple[Arm, PublishedValue, tuple[str | int, ...]]]:
        """Yield every value with its arm and the place where it stands."""
        for i, arm in enumerate(self.study.arms):
            for j, row in enumerate(arm.endpoints):
                yield arm, row, ("arms", i, "endpoints", j)

    def contrasts(self) -> Iterator[tuple[Contrast, tuple[str | int, ...]]]:
        """Yield every contrast with the place where it stands."""
        for i, contrast in enumerate(self.study.contrasts):
            yield contrast, ("contrasts", i)

    def problem(self, what: str, place: Place, cure: str = "", expected: str = "") -> Problem:
        """Return a problem at a place of the file."""
        return self.document.problem(what, place, cure=cure, expected=expected)


class Check(ABC):
    """One thing that must hold for a study; its first docstring line says it."""

    @abstractmethod
    def run(self, file: StudyFile) -> list[Problem]:
        """Return every place where it does not hold."""


def run_checks(file: StudyFile, checks: Sequence[type[Check]]) -> list[Problem]:
    """Return the problems of all checks, each with the name of its check."""
    return [replace(problem, check=kind.__name__) for kind in checks for problem in kind().run(file)]


def _name(arm: Arm, row: PublishedValue) -> str:
    return f"{arm.id}.{row.id}"


class EveryValueHasASource(Check):
    """Each value and contrast names one of the study's sources, and each source leads to a text."""

    def run(self, file: StudyFile) -> list[Problem]:
        """Return values without source, and sources that lead nowhere."""
        known = file.study.sources
        places = [(_name(arm, row), row.source, place) for arm, row, place in file.rows()]
        places += [(contrast.id, contrast.source, place) for contrast, place in file.contrasts()]
        problems = [self._of(file, name, source, place) for name, source, place in places if source not in known]
        levels = vocabulary().levels
        for name, text in known.items():
            if not text.citation.strip():
                problems.append(file.problem(f'source "{name}" has no citation', ("sources", name), cure="cite it"))
            if text.level not in levels:
                problems.append(_unknown(file, "level", text.level, levels, ("sources", name)))
        return problems

    @staticmethod
    def _of(file: StudyFile, name: str, source: str, place: Place) -> Problem:
        cure = "name one of the study's sources, and add it under sources if it is new"
        if not source:
            return file.problem(f"{name} has no source", place, cure=cure)
        return _unknown(file, "source", source, file.study.sources, place)


def _unknown(file: StudyFile, kind: str, word: str, choices: Iterable[str], place: Place) -> Problem:
    path = str(file.document.path)
    return unknown(kind, word, list(choices), file=path, line=file.document.line(place))


class IntervalsContainTheirValue(Check):
    """Each interval and spread is the right way round and holds its value."""

    def run(self, file: StudyFile) -> list[Problem]:
        """Return the intervals that exclude their value."""
        problems = []
        for arm, row, place in file.rows():
            for key, bounds in (("interval", row.interval), ("spread", row.spread)):
                if bounds is not None and not _holds(bounds.lower, row.value, bounds.upper):
                    problems.append(self._problem(file, _name(arm, row), row.value, key, bounds, (*place, key)))
        for contrast, place in file.contrasts():
            bounds = contrast.interval
            if bounds is not None and not _holds(bounds.lower, contrast.value, bounds.upper):
                problems.append(
                    self._problem(file, contrast.id, contrast.value, "interval", bounds, (*place, "interval"))
                )
        return problems

    @staticmethod
    def _problem(
        file: StudyFile, name: str, value: float | None, key: str, bounds: Interval | Spread, place: Place
    ) -> Problem:
        what = f"{name}: {key} {bounds.lower} to {bounds.upper} excludes its value {value}"
        return file.problem(what, place, cure="look it up again; bounds stand as fractions like the value")


def _holds(lower: float | None, value: float | None, upper: float | None) -> bool:
    known = [bound for bound in (lower, value, upper) if bound is not None]
    return known == sorted(known)


def _decimals(value: float) -> int:
    text = repr(float(value))
    return len(text.split(".")[1]) if "e" not in text else 9


def fits(value: float, events: int, n: int) -> bool:
    """Return whether a count gives a rate, up to the rounding of the digits that are written."""
    tolerance = 0.5 * 10.0 ** -max(2, _decimals(value))
    return abs(events / n - value) <= tolerance + 1e-9


class CountsFitTheRate(Check):
    """Events over denominator give the rate; where no whole number does, the row says so as a doubt."""

    def run(self, file: StudyFile) -> list[Problem]:
        """Return the rows whose counts contradict their rate."""
        problems = []
        for arm, row, place in file.rows():
            what = self._fault(row)
            if what:
                cure = "correct the count, the denominator or the rate, or say under doubt what is wrong"
                problems.append(file.problem(f"{_name(arm, row)}: {what}", place, cure=cure))
        return problems

    @staticmethod
    def _fault(row: PublishedValue) -> str:
        if row.unit != "1" or row.value is None or row.n is None or row.doubt:
            return ""
        if row.events is not None and row.events > row.n:
            return f"{row.events} events among {row.n}"
        if row.statistic not in COUNTED:
            return ""
        if row.events is not None:
            whole = fits(row.value, row.events, row.n)
            return "" if whole else f"{row.events} of {row.n} is {row.events / row.n:.4g}, not {row.value:g}"
        nearest_count = round(row.value * row.n)
        return "" if fits(row.value, nearest_count, row.n) else f"no whole number of {row.n} gives {row.value:g}"


class ValuesAreInRange(Check):
    """Each row has a value or a range; rates lie between 0 and 1, times are not negative."""

    def run(self, file: StudyFile) -> list[Problem]:
        """Return the rows without a value, or with an impossible one."""
        problems = []
        for arm, row, place in file.rows():
            numbers = [row.value] if row.range is None else [row.range.lower, row.range.upper]
            if None in numbers:
                problems.append(file.problem(f"{_name(arm, row)} has no value", place, cure="give value or range"))
                continue
            top = 1.0 if row.unit == "1" and row.statistic in RATES else float("inf")
            if any(not 0 <= number <= top for number in numbers):
                expected = "a fraction from 0 to 1" if top == 1.0 else "no negative number"
                problems.append(file.problem(f"{_name(arm, row)} = {row.value}", place, expected=expected))
        return problems


class IdentifiersAreWellFormed(Check):
    """Registry numbers, DOIs and PMIDs have the form of their registry."""

    def run(self, file: StudyFile) -> list[Problem]:
        """Return the identifiers that cannot exist."""
        problems = [
            file.problem(f'registry number "{number}"', ("registry", i), expected="NCT and 8 digits, or ChiCTR")
            for i, number in enumerate(file.study.registry)
            if not REGISTRY_NUMBER.match(number)
        ]
        for name, text in file.study.sources.items():
            if text.doi and not DOI.match(text.doi):
                problems.append(file.problem(f'DOI "{text.doi}"', ("sources", name, "doi"), expected="10.x/name"))
            if text.pmid and not PMID.match(text.pmid):
                problems.append(file.problem(f'PMID "{text.pmid}"', ("sources", name, "pmid"), expected="digits"))
        return problems


class WordsAreKnown(Check):
    """Diseases, therapies, endpoints, statistics, clocks, scales, rules and products stand in the vocabulary."""

    def run(self, file: StudyFile) -> list[Problem]:
        """Return the words that are not known, with the nearest one."""
        words = vocabulary()
        problems = [
            *self._word(file, "disease", file.study.disease, words.diseases, ("disease",)),
            *self._word(file, "design kind", file.study.design.kind, words.design_kinds, ("design", "kind")),
        ]
        for i, arm in enumerate(file.study.arms):
            problems += self._word(file, "therapy", arm.therapy, words.therapies, ("arms", i, "therapy"))
            problems += self._word(file, "disease", arm.disease, words.diseases, ("arms", i, "disease"))
            problems += self._word(file, "product", arm.product, words.products, ("arms", i, "product"))
        for _, row, place in file.rows():
            for kind, choices in self._row_words():
                problems += self._word(file, kind, getattr(row, kind), choices, (*place, kind))
        return problems

    @staticmethod
    def _row_words() -> list[tuple[str, Iterable[str]]]:
        words = vocabulary()
        return [
            ("endpoint", words.endpoints),
            ("statistic", words.statistics),
            ("clock", words.clocks),
            ("scale", words.scales),
            ("rule", words.rules),
            ("denominator", words.denominators),
        ]

    @staticmethod
    def _word(file: StudyFile, kind: str, word: str, choices: Iterable[str], place: Place) -> list[Problem]:
        return [_unknown(file, kind, word, choices, place)] if word and word not in choices else []


class IdsAreUnique(Check):
    """The file bears the study's id; arms, rows of an arm and contrasts have different ids."""

    def run(self, file: StudyFile) -> list[Problem]:
        """Return ids that stand twice, and a file named for another study."""
        problems = []
        stem = file.document.path.stem
        if stem != file.study.id:
            problems.append(file.problem(f'study "{file.study.id}" stands in {stem}.yaml', ("id",), cure="rename one"))
        groups = [("arm", [arm.id for arm in file.study.arms], ("arms",))]
        groups += [("row", [row.id for row in arm.endpoints], ("arms", i)) for i, arm in enumerate(file.study.arms)]
        groups += [("contrast", [contrast.id for contrast in file.study.contrasts], ("contrasts",))]
        for kind, ids, place in groups:
            twice = [name for name, count in Counter(ids).items() if count > 1]
            problems += [file.problem(f'{kind} "{name}" stands twice', place, cure="rename one") for name in twice]
        return problems


class GradedRowsNameTheirScale(Check):
    """A graded toxicity names its scale, or says that it is not stated."""

    def run(self, file: StudyFile) -> list[Problem]:
        """Return graded rows without scale."""
        graded = {name for name, endpoint in vocabulary().endpoints.items() if endpoint.graded}
        cure = "add the scale, or not_stated"
        return [
            file.problem(f"{_name(arm, row)} has no grading scale", place, cure=cure)
            for arm, row, place in file.rows()
            if row.endpoint in graded and not row.scale
        ]


class LandmarksHaveATime(Check):
    """A Kaplan-Meier estimate says at what time it holds."""

    def run(self, file: StudyFile) -> list[Problem]:
        """Return survival estimates without time."""
        return [
            file.problem(f"{_name(arm, row)} has no time_days", place, cure="add it, or use statistic crude")
            for arm, row, place in file.rows()
            if row.statistic == "kaplan_meier" and row.time_days is None
        ]


class RowsFitTheirArm(Check):
    """No row has a larger denominator than its arm."""

    def run(self, file: StudyFile) -> list[Problem]:
        """Return rows with more patients than their arm."""
        return [
            file.problem(f"{_name(arm, row)}: n = {row.n} in an arm of {arm.n}", place, cure="give it its own arm")
            for arm, row, place in file.rows()
            if row.n is not None and arm.n is not None and row.n > arm.n
        ]


class TheCombinationIsNeverFitted(Check):
    """Values of ASCT + CAR-T arms are not fitted."""

    def run(self, file: StudyFile) -> list[Problem]:
        """Return combination arms or rows marked for calibration."""
        cure = "ASCT + CAR-T arms are predicted: use not_fitted"
        problems = [
            file.problem(f"arm {arm.id} is asct_cart and its use is {arm.use}", ("arms", i, "use"), cure=cure)
            for i, arm in enumerate(file.study.arms)
            if arm.therapy == "asct_cart" and arm.use != "not_fitted"
        ]
        problems += [
            file.problem(f"{_name(arm, row)} is asct_cart and its use is {row.use}", place, cure=cure)
            for arm, row, place in file.rows()
            if arm.therapy == "asct_cart" and row.use not in (None, "not_fitted")
        ]
        return problems


class FittedRowsAreSound(Check):
    """A row to be fitted is not doubtful, pooled, of a subgroup, or recalled with less than high confidence."""

    def run(self, file: StudyFile) -> list[Problem]:
        """Return rows marked for calibration that must not be."""
        pooled = file.study.design.kind in ("meta_analysis", "review", "planned")
        problems = []
        for arm, row, place in file.rows():
            if (row.use or arm.use) != "calibrate":
                continue
            why = self._why_not(row, pooled=pooled)
            if why:
                problems.append(file.problem(f"{_name(arm, row)} is to be fitted but {why}", place, cure="use context"))
        return problems

    @staticmethod
    def _why_not(row: PublishedValue, *, pooled: bool) -> str:
        if pooled:
            return "its study retells others"
        if row.doubt:
            return "it is doubtful"
        if row.subgroup:
            return "it is a subgroup"
        if not row.seen and row.confidence != "high":
            return "it was recalled without high confidence"
        return ""


class SurvivalNeverRises(Check):
    """Along an arm's preferred rows survival falls with time, and PFS stays below OS."""

    def run(self, file: StudyFile) -> list[Problem]:
        """Return curves that rise, and PFS above OS."""
        problems = []
        for i, arm in enumerate(file.study.arms):
            curves: dict[str, list[tuple[float, float]]] = defaultdict(list)
            for row in arm.endpoints:
                sound = row.preferred and row.statistic == "kaplan_meier" and not row.doubt
                if sound and row.value is not None and row.time_days is not None:
                    curves[row.endpoint].append((row.time_days, row.value))
            for name, points in curves.items():
                values = [value for _, value in sorted(points)]
                if values != sorted(values, reverse=True):
                    what = f"{arm.id}: {name} rises with time"
                    problems.append(file.problem(what, ("arms", i), cure="say the doubt"))
            problems += self._crossing(file, arm, curves, ("arms", i))
        return problems

    @staticmethod
    def _crossing(file: StudyFile, arm: Arm, curves: dict, place: Place) -> list[Problem]:
        overall = dict(curves.get("os", ()))
        return [
            file.problem(
                f"{arm.id}: PFS {value:g} above OS {overall[time]:g}, day {time:g}", place, cure="say the doubt"
            )
            for time, value in curves.get("pfs", ())
            if time in overall and value > overall[time]
        ]


class NestedRatesAreOrdered(Check):
    """Of the same patients at the same time, CR is no more than response, grade 3 no more than any grade."""

    pairs = (("cr", "orr"), ("crs_grade3plus", "crs_any"), ("icans_grade3plus", "icans_any"), ("scr", "cr"))

    def run(self, file: StudyFile) -> list[Problem]:
        """Return inner rates above their outer rate."""
        problems = []
        for i, arm in enumerate(file.study.arms):
            rates = {
                (row.endpoint, row.time_days, row.n, row.subgroup, row.source): row.value
                for row in arm.endpoints
                if row.value is not None and row.unit == "1" and not row.doubt
            }
            for (endpoint, *rest), value in rates.items():
                for inner, outer in self.pairs:
                    limit = rates.get((outer, *rest))
                    if endpoint == inner and limit is not None and value > limit:
                        what = f"{arm.id}: {inner} {value:g} above {outer} {limit:g}"
                        problems.append(file.problem(what, ("arms", i), cure="look it up again"))
        return problems


STUDY_CHECKS: tuple[type[Check], ...] = (
    EveryValueHasASource,
    IntervalsContainTheirValue,
    CountsFitTheRate,
    ValuesAreInRange,
    IdentifiersAreWellFormed,
    WordsAreKnown,
    IdsAreUnique,
    GradedRowsNameTheirScale,
    LandmarksHaveATime,
    RowsFitTheirArm,
    TheCombinationIsNeverFitted,
    FittedRowsAreSound,
    SurvivalNeverRises,
    NestedRatesAreOrdered,
)


def names_are_unique(files: Sequence[StudyFile]) -> list[Problem]:
    """Return studies and aliases that stand twice in the library."""
    owner: dict[str, str] = {}
    problems = []
    for file in files:
        for name in (file.study.id, *file.study.aliases):
            if name in owner:
                what = f'"{name}" is also a name of {owner[name]}'
                problems.append(replace(file.problem(what, ("id",), cure="rename one"), check="NamesAreUnique"))
            owner[name] = file.study.id
    return problems


def patients_count_once(files: Sequence[StudyFile]) -> list[Problem]:
    """Return preferred rows that would let the same patients into a likelihood twice.

    Preferred rows of one cohort group, endpoint and time must come from one arm, or from arms of one study that
    are different members of one partition.
    """
    groups: dict[tuple, list[tuple[StudyFile, Arm, PublishedValue, tuple]]] = defaultdict(list)
    for file in files:
        for arm, row, place in file.rows():
            if row.preferred:
                central = row.statistic in ("median", "mean")
                groups[arm.cohort_group, row.endpoint, central, row.time_days].append((file, arm, row, place))
    problems = []
    for (group, *_), members in groups.items():
        if not _disjoint([(file.study.id, arm, row) for file, arm, row, _ in members]):
            names = ", ".join(f"{file.study.id}.{_name(arm, row)}" for file, arm, row, _ in members)
            file, _, _, place = members[-1]
            what = f"cohort group {group}: {names} are all preferred and may hold the same patients"
            cure = "keep one, or name disjoint parts"
            problems.append(replace(file.problem(what, place, cure=cure), check="PatientsCountOnce"))
    return problems


def _disjoint(members: Sequence[tuple[str, Arm, PublishedValue]]) -> bool:
    if len(members) == 1:
        return True
    parts = [(study, arm.part, *arm.part.split(":")[:1]) for study, arm, _ in members]
    partitions = {(study, partition) for study, _, partition in parts}
    return all(part for _, part, _ in parts) and len(partitions) == 1 and len(set(parts)) == len(parts)
