"""The evidence of the library: all of it passes its checks, covers what was given, and loads fast."""

import time

import pytest
import yaml

from seedbed import evidence, library
from seedbed.analysis.summary import standard_definitions
from seedbed.documents import load
from seedbed.evidence import claims as pages
from seedbed.evidence import reader
from seedbed.evidence.reader import _files, _read_files, read_facts
from shared import shared

SQUARE = ("asct", "cart", "neither")
"""Arms that `seedbed run --square` adds to any protocol."""


def test_every_study_passes_every_check():
    assert len(evidence.studies()) == 129
    assert len(evidence.rows()) >= 990
    assert len(evidence.facts()) == 272


def test_all_evidence_is_read_within_a_second_and_a_half():
    start = time.process_time()
    _read_files(_files("evidence/studies"))
    read_facts(_files("evidence/kinetics"))
    assert time.process_time() - start < 1.5


def test_every_study_that_was_given_is_here_by_one_of_its_names():
    given = yaml.load(shared("evidence/studies.yaml").read_text(), Loader=yaml.CSafeLoader)["studies"]
    known = {name for study in evidence.studies() for name in (study.id, *study.aliases)}
    assert {study["study_id"] for study in given} == known
    assert len(given) == 143


def test_every_kinetic_fact_that_was_given_is_here():
    given = yaml.load(shared("evidence/kinetics.yaml").read_text(), Loader=yaml.CSafeLoader)["facts"]
    assert {fact["id"] for fact in given} <= {fact.id for fact in evidence.facts()}


def test_values_that_were_given_are_kept_but_for_the_listed_corrections():
    given = yaml.load(shared("evidence/studies.yaml").read_text(), Loader=yaml.CSafeLoader)["studies"]
    ours = evidence.rows()
    changes = library.roots()[-1].parents[2] / "docs" / "evidence_changes.md"
    listed = changes.read_text() if changes.exists() else ""
    lost = []
    for study in given:
        name = evidence.study(study["study_id"]).id
        have = set((ours.loc[ours["study"] == name, "published_value"] * 1000).round(1))
        for arm in study["arms"]:
            for row in arm["endpoints"]:
                if row["unit"] == "percent" and isinstance(row.get("value"), int | float):
                    wanted = round(row["value"] * 10, 1)
                    if wanted not in have and f"{name}." not in listed and name != "yan_2025_review":
                        lost.append((name, row["name"], row["value"]))
    assert lost == []


def test_no_combination_arm_is_fitted_and_each_is_marked():
    combined = evidence.rows(therapy="asct_cart")
    assert set(combined["use"]) == {"not_fitted"}
    assert set(evidence.rows(use="not_fitted")["therapy"]) == {"asct_cart"}


def test_rows_to_fit_are_sound():
    fitted = evidence.rows(use="calibrate", preferred=True)
    assert len(fitted) > 400
    assert (fitted["doubt"] == "").all()
    assert (fitted["subgroup"] == "").all()
    assert set(fitted.loc[~fitted["seen"], "confidence"]) <= {"high"}
    keys = ["cohort_group", "part", "arm", "endpoint", "statistic", "time_days"]
    assert not fitted.duplicated(keys).any()


def test_every_endpoint_and_word_of_the_vocabulary_is_used():
    words, rows = evidence.vocabulary(), evidence.rows()
    used = set(rows["endpoint"]) | {contrast.endpoint for study in evidence.studies() for contrast in study.contrasts}
    assert set(words.endpoints) <= used
    assert set(words.diseases) == set(rows["disease"])
    assert {disease.family for disease in words.diseases.values()} == set(words.families)
    assert set(words.scales) == set(rows["scale"]) - {""}


@pytest.mark.parametrize("claim", pages.claims().claims, ids=lambda claim: claim.id)
def test_each_claim_asks_the_model_something_it_reports(claim):
    reported = {definition.endpoint for definition in standard_definitions()}
    assert claim.predictions
    for question in claim.predictions:
        arms = load(library.find("protocols", question.protocol)).data["arms"]
        assert {question.arm, question.versus} - {""} <= {*arms, *SQUARE}
    assert {question.endpoint for question in claim.predictions} <= reported
    assert claim.finding


def test_the_claims_of_the_review_are_all_there():
    assert [claim.id for claim in pages.claims().claims] == [
        "cr_range", "pfs_range", "severe_toxicity", "tp53", "cns_response", "mrd", "neutrophils", "platelets",
        "asct_recovery", "nct01840566", "cns_survival", "myeloma_icans", "hematologic_toxicity", "better_than_either",
        "expansion", "persistence", "exhaustion",
    ]  # fmt: skip


def test_words_of_the_figures_stand_in_both_languages():
    texts = yaml.safe_load(library.path("evidence/words.yaml").read_text(encoding="utf-8"))
    assert set(texts["en"]) <= set(texts["zh"])


def test_a_study_of_ones_own_stands_beside_those_of_the_library(tmp_path, monkeypatch):
    own = library.path("evidence/studies/wang_2016.yaml").read_text()
    (tmp_path / "evidence" / "studies").mkdir(parents=True)
    changed = own.replace("id: wang_2016", "id: my_study").replace("cohort_group: wang_2016", "cohort_group: mine")
    (tmp_path / "evidence" / "studies" / "my_study.yaml").write_text(changed)
    monkeypatch.setenv(library.VARIABLE, str(tmp_path))
    reader.studies.cache_clear()
    try:
        assert evidence.study("my_study").arm("nhl1").n == 8
        assert evidence.study("wang_2016").id == "wang_2016"
    finally:
        monkeypatch.delenv(library.VARIABLE)
        reader.studies.cache_clear()
