"""Opens the installation that a command works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from app import OF_THE_FOLDER, Counterparties, Parts, build, prepare
from handlers.contract import Clock
from settings import Settings, load


@contextmanager
def installation(
    settings: Settings | None = None, *, clock: Clock | None = None, counterparties: Counterparties | None = None,
    reason: str = "",
) -> Iterator[Parts]:
    """Settings, parts, tables and process, ready for commands; closed at the end.

    `reason` is kept when the folder has changed and is deployed by this.
    """
    parts = build(settings or load(), clock=clock, counterparties=counterparties)
    try:
        warning = prepare(parts, reason=reason or OF_THE_FOLDER)
        if warning:
            click.echo(f"Warning: {warning}", err=True)
        yield parts
    finally:
        parts.database.dispose()
