"""An approver's morning on a phone: one is approved, one sent back, one rejected, a large one takes two people, one has
changed behind an open page, and somebody signs for a colleague who is away.

Each chapter places its own orders, of customers of their own: what one customer orders in a week counts together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import expect

from handlers.tables import Order
from tests.browser.conftest import Open, Served, served
from tests.browser.modeling import PATIENCE
from tests.scenarios.shop import OrderHandle

GATE = "approve_reservation"
DEAR = [{"sku": "product-d", "quantity": 20}]
"""6,980.00: two people sign."""
NEXT_TAB = "You have signed this gate. The second signature must be another person's."
STALE = "What is submitted has changed since you opened this page. Nothing was signed."
CUSTOMERS = count(1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An installation of its own, where nothing waits but what these tests place."""
    with served(tmp_path_factory.mktemp("morning")) as running:
        yield running


@pytest.fixture(scope="module")
def sessions() -> dict[str, Any]:
    """Who is signed in elsewhere is a stranger here."""
    return {}


@dataclass
class Phone:
    """A person's phone: what they tap and read. Nothing on it may be wider than its screen."""

    page: Any
    site: Served

    def opens(self, order: OrderHandle) -> None:
        """The order's gate."""
        self.page.goto(self.site.task(order.number))
        self.reads(order.number)

    def reads(self, *texts: str) -> None:
        """These stand on the page."""
        for text in texts:
            expect(self.page.locator("main")).to_contain_text(text)
        assert self.page.evaluate("document.documentElement.scrollWidth") <= 390

    def chooses(self, decision: str, *, step: str = "", reason: str = "") -> None:
        """From the bar at the bottom of the screen, which leads to the form."""
        button = self.page.get_by_role("navigation", name="Decide").get_by_role("link", name=decision)
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 44, f"{decision} is hard to hit"
        assert box["y"] + box["height"] <= 844, f"{decision} is out of reach"
        button.tap()
        expect(self._choice(decision)).to_be_checked()
        expect(self._choice(decision)).to_be_in_viewport()
        if step:
            self.page.get_by_label("To step").select_option(step)
        if reason:
            self.page.get_by_label("Reason").fill(reason)

    def signs(self, says: str, *, password: str = "demo") -> None:
        """The button says what it does."""
        self.page.get_by_label("Your password").fill(password)
        self.page.get_by_role("button", name=f"Sign: {says}", exact=True).tap()

    def still_has(self, decision: str, *, step: str, reason: str) -> None:
        """What was chosen and typed stands in the form."""
        expect(self._choice(decision)).to_be_checked()
        expect(self.page.get_by_label("To step")).to_have_value(step)
        expect(self.page.get_by_label("Reason")).to_have_value(reason)

    def _choice(self, decision: str) -> Any:
        return self.page.get_by_role("radio", name=re.compile(f"^{decision}"))


Hand = Callable[[str], Phone]


@pytest.fixture
def phone(opened: Open, site: Served) -> Hand:
    """`phone("stock-approver")`: a person's phone, signed in, at the inbox. Helena is one stock approver, Ravi the
    other; Priya works in finance."""
    names = {"Helena": "stock-approver", "Ravi": "stock-approver-2", "Priya": "finance"}

    def hand(name: str) -> Phone:
        page = opened(names[name], phone=True)
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        return Phone(page, site)

    return hand


def waits(site: Served, name: str, **changes: Any) -> OrderHandle:
    """An order that waits for the approval of its reservation; it falls due after those before it."""
    number = next(CUSTOMERS)
    site.shop.clock.advance(minutes=5)
    return site.shop.places_order(
        name=name, email=f"customer-{number}@example.com", street=f"Invalidenstraße {number}", **changes
    )


def test_one_is_approved_and_the_next_opens_by_itself(phone: Hand, site: Served) -> None:
    """From the inbox to the signature, and there is the next; after the last one the inbox says so."""
    first, second = waits(site, "Lumen Optics"), waits(site, "Hansen & Söhne")
    helena = phone("Helena")
    helena.page.locator(".tasks a", has_text=first.number).tap()
    helena.reads("Step 3 Check product availability", "Waybill, ", "2 wait for you", "0 of 1")

    helena.chooses("Approve")
    helena.signs("approve")

    helena.reads(f"{first.number} is approved and goes on. One more waits; this is the next.")
    expect(helena.page.locator(".crumb")).to_contain_text(second.number)
    site.shop.works()
    assert 6 in first.steps()

    helena.chooses("Approve")
    helena.signs("approve")
    helena.reads(f"{second.number} is approved and goes on. No other approval waits for you.")
    expect(helena.page.get_by_role("heading", name="Inbox", level=1)).to_be_visible()


def test_one_is_sent_back_and_comes_back_with_what_changed(phone: Hand, site: Served) -> None:
    """A wrong password loses nothing of it. When it is back, the page says who sent it back, why, when, what was done
    since, and what is otherwise than it was."""
    order = waits(site, "Northgate School")
    helena = phone("Helena")
    helena.opens(order)
    helena.chooses("Send back", step="3", reason="Take it from Malaysia.")
    helena.signs("send back to step 3", password="demmo")

    helena.reads("This is not your password.")
    helena.still_has("Send back", step="3", reason="Take it from Malaysia.")
    assert order.open_elements() == [GATE]

    helena.signs("send back to step 3")
    helena.reads(f"{order.number} is sent back to step 3.")
    sent_back = site.shop.clock.now()
    site.shop.time_passes(minutes=20)

    helena.opens(order)
    helena.reads(f"Helena Brandt sent it back to step 3, {sent_back:%H:%M}: “Take it from Malaysia.”", "Done since")
    was, now = (helena.page.locator(f"[aria-labelledby=h-changed] {tag}") for tag in ("del", "ins"))
    expect(was).to_have_text(f"R-{order.number}-1")
    expect(now).to_have_text(f"R-{order.number}-2")

    helena.chooses("Approve")
    helena.signs("approve")
    helena.reads(f"{order.number} is approved and goes on.")


