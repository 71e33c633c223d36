import pytest
from studies import write

from seedbed.errors import ContentError
from seedbed.evidence import read_folder, read_study


def refusal(path):
    with pytest.raises(ContentError) as refused:
        read_study(path)
    return str(refused.value)


def test_a_sound_study_passes(tmp_path):
    assert read_study(write(tmp_path)).arm("cart").n == 40


FITTED = "FittedRowsAreSound"
SOURCE, COUNTS = "EveryValueHasASource", "CountsFitTheRate"
SPOILED = [
    ("denominator: infused, source: abstract, seen", "denominator: infused, seen", "has no source", SOURCE),
    ("source: abstract, seen: true}\n", "source: abstact, seen: true}\n", 'did you mean "abstract"', SOURCE),
    ("citation: Example 2020", "citation: ''", "has no citation", SOURCE),
    ("{lower: 0.34, upper: 0.66}", "{lower: 0.54, upper: 0.66}", "0.54 to 0.66 excludes", "IntervalsContain"),
    ("{lower: 0.34, upper: 0.66}", "{lower: 0.66, upper: 0.34}", "excludes its value", "IntervalsContain"),
    ("{lower: 0.3, upper: 0.8}", "{lower: 0.6, upper: 0.8}", "excludes its value 0.5", "IntervalsContain"),
    ("events: 30, n: 40", "events: 28, n: 40", "28 of 40 is 0.7, not 0.75", COUNTS),
    ("events: 30, n: 40", "events: 50, n: 40", "50 events among 40", COUNTS),
    ("value: 0.1, unit: '1', n: 40", "value: 0.1, unit: '1', n: 14", "no whole number of 14 gives 0.1", COUNTS),
    ("value: 0.75", "value: 75", "expected a fraction from 0 to 1", "ValuesAreInRange"),
    ("value: 0.45, ", "", "has no value", "ValuesAreInRange"),
    ("NCT00000001", "NCT0000001", 'registry number "NCT0000001"', "IdentifiersAreWellFormed"),
    ("10.1000/example", "doi.org/10.1000", 'DOI "doi.org/10.1000"', "IdentifiersAreWellFormed"),
    ("pmid: '123'", "pmid: PMC123", 'PMID "PMC123"', "IdentifiersAreWellFormed"),
    ("disease: lbcl", "disease: lbclc", 'did you mean "lbcl"', "WordsAreKnown"),
    ("endpoint: orr,", "endpoint: orrr,", 'did you mean "orr"', "WordsAreKnown"),
    ("scale: lee2014", "scale: lee2041", 'did you mean "lee2014"', "WordsAreKnown"),
    ("product: axi_cel", "product: axicel", 'did you mean "axi_cel"', "WordsAreKnown"),
    ("id: cr, endpoint", "id: orr, endpoint", 'row "orr" stands twice', "IdsAreUnique"),
    ("id: sound\n", "id: other\n", 'study "other" stands in sound.yaml', "IdsAreUnique"),
    ("scale: lee2014, ", "", "has no grading scale", "GradedRowsNameTheirScale"),
    ("n: 40, time_days: 365,", "n: 40,", "has no time_days", "LandmarksHaveATime"),
    ("product: axi_cel\n    n: 40", "product: axi_cel\n    n: 30", "n = 40 in an arm of 30", "RowsFitTheirArm"),
    ("therapy: cart", "therapy: asct_cart", "asct_cart and its use is calibrate", "TheCombinationIsNeverFitted"),
    ("kind: single_arm", "kind: meta_analysis", "to be fitted but its study retells others", FITTED),
    ("seen: true, preferred: true}", "seen: false, preferred: true}", "recalled without high", FITTED),
    ("seen: true, preferred", "seen: true, doubt: odd, preferred", "but it is doubtful", FITTED),
    ("seen: true, preferred", "seen: true, subgroup: old, preferred", "but it is a subgroup", FITTED),
    ("value: 0.6, unit", "value: 0.4, unit", "PFS 0.45 above OS 0.4, day 365", "SurvivalNeverRises"),
    ("value: 0.5, unit: '1', interval: {lower: 0.34, upper: 0.66},", "value: 0.8, unit: '1',", "cr 0.8", "Nested"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words", "check"), SPOILED, ids=lambda text: text[:24].strip())
def test_a_spoiled_study_is_refused_by_its_check(tmp_path, old, new, words, check):
    message = refusal(write(tmp_path, (old, new)))
    assert words in message
    assert f"[{check}" in message
    assert "line " in message
    assert "sound.yaml" in message


def test_all_problems_of_a_file_stand_in_one_message(tmp_path):
    path = write(
        tmp_path,
        ("denominator: infused, source: abstract, seen", "denominator: infused, seen"),
        ("{lower: 0.34, upper: 0.66}", "{lower: 0.54, upper: 0.66}"),
        ("value: 0.1, unit: '1', n: 40", "value: 0.1, unit: '1', n: 14"),
        ("regimen:", "regimens: x\n    regimen:"),
    )
    message = refusal(path)
    assert "4 problems" in message
    assert 'unknown key "arms.0.regimens"' in message
    for check in ("EveryValueHasASource", "IntervalsContainTheirValue", "CountsFitTheRate"):
        assert check in message


def test_survival_that_rises_with_time_is_refused(tmp_path):
    later = (
        "\n      - {id: pfs_24m, endpoint: pfs, statistic: kaplan_meier, value: 0.5, unit: '1', n: 40, time_days: 730,"
    )
    later += "\n         clock: cart_infusion, source: abstract, seen: true, preferred: true}\ncontrasts:"
    assert "pfs rises with time" in refusal(write(tmp_path, ("\ncontrasts:", later)))


def test_the_same_patients_preferred_twice_are_refused(tmp_path):
    write(tmp_path)
    write(tmp_path, ("id: sound\n", "id: again\n"), name="again")
    with pytest.raises(ContentError, match=r"cohort group sound: .* may hold the same patients"):
        read_folder(tmp_path)


def test_disjoint_parts_of_one_study_may_both_be_preferred(tmp_path):
    text = write(tmp_path).read_text()
    arm = text[text.index("  - id: cart") : text.index("contrasts:")]
    first = arm.replace("cohort_group: sound", "cohort_group: sound\n    part: product:a")
    second = first.replace("id: cart", "id: other").replace("product:a", "product:b")
    (tmp_path / "sound.yaml").write_text(text.replace(arm, first + second))
    assert len(read_folder(tmp_path)[0].arms) == 2
    (tmp_path / "sound.yaml").write_text(text.replace(arm, first + second.replace("product:b", "product:a")))
    with pytest.raises(ContentError, match="PatientsCountOnce"):
        read_folder(tmp_path)


def test_a_name_used_by_two_studies_is_refused(tmp_path):
    write(tmp_path)
    write(
        tmp_path,
        ("id: sound\n", "id: again\naliases: [sound]\n"),
        ("cohort_group: sound", "cohort_group: g"),
        name="again",
    )
    with pytest.raises(ContentError, match='"sound" is also a name of again'):
        read_folder(tmp_path)


def test_an_unknown_study_names_the_nearest():
    from seedbed import evidence

    with pytest.raises(ContentError, match=r'unknown study "zuma_77".*did you mean "zuma_7"'):
        evidence.study("zuma_77")
    assert evidence.study("zuma1_2023").id == "zuma_1"
