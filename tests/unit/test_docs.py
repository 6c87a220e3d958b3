"""What the papers for readers promise is there: links, commands, settings."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from cli import main
from settings import ROOT, Settings

PAPERS = sorted(
    path for folder in (".", "docs", "docs/decisions", "processes", "forms", "documents")
    for path in (ROOT / folder).glob("*.md")
)
VARIABLES = {field.validation_alias or f"WAYBILL_{name.upper()}" for name, field in Settings.model_fields.items()}


def exists(words: tuple[str, ...]) -> bool:
    """Whether the command line has this command; what follows a whole command are its arguments."""
    command: click.Command = main
    for word in words:
        if not isinstance(command, click.Group):
            return True
        if word not in command.commands:
            return False
        command = command.commands[word]
    return True


def named(text: str) -> list[tuple[str, ...]]:
    """The commands that a paper writes as `waybill …`, without what follows them."""
    written = re.findall(r"(?:`|/bin/|run: |exec |^ {4,})waybill ((?:[a-z]+ ?)*)", text, flags=re.MULTILINE)
    return [tuple(words.split()) for words in written]


@pytest.mark.parametrize("paper", PAPERS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(paper: Path) -> None:
    """A link to another paper or picture leads to a file that is there."""
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", paper.read_text())
    missing = [link for link in links if "://" not in link and not (paper.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("paper", PAPERS, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_exist(paper: Path) -> None:
    """A command that a paper tells people to type is one the command line has."""
    assert [words for words in named(paper.read_text()) if not exists(words)] == []


def test_commands_are_found_in_the_papers() -> None:
    """The search of the test above finds commands at all, and would find a wrong one."""
    found = {words for paper in PAPERS for words in named(paper.read_text())}
    assert ("audit", "verify") in found
    assert not exists(("audit", "verifi"))
    assert not exists(("fly",))
    assert named("    .venv/bin/waybill audit verifi") == [("audit", "verifi")]


def test_every_setting_is_explained() -> None:
    """docs/deploying.md lists every variable that `settings.py` reads, and no other."""
    text = (ROOT / "docs" / "deploying.md").read_text()
    assert set(re.findall(r"`(WAYBILL_[A-Z_]+|PORT)`", text)) == VARIABLES


def test_every_decision_is_listed() -> None:
    """A decision that is not in the list is not found."""
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()
    assert [path.name for path in sorted(folder.glob("0*.md")) if f"({path.name})" not in listed] == []
