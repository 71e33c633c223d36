import pytest

from seedbed.errors import nearest

STUDIES = ("wei_2022_tp53", "wei_g_2021", "wang_2016", "zuma_1", "zuma_12")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("wei_2022", "wei_2022_tp53"),  # the beginning of a name, though another is more alike
        ("zuma", "zuma_1"),
        ("wei_2022_tp35", "wei_2022_tp53"),
        ("zuma_2", "zuma_12"),
        ("we", None),
        ("", None),
        ("xylophone", None),
    ],
)
def test_the_nearest_name(word, expected):
    assert nearest(word, STUDIES) == expected
