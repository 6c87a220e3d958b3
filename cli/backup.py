"""`waybill backup` and `restore`: one file with everything an installation on SQLite keeps, made while it works."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from sqlalchemy import make_url

import migrations
from cli import archive, restoring
from cli.archive import DATABASE, FORMAT, MARKS, Manifest
from engine import Database
from handlers.contract import WaybillError
from settings import Settings, load

_FILE = click.Path(dir_okay=False, path_type=Path)
Step = Callable[[str, int, int], None]
"""Told what is being done, how many bytes of it are, and of how many."""


class CannotBackUp(WaybillError):
    """There is nothing to back up, or it cannot be copied."""


@click.command()
@click.argument("file", type=_FILE)
def backup(file: Path) -> None:
    """Write everything this installation keeps into FILE, while it works.

    On SQLite. On PostgreSQL use its own tools: exit 2.
    """
    settings = load()
    settings.require_restored()
    database = _database_file(settings)
    if not database.exists():
        raise CannotBackUp(f"There is no database at {database}. Look at WAYBILL_VAR.")
    with _progress() as step:
        made = _back_up(settings, database, file.absolute(), step)
    click.echo(f"{file}: {len(made.parts)} files as they were at {made.made_at:%Y-%m-%d %H:%M:%S} UTC, "
               f"{file.stat().st_size:,} bytes.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Move what the data folder holds aside, into a folder of its own.")
def restore(file: Path, *, replace: bool) -> None:
    """Put the backup FILE into the data folder, which holds no database yet.

    Every hash is compared before anything is touched. On SQLite. On PostgreSQL use its own tools: exit 2.
    """
    settings = load()
    place = restoring.Place(settings.var, _database_file(settings))
    if place.take_up():
        click.echo("A restore that was broken off here is finished now. FILE was not read: to restore it, give the "
                   "command again with --replace.")
        return
    place.require_free(replace=replace)
    with _progress() as step:
        made = place.fill(file, lambda done, of: step("reading", done, of))
    aside = place.put()
    if aside is not None:
        click.echo(f"What was there before is in {aside}.")
    click.echo(f"{settings.var} is as it was at {made.made_at:%Y-%m-%d %H:%M:%S} UTC. What the outside world knows "
               "since then, Waybill does not: docs/backup.md says what to do.")


def _database_file(settings: Settings) -> Path:
    """The SQLite database's file; ends the program with 2 where there is none."""
    url = make_url(settings.database)
    if url.get_backend_name() != "sqlite":
        click.echo("This installation is on PostgreSQL: back it up and restore it with pg_dump and pg_restore, and "
                   "copy WAYBILL_VAR after the dump. docs/backup.md says how.", err=True)
        sys.exit(2)
    return Path(str(url.database)).absolute()


def _back_up(settings: Settings, source: Path, target: Path, step: Step) -> Manifest:
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        copies, made_at = _copy_of_one_moment(settings, source, Path(folder), step)
        revision = _revision(copies[DATABASE])
        files = copies | dict(_unchanging(settings.var))
        size = sum(path.stat().st_size for path in files.values())
        counted = _Counter(step, size)
        manifest = Manifest(
            format=FORMAT, made_at=made_at, waybill=version("waybill"), revision=revision,
            parts=tuple(archive.part_of(name, path, counted("hashing")) for name, path in files.items()),
        )
        archive.write(target, manifest, files, counted("writing"))
        return manifest


def _copy_of_one_moment(settings: Settings, source: Path, folder: Path, step: Step) -> tuple[dict[str, Path], datetime]:
    """Copies what changes, as it is at one moment: database, counterparties' books, marks. Also says when that was.

    While the books are copied nobody can commit. So they lack nothing that the database knows; and of what a
    courier has told, nothing counts as taken that the database does not hold.
    """
    copies = {DATABASE: folder / DATABASE}
    moments = []

    def beside() -> None:
        moments.append(datetime.now(UTC))
        for ledger in sorted((settings.var / "outside").glob("*.db")):
            if not archive.is_part(f"outside/{ledger.name}"):
                continue  # somebody's own copy; restore would take no file of that name
            to = folder / ledger.name
            try:
                with closing(sqlite3.connect(ledger, timeout=30)) as books, closing(sqlite3.connect(to)) as copy:
                    books.backup(copy)
            except sqlite3.Error as error:
                raise CannotBackUp(f"{ledger} could not be copied: {error}.") from error
            copies[f"outside/{ledger.name}"] = to
        for mark in MARKS:
            if (settings.var / mark).is_file():
                copies[mark] = folder / mark
                shutil.copyfile(settings.var / mark, folder / mark)

    database = Database(f"sqlite:///{source}")
    try:
        database.copy(folder / DATABASE, beside=beside, report=lambda done, of: step("copying", done, of))
    except sqlite3.Error as error:
        raise CannotBackUp(f"The database could not be copied into {folder.parent}: {error}.") from error
    finally:
        database.dispose()
    return copies, moments[0]


def _unchanging(var: Path) -> Iterator[tuple[str, Path]]:
    """Papers and mails. They are never changed, so those that the database names are whatever is there by now."""
    for folder in ("documents", "outbox"):
        for path in sorted((var / folder).rglob("*")):
            name = path.relative_to(var).as_posix()
            if path.is_file() and archive.is_part(name):  # what is just being written has another name
                yield name, path


def _revision(database: Path) -> str:
    copy = Database(f"sqlite:///{database}")
    try:
        revision = migrations.current(copy)
    finally:
        copy.dispose()
    if revision is None:
        raise CannotBackUp("The database has no tables yet: there is nothing to back up.")
    return revision


class _Counter:
    """Adds up bytes for a progress bar."""

    def __init__(self, step: Step, size: int) -> None:
        self._step, self._size = step, size

    def __call__(self, what: str) -> archive.Report:
        done = 0

        def report(more: int) -> None:
            nonlocal done
            done += more
            self._step(what, done, self._size)

        return report


@contextmanager
def _progress() -> Iterator[Step]:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _what, _done, _of: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        shown = bar.add_task("")
        yield lambda what, done, of: bar.update(shown, description=what, completed=done, total=of)
