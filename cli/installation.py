"""Opens the installation that a command works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from app import Counterparties, Parts, build, prepare
from handlers.contract import Clock
from settings import load


@contextmanager
def installation(
    *, clock: Clock | None = None, counterparties: Counterparties | None = None, **overrides: Any
) -> Iterator[Parts]:
    """Settings, parts, tables and process, ready for commands; closed at the end."""
    parts = build(load(**overrides), clock=clock, counterparties=counterparties)
    try:
        warning = prepare(parts)
        if warning:
            click.echo(f"Warning: {warning}", err=True)
        yield parts
    finally:
        parts.database.dispose()
