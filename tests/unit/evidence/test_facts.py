import pytest

from seedbed.errors import ContentError
from seedbed.evidence.reader import read_facts

SOUND = """\
topic: an example
facts:
  - {id: f1, quantity: tmax, context: example, statistic: median, value: 9, unit: day, lower: 5, upper: 14,
     bounds: range, n: 30, therapy: cart, source: Example 2020, seen: true, use: calibrate}
  - {id: f2, quantity: cmax, context: example, statistic: median, value: [40, 20], groups: [responders, others],
     unit: cell/uL, therapy: cart, source: Example 2020, seen: true, use: calibrate}
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "source: Example 2020, seen: true, use: calibrate}\n  -",
            "source: '', seen: true, use: context}\n  -",
            "f1 has no source",
        ),
        ("lower: 5, upper: 14", "lower: 10, upper: 14", "10.0 to 14.0 excludes 9.0"),
        ("groups: [responders, others]", "groups: [responders]", "2 values and 1 groups"),
        ("statistic: median, value: 9", "statistic: medium, value: 9", 'unknown statistic "medium"'),
        (
            "statistic: median, value: 9, unit: day, lower: 5, upper: 14,\n     bounds: range,",
            "statistic: median,",
            "says nothing",
        ),
        ("id: f2", "id: f1", 'fact "f1" stands twice'),
    ],
)
def test_spoiled_facts_are_refused(tmp_path, old, new, words):
    assert old in SOUND
    path = tmp_path / "facts.yaml"
    path.write_text(SOUND)
    assert [fact.id for fact in read_facts([path])] == ["f1", "f2"]
    path.write_text(SOUND.replace(old, new, 1))
    with pytest.raises(ContentError) as refused:
        read_facts([path])
    assert words in str(refused.value)
    assert "line " in str(refused.value)
