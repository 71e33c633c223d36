"""The words of reports and terminal tables, one file a language in ``library/locales``.

A text is asked for by its key, ``t("survival.title")``, with named values for its placeholders,
``t("run.subjects", n=1000)``. A key or a value that is missing is an error, never a blank: a report that lacks a
word must not look finished. Families of keys share a prefix and are completed by an id of the content, such as
``t(f"arm.{arm}")``; `Catalogue.name` gives the id itself, in words, where a user's own file brings an unknown one.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from seedbed import library
from seedbed.errors import ContentError, Problem, nearest, unknown

LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Catalogue:
    """All texts of one language."""

    language: str
    texts: dict[str, str]
    file: str = ""

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of a key with its placeholders filled.

        Raises
        ------
        ContentError
            The catalogue lacks the key, or the text has a placeholder for which no value is given.
        """
        if key not in self.texts:
            cure = "add it to every file of library/locales"
            near = nearest(key, self.texts)
            raise ContentError(Problem(f'no text for key "{key}"', self.file, nearest=near, cure=cure))
        try:
            return self.texts[key].format(**values)
        except KeyError as error:
            raise ContentError(Problem(f'text "{key}" needs a value for {error}', self.file)) from error

    def __contains__(self, key: str) -> bool:
        """Tell whether the catalogue holds a key."""
        return key in self.texts

    def phrase(self, english: str) -> str:
        """Return a sentence of the content in this language, or as it is where a user's own file brought it."""
        return self.texts.get(f"phrase.{english}", english)

    def name(self, family: str, identifier: str) -> str:
        """Return the word of an id of the content, or the id in plain words where a user's own file brought it.

        Parameters
        ----------
        family : prefix of the keys, such as ``"drug"``
        identifier : the id, such as ``"melphalan"``
        """
        key = f"{family}.{identifier}"
        return self.texts[key] if key in self.texts else str(identifier).replace("_", " ")

    def number(self, value: float | None, digits: int = 1) -> str:
        """Return a number with a fixed count of decimals, or the sign for a missing one."""
        if value is None or not math.isfinite(value):
            return self("format.missing")
        shown = round(value, digits) or 0.0  # no minus sign before a zero
        return f"{shown:,.{digits}f}".replace("-", "−")

    def significant(self, value: float | None, digits: int = 3) -> str:
        """Return a number with about `digits` figures, in powers of ten where it is very large or small."""
        if value is None or not math.isfinite(value):
            return self("format.missing")
        if value == 0:
            return "0"
        exponent = math.floor(math.log10(abs(value)))
        if -4 < exponent < 6:
            return self.number(value, max(0, digits - 1 - exponent))
        mantissa = value / 10.0**exponent
        power = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{mantissa:.1f}×10{power}".replace("-", "−")

    def plain(self, value: float | None, digits: int = 3) -> str:
        """Return a number with about `digits` figures and no zeros at its end, as doses are written."""
        text = self.significant(value, digits)
        return text.rstrip("0").rstrip(".") if "." in text and "×" not in text else text

    def percent(self, share: float | None, digits: int = 0) -> str:
        """Return a share of one as a percentage, or the sign for a missing one."""
        if share is None or not math.isfinite(share):
            return self("format.missing")
        return self("format.percent", value=self.number(100.0 * share, digits))

    def count(self, n: float | None) -> str:
        """Return a whole number with its thousands parted, or the sign for a missing one."""
        return self.number(n, 0)

    def interval(self, lower: str, upper: str) -> str:
        """Return two bounds, already in words, as an interval."""
        return self("format.interval", lower=lower, upper=upper)


@cache
def load(language: str = "en") -> Catalogue:
    """Return the catalogue of a language.

    Raises
    ------
    ContentError
        No such language, or its file holds a key twice or a text that is not a text.
    """
    if language not in LANGUAGES:
        raise ContentError(unknown("language", language, LANGUAGES))
    path = library.path(f"locales/{language}.json")
    return Catalogue(language, _read(path), str(path))


def _read(path: Path) -> dict[str, str]:
    """Return the texts of a file; a key that stands twice or a value that is no text is an error."""
    problems: list[Problem] = []

    def collect(pairs: list[tuple[str, object]]) -> dict[str, str]:
        texts: dict[str, str] = {}
        for key, text in pairs:
            if key in texts:
                problems.append(Problem(f'key "{key}" stands twice', str(path)))
            if not isinstance(text, str) or not text:
                problems.append(Problem(f'key "{key}" holds no text', str(path)))
            texts[key] = str(text)
        return texts

    texts = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=collect)
    if problems:
        raise ContentError(problems)
    return texts
