"""`waybill catalogue` and `waybill orders`: what comes as files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from app import Parts
from cli.installation import installation
from cli.operations import OPERATOR
from engine.errors import InvalidForm
from handlers.catalogue import import_catalogue
from handlers.csvfile import RowError
from handlers.imports import ImportedOrder, read_orders
from handlers.orders import next_order_number, order_of_reference

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def catalogue() -> None:
    """Products, prices and stock."""


@catalogue.command("import")
@click.argument("file", type=_FILE)
def import_products(file: Path) -> None:
    """Take a catalogue file: exit 0 all rows, 3 some refused (each named, the rest taken)."""
    with installation() as parts:
        with file.open("rb") as opened, parts.engine.transaction() as session:
            taken = import_catalogue(session, opened, parts.clock.now())
        if taken.risen:
            tell_waiting_orders(parts)
    finish(taken.accepted, "products", taken.errors)


def tell_waiting_orders(parts: Parts) -> None:
    """Sends every order that waits for stock to look again."""
    now = parts.clock.now().isoformat()
    for number in parts.engine.waiting_for("stock.arrived"):
        parts.engine.deliver("stock.arrived", number, {"at": now}, source="catalogue", message_id=f"{number}:{now}")


@click.group()
def orders() -> None:
    """Orders."""


@orders.command("import")
@click.argument("file", type=_FILE)
def import_orders(file: Path) -> None:
    """Take an order file: exit 0 all rows, 3 some refused (each named, the rest taken).

    An order whose reference was imported before is not taken twice.
    """
    accepted = known = 0
    errors: list[RowError] = []
    with installation() as parts, file.open("rb") as opened:
        for found in read_orders(opened):
            if isinstance(found, RowError):
                errors.append(found)
                continue
            try:
                if take_order(parts, found):
                    accepted += 1
                else:
                    known += 1
            except InvalidForm as refused:
                errors.extend(found.located(refused.errors))
    if known:
        click.echo(f"{known} orders were imported before.")
    finish(accepted, "orders", errors)


def take_order(parts: Parts, order: ImportedOrder) -> bool:
    """Starts one order of a file. False when it was taken before. InvalidForm when step 1 refuses it."""
    engine = parts.engine
    with engine.transaction() as session:
        if order_of_reference(session, order.order_ref) is not None:
            return False
        number = next_order_number(session)
        engine.start("order_fulfillment", number, OPERATOR, submit=order.form, session=session,
                     variables={"intake": {"source": "file", "order_ref": order.order_ref}})
        return True


def finish(accepted: int, what: str, errors: Sequence[RowError]) -> None:
    """Says what became of a file, and ends with 3 when something in it was refused."""
    click.echo(f"{accepted} {what} taken.")
    for error in sorted(errors, key=lambda error: error.line):
        click.echo(str(error), err=True)
    if errors:
        sys.exit(3)
