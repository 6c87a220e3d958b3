"""`waybill audit`: the chains of hashes, the seals over them, and what somebody else can check of both."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.installation import installation
from engine import offline_verifier
from engine.auditing import Report


@click.group()
def audit() -> None:
    """The history's chain of hashes, and the seals over it."""


@audit.command("verify")
@click.argument("order", required=False)
@click.option("--seal", "hash_", metavar="HASH", help="A seal that was written down elsewhere: it must be there.")
def verify(order: str | None, hash_: str | None) -> None:
    """Check that no line of the history was changed, removed, inserted or moved."""
    with installation() as parts, _bar() as report:
        faults = parts.engine.verify_audit(order, seal=hash_, report=report)
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        sys.exit(1)
    click.echo(f"The history of {order or 'every order'} is unbroken.")
    if hash_:
        click.echo("The seal is there.")


@contextmanager
def _bar() -> Iterator[Report | None]:
    """Shows progress on a terminal; what is printed stays as it is."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with Progress(TextColumn("orders checked"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                  console=console, transient=True) as bar:
        shown = bar.add_task("")
        yield lambda checked, orders: bar.update(shown, completed=checked, total=orders)


@audit.command("seal")
def seal() -> None:
    """Make a seal now; prints the line to keep elsewhere: number, time, hash."""
    with installation() as parts:
        click.echo(str(parts.engine.seal()))


@audit.command("seals")
def seals() -> None:
    """List the seals, the oldest first: number, time, hash."""
    with installation() as parts:
        found = parts.engine.seals()
    if not found:
        click.echo("There are no seals yet. Make one with: waybill audit seal", err=True)
    for each in found:
        click.echo(str(each))


@audit.command("export")
@click.argument("file", type=click.File("wb", lazy=True, atomic=True))
@click.argument("order", required=False)
def export(file: BinaryIO, order: str | None) -> None:
    """Write histories and seals to a FILE (- is standard output) that can be checked without Waybill."""
    with installation() as parts:
        for line in parts.engine.export_audit(order):
            file.write(line)


@audit.command("verifier")
def verifier() -> None:
    """Print the program that checks an exported file; it needs Python and nothing else."""
    click.echo(Path(offline_verifier.__file__).read_text(encoding="utf-8"), nl=False)
