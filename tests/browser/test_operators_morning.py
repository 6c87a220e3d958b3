"""An operator's morning with the hands on the keyboard: no test of this file touches a mouse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from engine.views import SYSTEM, Actor
from tests.browser.conftest import Open, Served, served
from tests.browser.test_scanner import ENDS, scans, strikes
from web.accounts import DEMO_PASSWORD
from web.accounts.administration import Administration

BY_HAND = 60
"""Milliseconds that a key stays down: nobody is as fast as a scanner."""
TAB = {"key": "Tab", "code": "Tab", **ENDS["Tab"]}
AT_ONCE = 20
FARTHEST = 120
"""Presses of Tab, sent so many at once, after which a field counts as out of reach."""
STOP_AT = """wanted => {
  window.tabs = 0;
  window.stopTabs = (event) => {
    if (event.key !== 'Tab') return;
    window.tabs += 1;
    if (!document.activeElement.matches(wanted)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  addEventListener('keydown', window.stopTabs, true);
}"""
"""The presses of Tab that come after the one that led to what is meant do nothing."""
THERE = """wanted => {
  const there = document.activeElement.matches(wanted);
  if (there) removeEventListener('keydown', window.stopTabs, true);
  return [there, window.tabs];
}"""
TEAMS = ("sales", "warehouse", "shipping")
COLLEAGUE = Actor("warehouse", frozenset(["warehouse"]))
ROBIN = "robin"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An installation without open work, and Robin, who is of three teams."""
    with served(tmp_path_factory.mktemp("morning")) as running:
        engine = running.shop.engine
        with engine.transaction() as session:
            Administration(engine, session, SYSTEM).add(ROBIN, "Robin Falk", TEAMS, password=DEMO_PASSWORD)
        yield running


@pytest.fixture(scope="module")
def sessions() -> dict[str, Any]:
    """Who has signed in to this installation."""
    return {}


ROWS = """[...document.querySelectorAll('#task-list li')].map((row) =>
  [row.querySelector('.what').lastChild.textContent, row.querySelector('.who').textContent.split(' ')[0]])"""
"""What the list holds: task and order of each row."""


class Hands:
    """Somebody at a keyboard."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key, delay=0 if "+" in key else BY_HAND)

    def types(self, text: str) -> None:
        self.page.keyboard.type(text, delay=BY_HAND)

    def tabs_to(self, selector: str) -> None:
        """Presses Tab until what is meant has the focus."""
        self.page.evaluate(STOP_AT, selector)
        there, pressed = self.page.evaluate(THERE, selector)
        for _ in range(FARTHEST):  # a page that has just come takes no keys for a moment: those it took are counted
            if there or pressed > FARTHEST:
                break
            strikes(self.page, [{"type": kind, **TAB} for kind in ("rawKeyDown", "keyUp")] * AT_ONCE)
            there, pressed = self.page.evaluate(THERE, selector)
        assert there, f"Tab does not lead to {selector}"

    def fills(self, name: str, text: str) -> None:
        """Goes on to a field of the form and types in place of what stands there."""
        self.tabs_to(f"[name='{name}']")
        self.press("Control+a")
        self.types(text)

    def completes(self) -> None:
        """Completes the open task; the page then says so, and which one it was."""
        said = f"{self.task} for {self.order} is done."
        self.press("Control+Enter")
        expect(self.page.get_by_text(said)).to_be_visible()

    def finds(self, order: str) -> None:
        """Looks the order up and opens its task from its page."""
        self.press("/")
        self.types(order)
        self.press("Enter")
        self.page.wait_for_url(f"**/orders/{order}")
        self.tabs_to("main a[href^='/tasks/']")
        self.press("Enter")
        self.page.wait_for_url("**/tasks/*")

    @property
    def task(self) -> str:
        """What is to be done, as the open task is headed."""
        return str(self.page.locator("h1").inner_text())

    @property
    def order(self) -> str:
        return str(self.page.locator("main .crumb a").nth(1).inner_text())


DOES = {
    "Correct customer details": ("/phone", "+4930901820"),
    "Prepare order for shipment": ("/lines/0/location", "aisle 7"),
    "Package ordered products": ("/parcels/0/weight_g", "1900"),
    "Confirm pickup with shipment courier": ("/driver", "Jo"),
}
"""What Robin types into the form of each kind of task."""


def test_twenty_tasks_of_four_kinds(opened: Open, site: Served) -> None:
    """One after the other without going back to the list: the order's own next task, else the next of the list."""
    for number in range(6):
        site.shop.clock.advance(minutes=1)
        site.shop.places_order(name=f"Picked {number}").goes_to("prepare_shipment")
        if number < 4:
            site.shop.places_order(name=f"Waiting {number}").goes_to("confirm_pickup")
            site.shop.places_order(name=f"Doubted {number}", phone="12")
    site.shop.clock.advance(minutes=1)
    page = opened(ROBIN)
    hands = Hands(page)
    wanted = []
    for kind, order in page.evaluate(ROWS):
        wanted.append((kind, order))
        if kind == "Prepare order for shipment":
            wanted.append(("Package ordered products", order))

    hands.press("j", "j", "k", "Enter")
    done = []
    for _ in range(20):
        expect(page.locator("#form")).to_be_visible()
        done.append((hands.task, hands.order))
        hands.press("Enter")
        hands.fills(*DOES[hands.task])
        hands.completes()

    assert done == wanted
    assert set(Counter(kind for kind, _ in done).values()) == {4, 6}
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
    by_robin = [event.name for order in {order for _, order in wanted} for event in site.shop.engine.history(order)
                if event.kind == "completed" and event.actor == ROBIN]
    assert len(by_robin) == 20


def test_several_pickups_are_filled_in_once(opened: Open, site: Served) -> None:
    """Ticked in the list; a task of another step cannot be ticked with them."""
    orders = [site.shop.places_order(name=f"Together {number}").goes_to("confirm_pickup") for number in range(3)]
    other = site.shop.places_order(name="Another step", phone="12").number
    page = opened(ROBIN)
    hands = Hands(page)

    for order in orders:
        hands.tabs_to(f"input[aria-label='Select Confirm pickup with shipment courier, {order.number}']")
        hands.press("Space")
    expect(page.locator("[data-picked]")).to_have_text("3 selected")
    expect(page.get_by_label(f"Select Correct customer details, {other}")).to_be_disabled()
    hands.tabs_to("#pick button")
    hands.press("Enter")
    expect(page.locator("h1")).to_have_text("Confirm pickup with shipment courier, 3 at once")
    hands.fills("/driver", "Jo")
    hands.press("Control+Enter")

    expect(page.get_by_text("3 tasks are done.")).to_be_visible()
    assert [order.variables["pickup"]["driver"] for order in orders] == ["Jo"] * 3


def test_a_wrong_piece_is_refused_while_packing(opened: Open, site: Served) -> None:
    """The order's number opens the task; the wrong piece is named, the right ones count, and then it is done."""
    order = site.shop.places_order(name="Ester Blom").goes_to("package_products").number
    page = opened(ROBIN)
    hands = Hands(page)
    scans(page, order)
    page.wait_for_url(f"**{site.task(order)}")

    scans(page, "product-a")
    expect(page.locator("[data-says]")).to_have_text("Product A: 1 of 2.")
    scans(page, "product-e")
    expect(page.locator("[data-wrong]")).to_contain_text(f"Product E (product-e) is not in {order}. Put it back.")
    for piece in ("product-a", "product-c"):
        scans(page, piece)
    expect(page.locator("[data-says]")).to_contain_text("Everything is counted.")
    expect(page.locator("#saved")).to_contain_text("Draft saved")
    hands.completes()

    refused = [event.detail["code"] for event in site.shop.engine.history(order) if event.kind == "wrong_scan"]
    assert refused == ["product-e"]


def test_a_reload_in_the_middle_of_a_form_loses_nothing(opened: Open, site: Served) -> None:
    """Not even what was typed in the moment before, and it is not taken for another window's."""
    order = site.shop.places_order(name="Noor Haddad").goes_to("package_products").number
    page = opened(ROBIN)
    hands = Hands(page)
    hands.finds(order)
    hands.fills("/parcels/0/weight_g", "1875")
    expect(page.locator("#saved")).to_contain_text("Draft saved")
    hands.fills("/note", "Ring at gate 3")

    page.reload()

    expect(page.locator("[name='/note']")).to_have_value("Ring at gate 3")
    expect(page.locator("[name='/parcels/0/weight_g']")).to_have_value("1875")
    hands.fills("/parcels/0/length_cm", "41")
    hands.completes()
    packed = [event.after for event in site.shop.engine.history(order) if event.element == "package_products"]
    assert "Ring at gate 3" in str(packed)


def test_a_task_that_a_colleague_has_is_taken_over_with_a_note(opened: Open, site: Served) -> None:
    """Name and age stand in the list and above the form, which is locked until then."""
    order = site.shop.places_order(name="Lena Fors").goes_to("prepare_shipment").number
    site.shop.engine.claim(site.task(order).rpartition("/")[2], COLLEAGUE)
    site.shop.clock.advance(minutes=25)
    page = opened(ROBIN)
    hands = Hands(page)
    expect(page.locator("#task-list li", has_text=order)).to_contain_text("Mei Tan, 25 min")
    hands.finds(order)
    expect(page.locator(".claim")).to_contain_text("Mei Tan has this task since")
    expect(page.locator(".claim")).to_contain_text("for 25 min")
    expect(page.locator("[name='/lines/0/location']")).to_be_disabled()

    hands.tabs_to("main summary")
    hands.press("Enter")
    hands.tabs_to("[name='note']")
    hands.types("Mei is at the dock")
    hands.press("Enter")

    expect(page.locator(".claim")).to_contain_text("Yours since")
    hands.fills("/lines/0/location", "aisle 2")
    hands.completes()
    history = "".join(str(event.detail) for event in site.shop.engine.history(order))
    assert "Mei is at the dock" in history
