"""Read a file that may be wrong, so that a later check can still speak of the parts that are right.

One message lists every problem of a file: those of its form, and those of its sense. To reach the second, slips of
form that leave the rest readable (an unknown or misspelt key, a number below its bound, a word that is not among those
allowed) are set aside on a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from seedbed.documents import Content, Document, Key, allowed_words, parse
from seedbed.errors import ContentError, Problem, nearest

Schema = TypeVar("Schema", bound=Content)
_STAND_IN = {"greater_than": ("gt", 1.0), "greater_than_equal": ("ge", 0.0)}
_STAND_IN |= {"less_than": ("lt", -1.0), "less_than_equal": ("le", 0.0)}


def parse_leniently(document: Document, schema: type[Schema]) -> tuple[Schema | None, list[Problem]]:
    """Return the document as a schema, with slips of form set aside, and the problems of form.

    Returns
    -------
    (instance, problems)
        The instance is None when the file cannot be understood even with its slips set aside.
    """
    try:
        return parse(document, schema), []
    except ContentError as error:
        problems = error.problems
    data = copy.deepcopy(document.data)
    for _ in range(3):
        try:
            return schema.model_validate(data), problems
        except ValidationError as error:
            slips = error.errors()
            mended = _mend_keys(data, slips)
            if not all(_set_aside(data, item) for item in slips if item["loc"] not in mended):
                return None, problems
    return None, problems


def _set_aside(data: Any, item: Any) -> bool:
    """Remove an unknown key, or put a value that is allowed in place of one that is not; False where neither helps."""
    holder, key = _holder(data, item["loc"])
    if holder is None:
        return False
    if item["type"] == "extra_forbidden":
        del holder[key]
        return True
    if item["type"] in _STAND_IN:
        name, step = _STAND_IN[item["type"]]
        holder[key] = type(holder[key])(item["ctx"][name] + step)
        return True
    if allowed := allowed_words(item):
        holder[key] = nearest(str(holder[key]), allowed) or allowed[0]
        return True
    return False


def _mend_keys(data: Any, slips: Sequence[Any]) -> set[tuple[Key, ...]]:
    """Give unknown keys the names of missing ones that they are like; return the locations of both."""
    unknown = [item["loc"] for item in slips if item["type"] == "extra_forbidden"]
    mended: set[tuple[Key, ...]] = set()
    for item in slips:
        if item["type"] == "missing":
            *place, missing = item["loc"]
            beside = {str(location[-1]): location for location in unknown if location[:-1] == tuple(place)}
            if (written := nearest(missing, beside)) is not None:
                holder, key = _holder(data, beside[written])
                holder[missing] = holder.pop(key)
                mended |= {item["loc"], beside[written]}
    return mended


def _holder(data: Any, location: Sequence[Key]) -> tuple[Any, Key | None]:
    """Return the mapping or list that holds the last key of a location, skipping the names of union members."""
    holder, last = None, None
    for key in location:
        inside = (isinstance(data, dict) and key in data) or (
            isinstance(data, list) and isinstance(key, int) and key < len(data)
        )
        if inside:
            holder, last, data = data, key, data[key]
    return holder, last
