"""Opens the installation that a command works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from app import Counterparties, Parts, build, prepare
from handlers.contract import Clock
from settings import Settings, load


@contextmanager
def installation(
    settings: Settings | None = None, *, clock: Clock | None = None, counterparties: Counterparties | None = None
) -> Iterator[Parts]:
    """Settings, parts, tables and process, ready for commands; closed at the end."""
    parts = build(settings or load(), clock=clock, counterparties=counterparties)
    try:
        warning = prepare(parts)
        if warning:
            click.echo(f"Warning: {warning}", err=True)
        yield parts
    finally:
        parts.database.dispose()
