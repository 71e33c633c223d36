import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from seedbed.cli import evidence
from seedbed.errors import ContentError


@pytest.fixture(scope="module")
def application():
    app = typer.Typer()
    evidence.register(app)
    return app


def run(application, *words):
    result = CliRunner().invoke(application, ["evidence", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_list_filters_studies(application):
    output = run(application, "list", "--disease", "cns_lymphoma", "--therapy", "asct_cart")
    assert "wu_2021_cnsl" in output
    assert "3 studies" in output


def test_show_prints_sources_values_and_contrasts(application):
    output = run(application, "show", "wang_t_2022")
    assert "doi:10.1002/hon.2975" in output
    assert "difference of pfs, asct_cart vs asct: 0.36, P 0.036" in output
    assert "71.0%" in output


def test_table_covers_every_study(application, tmp_path):
    output = run(application, "table", "--therapy", "asct_cart", "--preferred")
    assert "not_fitted" in output
    run(application, "table", "--out", str(tmp_path / "all.csv"))
    table = pd.read_csv(tmp_path / "all.csv")
    everything = run(application, "table")
    missing = everything.split("studies with contrasts and no rate: ")[1].split()
    assert set(table["study"]) | set(missing) == {study.id for study in evidence_studies()}
    with pytest.raises(ContentError, match=r"ending in \.csv or \.parquet"):
        run(application, "table", "--out", str(tmp_path / "all.xls"))


def evidence_studies():
    from seedbed import evidence as base

    return base.studies()


def test_forest_prints_the_pooled_rate_and_writes_the_plot(application, tmp_path):
    out = tmp_path / "forest.svg"
    output = run(application, "forest", "--endpoint", "cr", "--therapy", "asct_cart", "--out", str(out))
    assert "pooled, random effects (2 studies)" in output
    assert out.exists()
    with pytest.raises(ContentError, match='did you mean "logit"'):
        run(application, "forest", "--endpoint", "cr", "--transform", "logits")


def test_forest_names_its_file_after_what_was_asked(application, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(application, "forest", "--endpoint", "cr", "--therapy", "asct_cart")
    assert (tmp_path / "forest-cr-asct_cart.html").stat().st_size > 100_000


def test_claims_are_printed_and_written(application, tmp_path):
    assert "## 17. Less exhaustion of CAR-T cells" in run(application, "claims")
    run(application, "claims", "--out", str(tmp_path / "docs" / "claims.md"), "--keep", str(tmp_path / "kept.yaml"))
    assert (tmp_path / "docs" / "claims.md").exists()
    assert "answers:" in (tmp_path / "kept.yaml").read_text()


def test_curve_shows_its_round_trip_error(application, tmp_path):
    out = tmp_path / "patients.csv"
    output = run(application, "curve", "mskcc_mtv_367", "cart", "--endpoint", "pfs", "--out", str(out))
    assert "367 patients, 235 events; largest round-trip error 0.0014" in output
    assert "no numbers at risk after the start" in output
    assert len(pd.read_csv(out)) == 367


def test_check_passes_on_the_library_and_names_problems_elsewhere(application, tmp_path):
    assert "no problem" in run(application, "check")
    (tmp_path / "bad.yaml").write_text("id: bad\n")
    with pytest.raises(ContentError, match='missing key "title"'):
        run(application, "check", str(tmp_path))
