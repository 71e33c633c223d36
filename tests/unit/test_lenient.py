from typing import Annotated, Literal

import pytest
from pydantic import Field

from seedbed.documents import Content, load
from seedbed.lenient import parse_leniently


class Dose(Content):
    drug: str
    amount: Annotated[float, Field(gt=0)]
    share: Annotated[float, Field(ge=0, le=1)] = 1.0


class Plan(Content):
    id: str
    doses: tuple[Dose, ...]


def _parse(tmp_path, text):
    file = tmp_path / "plan.yaml"
    file.write_text(text, encoding="utf-8")
    return parse_leniently(load(file), Plan)


def test_a_good_file_has_no_problems(tmp_path):
    plan, problems = _parse(tmp_path, "id: a\ndoses: [{drug: x, amount: 2}]\n")
    assert plan.doses[0].amount == 2
    assert problems == []


def test_a_misspelt_key_is_taken_for_the_missing_one_it_is_like(tmp_path):
    plan, problems = _parse(tmp_path, "id: a\ndoses:\n- {drug: x, ammount: 3}\n- {drug: y, amount: -1}\n")
    assert [dose.drug for dose in plan.doses] == ["x", "y"]
    assert plan.doses[0].amount == 3
    assert sorted(str(problem).split("  ")[1][:11] for problem in problems) == [
        "doses.1.amo",
        "missing key",
        "unknown key",
    ]


def test_a_missing_key_without_a_likely_one_leaves_the_file_unreadable(tmp_path):
    plan, problems = _parse(tmp_path, "id: a\ndoses:\n- {drug: x, shape: 3}\n")
    assert plan is None
    assert len(problems) == 2


def test_slips_are_reported_and_set_aside(tmp_path):
    plan, problems = _parse(tmp_path, "id: a\nnote: b\ndoses:\n- {drug: x, amount: -2, share: 3}\n")
    assert plan.doses[0].drug == "x"
    assert plan.doses[0].amount > 0
    assert plan.doses[0].share <= 1
    assert len(problems) == 3
    assert {problem.line for problem in problems} == {2, 4}


@pytest.mark.parametrize("text", ["id: a\n", "id: a\ndoses: 3\n", "id: a\ndoses: [{drug: x, amount: many}]\n"])
def test_what_cannot_be_understood_gives_nothing_but_problems(tmp_path, text):
    plan, problems = _parse(tmp_path, text)
    assert plan is None
    assert problems


class Choice(Content):
    clock: Literal["stem_cells", "cart"]
    first: int


def test_a_word_that_is_not_allowed_is_taken_for_the_one_it_is_like(tmp_path):
    file = tmp_path / "choice.yaml"
    file.write_text("clock: stem_cell\nfirst: 1\n", encoding="utf-8")
    choice, problems = parse_leniently(load(file), Choice)
    assert choice.clock == "stem_cells"
    assert [problem.line for problem in problems] == [1]
    file.write_text("clock: noon\nfirst: 1\n", encoding="utf-8")
    assert parse_leniently(load(file), Choice)[0].clock == "stem_cells"
