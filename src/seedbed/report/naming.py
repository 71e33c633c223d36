"""How the arms of a run are called."""

from __future__ import annotations

from seedbed.report.catalogue import Catalogue
from seedbed.report.summary import Run
from seedbed.report.wording import words


def arm_name(run: Run, arm: str, t: Catalogue) -> str:
    """Return the name of an arm: its title in the protocol, else the word of its id."""
    declared = run.protocol.get("arms", {}).get(arm) or {}
    title = declared.get("title") if isinstance(declared, dict) else None
    return words(title, t) if title else t.name("arm", arm)
