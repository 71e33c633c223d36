"""The command `seedbed run` as a user meets it: wrong input ends cleanly and leaves nothing behind."""

import sys

import pytest

from seedbed import library
from seedbed.cli.main import app
from seedbed.trial import manifest
from seedbed.trial.request import Options, make_request


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that runs the command in an empty folder and gives exit code, message and files left."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments):
        before = set(tmp_path.rglob("*"))
        monkeypatch.setattr(sys, "argv", ["seedbed", "run", *arguments])
        code = 0
        try:
            app()
        except SystemExit as end:
            code = end.code
        written = capsys.readouterr()
        return code, written.out + written.err, set(tmp_path.rglob("*")) - before

    return invoke


def spoil(folder, *changes):
    text = library.find("protocols", "wei_2022_tp53").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


SPOILED = {
    "unknown population": (
        ("population: large_b_cell_lymphoma_tp53", "population: large_b_cell_lymphoma_tp5"),
        "line 10",
    ),
    "unknown model": (("model: asct_cart", "model: asct_card"), 'line 11  unknown model "asct_card"'),
    "nobody eligible": (
        ("at_least: 18, at_most: 75", "at_least: 130, at_most: 150"),
        "the rarest condition is: age >= 130",
    ),
    "negative dose": (("dose: 8.0e+6", "dose: -8.0e+6"), "expected greater than 0"),
    "empty eligibility": (("at_least: 18, at_most: 75", "at_least: 76, at_most: 75"), "nobody can be at least 76"),
    "unknown key": (("notes:", "remarks:"), 'line 6  unknown key "remarks"; expected one of'),
    "misspelt key": (("follow_up_days:", "follow_up_dais:"), 'did you mean "follow_up_days"?'),
    "wrong unit": (
        ("dose: 5, unit: ug/kg", "dose: 5, unit: cell/kg"),
        'line 27  unit "cell/kg" does not fit filgrastim',
    ),
    "impossible order": (
        ("clock: stem_cells, day: 3", "clock: stem_cells, day: -9"),
        "not after the first conditioning",
    ),
    "no product": (("product: cd19_cd22_cocktail, ", ""), 'missing key "elements.cart_after_asct.product"'),
    "unknown drug": (("filgrastim", "filgrastin"), 'unknown drug "filgrastin"'),
    "unknown kind": (("kind: conditioning", "kind: conditionin"), 'did you mean "conditioning"?'),
    "no kind": (
        ("kind: conditioning", "kid: conditioning"),
        'missing key "elements.conditioning.kind"; did you mean "kid"',
    ),
    "no number": (("follow_up_days: 800", "follow_up_days: soon"), 'follow_up_days = "soon"; expected a whole number'),
    "not a number": (("dose: 8.0e+6", "dose: .nan"), "dose = NaN; expected a finite number"),
    "no list": (("elements: [lymphodepletion, cart_alone]", "elements: cart_alone"), "expected a list"),
    "not YAML": (("eligibility:", "eligibility: ["), "line 14  not YAML"),
    "twice": (("model: asct_cart", "model: asct_cart\nmodel: asct_cart"), 'line 12  key "model" stands twice'),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_wrong_protocol_ends_with_code_2_and_writes_nothing(run, tmp_path, name):
    change, told = SPOILED[name]
    code, message, left = run(spoil(tmp_path, change), "--subjects", "4", "--out", "a")
    assert code == 2
    assert told in message
    assert "Traceback" not in message
    assert {file.name for file in left} <= {"mine.yaml"}


def test_all_problems_of_a_protocol_come_in_one_message_in_the_order_of_the_file(run, tmp_path):
    changes = (
        ("model: asct_cart", "model: asct_kart"),
        ("follow_up_days: 800", "follow_up_dais: 800"),
        ("covariate: age", "covariate: ages"),
        ("dose: 8.0e+6", "dose: -8.0e+6"),
        ("drug: filgrastim", "drug: filgrastin"),
        ("elements: [lymphodepletion, cart_alone]", "elements: [lymphodepletion, cart_alon]"),
    )
    code, message, _ = run(spoil(tmp_path, *changes), "--subjects", "4", "--out", "a")
    assert code == 2
    lines = [int(line.split()[1]) for line in message.splitlines() if line.startswith("  line")]
    assert lines == [1, 11, 12, 14, 26, 27, 29, 42]


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--subjects", "0", "greater than or equal to 1"),
        ("--until", "inf", "less than or equal to 36525"),
        ("--until", "nan", "or equal to"),
        ("--seed", "-1", "greater than or equal to 0"),
        ("--workers", "0", "greater than or equal to 1"),
        ("--where", "moon", "'processes', 'threads'"),
        ("--ensemble", "nope", 'unknown ensemble "nope"'),
    ],
)
def test_a_wrong_option_ends_with_code_2_and_writes_nothing(run, option, value, told):
    code, message, left = run("wei_2022_tp53", "--out", "a", option, value)
    assert (code, left) == (2, set())
    assert told in " ".join(message.replace("│", " ").split())


def test_an_unknown_language_is_told_before_anything_is_simulated(run):
    code, message, left = run("wei_2022_tp53", "--subjects", "4", "--lang", "fr", "--out", "a")
    assert (code, left) == (2, set())
    assert 'unknown language "fr"; expected one of en, zh' in message


def test_a_folder_that_cannot_be_made_is_named(run, tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    code, message, left = run("wei_2022_tp53", "--subjects", "4", "--out", "file/a")
    assert (code, left) == (1, set())
    assert "file/a: cannot be written (Not a directory)" in message


def test_a_square_that_adds_no_arm_says_so(run):
    size = ("--subjects", "2", "--until", "1", "--where", "threads", "--endpoints-only", "--square")
    code, message, _ = run("large_b_cell_lymphoma_asct_or_cart", *size, "--out", "a")
    assert code == 0, message
    assert "--square added no arm" in message
    code, message, _ = run("asct_cart_lbcl", *size, "--out", "b")
    assert code == 0, message
    assert "--square added no arm" not in message


def test_a_run_of_one_day_still_reports(run):
    code, message, left = run("wei_2022_tp53", "--subjects", "2", "--until", "1", "--where", "threads", "--out", "a")
    assert code == 0, message
    report = next(file for file in left if file.name == "report.html")
    assert "Nobody was followed to the first assessment of response." in report.read_text(encoding="utf-8")


def test_a_manifest_that_was_edited_is_not_rerun(tmp_path, monkeypatch, capsys):
    request = make_request("wei_2022_tp53", Options(subjects=10))
    text = manifest.new(request, ()).model_dump_json().replace('"seed":1,', '"seed":2,')
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["seedbed", "rerun", "manifest.json", "--workers", "1", "--out", "again"])
    with pytest.raises(SystemExit) as end:
        app()
    assert end.value.code == 1
    assert "changed after the run" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()
