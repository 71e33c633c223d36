"""Attribution: a tiny study from end to end, and what its files may hold."""

import shutil

import numpy as np
import pandas as pd
import pytest

from seedbed import library
from seedbed.documents import load
from seedbed.errors import ContentError
from seedbed.report import attribution_report, catalogue
from seedbed.study import attribution
from seedbed.study.variants import derive
from study_pages import compile_figures, examine

OUTCOMES = ("complete_response", "cart_peak")


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Return a file of two mechanisms, one of which exists in neither arm."""
    text = library.path("mechanisms/asct_cart.yaml").read_text(encoding="utf-8")
    data = load(library.path("mechanisms/asct_cart.yaml")).data
    assert set(data["mechanisms"]) == {"sink", "suppression", "myeloid", "debulking", "reconstitution"}
    head, rest = text.split("  suppression:\n", 1)
    debulking = rest[rest.index("  debulking:\n") : rest.index("  reconstitution:\n")]
    idle = (
        "  idle:\n    title: {en: Idle, zh: 无}\n    describes: {en: No thiotepa is given, zh: 未用}\n"
        '    without_it: {parameters: {log_kill_tumor_thiotepa: {set: 0, unit: "1", source: *off}}}\n'
    )
    file = tmp_path_factory.mktemp("mechanisms") / "few.yaml"
    end = rest[rest.index("# What is left") :]
    file.write_text(head + debulking + idle + "remainder:\n" + end.split("remainder:\n", 1)[1], encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def found(few, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    options = {"subjects": 50, "outcome_names": OUTCOMES, "until_days": 95.0, "workers": 1, "knowledge": ("typical",)}
    result = attribution.attribute("wei_2022_tp53", folder=folder, mechanisms=few, **options)
    result.write(folder)
    return result, folder


def test_shares_and_remainder_add_up_to_the_difference_between_the_arms(found):
    table = found[0].shares[found[0].shares["kind"] != "selection"]
    for _, rows in table.groupby(["world", "outcome"]):
        total = rows.loc[rows["kind"] == "total", "estimate"].item()
        assert rows.loc[rows["kind"] != "total", "estimate"].sum() == pytest.approx(total, abs=1e-9)
    arms = found[0].arms.set_index(["outcome", "corner"])["estimate"]
    total = table[(table["kind"] == "total") & (table["outcome"] == "complete_response")]["estimate"].item()
    assert total == pytest.approx(arms["complete_response", "both"] - arms["complete_response", "cart"])


def test_a_mechanism_without_effect_in_either_arm_has_share_zero(found):
    shares = found[0].shares.set_index(["outcome", "part"])
    for outcome in OUTCOMES:
        assert shares.loc[(outcome, "idle"), "estimate"] == 0.0
        assert shares.loc[(outcome, "idle"), "upper"] == 0.0
    assert abs(shares.loc[("cart_peak", "sink"), "estimate"]) > 0.02


def test_results_are_written(found):
    result, folder = found
    again = pd.read_parquet(folder / "shares.parquet")
    np.testing.assert_allclose(again["estimate"], result.shares["estimate"])
    assert (folder / "attribution.json").read_text(encoding="utf-8").startswith('{\n "protocol": "wei_2022_tp53"')


def test_arms_that_come_to_the_same_are_simulated_once():
    question = attribution.read_question("wei_2022_tp53")
    variants = attribution.variants_of(question)
    derived = derive(question.trial, variants, question.document)
    assert len({variant.id for variant in variants}) == 2 * 32 + 2 * 2 + 2
    assert len(derived.protocol.arms) < len(variants)
    without_graft = derived.arm_of["cart: only sink"], derived.arm_of["cart: only sink+reconstitution"]
    assert without_graft[0] == without_graft[1], "CAR-T alone has no graft to switch off"
    assert len(derived.protocol.arms) == 32 + 16 + 2 + 1 + 2


SPOILED = {
    "unknown parameter": (
        "log_kill_tumor_alkylator:", "log_kill_tumour_alkylator:",
        'unknown parameter "log_kill_tumour_alkylator"; .*did you mean "log_kill_tumor_alkylator"',
    ),
    "wrong unit": ("unit: kg/mega_cell", "unit: kg", 'unit "kg" of monocytes_per_cd34; expected "kg/mega_cell"'),
    "unknown element": ("remove: [growth_factor]", "remove: [growth_facto]",
                        'line [0-9]+  unknown element "growth_facto" to remove; did you mean "growth_factor"'),
    "unknown key": ("without_it: {remove", "with_out_it: {remove", 'unknown key "remainder.growth_factor.with_out_it"'),
    "another model": ("model: asct_cart", "model: stein2019", 'line 4  mechanisms of model "stein2019"'),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILED)
def test_a_spoiled_file_of_mechanisms_says_what_is_wrong(case, tmp_path):
    old, new, message = SPOILED[case]
    file = tmp_path / "mine.yaml"
    shutil.copy(library.path("mechanisms/asct_cart.yaml"), file)
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ContentError, match=message):
        attribution.attribute("wei_2022_tp53", folder=tmp_path / "study", mechanisms=file)
    assert not (tmp_path / "study").exists(), "nothing is written before everything is read"


def test_a_protocol_without_the_combination_is_refused():
    with pytest.raises(ContentError, match="no arm gives both stem cells and CAR-T cells"):
        attribution.read_question("b_all_asct_or_cart")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_shows_every_outcome_with_its_parts(found, language, tmp_path):
    text = examine(attribution_report.write(found[0], tmp_path, language), language)
    setting = attribution_report.Setting(found[0], catalogue.load(language))
    assert all(name in text for name in setting.parts.values())
    sections = {section.name: section for section in attribution_report.sections(setting)}
    assert list(sections) == ["answer", *OUTCOMES, "square", "limits"]
    assert attribution_report.terminal(found[0], language).row_count > 0


def test_the_charts_compile_without_warnings(found, capfd):
    compile_figures(attribution_report.sections(attribution_report.Setting(found[0], catalogue.load("en"))), capfd)
