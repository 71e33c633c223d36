"""The protocols and the population of the how-to pages and the tutorial work as they stand there."""

import re
import shutil
from pathlib import Path

import pytest

from seedbed import library, population, protocol
from seedbed.model import ALL_CHECKS, read_model, run_checks
from seedbed.protocol import catalogue
from seedbed.trial import enrollment

DOCS = Path(__file__).parents[2] / "docs"


def _example(page, folder):
    text = (DOCS / page).read_text(encoding="utf-8")
    content = re.search(r"```yaml\n(.*?)```", text, re.DOTALL).group(1)
    file = folder / "example.yaml"
    file.write_text(content, encoding="utf-8")
    return file, text


def test_the_protocol_of_the_page_enrolls(tmp_path):
    file, text = _example("how_to/write_a_protocol.md", tmp_path)
    trial, who = enrollment.read(file)
    enrolled = enrollment.enroll(protocol.square(trial), who, 20, seed=1)
    assert list(enrolled.arm_tables) == ["asct_cart", "asct_cart_anti_pd1", "asct", "cart", "neither"]
    for kind in ("bridging", "prophylaxis", "premedication", "bispecific", "lymphodepletion"):
        assert f"`{kind}`" in text


def test_the_population_of_the_page_draws(tmp_path):
    file, text = _example("how_to/write_a_population.md", tmp_path)
    who = population.read(file, known_parameters=enrollment.model_parameters("asct_cart"))
    drawn = population.draw(who, {}, range(200), seed=1)
    assert drawn["ldh_ratio"].median() == pytest.approx(2.2, rel=0.2)
    for form in ("set", "factor", "power", "exponential", "geometric", "levels"):
        assert f"`{form}`" in text


def test_the_protocol_of_the_tutorial_enrolls(tmp_path):
    file, _ = _example("tutorials/first_trial.md", tmp_path)
    trial, who = enrollment.read(file)
    enrolled = enrollment.enroll(protocol.square(trial), who, 20, seed=1)
    assert list(enrolled.arm_tables) == ["day_2", "day_7", "asct", "cart", "neither"]


def test_the_mechanism_and_the_drug_of_the_page_fit_the_model(tmp_path, monkeypatch):
    text = (DOCS / "how_to/change_the_model.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:yaml)?\n(.*?)```", text, re.DOTALL)
    equations, declarations, drugs = blocks
    own = tmp_path / "models" / "asct_cart"
    shutil.copytree(library.path("models/asct_cart"), own)
    (own / "mechanisms" / "fratricide.ant").write_text(equations, encoding="utf-8")
    (own / "mechanisms" / "fratricide.yaml").write_text(declarations, encoding="utf-8")
    listed = (own / "model.yaml").read_text(encoding="utf-8").replace("  - cart\n", "  - cart\n  - fratricide\n", 1)
    (own / "model.yaml").write_text(listed, encoding="utf-8")
    (tmp_path / "drugs").mkdir()
    (tmp_path / "drugs" / "mine.yaml").write_text(drugs, encoding="utf-8")
    monkeypatch.setenv(library.VARIABLE, str(tmp_path))
    model = read_model("asct_cart")
    assert "k_fratricide" in model.parameters
    assert run_checks(model, ALL_CHECKS) == []
    catalogue.drugs.cache_clear()
    try:
        given = {entry.intervention for entry in catalogue.drugs()["treosulfan"].inputs}
        assert given <= set(model.interventions)
    finally:
        catalogue.drugs.cache_clear()
