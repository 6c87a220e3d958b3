"""Forms and decision tables of a draft at work: written, seen, tried, saved, and read by the engine as meant."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest

from engine.decisions import Decision, read_decision
from engine.views import Actor, DraftView
from tests.browser.conftest import Open, Site
from tests.browser.test_look import violations

ANALYST = Actor("analyst", frozenset({"analysts"}))
TABLE = "processes/courier_choice.dmn"


@pytest.fixture
def draft(site: Site) -> DraftView:
    """A draft of the order process, of this test alone."""
    return site.shop.engine.open_draft(ANALYST, key="order_fulfillment", base_version=1, title="Gift wrap")


def opened_at(opened: Open, address: str, **look: Any) -> Any:
    """The analyst at one of the two pages, when it is drawn."""
    page = opened("analyst", **look)
    page.set_default_timeout(30_000)  # the first check starts a process of its own
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    if "/forms/" in address:
        page.wait_for_selector("#preview-body .taskform")
    return page


def saves(page: Any) -> Any:
    """Waits until the draft has taken what was changed in the block."""
    return page.expect_response(lambda answer: answer.request.method == "PUT" and answer.ok)


def decided(site: Site, draft: DraftView) -> tuple[Decision, list[Any]]:
    """The table as it is stored, read by the engine, and what the check says of it."""
    decision, findings = read_decision(site.shop.engine.draft(draft.id).files[TABLE], TABLE)
    assert decision is not None, findings
    return decision, findings


def answers(decision: Decision) -> dict[tuple[Any, ...], dict[str, Any]]:
    """What a courier table answers to every kind of order."""
    regions, ways = ("north_america", "europe", "malaysia", "moon"), ("standard", "express", "overnight")
    return {
        (region, weight, way): decision.evaluate(
            {"order": {"stock_region": region, "weight_g": weight, "shipping_method": way}})
        for region, weight, way in product(regions, (1, 30_000, 30_001), ways)
    }  # fmt: skip


def test_a_field_is_added_seen_tried_and_saved(opened: Open, site: Site, draft: DraftView) -> None:
    """An analyst who knows no JSON Schema adds a field by its type and sees it as the operator will."""
    page = opened_at(opened, f"/modeler/{draft.id}/forms/choose_courier")

    page.click("#add > summary")
    page.select_option("#add-kind", "integer")
    page.fill("#add-title", "Gift ribbons")
    page.check("#add-required")
    with saves(page):
        page.click("#add-form button")
    page.wait_for_selector("#preview-body >> text=Gift ribbons")

    form = json.loads(site.shop.engine.draft(draft.id).files["forms/choose_courier.json"])
    assert form["properties"]["gift_ribbons"]["type"] == "integer"
    assert page.text_content("#problems-title") == "No problems"

    page.check("#preview input[name='/courier'] >> nth=0")
    page.fill("#preview input[name='/gift_ribbons']", "two")
    page.click("#preview .actions .primary")
    page.wait_for_selector("#preview-body [role=alert]")
    assert "Enter a whole number." in page.text_content("#f-gift_ribbons-err")
    assert page.evaluate("document.activeElement.matches('[role=alert]')")
    assert violations(page) == []

    page.fill("#preview input[name='/gift_ribbons']", "2")
    page.click("#preview .actions .primary")
    page.wait_for_selector("#preview-body >> text=The form takes this")


@pytest.mark.parametrize(
    "kind", ["text", "long", "email", "number", "integer", "boolean", "date", "choice", "choices", "rows"]
)
def test_every_kind_of_field_passes_the_check(opened: Open, site: Site, draft: DraftView, kind: str) -> None:
    """Required or not, what the page writes is what the check asks for."""
    page = opened_at(opened, f"/modeler/{draft.id}/forms/choose_courier")
    page.click("#add > summary")
    for title, required in (("First one", True), ("Second one", False)):
        page.select_option("#add-kind", kind)
        page.fill("#add-title", title)
        page.set_checked("#add-required", required)
        with saves(page):
            page.click("#add-form button")
        page.wait_for_selector(f"#preview-body >> text={title}")

    assert page.text_content("#problems-title") == "No problems"


def test_a_slip_is_shown_with_its_line_and_a_click_leads_there(opened: Open, draft: DraftView) -> None:
    """The preview stays as it was; undo by the keyboard brings everything back."""
    page = opened_at(opened, f"/modeler/{draft.id}/forms/choose_courier")
    before = page.input_value("#schema")
    page.evaluate("document.querySelector('#schema').setSelectionRange(1, 1)")
    page.focus("#schema")
    page.keyboard.type(" oops")

    page.wait_for_selector("[data-editor=schema] [data-parse] >> text=line 1, column 3")
    assert page.locator("#preview-body .taskform").count() == 1
    page.click("#findings button")
    assert page.evaluate("document.activeElement.id") == "schema"
    assert page.evaluate("document.activeElement.selectionStart") == 2

    page.keyboard.press("Home")
    for _ in range(5):
        page.keyboard.press("Control+z")
    page.wait_for_selector("#problems-title >> text=No problems")
    assert page.input_value("#schema") == before


def test_the_keyboard_indents_and_can_leave(opened: Open, draft: DraftView) -> None:
    """Tab is for the text; Escape, then Tab, goes on."""
    page = opened_at(opened, f"/modeler/{draft.id}/forms/choose_courier")
    page.focus("#schema")
    page.keyboard.press("Control+Home")

    page.keyboard.press("Tab")
    assert page.input_value("#schema").startswith("  {")
    page.keyboard.press("Shift+Tab")
    assert page.input_value("#schema").startswith("{")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "ui"


def test_what_the_table_editor_saves_is_what_the_engine_reads(opened: Open, site: Site, draft: DraftView) -> None:
    """One cell is changed: only the orders of that row are answered otherwise; the check says the same as before."""
    before, findings = decided(site, draft)
    page = opened_at(opened, f"/modeler/{draft.id}/decisions/courier_choice")
    assert page.locator(".bjs-powered-by").is_visible()

    with saves(page):
        page.click("[data-element-id='courier_choice_row4_out1']")
        page.keyboard.press("Control+a")
        page.keyboard.type('"courier_d"')

    after, said = decided(site, draft)
    changed = {key for key, answer in answers(after).items() if answer != answers(before)[key]}
    assert changed == {("europe", 1, "standard"), ("europe", 30_000, "standard")}
    assert said == findings
    assert [rule.description for rule in after.rules] == [rule.description for rule in before.rules]
    assert (after.id, after.hit_policy, after.names) == (before.id, before.hit_policy, before.names)


def test_a_row_is_added_above_the_one_that_takes_the_rest(opened: Open, site: Site, draft: DraftView) -> None:
    """And undone; what comes of it is the same table."""
    before, findings = decided(site, draft)
    page = opened_at(opened, f"/modeler/{draft.id}/decisions/courier_choice")

    with saves(page):
        page.click("[data-act=row]")
    page.wait_for_selector("#findings tr")
    assert "Row 8" in page.text_content("#findings")
    with saves(page):
        page.click("[data-act=undo]")

    after, said = decided(site, draft)
    assert answers(after) == answers(before)
    assert said == findings


def test_what_is_not_run_is_refused_by_row_and_not_offered(opened: Open, draft: DraftView) -> None:
    """A range in a cell; two hit policies to choose from, four types."""
    page = opened_at(opened, f"/modeler/{draft.id}/decisions/courier_choice")

    page.click("[data-element-id='courier_choice_row4_in2']")
    page.keyboard.press("Control+a")
    page.keyboard.type("[1..5]")
    page.wait_for_selector("#findings >> text=Row 4, Weight in g")
    assert "Ranges are not supported" in page.text_content("#findings")

    page.click(".hit-policy-edit-policy-select")
    offered = page.locator(".dms-select-options .option").all_text_contents()
    assert [one.split(":")[0] for one in offered] == ["Unique", "Collect"]


def test_a_try_marks_the_row_that_answers(opened: Open, draft: DraftView) -> None:
    """A value of the wrong kind is named beside its field."""
    page = opened_at(opened, f"/modeler/{draft.id}/decisions/courier_choice")
    page.fill("[name='order.stock_region']", "europe")
    page.fill("[name='order.weight_g']", "heavy")
    page.fill("[name='order.shipping_method']", "standard")
    page.click("#try .primary")
    page.wait_for_selector("#asks .err")
    assert page.evaluate("document.activeElement.name") == "order.weight_g"

    page.fill("[name='order.weight_g']", "500")
    page.click("#try .primary")

    page.wait_for_selector("#answer >> text=Row 4 answers")
    assert "courier_c" in page.text_content("#answer")
    assert page.locator("#sheet td.fired").count() > 3


@pytest.mark.parametrize("part", ["forms/package_products", "decisions/courier_choice"])
@pytest.mark.parametrize(("width", "dark"), [(1440, False), (1440, True), (390, False)])
def test_the_pages_are_accessible_and_fit(opened: Open, draft: DraftView, part: str, width: int, dark: bool) -> None:
    """axe finds nothing, light and dark, and a phone scrolls nothing sideways."""
    page = opened_at(opened, f"/modeler/{draft.id}/{part}", width=width, dark=dark)

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
