"""The house: stock, and what a phone finds under More."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from web import queries
from web.pages.shell import page_of
from web.permissions import permission
from web.services import current_services


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/stock", "stock", stock)
    pages.add_url_rule("/more", "more", more)


@permission("stock.read")
def stock() -> Any:
    """What lies where."""
    with current_services().database.read() as session:
        return page_of("stock.html", section="stock", rows=queries.stock(session))


@permission("signed-in")
def more() -> Any:
    """The rest of the menu, for narrow screens."""
    return page_of("more.html", section="more")
