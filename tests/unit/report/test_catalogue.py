"""The words: complete in both languages, none unused, none missing, placeholders alike."""

import json
import re
import string
from pathlib import Path

import pytest
import yaml

from seedbed import library, report, tables
from seedbed.analysis.summary import Time, standard_definitions
from seedbed.documents import load
from seedbed.errors import ContentError
from seedbed.population.checks import DERIVED_AT_ENROLLMENT
from seedbed.report import blocks, catalogue, charts, contrasts, diagrams, wording
from seedbed.report.sections import closing, efficacy, safety

SOURCE = Path(report.__file__).parent
FILES = sorted(
    file
    for folder in (SOURCE, SOURCE.parent / "cli")
    for file in folder.rglob("*")
    if file.suffix in {".py", ".j2"} and file.stem != "forest"
)
CALL = re.compile(r"""\b(?:t|self)\(\s*(f?)(["'])((?:[^"'\\{}]|\{[^{}]*\})+)\2""")
NAMED = re.compile(r"""\bt\.name\(\s*(["'])([a-z_]+)\1""")


def texts(language):
    return json.loads(library.path(f"locales/{language}.json").read_text(encoding="utf-8"))


def placeholders(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def used():
    """Return the literal keys and the prefixes of families that code and templates ask for."""
    keys, families = set(), {"phrase.", "arm.", "covariate_of."}
    for file in FILES:
        for is_formatted, _, key in CALL.findall(file.read_text(encoding="utf-8")):
            literal = key.split("{")[0] if is_formatted else key
            (families if is_formatted and "{" in key else keys).add(literal)
        families |= {f"{family}." for _, family in NAMED.findall(file.read_text(encoding="utf-8"))}
    own = {"run.subjects"}  # in the docstring of the catalogue
    indirect = {f"headline.{note}" for note in efficacy.NOTES.values()}
    return (keys - own) | indirect, families - {"headline."}


def test_languages_have_the_same_keys():
    keys = {language: set(texts(language)) for language in catalogue.LANGUAGES}
    assert keys["en"] ^ keys["zh"] == set()


def test_languages_have_the_same_placeholders():
    english, chinese = texts("en"), texts("zh")
    keys = [key for key in english if not key.startswith("phrase.")]
    assert [key for key in keys if placeholders(english[key]) != placeholders(chinese[key])] == []


def test_no_key_is_missing():
    keys, _ = used()
    assert sorted(keys - set(texts("en"))) == []


def test_every_family_has_members():
    _, families = used()
    known = texts("en")
    assert [family for family in sorted(families) if not any(key.startswith(family) for key in known)] == []


def test_no_key_is_unused():
    keys, families = used()
    unused = [key for key in texts("en") if key not in keys and not any(key.startswith(f) for f in families)]
    assert unused == []


def test_chinese_texts_are_chinese():
    """Only units, acronyms and formats may do without a Chinese character."""
    without_values = {key: re.sub(r"{[^}]*}", "", text) for key, text in texts("zh").items()}
    latin = [key for key, text in without_values.items() if not re.search("[一-鿿]", text)]
    assert [key for key in latin if re.search("[a-z]{4}", without_values[key])] == []


DOMAINS = {
    "endpoint": {item.endpoint for item in standard_definitions()}
    | {f"{item.endpoint}_median" for item in standard_definitions() if isinstance(item, Time)},
    "kind": set(diagrams.KIND_COLORS),
    "observable": {*safety.COUNTS, *safety.KINETICS},
    "response_level": set(wording.RESPONSE_LEVELS),
    "response_at": set(efficacy.RESPONSE_COLUMNS),
    "toxicity_of": set(safety.GRADED),
    "engraftment": set(safety.ENGRAFTMENT),
    "corner": set(contrasts.SQUARE),
    "spread": set(charts.SOURCES_OF_SPREAD),
    "depth": set(charts.DEPTH_COLORS),
    "verdict": set(charts.VERDICT_COLORS),
    "limit": set(closing.LIMITS),
    "survival_note": set(efficacy.SURVIVAL_NAMES),
}


@pytest.mark.parametrize("family", sorted(DOMAINS))
def test_families_are_complete_and_hold_nothing_else(family):
    members = {key.removeprefix(f"{family}.") for key in texts("en") if key.startswith(f"{family}.")}
    assert members == DOMAINS[family]


def test_every_phrase_of_the_data_dictionary_and_every_note_of_a_protocol_is_translated():
    fields = ("meaning", "rule", "missing", "clock")
    phrases = {getattr(column, field) for column in tables.columns("endpoints") for field in fields} - {""}
    for name in library.names("protocols"):
        phrases |= set(yaml.safe_load(library.find("protocols", name).read_text(encoding="utf-8")).get("notes", ()))
    known = {key.removeprefix("phrase.") for key in texts("zh") if key.startswith("phrase.")}
    assert phrases - known == set(), "add them to library/locales/en.json and zh.json as phrase.<English text>"
    assert known - phrases == set(), "no table or protocol says so any more; remove them from library/locales"


def test_english_phrases_say_what_the_content_says():
    assert all(text == key.removeprefix("phrase.") for key, text in texts("en").items() if key.startswith("phrase."))


def test_every_unit_of_the_data_dictionary_has_a_word():
    units = {column.unit for column in tables.columns("endpoints")}
    assert units <= {key.removeprefix("unit.") for key in texts("en")}


def test_every_covariate_of_the_library_has_a_name():
    found = set()
    for file in library.path("populations").rglob("*.yaml"):
        found |= set(load(file).data.get("covariates") or {})
    known = {key.removeprefix("covariate.") for key in texts("en") if key.startswith("covariate.")}
    assert found - known == set()
    assert known - found == set(DERIVED_AT_ENROLLMENT)


def test_a_missing_key_is_an_error_with_the_nearest_one():
    t = catalogue.load("en")
    with pytest.raises(ContentError, match=r'no text for key "headline\.titel"; did you mean "headline\.title"'):
        t("headline.titel")


def test_a_missing_value_is_an_error():
    with pytest.raises(ContentError, match="needs a value for 'n'"):
        catalogue.load("en")("format.n")


def test_an_unknown_language_is_an_error():
    with pytest.raises(ContentError, match='unknown language "fr"'):
        catalogue.load("fr")


def test_a_key_that_stands_twice_is_an_error(tmp_path):
    file = tmp_path / "xx.json"
    file.write_text('{"a": "one", "a": "two", "b": ""}')
    with pytest.raises(ContentError, match=r'(?s)key "a" stands twice.*key "b" holds no text'):
        catalogue._read(file)


def test_numbers_in_words():
    t = catalogue.load("en")
    assert t.number(-1234.5) == "−1,234.5"
    assert t.number(-0.04) == "0.0"
    assert t.percent(0.123) == "12%"
    assert t.percent(None) == t.number(float("nan")) == "–"
    assert t.significant(0.0123) == "0.0123"
    assert t.significant(6.1e10) == "6.1×10¹⁰"
    assert t.plain(5.0) == "5"
    assert t.plain(1000.0) == "1,000"


def test_an_id_of_a_users_own_content_stands_in_plain_words():
    assert catalogue.load("zh").name("covariate", "my_own_marker") == "my own marker"


def test_blocks_say_nothing_themselves():
    strings = re.findall(r'^\s+text: str = "(.+)"', Path(blocks.__file__).read_text(), re.MULTILINE)
    assert strings == []
