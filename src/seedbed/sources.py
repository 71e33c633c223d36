"""Where a number of the content comes from: a study read, a derivation from one, or an assumption with its reason."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from seedbed.documents import Content


class Source(Content):
    """The origin of one number.

    Attributes
    ----------
    how : ``direct`` (stands in the study), ``derived`` (computed from it) or ``assumed``
    study : id of the evidence base, or first author and year; needed unless assumed
    location : table, figure or page of the study
    reason : why this value; needed when assumed or derived
    range : plausible lower and upper value, in the unit of the number
    """

    how: Literal["direct", "derived", "assumed"]
    study: str = ""
    location: str = ""
    reason: str = ""
    range: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Source:
        if self.how != "assumed" and not self.study:
            raise ValueError(f'a source that is "{self.how}" names a study')
        if self.how != "direct" and not self.reason:
            raise ValueError(f'a source that is "{self.how}" gives its reason')
        if self.range is not None and self.range[0] > self.range[1]:
            raise ValueError("the lower end of the range exceeds the upper")
        return self


class Words(Content):
    """A title or sentence in the languages of the reports."""

    en: str
    zh: str

    def __str__(self) -> str:
        """Return the English words."""
        return self.en
