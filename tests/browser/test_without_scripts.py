"""The day's work in a browser that runs no scripts: everything but modeler, scanner and live refresh."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Open, Site


def test_an_operator_works_without_scripts(opened: Open, site: Site) -> None:
    """Signs in, searches, claims, keeps a draft, adds a row, gives the task back, completes it."""
    order = site.shop.places_order(name="Solveig Dahl").goes_to("package_products").number
    page = opened(None, scripts=False)
    page.goto("/sign-in")
    page.fill("#name", "warehouse")
    page.fill("#password", "demo")
    page.click("form button.primary")
    page.wait_for_url("**/inbox")

    search = page.locator("form[role=search] input[name=q]").first
    search.fill(order)
    search.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text(order).first).to_be_visible()

    page.goto(site.task(order))
    page.get_by_role("button", name="Claim").click()
    expect(page.locator(".claim")).to_contain_text("Yours since")
    page.get_by_role("button", name="Add a parcel").click()
    page.get_by_role("button", name="Remove Parcel 2").click()
    page.fill("textarea[name='/note']", "Ring at gate 3.")
    page.get_by_role("button", name=re.compile("draft")).first.click()
    page.goto(site.task(order))
    expect(page.locator("textarea[name='/note']")).to_have_value("Ring at gate 3.")

    page.get_by_role("button", name="Release").click()
    page.get_by_role("button", name="Complete task").last.click()
    expect(page.locator(".notice.good")).to_contain_text(f"Package ordered products for {order} is done.")


def test_an_approver_decides_without_scripts(opened: Open, site: Site) -> None:
    """Sends back with a reason and a step."""
    order = site.shop.places_order(name="Nkechi Obi").number
    page = opened("stock-approver", scripts=False)
    page.goto(site.task(order))

    page.get_by_role("radio", name=re.compile("^Send back")).check()
    page.select_option("#send_back_to", "3")
    page.fill("[name=comment]", "Take it from Malaysia.")
    page.fill("[name=password]", "demo")
    page.locator("form button.primary").last.click()

    expect(page.locator(".notice").first).to_contain_text(order)
    assert "done" in {t.state for t in site.shop.engine.order_tasks(order) if t.element == "approve_reservation"}


def test_sales_take_note_and_cancel_without_scripts(opened: Open, site: Site) -> None:
    """A new order by its button, a note on one, and cancelling it with a reason."""
    order = site.shop.places_order(name="Pierre Laurent").number
    page = opened("sales", scripts=False)

    page.goto(f"/orders/{order}")
    page.get_by_role("link", name=re.compile("note", re.IGNORECASE)).first.click()
    page.fill("textarea", "Rang: wants it on Friday.")
    page.locator("main form button.primary").click()
    expect(page.get_by_text("Rang: wants it on Friday.").first).to_be_visible()

    page.get_by_role("link", name=re.compile("Cancel")).first.click()
    page.fill("textarea[name=reason]", "Changed their mind.")
    page.locator("main form button.primary, main form button.danger").last.click()
    page.goto(f"/orders/{order}")
    expect(page.get_by_text("Being cancelled").or_(page.get_by_text("Cancelled")).first).to_be_visible()

    page.goto("/orders")
    page.get_by_role("button", name=re.compile("New order")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Receive new order from customer")