def test_one_is_rejected(phone: Hand, site: Served) -> None:
    """Not without a reason; then the order is cancelled, and its history says who did it and why."""
    order = waits(site, "Atelier Dubois")
    helena = phone("Helena")
    helena.opens(order)
    helena.chooses("Reject")
    helena.signs("reject")
    helena.reads("Give a reason. It is kept in the history.")

    helena.page.get_by_label("Reason").fill("We do not ship there.")
    helena.signs("reject")

    helena.reads(f"{order.number} is rejected. It is being cancelled, and the customer is told.")
    site.shop.works()
    assert order.status == "cancelled"
    helena.page.goto(f"/orders/{order.number}")
    helena.reads("Helena Brandt rejected", "We do not ship there.")


def test_a_large_order_takes_two_people(phone: Hand, site: Served) -> None:
    """The first is told that it waits, and for whom; a page that they had open before signs it no second time."""
    order = waits(site, "Penang Marine", items=DEAR)
    helena, other_tab = phone("Helena"), phone("Helena")
    other_tab.opens(order)
    helena.opens(order)
    helena.reads("0 of 2", "Two different people sign this one.")
    helena.chooses("Approve")
    helena.signs("approve")
    helena.reads(f"You have signed {order.number}: 1 of 2 signatures. It waits for another person.")

    helena.opens(order)
    helena.reads("You cannot sign this one", NEXT_TAB, "Who can sign", "Ravi Menon")
    expect(helena.page.get_by_role("navigation", name="Decide")).to_have_count(0)
    other_tab.chooses("Approve")
    other_tab.signs("approve")
    other_tab.reads("Nothing was signed", NEXT_TAB)
    assert order.open_elements() == [GATE]

    ravi = phone("Ravi")
    ravi.opens(order)
    ravi.reads("1 of 2", "Helena Brandt", "approved")
    ravi.chooses("Approve")
    ravi.signs("approve")
    ravi.reads(f"{order.number} is approved and goes on.")
    site.shop.works()
    assert 6 in order.steps()


def test_a_page_that_is_not_true_any_more_signs_nothing(phone: Hand, site: Served) -> None:
    """What is submitted changed while it was read: it is refused, the page shows what is new, and then it is signed."""
    order = waits(site, "Toms Spezialitäten")
    ravi = phone("Ravi")
    ravi.opens(order)
    with order.engine.transaction() as session:
        session.get_one(Order, order.number).customer_name = "Toms Feinkost"
    ravi.chooses("Approve")
    ravi.signs("approve")

    ravi.reads("Nothing was signed", STALE)
    new = ravi.page.get_by_role("table", name="Changed since you opened this page")
    expect(new.locator("del")).to_have_text("Toms Spezialitäten")
    expect(new.locator("ins")).to_have_text("Toms Feinkost")
    assert order.open_elements() == [GATE]

    ravi.chooses("Approve")
    ravi.signs("approve")
    ravi.reads(f"{order.number} is approved and goes on.")


def test_a_delegate_signs_until_it_is_revoked(phone: Hand, site: Served) -> None:
    """Helena is away and lends her right to Priya; "for Helena Brandt" stands wherever the signature is shown. Revoked,
    a page that Priya has open signs nothing, and says why."""
    first, second = waits(site, "Ama Boateng"), waits(site, "Vins Chevalier")
    helena, priya = phone("Helena"), phone("Priya")
    helena.page.goto("/delegations")
    helena.page.get_by_label("Who signs", exact=True).select_option(label="Priya Nair")
    helena.page.get_by_label("Why").fill("On holiday.")
    helena.page.get_by_role("button", name="Give it").tap()
    helena.reads("Priya Nair signs for Helena Brandt from now on.", "Priya Nair signs for you")

    priya.page.goto("/inbox")
    priya.page.locator(".tasks a", has_text=first.number).tap()
    priya.reads("You sign for Helena Brandt, until", "Both names stand in the record.")
    priya.chooses("Approve")
    priya.signs("approve")
    priya.reads(f"{first.number} is approved and goes on. One more waits; this is the next.")
    expect(priya.page.locator(".crumb")).to_contain_text(second.number)
    site.shop.works()

    helena.page.goto(f"/orders/{first.number}")
    helena.reads("Priya Nair, for Helena Brandt", "Priya Nair approved, for Helena Brandt")
    helena.page.goto("/delegations")
    helena.page.get_by_role("button", name=re.compile("^Revoke")).tap()
    helena.reads("Revoked. Priya Nair does not sign for Helena Brandt any more.")

    priya.chooses("Approve")
    priya.signs("approve")
    priya.reads("Nothing was signed", "You do not sign for Helena Brandt any more: the delegation was revoked.")
    assert second.open_elements() == [GATE]
    priya.page.goto("/inbox")
    priya.reads("Inbox")
    expect(priya.page.locator(".tasks", has_text=second.number)).to_have_count(0)
