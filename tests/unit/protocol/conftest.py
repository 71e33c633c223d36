"""A small protocol of its own, good as it stands, for tests that spoil it."""

import pytest

GOOD = """\
id: mine
title: {en: Mine, zh: 我的}
question: {en: Why, zh: 为何}
population: large_b_cell_lymphoma
model: asct_cart
follow_up_days: 400
eligibility:
  - {covariate: age, at_least: 18}
logistics:
  apheresis_day: 4
  stem_cell_collection: {median_days: 12, cv: 0.3, minimum_cd34: {amount: 2.0e+6, unit: cell/kg},
                         source: {how: assumed, reason: usual}}
  preparation_days: 3
  wait_for_cells: true
  without_cart: proceed
  source: {how: assumed, reason: usual}
elements:
  conditioning: {kind: conditioning, regimen: beam}
  stem_cells: {kind: stem_cells, cd34: collected, lymphocytes: {amount: 2.5e+8, unit: cell/kg}}
  cart: {kind: cart, product: cd19_cd28, dose: 2.0e+6, unit: cell/kg, clock: stem_cells, day: 2}
  growth_factor:
    kind: growth_factor
    clock: stem_cells
    drugs:
      - {drug: filgrastim, dose: 5, unit: ug/kg, first: 5, last: 7}
arms:
  asct_cart:
    title: {en: Both, zh: 联合}
    elements: [conditioning, stem_cells, cart, growth_factor]
    care: [standard]
square_lymphodepletion: fludarabine_cyclophosphamide
assessments:
  response: {days: [28, 90, 180, 365]}
"""


@pytest.fixture
def good():
    return GOOD


@pytest.fixture
def write(tmp_path):
    def _write(text):
        file = tmp_path / "mine.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return _write
