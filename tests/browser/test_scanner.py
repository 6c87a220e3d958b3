"""A keyboard scanner in a browser: told from a hand by its speed, wherever the focus is; and packing counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import AXE, Open, Site, polled

BY_HAND = 120
"""Milliseconds between the keys of somebody who types well."""
SCANNER = 0.008
"""Seconds between the keys of a scanner."""
CTRL = 2
ENDS = {"Enter": {"text": "\r", "windowsVirtualKeyCode": 13}, "Tab": {"windowsVirtualKeyCode": 9}}


def scans(page: Any, code: str, end: str = "Enter", held: int = 0) -> None:
    """What a scanner does: the code key by key, then its end; with a key `held` beside that, a hand does it.

    All keys are sent at once with their times on them, as the machine of a real scanner notes them: how busy this
    machine is with other tests must not make a slow hand of a scanner.
    """
    keys = [{"key": sign, "text": sign} for sign in code] + [{"key": end, "code": end, "modifiers": held, **ENDS[end]}]
    started = time.time() - len(keys) * SCANNER
    events = [
        {"type": kind, **({name: key[name] for name in key if name != "text"} if kind == "keyUp" else key),
         "timestamp": started + place * SCANNER}
        for place, key in enumerate(keys) for kind in ("keyDown", "keyUp")
    ]  # fmt: skip
    strikes(page, events)


def strikes(page: Any, events: Sequence[Mapping[str, Any]]) -> None:
    """Sends events of keys at once, without waiting for each to be answered."""
    session = page.context.new_cdp_session(page)
    session._sync(_send(session._impl_obj, events))
    session.detach()


async def _send(session: Any, events: Sequence[Mapping[str, Any]]) -> None:
    await asyncio.gather(*(session.send("Input.dispatchKeyEvent", event, None) for event in events))


def packing(site: Site, name: str, **changes: Any) -> str:
    """A new order that waits to be packed."""
    return site.shop.places_order(name=name, **changes).goes_to("package_products").number


def test_a_scan_opens_the_task_with_the_focus_nowhere(opened: Open, site: Site) -> None:
    """Also from a page that has nothing to do with it, and when the scanner ends with Tab."""
    order = packing(site, "Orla Byrne")
    page = opened("warehouse")
    page.goto("/stock")

    scans(page, order)
    page.wait_for_url(f"**{site.task(order)}")
    page.goto("/stock")
    scans(page, order.lower(), end="Tab")
    page.wait_for_url(f"**{site.task(order)}")


def test_a_scan_does_not_land_in_the_field_that_has_the_focus(opened: Open, site: Site) -> None:
    """What stood there stands there again, with the cursor where it was; the task is not sent off."""
    order = site.shop.places_order(name="Tilda Berg").goes_to("prepare_shipment").number
    page = opened("warehouse")
    page.goto(site.task(order))
    page.fill("input[name='/city']", "Bergen")
    page.locator("input[name='/city']").evaluate("field => field.setSelectionRange(3, 3)")

    scans(page, "product-a")

    expect(page.locator("[data-says]")).to_contain_text("Product A: 1 of 2.")
    city = page.locator("input[name='/city']")
    expect(city).to_have_value("Bergen")
    assert city.evaluate("field => [field.selectionStart, field === document.activeElement]") == [3, True]
    assert page.url.endswith(site.task(order))


def test_typing_by_hand_is_never_a_scan(opened: Open, site: Site) -> None:
    """In a field it stays what was typed, and Enter does what Enter does there; a key that is held down is no scan."""
    page = opened("warehouse")
    search = page.locator("form.listsearch input[name='q']")
    search.focus()
    page.keyboard.type("product-a", delay=BY_HAND)
    page.keyboard.press("Enter")
    page.wait_for_url("**q=product-a*")

    search = page.locator("form.listsearch input[name='q']")
    search.fill("")
    search.focus()
    for _ in range(12):
        page.keyboard.down("x")  # the second and later ones are the repeats of a key that is held
        page.wait_for_timeout(15)
    page.keyboard.up("x")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=xxxxxxxxxxxx*")


def test_keys_that_are_commands_wait_for_a_scan(opened: Open, site: Site) -> None:
    """A code that begins with c claims nothing; c by itself does."""
    order = packing(site, "Claus Cornelius")
    page = opened("warehouse")
    page.goto(site.task(order))

    scans(page, "cc-4711")
    expect(page.locator("[data-wrong]")).to_contain_text("“cc-4711” is nothing that is counted")
    expect(page.locator(".claim")).to_contain_text("Nobody has it yet")

    page.keyboard.press("c")
    expect(page.locator(".claim")).to_contain_text("Yours since")


def test_a_password_is_nobody_elses_business(opened: Open, site: Site) -> None:
    """A password manager types as fast as a scanner: it stays in its field and goes to no address."""
    page = opened("owner")
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<input type=password id=secret>')"
    )
    page.focus("#secret")

    scans(page, "correct-horse", end="Tab")

    expect(page.locator("#secret")).to_have_value("correct-horse")
    assert "/scan" not in page.url


def test_a_code_that_is_not_known_says_so(opened: Open) -> None:
    """In words, with the focus on them."""
    page = opened("shipping")

    scans(page, "095212340000000019")

    page.wait_for_url("**/scan?code=*")
    expect(page.get_by_role("alert")).to_contain_text("was misread")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "alert"


def test_packing_counts_what_is_scanned(opened: Open, site: Site) -> None:
    """From nothing to done, line by line, also when the list has brought itself up to date; a wrong piece and one too
    many are refused; then the task is completed."""
    order = packing(site, "Viktor Sund")
    page = opened("warehouse")
    with polled(page):
        page.goto(site.task(order))
        new = packing(site, "Vera Sund")
    expect(page.locator("#task-list")).to_contain_text(new)
    line = {name: page.locator(f"li[data-piece={name}]") for name in ("product-a", "product-c")}
    says, wrong = page.locator("[data-says]"), page.locator("[data-wrong]")

    scans(page, "product-a")
    expect(says).to_have_text("Product A: 1 of 2.")
    expect(line["product-a"]).to_contain_text("1 of 2")
    expect(line["product-c"]).to_contain_text("0 of 1")
    expect(page.locator("input[name='/contents/0/quantity']")).to_have_value("1")

    scans(page, "product-e")
    expect(wrong).to_contain_text(f"Product E (product-e) is not in {order}. Put it back.")
    scans(page, "product-a")
    expect(says).to_have_text("Product A: 2 of 2, done.")
    expect(wrong).to_be_hidden()
    expect(line["product-a"].locator("[data-done]")).to_be_visible()
    expect(line["product-a"]).to_contain_text("Done")
    scans(page, "product-a")
    expect(wrong).to_contain_text("All 2 of Product A are counted. Put this one back.")
    expect(page.locator("input[name='/contents/0/quantity']")).to_have_value("2")

    page.get_by_label("Scan or type a product").fill("product-c")
    page.get_by_label("Scan or type a product").press("Enter")
    expect(says).to_contain_text("Everything is counted.")
    page.get_by_role("button", name="Complete task").last.click()
    expect(page.get_by_text(f"Package ordered products for {order} is done.")).to_be_visible()
    with site.shop.engine.reading() as session:
        from handlers.shipping import papers

        (parcel,) = papers.newest_parcels(session, order)
        assert {row.sku: row.quantity for row in parcel.lines} == {"product-a": 2, "product-c": 1}
    kept = [event.detail["code"] for event in site.shop.engine.history(order) if event.kind == "wrong_scan"]
    assert kept == ["product-e", "product-a"]


def test_pieces_go_into_the_parcel_that_is_chosen(opened: Open, site: Site) -> None:
    """A product that lies in two parcels gets a row for each, and the step takes them."""
    order = packing(site, "Ines Prat")
    page = opened("warehouse")
    page.goto(site.task(order))
    page.get_by_role("button", name="Add a parcel").click()
    for name, value in (("weight_g", "1400"), ("length_cm", "30"), ("width_cm", "30"), ("height_cm", "30")):
        page.fill(f"input[name='/parcels/1/{name}']", value)

    scans(page, "product-a")
    page.get_by_label("Parcel", exact=True).select_option("2")
    scans(page, "product-a")
    scans(page, "product-c")
    expect(page.locator("[data-says]")).to_contain_text("Everything is counted.")
    page.get_by_role("button", name="Complete task").last.click()

    expect(page.get_by_text(f"Package ordered products for {order} is done.")).to_be_visible()
    with site.shop.engine.reading() as session:
        from handlers.shipping import papers

        inside = [{row.sku: row.quantity for row in parcel.lines} for parcel in papers.newest_parcels(session, order)]
    assert inside == [{"product-a": 1}, {"product-a": 1, "product-c": 1}]


def test_counting_goes_on_after_a_reload(opened: Open, site: Site) -> None:
    """With what the draft kept; numbers typed by hand count as well, and the proposal can be had again."""
    order = packing(site, "Nora Lind")
    page = opened("warehouse")
    page.goto(site.task(order))
    page.get_by_role("button", name="Claim").click()
    expect(page.locator(".claim")).to_contain_text("Yours since")
    scans(page, "product-a")
    expect(page.locator("#saved")).to_contain_text("Draft saved")

    page.reload()
    expect(page.locator("li[data-piece=product-a]")).to_contain_text("1 of 2")
    page.fill("input[name='/contents/0/quantity']", "2")
    expect(page.locator("li[data-piece=product-a]")).to_contain_text("Done")
    page.get_by_role("button", name="Stop counting").click()
    expect(page.locator("li[data-piece=product-a]")).to_contain_text("0 of 2")
    expect(page.locator("input[name='/contents/1/quantity']")).to_have_value("1")


def test_a_counter_is_accessible(opened: Open, site: Site) -> None:
    """With a refused piece on it, in the dark, on a phone: axe finds nothing, nothing scrolls sideways."""
    order = packing(site, "Aino Salo")
    page = opened("warehouse", width=390, dark=True)
    page.goto(site.task(order))
    scans(page, "product-a")
    scans(page, "product-e")
    expect(page.locator("[data-wrong]")).to_contain_text("Put it back.")

    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [v["id"] for v in found["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_ctrl_enter_ends_no_scan(opened: Open, site: Site) -> None:
    """However fast somebody is, it sends what they have typed: here the note."""
    page = opened("sales")
    page.goto(f"/orders/{site.packing}")
    page.get_by_role("link", name="Add a note").click()
    page.get_by_role("textbox", name="Note").focus()

    scans(page, "Rings back", end="Enter", held=CTRL)

    page.wait_for_url(f"**/orders/{site.packing}*")
    expect(page.get_by_text("Rings back").first).to_be_visible()


def test_a_scan_leaves_an_open_dialog_alone(opened: Open, site: Site) -> None:
    """What was written in it is not lost; the dialog says what to do."""
    page = opened("sales")
    page.goto(f"/orders/{site.packing}")
    page.get_by_role("link", name="Add a note").click()
    note = page.get_by_role("textbox", name="Note")
    note.fill("The customer calls")
    note.focus()

    scans(page, site.pickup)

    expect(page.get_by_role("alert")).to_contain_text("close this window first")
    expect(note).to_have_value("The customer calls")
    assert page.url.endswith(f"/orders/{site.packing}")
