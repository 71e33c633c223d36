"""Read the published evidence of the library, or of a folder of one's own, and check all of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from seedbed import library
from seedbed.documents import load
from seedbed.errors import ContentError, Problem, unknown
from seedbed.evidence.checks import STUDY_CHECKS, StudyFile, names_are_unique, patients_count_once, run_checks
from seedbed.evidence.fact_checks import FactFile, facts_are_unique, run_fact_checks
from seedbed.evidence.schema import Fact, Facts, Study
from seedbed.lenient import parse_leniently


def _read_file(path: Path) -> tuple[StudyFile | None, list[Problem]]:
    """Return a study file and everything that is wrong with it."""
    try:
        document = load(path)
    except ContentError as error:
        return None, error.problems
    study, problems = parse_leniently(document, Study)
    if study is None:
        return None, problems
    file = StudyFile(study, document)
    return file, problems + run_checks(file, STUDY_CHECKS)


def read_study(path: Path | str) -> Study:
    """Return one study of a file.

    Raises
    ------
    ContentError
        Everything that is wrong with it, with lines: values without source, intervals that exclude their value,
        counts that do not fit, unknown words.
    """
    file, problems = _read_file(Path(path))
    if problems or file is None:
        raise ContentError(problems)
    return file.study


def read_folder(folder: Path | str) -> tuple[Study, ...]:
    """Return all studies of a folder, in the order of their ids.

    Raises
    ------
    ContentError
        The problems of all files in one, also names that stand twice and patients that would count twice.
    """
    return _read_files(sorted(Path(folder).glob("*.yaml")))


def _read_files(paths: Sequence[Path]) -> tuple[Study, ...]:
    results = [_read_file(path) for path in paths]
    problems = [problem for _, found in results for problem in found]
    files = [file for file, _ in results if file is not None]
    problems += names_are_unique(files) + patients_count_once(files)
    if problems:
        raise ContentError(problems)
    return tuple(file.study for file in files)


def _files(kind: str) -> list[Path]:
    """Return the files of one kind; one of the user's own library stands in place of ours of the same name."""
    return [library.find(kind, name) for name in library.names(kind)]


@cache
def studies() -> tuple[Study, ...]:
    """Return all studies of the library; errors as in `read_folder`."""
    return _read_files(_files("evidence/studies"))


def study(name: str) -> Study:
    """Return a study of the library by its id or a former name.

    Raises
    ------
    ContentError
        There is none; names the nearest.
    """
    names = {alias: one for one in studies() for alias in (one.id, *one.aliases)}
    if name not in names:
        raise ContentError(unknown("study", name, list(names)))
    return names[name]


def read_facts(paths: Sequence[Path]) -> tuple[Fact, ...]:
    """Return all kinetic facts of some files.

    Raises
    ------
    ContentError
        The problems of all files in one: facts without source, bounds that exclude their value.
    """
    files, problems = [], []
    for path in paths:
        document = load(path)
        content, found = parse_leniently(document, Facts)
        problems += found
        if content is not None:
            files.append(FactFile(content, document))
            problems += run_fact_checks(files[-1])
    problems += facts_are_unique(files)
    if problems:
        raise ContentError(problems)
    return tuple(fact for file in files for fact in file.facts.facts)


@cache
def facts() -> tuple[Fact, ...]:
    """Return all kinetic facts of the library; errors as in `read_facts`."""
    return read_facts(_files("evidence/kinetics"))


def fact(name: str, among: Sequence[Fact] | None = None) -> Fact:
    """Return a kinetic fact by its id, such as ``"k044"``; `ContentError` when there is none."""
    known = {one.id: one for one in (facts() if among is None else among)}
    if name not in known:
        raise ContentError(unknown("kinetic fact", name, list(known)))
    return known[name]
