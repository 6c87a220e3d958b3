"""`waybill processes check`: what speaks against deploying files, and nothing is kept of it."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import click
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from app import BUNDLE, build
from engine import Bundle, Database
from engine.errors import DatabaseTrouble, Finding
from engine.findings import local
from engine.lint import placed
from engine.lint.guard import POOL
from engine.safe_xml import parse_xml
from settings import Settings, load
from web.accounts.teams import SHIPPED, working_teams

MAX_FILE = 5 * 1024 * 1024
"""Bytes of one file of a bundle."""
MAX_FILES = 1_000
"""Files that are looked at in one folder."""
KINDS = (".bpmn", ".dmn", ".json")
"""What is taken out of a folder."""


@click.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--team", "teams", multiple=True, help="A team that there will be; may be given several times. Those of "
              "the installation, where there is one, are known.")
def check(files: tuple[Path, ...], as_json: bool, teams: tuple[str, ...]) -> None:
    """Say whether files can be deployed: exit 0 yes, 1 no.

    A diagram alone is checked together with the forms, tables and further diagrams of this installation.
    """
    known = {**teams_there(), **dict.fromkeys(teams, True)}
    POOL.warm()
    bundle, findings = with_rest(files)
    with tempfile.TemporaryDirectory() as folder:  # a check leaves no trace in the installation, and needs none
        parts = build(load(var=Path(folder), demo=False, database_url=""))
        parts.engine.teams = lambda: known
        findings += parts.engine.check(bundle)
        parts.database.dispose()
    report(findings, as_json=as_json)
    sys.exit(1 if any(finding.severity == "error" for finding in findings) else 0)


def teams_there() -> dict[str, bool]:
    """The teams that people can be of, and whether they do tasks: those of the configured database, or without one the
    shipped ones. A database that is there and cannot be read is said."""
    shipped = {team.key: team.works for team in SHIPPED.values()}
    try:
        settings = Settings()  # `load` would make the data folder
    except ValidationError:
        settings = load()  # says which variable is wrong
    if not settings.database_url and not (settings.var / "waybill.db").exists():
        return shipped  # nothing is installed, and a check makes nothing
    try:
        database = Database(settings.database)
        try:
            return working_teams(database)
        finally:
            database.dispose()
    except (DatabaseTrouble, SQLAlchemyError, OSError) as error:
        why = error.sentence if isinstance(error, DatabaseTrouble) else "Its tables are not those of this Waybill."
        click.echo(f"Only the teams that come with Waybill are known, and those of --team. {why}", err=True)
        return shipped


def with_rest(paths: Iterable[Path]) -> tuple[Bundle, list[Finding]]:
    """The given files (folders: what is in them) over those of the installation's folder, and what cannot be read.

    A file takes the place of the one that bears its name or draws one of its processes.
    """
    given: dict[str, bytes] = {}
    unread: list[Finding] = []
    for path in paths:
        try:
            inside = list(islice(_inside(path), MAX_FILES + 1))
            if not inside:
                unread.append(_unread(path, "The folder holds no .bpmn, .dmn or .json file.", "Name the right folder."))
            if len(inside) > MAX_FILES:
                unread.append(_unread(path, f"The folder holds more than {MAX_FILES} files.", "Name a smaller one."))
            for file in inside[:MAX_FILES]:
                if file.exists() and not file.is_file():  # a pipe could be read for ever
                    unread.append(_unread(file, "This is not a file.", "Name a file, or a folder of files."))
                    continue
                name = re.sub(r"[^\w.-]", "_", file.name)
                if name in given:
                    unread.append(_unread(file, "Another of the given files bears this name.", "Rename one of them."))
                given[name] = _read(file)
        except OSError as error:
            unread.append(_unread(path, f"The file cannot be read: {error.strerror}.", "Look at its name and rights."))
    drawn = {id_ for name, data in given.items() for id_ in _defines(name, data)}
    files = {
        name: data for file, data in Bundle.from_folders(*BUNDLE).files.items()
        if (name := file.rpartition("/")[2]) not in given and not drawn & _defines(name, data)
    }
    return Bundle(placed(files | given)), unread


def _inside(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(file for file in path.rglob("*") if file.is_file() and file.suffix in KINDS)
    else:
        yield path


def _defines(name: str, data: bytes) -> set[str]:
    """The ids of the processes and decisions in a file."""
    if name.endswith(".json") or (root := parse_xml(data, name)[0]) is None:
        return set()
    return {child.get("id", "") for child in root if local(child) in ("process", "decision")}


def _unread(path: Path, message: str, advice: str) -> Finding:
    return Finding(str(path), None, None, None, "file-read", message, advice)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE + 1)  # one byte more than allowed: the linter says that it is too large


def report(findings: Iterable[Finding], *, as_json: bool) -> None:
    """Prints findings for a person or for a program."""
    listed = list(findings)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in listed], indent=2))
        return
    for finding in listed:
        click.echo(f"{finding.severity}: {finding} [{finding.rule}]")
    errors = sum(finding.severity == "error" for finding in listed)
    warnings = len(listed) - errors
    click.echo(f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}." if listed
               else "No problem was found.")
