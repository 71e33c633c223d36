"""A small sound model that each test spoils in one place."""

import pytest

MODEL = """id: small
title: A small model
describes: One clone that grows and a drug that kills it.
mechanisms: [growth]
observables: [tumor, drug, size]
interventions:
  drug: {describes: the drug, unit: mg, doses: [{target: drug, per_unit: f_available}]}
"""
EQUATIONS = """// Growth and kill.
size := tumor/(tumor_start + tumor);

growth: => tumor; k_growth*tumor;
kill: tumor =>;
    k_kill*drug/(EC50_drug + drug)*tumor;
drug' = -k_loss*drug;
"""
DECLARATIONS = """title: Growth and kill
place: tumor
states:
  tumor: {describes: tumor cells, unit: giga_cell, initial: tumor_start}
  drug: {describes: drug, unit: mg, initial: 0}
quantities:
  size: {describes: relative size, unit: '1'}
parameters:
  tumor_start:
    describes: tumor at the start
    value: 2
    unit: giga_cell
    role: patient
    between_patient: {distribution: lognormal, cv: 0.5}
    source: {study: paper, location: Table 1, how: direct}
  k_growth: {describes: growth, value: 0.1, unit: 1/day, source: {study: paper, location: Table 1, how: derived}}
  k_kill: {describes: kill, value: 0.5, unit: 1/day, assumed: {reason: a guess for the test, range: [0.1, 1]}}
  EC50_drug: {describes: drug for half kill, value: 5, unit: mg, assumed: {reason: a guess for the test, range: [1, 9]}}
  k_loss: {describes: loss, value: 1, unit: 1/day, assumed: {reason: a guess for the test, range: [0.1, 3]}}
  f_available:
    describes: share that arrives
    value: 0.5
    unit: '1'
    used_in: doses
    between_patient: {distribution: uniform, lower: 0.2, upper: 0.9}
    assumed: {reason: a guess for the test, range: [0, 1]}
"""
REFERENCES = "references: {paper: {citation: A paper, seen: own}}\n"


class SmallModel:
    """The files of the small model; `spoil` replaces a text that must stand in one of them."""

    def __init__(self, folder):
        self.path = folder / "model.yaml"
        self.files = {
            "model": (self.path, MODEL),
            "equations": (folder / "mechanisms" / "growth.ant", EQUATIONS),
            "declarations": (folder / "mechanisms" / "growth.yaml", DECLARATIONS),
            "references": (folder / "references.yaml", REFERENCES),
        }
        (folder / "mechanisms").mkdir()
        for path, text in self.files.values():
            path.write_text(text)

    def spoil(self, file, old, new):
        path, _ = self.files[file]
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        return self.path


@pytest.fixture
def small(tmp_path):
    return SmallModel(tmp_path)
