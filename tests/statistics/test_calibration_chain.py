"""Evidence: exact. The whole chain on the real model, small: calibrate, keep, validate, update, validate the update."""

import importlib.util
import re
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from seedbed import library
from seedbed.calibration.ensemble import read
from seedbed.calibration.run import earlier_of
from seedbed.calibration.store import Store
from seedbed.calibration.surroundings import read_plan
from seedbed.cli.main import application
from seedbed.errors import RunError
from seedbed.report.catalogue import load

DOCS = Path(__file__).parents[2] / "docs"
BUDGET = (
    "budget: {prior_members: 24, round_members: 24, least_rounds: 1, most_rounds: 1, subjects: 12, particles: 64, "
    "ensemble: 24, wanted_effective: 5}\n"
)
UPDATE = """id: calibrate_wider
title: {en: wider, zh: 更宽}
updates: {ensemble: base, frozen_hash: HASH, fit: [predict_wang_nhl1]}
seed: 2
"""


def base_plan():
    small = library.find("plans", "calibrate_small").read_text(encoding="utf-8")
    full = library.find("plans", "calibrate_single_therapies").read_text(encoding="utf-8")
    arm = full[full.index("  predict_wang_nhl1:") : full.index("  predict_wang_nhl2:")]
    plan = small.replace("id: calibrate_small", "id: calibrate_base")
    plan = plan.replace("between_study: {", arm + "between_study: {survival: 0.3, ")
    return re.sub(r"budget: .*\n", BUDGET, plan)


def generator():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def command(*words):
    result = CliRunner().invoke(application(), [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A library of its own with the frozen ensemble of a small plan, and its work folder beside it."""
    folder = tmp_path_factory.mktemp("chain")
    (folder / "plans").mkdir()
    (folder / "plans" / "calibrate_base.yaml").write_text(base_plan(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(library.VARIABLE, str(folder))
        command("calibrate", "calibrate_base", "--out", folder / "work", "--workers", 1, "--keep")
        update = UPDATE.replace("HASH", read("base").provenance.hashes["sets"])
        (folder / "plans" / "calibrate_wider.yaml").write_text(update + BUDGET, encoding="utf-8")
        yield folder


def test_the_ensemble_is_kept_in_the_library(shelf):
    found = read("base")
    assert len(found) == 24
    assert found.provenance.fitted == ("axi_cel_zuma_1", "tisa_cel_juliet", "graft_pbsct_91")
    kept = (shelf / "ensembles" / "base.csv").read_bytes()
    assert kept == (shelf / "work" / "base.csv").read_bytes()


def test_validation_simulates_what_was_not_left_out(shelf):
    output = command("validate", shelf / "work" / "base.yaml", "--out", shelf / "v", "--subjects", 20, "--workers", 1)
    assert "Interval score" in output
    rows = pd.read_csv(shelf / "v" / "rows.csv")
    assert rows.groupby("use")["cross_validated"].all().to_dict() == {"fit": True, "predict": False}
    predicted = rows[rows["use"] == "predict"]
    assert predicted["null_score"].notna().all()
    assert (rows["upper"] >= rows["lower"]).all()
    simulated = {path.name for path in (shelf / "v").iterdir() if path.is_dir()}
    assert simulated == {"predict_wang_nhl1", "null world of predict_wang_nhl1"}
    assert (shelf / "v" / "report.html").exists()


def test_another_seed_does_not_resume_a_validation(shelf):
    with pytest.raises(RunError, match="seed differ"):
        command("validate", "base", "--out", shelf / "v", "--subjects", 20, "--workers", 1, "--seed", 9)


def test_an_update_goes_on_from_the_frozen_work_folder(shelf):
    command(
        "calibrate", "calibrate_wider", "--from", shelf / "work", "--out", shelf / "w", "--workers", 1, "--keep"
    )  # fmt: skip
    assert {path.name for path in (shelf / "w" / "round-1").iterdir()} == {"predict_wang_nhl1"}
    wider = read("wider")
    assert wider.provenance.updates == "base"
    assert not wider.provenance.default
    assert "cart_expansion@coh_cd19_tcm_zeta" in wider.sets
    assert "cart_expansion@axi_cel" in wider.sets
    output = command("validate", "wider", "--out", shelf / "v2", "--lang", "zh", "--workers", 1, "--keep")
    assert load("zh")("validation.use.update") in output.replace("\n", "")
    assert set(pd.read_csv(shelf / "ensembles" / "wider-validation-rows.csv")["use"]) == {"fit", "update"}
    page = generator().pages()["reference/ensembles.md"]
    assert "`seedbed calibrate calibrate_wider --from <work folder of base> --keep`, seed 2" in page
    assert read("wider").provenance.hashes["sets"] in page
    assert "Not run yet" in page[: page.index("## wider")]
    assert "| fit | meta_analysis | 8 | 3 |" in page


def test_a_folder_that_is_not_the_frozen_one_is_refused(shelf, tmp_path):
    with pytest.raises(RunError, match="updates no frozen ensemble"):
        earlier_of(read_plan("calibrate_base"), Store(shelf / "work"))
    with pytest.raises(RunError, match="holds no calibration"):
        earlier_of(read_plan("calibrate_wider"), Store(tmp_path))
    with pytest.raises(RunError, match="holds another calibration"):
        earlier_of(read_plan("calibrate_wider"), Store(shelf / "w"))
