import pytest
from pydantic import ValidationError

from seedbed.sources import Source, Words


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"how": "direct"}, 'a source that is "direct" names a study'),
        ({"how": "derived", "study": "zuma_1"}, 'a source that is "derived" gives its reason'),
        ({"how": "assumed"}, 'a source that is "assumed" gives its reason'),
        ({"how": "assumed", "reason": "x", "range": (2, 1)}, "the lower end of the range exceeds the upper"),
    ],
)
def test_a_source_says_where_a_number_is_from(content, message):
    with pytest.raises(ValidationError, match=message):
        Source.model_validate(content)


def test_words_show_in_english_by_default():
    assert str(Words(en="both", zh="联合")) == "both"
