"""Payments: every movement of money with the provider or the bank."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from pydantic import Field

from engine.errors import NotFound
from web import queries
from web.api.auth import Caller
from web.api.endpoint import Calls
from web.api.models import Listing, Money, Output, Paging, Time, cursor_of, read_cursor

calls = Calls("payments")


class PaymentQuery(Paging):
    """Which payments."""

    order: str | None = Field(None, max_length=80)


class PaymentOut(Output):
    """One movement of money, or the attempt at one."""

    order: str
    kind: Literal["authorise", "capture", "void", "refund"]
    method: str
    amount: Money
    state: Literal["pending", "done", "refused"]
    reference: str | None = Field(description="The provider's or the bank's own.")
    message: str
    at: Time


class PaymentList(Listing[PaymentOut]):
    """A page of payments."""


@calls.get("/payments", permission="orders.read", query=PaymentQuery, returns={200: PaymentList}, problems=(404,))
def list_payments(caller: Caller, query: PaymentQuery) -> PaymentList:
    """List movements of money, oldest first; of one order with `?order=`."""
    after = read_cursor(query.cursor, int)
    with caller.services.engine.reading() as session:
        if query.order is not None and queries.order_row(session, query.order) is None:
            raise NotFound(f"There is no order {query.order}.")
        rows, more = queries.payment_page(
            session, order=query.order, limit=query.size, after=int(after[0]) if after else None
        )
    items = [
        PaymentOut.model_validate({**asdict(row), "amount": {"amount": row.amount, "currency": row.currency}})
        for row in rows
    ]
    return PaymentList(items=items, next=cursor_of(more) if more is not None else None)
