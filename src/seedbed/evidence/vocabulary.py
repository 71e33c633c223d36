"""The words that evidence may use: endpoints, scales, clocks, diseases; they stand in the library."""

from __future__ import annotations

from functools import cache
from typing import Literal

from seedbed import library
from seedbed.documents import Content, read


class Disease(Content):
    """A disease and the family it is pooled with."""

    family: str
    means: str


class Endpoint(Content):
    """An endpoint: its meaning, its kind, and whether its size depends on a grading scale."""

    means: str
    kind: Literal["rate", "survival", "duration", "count"]
    graded: bool = False


class Vocabulary(Content):
    """Every word by its kind, with its meaning."""

    families: dict[str, str]
    diseases: dict[str, Disease]
    therapies: dict[str, str]
    design_kinds: dict[str, str]
    levels: dict[str, str]
    statistics: dict[str, str]
    clocks: dict[str, str]
    scales: dict[str, str]
    rules: dict[str, str]
    denominators: dict[str, str]
    endpoints: dict[str, Endpoint]
    products: dict[str, str]

    def diseases_of(self, name: str) -> list[str]:
        """Return the diseases of a family, or the disease itself."""
        if name in self.diseases:
            return [name]
        return [disease for disease, entry in self.diseases.items() if entry.family == name]


@cache
def vocabulary() -> Vocabulary:
    """Return the words of the library."""
    return read(library.path("evidence/vocabulary.yaml"), Vocabulary)
