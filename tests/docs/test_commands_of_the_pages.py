"""Every command that README and pages show exists with these arguments, and names content of the library."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from seedbed import library
from seedbed.cli.main import application

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if page.parent.name != "reference"]
PLAN_OR_PROTOCOL = {
    "run": "protocols", "attribute": "protocols", "sweep": "plans", "select": "plans", "design": "plans",
    "calibrate": "plans", "sensitivity": "plans",
}  # fmt: skip


def commands(page):
    """The lines of a page's blocks that call seedbed, and the calls within its text that have arguments."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"^(?:    )?(?:.*&& )?seedbed ([a-z].*?)(?:\s+#.*)?$", text, re.MULTILINE)
    return found + re.findall(r"`seedbed ([a-z][^`]*)`", text)


TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
SHOWN = sorted({(page.name, command) for page in PAGES for command in commands(page)})


def parse(arguments):
    """Parse the arguments as the command line would, without running anything; return what was parsed."""
    command = get_command(application())
    while arguments and hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    return command.make_context(command.name, arguments).params if arguments else {}


def is_a_name(argument):
    """Whether an argument stands for content of the library, not a placeholder, a file or an option."""
    return re.fullmatch(r"[a-z][a-z0-9_]*", argument) is not None and not argument.startswith("my_")


@pytest.mark.parametrize(("page", "shown"), SHOWN)
def test_the_command_exists_and_names_what_the_library_has(page, shown):
    arguments = shlex.split(shown.replace("...", ""))
    kind = PLAN_OR_PROTOCOL.get(arguments[0])
    if kind and len(arguments) > 1 and is_a_name(arguments[1]):
        assert arguments[1] in library.names(kind) or f"id: {arguments[1]}\n" in TEXTS[page]
    parse(arguments)


@pytest.mark.parametrize("wrong", ["runn wei_2022_tp53", "run wei_2022_tp53 --subject 3", "model sho asct_cart"])
def test_a_wrong_command_would_be_noticed(wrong):
    with pytest.raises(Exception, match=r"runn|--subject|sho"):
        parse(wrong.split())


def test_links_between_pages_lead_somewhere():
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert not broken
