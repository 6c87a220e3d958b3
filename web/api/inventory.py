"""Inventory: what lies where."""

from __future__ import annotations

from pydantic import Field

from web import queries
from web.api.auth import Caller
from web.api.endpoint import Calls
from web.api.models import Listing, Output, Paging, cursor_of, read_cursor

calls = Calls("inventory")


class StockQuery(Paging):
    """Which stock."""

    sku: str | None = Field(None, max_length=40)
    region: str | None = Field(None, max_length=20)


class StockOut(Output):
    """What one region has of one product."""

    sku: str
    name: str
    region: str
    location: str
    on_hand: int
    reserved: int
    available: int = Field(description="on_hand less reserved")


class StockList(Listing[StockOut]):
    """A page of stock."""


@calls.get("/inventory", permission="stock.read", query=StockQuery, returns={200: StockList})
def list_inventory(caller: Caller, query: StockQuery) -> StockList:
    """List the stock per product and region."""
    after = read_cursor(query.cursor, str, str)
    with caller.services.engine.reading() as session:
        rows = [
            row
            for row in queries.stock(session)
            if query.sku in (None, row.sku)
            and query.region in (None, row.region)
            and (after is None or (row.sku, row.region) > after)
        ]
    shown = rows[: query.size]
    more = cursor_of(shown[-1].sku, shown[-1].region) if len(rows) > len(shown) else None
    return StockList(items=[StockOut.model_validate(row) for row in shown], next=more)
