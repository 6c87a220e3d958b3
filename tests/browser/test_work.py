"""Working in a browser: keys, drafts, live lists, the diagram, dialogs; and the same without scripts."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Open, Site, polled


def test_the_list_is_worked_by_keys(opened: Open, site: Site) -> None:
    """j and k move, also from a tick box, x ticks, Enter opens, c claims, / goes to the search, ? shows the keys."""
    order = site.shop.places_order(name="Kestrel Outdoor").goes_to("prepare_shipment").number
    page = opened("warehouse")

    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") != first
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.textContent") == first

    page.keyboard.press("x")
    tick = page.locator(".tasks li:has(a:focus) input")
    expect(tick).to_be_checked()
    tick.focus()
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") not in ("", first)
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.textContent") == first
    page.keyboard.press("x")
    expect(page.locator(".tasks input:checked")).to_have_count(0)

    page.locator(".tasks a", has_text=order).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/tasks/*")
    page.keyboard.press("c")
    expect(page.locator(".claim")).to_contain_text("Yours since")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def test_the_skip_link_leads_past_the_menu(opened: Open) -> None:
    """It is the first thing that Tab reaches."""
    page = opened("sales")

    page.keyboard.press("Tab")

    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")


def test_a_draft_saves_itself(opened: Open, site: Site) -> None:
    """What was typed is there again after the page was closed without saving."""
    order = site.shop.places_order(name="Vins Chevalier").goes_to("package_products").number
    page = opened("warehouse")
    page.goto(site.task(order))
    page.get_by_role("button", name="Claim").click()

    page.fill("textarea[name='/note']", "Ring at gate 3.")
    expect(page.locator("#saved")).to_contain_text("Draft saved at")

    page.goto("/inbox")
    page.goto(site.task(order))
    expect(page.locator("textarea[name='/note']")).to_have_value("Ring at gate 3.")


def test_the_diagram_shows_where_the_order_stands(opened: Open, site: Site) -> None:
    """Done with a tick, here with "now", in sight; the bpmn.io mark is fully visible."""
    page = opened("finance")
    page.goto(f"/orders/{site.pickup}")
    page.wait_for_selector("figure.diagram[data-ready]")

    here = page.locator(".djs-element.here")
    assert here.get_attribute("data-element-id") == "confirm_pickup"
    expect(page.locator(".djs-overlay .m-here")).to_be_visible()
    assert page.locator(".djs-element.done").count() > 10
    frame, shape = page.locator("figure.diagram").bounding_box(), here.bounding_box()
    assert frame["x"] <= shape["x"]
    assert shape["x"] + shape["width"] <= frame["x"] + frame["width"]
    covered = page.evaluate(
        """() => { const box = document.querySelector('.bjs-powered-by').getBoundingClientRect();
          return [[2, 2], [box.width - 2, 2], [2, box.height - 2], [box.width / 2, box.height / 2]].filter(([x, y]) =>
            !document.elementFromPoint(box.left + x, box.top + y)?.closest('.bjs-powered-by')).length; }"""
    )
    assert covered == 0
    overlaps = page.evaluate(
        """() => { const now = document.querySelector('.m-here').getBoundingClientRect();
          return [...document.querySelectorAll('.djs-element')].filter((shape) => {
            const id = shape.dataset.elementId;
            if (!['picked_up', 'pickup_late'].includes(id)) return false;
            const box = shape.querySelector('.djs-visual').getBoundingClientRect();
            return box.left < now.right && box.right > now.left && box.top < now.bottom && box.bottom > now.top;
          }).length; }"""
    )
    assert overlaps == 0
    ticked = page.evaluate(
        """() => [...document.querySelectorAll('.djs-overlays')].filter((o) => o.querySelector('.m-done'))
          .map((o) => o.dataset.containerId)"""
    )
    assert "verify_customer" in ticked
    assert not [name for name in ticked if "decision" in name]


def test_the_diagram_has_no_dead_buttons_without_scripts(opened: Open, site: Site) -> None:
    """What only a script could do is not offered."""
    page = opened("finance", scripts=False)
    page.goto(f"/orders/{site.pickup}")

    assert page.locator("[data-zoom]:visible, [data-close]:visible").count() == 0


def test_the_diagram_follows_the_order(opened: Open, site: Site) -> None:
    """When the order goes on, the marks move without loading the page again."""
    order = site.shop.places_order(name="Prishtina Optika")
    page = opened("finance")
    with polled(page):
        page.goto(f"/orders/{order.number}")
        page.wait_for_selector(".djs-element.here[data-element-id=approve_reservation]")
        order.is_approved("approve_reservation")

    page.wait_for_selector(".djs-element.here[data-element-id=approve_payment]")
    assert page.locator(".djs-element.here").count() == 1
    expect(page.locator(".facts")).to_contain_text("Step 8 of 20")


def test_cancelling_asks_in_a_dialog(opened: Open, site: Site) -> None:
    """With the reason; Escape keeps the order."""
    order = site.shop.places_order(name="J. Ibarra").number
    page = opened("sales")
    page.goto(f"/orders/{order}")
    page.get_by_role("link", name="Cancel order").click()
    dialog = page.get_by_role("dialog", name=f"Cancel {order}?")
    expect(dialog).to_be_visible()

    dialog.get_by_label("Reason").fill("She changed her mind.")
    dialog.get_by_role("button", name="Cancel the order").click()

    expect(page.locator(".notice.good")).to_contain_text(f"{order} is being cancelled.")


def test_the_gates_are_walked_by_keys(opened: Open, site: Site) -> None:
    """j and n lead to the next approval, k to the one before; n goes on from the last to the first; not while one
    writes."""
    for name in ("Sofia Marques", "Ama Boateng"):
        site.shop.clock.advance(minutes=1)
        last = site.shop.places_order(name=name).number
    page = opened("stock-approver-2")
    page.goto(site.task(last))
    page.keyboard.press("k")
    expect(page.locator(".crumb")).not_to_contain_text(last)
    before = page.url
    page.get_by_label("Reason").press("j")
    expect(page.get_by_label("Reason")).to_have_value("j")
    page.get_by_label("Reason").blur()

    page.keyboard.press("j")
    expect(page.locator(".crumb")).to_contain_text(last)
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="First")).to_be_visible()
    page.keyboard.press("n")
    expect(page.get_by_role("link", name="Previous")).to_have_count(0)
    page.goto(before)
    page.keyboard.press("n")
    expect(page.locator(".crumb")).to_contain_text(last)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("The next approval that waits for you")


def test_the_button_of_a_gate_says_what_it_does(opened: Open, site: Site) -> None:
    """Before it is pressed, beside the sentence that is signed."""
    page = opened("stock-approver")
    page.goto(site.task(site.gate))

    page.get_by_role("radio", name=re.compile("^Send back")).check()
    page.select_option("#send_back_to", "3")

    expect(page.locator("[data-sign]")).to_have_text("Sign: send back to step 3")
    meaning = "“I have checked what is submitted from steps 3 and 4 and send it back.”"
    expect(page.locator("#decide")).to_contain_text(meaning)


def test_a_task_is_done_without_scripts(opened: Open, site: Site) -> None:
    """Claim, add a row, be refused, put it right, complete."""
    order = site.shop.places_order(name="Maria Okafor").goes_to("package_products").number
    page = opened("warehouse", scripts=False)
    page.goto(site.task(order))
    page.get_by_role("button", name="Claim").click()

    page.get_by_role("button", name="Add a parcel").click()
    page.fill("input[name='/parcels/1/weight_g']", "500")
    page.get_by_role("button", name="Complete task").last.click()
    expect(page.locator("[role=alert]")).to_contain_text("to put right before this can be completed")
    expect(page.locator("input[name='/parcels/1/weight_g']")).to_have_value("500")

    page.get_by_role("button", name="Remove Parcel 2").click()
    page.get_by_role("button", name="Complete task").last.click()
    expect(page.locator(".notice.good")).to_contain_text(f"Package ordered products for {order} is done.")
