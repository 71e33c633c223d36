"""What a page is made of: sections and the blocks below them; plain data without words or layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    import altair as alt

Tone = Literal["", "good", "bad", "warn", "quiet", "strong"]


@dataclass(frozen=True)
class Cell:
    """One cell of a table that is more than plain text."""

    text: str
    tone: Tone = ""
    note: str = ""

    def __str__(self) -> str:
        """Return the text alone."""
        return self.text


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of running text."""

    kind: ClassVar[str] = "paragraph"
    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Bullets:
    """A list of short statements."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]


@dataclass(frozen=True)
class Notice:
    """A boxed statement that must not be overlooked."""

    kind: ClassVar[str] = "notice"
    title: str
    text: str
    tone: Tone = "warn"


@dataclass(frozen=True)
class Code:
    """Commands or other text to be copied as it stands."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Facts:
    """Pairs of a label and a value."""

    kind: ClassVar[str] = "facts"
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """A table of texts; `groups` are rows that head those below them.

    The first `n_text` columns are aligned left, the rest right.
    """

    kind: ClassVar[str] = "table"
    header: tuple[str | Cell, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    title: str = ""
    note: str = ""
    n_text: int = 1
    folded: bool = False
    layout: Literal["", "dense", "prose", "dense wide"] = ""

    def is_group(self, row: tuple[str | Cell, ...]) -> bool:
        """Tell whether a row is a heading over the rows below it."""
        return len(row) == 1 and len(self.header) > 1


@dataclass(frozen=True)
class Figure:
    """A chart with what it shows in words (`description`) and as a table (`table`)."""

    kind: ClassVar[str] = "figure"
    title: str
    chart: alt.TopLevelMixin
    description: str
    table: Table | None = None
    note: str = ""


@dataclass(frozen=True)
class Tile:
    """One headline result: its name, a line an arm, and how sure it is."""

    title: str
    lines: tuple[tuple[str, str, str, str], ...]
    note: str = ""


@dataclass(frozen=True)
class Tiles:
    """The panel of headline results; a line of a tile is (color, arm, value, interval)."""

    kind: ClassVar[str] = "tiles"
    tiles: tuple[Tile, ...]


Block = Paragraph | Bullets | Notice | Code | Facts | Table | Figure | Tiles


@dataclass(frozen=True)
class Section:
    """A part of a report: an anchor, a title and the blocks below it."""

    name: str
    title: str
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True)
class Head:
    """What stands above the sections: a kicker, a subtitle, facts about the run, notices."""

    kicker: str = ""
    subtitle: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    notices: tuple[Notice, ...] = field(default=())
