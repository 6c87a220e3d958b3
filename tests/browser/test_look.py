"""What must hold on every page: nothing axe finds, nothing that scrolls sideways, no complaint in the console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.definitions import Bundle
from engine.views import Actor
from tests.browser.conftest import AXE, Open, Site
from tests.gift_wrap import REASON, with_gift_wrap

Where = Callable[[Site], str]
PAGES: dict[str, tuple[str | None, Where]] = {
    "sign-in": (None, lambda _: "/sign-in"),
    "inbox": ("warehouse", lambda _: "/inbox"),
    "empty inbox": ("finance", lambda _: "/inbox"),
    "task": ("warehouse", lambda site: site.task(site.packing)),
    "several": ("warehouse", lambda site: f"{site.task(site.packing)}/several"),
    "correction": ("sales", lambda site: site.task(site.doubtful)),
    "gate": ("stock-approver", lambda site: site.task(site.gate)),
    "gate sent back": ("stock-approver-2", lambda site: site.task(site.sent_back)),
    "gate blocked": ("owner", lambda site: site.task(site.gate)),
    "orders": ("sales", lambda _: "/orders"),
    "order": ("finance", lambda site: f"/orders/{site.pickup}"),
    "order cancelled": ("sales", lambda site: f"/orders/{site.cancelled}"),
    "order closed": ("sales", lambda site: f"/orders/{site.closed}"),
    "cancel": ("sales", lambda site: f"/orders/{site.packing}/cancel"),
    "note": ("sales", lambda site: f"/orders/{site.packing}/note"),
    "board": ("owner", lambda _: "/board"),
    "no incidents": ("owner", lambda _: "/incidents"),
    "incidents": ("owner", lambda site: _incident(site) and "/incidents"),
    "incident": ("finance", lambda site: f"/incidents/{_incident(site)}"),
    "messages": ("owner", lambda site: _messages(site, "")),
    "messages that are kept": ("finance", lambda site: _messages(site, "?state=waiting")),
    "message": ("owner", lambda site: _messages(site, "/1")),
    "stock": ("warehouse", lambda _: "/stock"),
    "people": ("admin", lambda _: "/people"),
    "mails": ("sales", lambda _: "/mails"),
    "mail": ("sales", lambda _: "/mails/1"),
    "processes": ("analyst", lambda _: "/processes"),
    "version": ("analyst", lambda _: "/processes/order_fulfillment/1"),
    "version that waits": ("analyst-2", lambda site: f"/processes/order_fulfillment/{waiting_version(site)}"),
    "own version": ("analyst", lambda site: f"/processes/order_fulfillment/{waiting_version(site)}"),
    "what it does": ("owner", lambda site: f"/processes/order_fulfillment/{waiting_version(site)}/impact"),
    "more": ("shipping", lambda _: "/more"),
    "not there": ("sales", lambda _: "/orders/WB-1"),
    "track": (None, lambda site: _tracking(site, site.pickup)),
    "track delivered": (None, lambda site: _tracking(site, site.closed)),
}
MAIN = (
    "sign-in", "inbox", "task", "gate sent back", "gate blocked", "order", "orders", "board", "track", "messages",
    "message", "incidents", "incident", "processes", "version that waits",
)  # fmt: skip


def waiting_version(site: Site) -> int:
    """A version that waits for the second analyst's consent."""
    engine = site.shop.engine
    bundle = Bundle(with_gift_wrap(engine.bundle("order_fulfillment", 1).files))
    asked = engine.propose(bundle, Actor("analyst"), reason=REASON, base_version=1, key="order_fulfillment")
    return next(version.version for version in asked if version.key == "order_fulfillment")


def _tracking(site: Site, order: str) -> str:
    from handlers.tables import Order

    with site.shop.engine.reading() as session:
        return f"/track/{session.get_one(Order, order).track_token}"


def _incident(site: Site) -> str:
    """The job of an order whose step failed."""
    if not site.shop.engine.incidents():
        site.shop.replaces("inventory.check", _fails)
        site.shop.places_order(name="Prishtina Optika")
        site.shop.replaces("inventory.check", None)
    return str(site.shop.engine.incidents()[0].jobs[0].id)


def _fails(call: object, region: str) -> object:
    raise LookupError(f"The region {region} has no stock-keeping system at 10.1.4.17, port 8443 did not answer in time")


def _messages(site: Site, what: str) -> str:
    """The page of messages, when there are some: about an ended order, about none, and one that is early."""
    for order, message_id in ((site.closed, "again"), ("WB-99999", "astray"), (site.pickup, "early")):
        site.shop.engine.deliver(
            "courier.reported", order, {"status": "delayed", "booking": "CA-2026-000417", "place": "Leipzig",
                                        "note": "The van has broken down near Halle, tomorrow at the latest."},
            source="webhook", message_id=message_id)  # fmt: skip
    return f"/messages{what}"


def _violations(page: Any) -> list[str]:
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{v['id']}: {node['html'][:160]}" for v in found["violations"] for node in v["nodes"]]


def _ready(page: Any) -> None:
    """The diagram is drawn, when there is one."""
    if page.locator("figure.diagram").count():
        page.wait_for_selector("figure.diagram[data-ready]")


@pytest.mark.parametrize("name", PAGES)
def test_a_wide_light_page_is_accessible(opened: Open, site: Site, name: str) -> None:
    """axe finds nothing."""
    person, where = PAGES[name]
    page = opened(person)
    page.goto(where(site), wait_until="load")
    _ready(page)

    assert _violations(page) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone(opened: Open, site: Site, name: str) -> None:
    """Nothing scrolls sideways at 390 px."""
    person, where = PAGES[name]
    page = opened(person, width=390)
    page.goto(where(site), wait_until="load")
    _ready(page)

    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("name", MAIN)
@pytest.mark.parametrize("width", [1440, 390])
def test_a_dark_page_is_accessible(opened: Open, site: Site, name: str, width: int) -> None:
    """axe finds nothing in the dark either, on a desk and on a phone."""
    person, where = PAGES[name]
    page = opened(person, width=width, dark=True)
    page.goto(where(site), wait_until="load")
    _ready(page)

    assert _violations(page) == []


def test_a_refused_form_is_accessible(opened: Open, site: Site) -> None:
    """With its summary, its marked fields and its row of errors; the summary has the focus."""
    page = opened("warehouse", width=390)
    page.goto(site.task(site.packing))
    page.fill("input[name='/parcels/0/weight_g']", "heavy")
    page.get_by_role("button", name="Complete task").last.click()
    page.wait_for_selector("[role=alert]")

    assert page.evaluate("document.activeElement.matches('[role=alert]')")
    assert _violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
