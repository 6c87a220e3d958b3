"""The pages of orders and lists in a language in which every text is wrapped; see `every_text.py`."""

from __future__ import annotations

from tests.web.api_world import World
from tests.web.every_text import left_out, names
from tests.web.test_order_page import SALES, cancelled, with_exceptions
from tests.web.test_pages_scanning import at_task, placed_at
from tests.web.test_pages_tasks import doubtful_order
from tests.web.visitor import open_task, visitor

COMPANY = {
    "Mia Tanaka", "mia.tanaka@example.com", "New York", "NY", "United States", "Order fulfillment",
    "Order cancellation", "Look again.", "Changed her mind", "Call her first.", "Where is it?", "Has it come?",
    "KeyError: XK", "nobody", "unknown", "We have your order", "Your order", "is cancelled",
    "Invoice INV-2026-0001 for your order",
    "INV-2026-0001", "No tax", "invoice.pdf", "packing-slip.pdf",
}  # fmt: skip
"""What people typed, what an operation failed by, mails and papers."""
ADDRESSES = (
    "/inbox", "/inbox?view=late", "/inbox?q=nobody&step=5&team=sales", "/orders", "/orders?q=nobody", "/orders?late=1",
    "/orders?step=5&team=stock-approvers", "/orders?state=cancelled", "/board", "/board?late=1&team=sales&q=nobody",
    "/scan", "/scan?code=unknown", "/scan?code=product-a", "/questions", "/questions?view=all", "/more",
)  # fmt: skip


def test_every_text_of_lists_is_in_the_catalogue(world: World, wrapped: None) -> None:
    """Inbox, orders, board, scanning and questions, full and empty."""
    doubtful, other = doubtful_order(world), doubtful_order(world)
    world.engine.ask(doubtful, SALES, "Where is it?", team="warehouse")
    world.clock.advance(days=2)
    world.work()
    pages = ("/tasks/several", f"/orders/{other}/question", f"/orders/{other}/note", f"/orders/{other}/cancel")

    assert left_out(visitor(world, "sales"), (*ADDRESSES, *pages), names(world) | COMPANY) == {}


def test_every_text_of_an_order_is_in_the_catalogue(world: World, wrapped: None) -> None:
    """However it went, with what stands in its history."""
    packed, stopped, gone = placed_at(world, 10), with_exceptions(world), cancelled(world)
    warehouse, task = visitor(world, "warehouse"), open_task(world, packed)
    at_task(warehouse, task, "product-e")
    world.engine.note(packed, SALES, "Call her first.")
    world.engine.ask(packed, SALES, "Has it come?", team="warehouse")
    orders = [f"/orders/{order}" for order in (packed, stopped, gone)]
    company = names(world) | COMPANY

    assert left_out(visitor(world, "owner"), [*orders, f"{orders[0]}?show=people"], company) == {}
    assert left_out(warehouse, ["/inbox", "/questions"], company) == {}
