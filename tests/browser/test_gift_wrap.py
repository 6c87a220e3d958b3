"""One change from the first stroke to the last order: two analysts, the people at work, and the way back.

The chapters build on each other, so they are functions of one test; each says what it sees and does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import expect

from engine.views import TaskView
from tests.browser.conftest import Open, Served, served
from tests.browser.modeling import PATIENCE, Canvas
from tests.scenarios.shop import OrderHandle, Shop

KEY = "order_fulfillment"
WHY = "Gifts leave unwrapped when it is busy."
NOTE = "Ring at gate 3."


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An installation of its own: the other tests of the folder keep their one version."""
    with served(tmp_path_factory.mktemp("gift_wrap")) as running:
        yield running


@pytest.fixture(scope="module")
def sessions() -> dict[str, Any]:
    """Who is signed in elsewhere is a stranger here."""
    return {}


@dataclass
class Story:
    """The people at their pages, and the orders that were under way before anything was changed."""

    site: Served
    opened: Open
    at_step_10: OrderHandle
    """Goes on before anybody moves it."""
    half_packed: OrderHandle
    """At step 10 too: somebody has it and has begun to fill in."""
    gone_on: OrderHandle
    """Behind step 10 already."""
    pages: dict[str, Any] = field(default_factory=dict)

    def who(self, name: str) -> Any:
        """The page of a person, signed in once."""
        if name not in self.pages:
            self.pages[name] = self.opened(name)
            self.pages[name].set_default_timeout(PATIENCE)
        return self.pages[name]


def test_gift_wrap(opened: Open, site: Served) -> None:
    """An analyst adds a step with a form; it is seen, consented to, met by new and moved orders, and taken back."""
    expect.set_options(timeout=PATIENCE)
    story = Story(site, opened, *orders_under_way(site.shop))
    begun = somebody_begins_to_pack(story)

    canvas = a_copy_is_opened_in_the_modeler(story)
    a_step_is_added_and_its_problem_seen(canvas)
    a_form_is_made_for_it(canvas)
    the_problems_are_mended(canvas)
    consent_is_asked_for(canvas)
    the_author_cannot_consent(story)
    the_second_analyst_sees_what_changes(story)
    and_deploys(story)

    an_order_from_before_goes_on_as_it_was(story)
    a_new_order_meets_the_step(story)
    live_orders_are_moved(story)
    nothing_of_the_open_task_is_lost(story, begun)
    a_moved_order_meets_the_step(story)
    the_way_back(story)


# --- before -----------------------------------------------------------------------------------------------------------


def orders_under_way(shop: Shop) -> list[OrderHandle]:
    """Two at step 10, one behind it."""
    return [shop.places_order(name=name).goes_to(element) for name, element in (
        ("Hansen & Söhne", "package_products"), ("Atelier Dubois", "package_products"),
        ("Lumen Optics", "confirm_pickup"),
    )]  # fmt: skip


def somebody_begins_to_pack(story: Story) -> TaskView:
    """A packer claims the task and is called away in the middle of it."""
    page = story.who("warehouse")
    page.goto(story.site.task(story.half_packed.number))
    page.get_by_role("button", name="Claim").click()
    page.fill("textarea[name='/note']", NOTE)
    expect(page.locator("#saved")).to_contain_text("Draft saved at")
    begun = story.half_packed.task("package_products")
    assert begun.assignee == "warehouse"
    assert begun.due_at is not None
    return begun


# --- drawing ----------------------------------------------------------------------------------------------------------


def a_copy_is_opened_in_the_modeler(story: Story) -> Canvas:
    page = story.who("analyst")
    page.goto("/processes")
    order = page.locator(f"#process-{KEY}")
    order.get_by_role("button", name="Change it in the modeler").click()
    page.wait_for_url("**/modeler/*")
    draft = story.site.shop.engine.draft(page.url.rpartition("/")[2])
    assert (draft.key, draft.base_version) == (KEY, 1)
    return Canvas(page, story.site, draft).is_drawn()


def a_step_is_added_and_its_problem_seen(canvas: Canvas) -> None:
    """Named in the list, marked on the canvas, said beside the field; asking for consent is barred."""
    page = canvas.page
    assert canvas.problems() == []
    canvas.finds("Package ordered products")
    canvas.adds("user", "Gift wrap")
    canvas.whole()
    canvas.clicks("package_products__create_label")
    canvas.keys("Delete")
    canvas.clicks("gift_wrap")
    canvas.connects("create_label")

    assert "No team does it." in canvas.problems()
    row = page.locator("#problems tbody tr", has_text="No team does it.")
    expect(row).to_contain_text("Gift wrap")
    expect(page.locator('.djs-overlays[data-container-id="gift_wrap"] .finding')).to_be_visible()
    page.get_by_role("button", name="Ask for consent").click()
    dialog = page.get_by_role("dialog", name="Ask for consent")
    expect(dialog).to_contain_text("must be mended first")
    expect(dialog.get_by_role("button", name="Ask for consent")).to_be_disabled()
    dialog.get_by_role("button", name="Cancel").click()
    canvas.is_saved()


def a_form_is_made_for_it(canvas: Canvas, *, when_seen: Callable[[Any], None] = lambda page: None) -> None:
    """On the page of forms, field by field; the preview is what the packer will see."""
    page = canvas.page
    page.get_by_role("link", name="Forms").click()
    page.wait_for_selector("body[data-ready]")
    page.locator("summary", has_text="New form").click()
    page.get_by_role("textbox", name="Name", exact=True).locator("visible=true").fill("gift_wrap")
    page.get_by_role("button", name="Make it").click()
    page.wait_for_url("**/forms/gift_wrap")
    page.wait_for_selector("#preview-body .taskform")

    page.locator("summary", has_text="Add a field").click()
    page.select_option("#add-kind", "text")
    page.fill("#add-title", "Paper")
    page.check("#add-required")
    page.get_by_role("button", name="Add it").click()
    expect(page.locator("#preview-body").get_by_label("Paper")).to_be_visible()
    expect(page.locator("#problems-title")).to_have_text("1 to look at")
    expect(page.get_by_text("No task shows this form.")).to_be_visible()
    expect(page.locator("#saved")).to_contain_text("Saved")
    when_seen(page)
    page.get_by_role("link", name="Diagram").click()
    canvas.is_drawn()


def the_problems_are_mended(canvas: Canvas) -> None:
    """A click in the list shows the element; team, time and form are set in the panel."""
    page = canvas.page
    canvas.problems()
    page.locator("#problems a", has_text="Gift wrap").first.click()
    page.locator("#p-team").select_option("warehouse")
    page.get_by_label("Due after").fill("2 h")
    page.get_by_label("Instructions").fill("Wrap every piece that is marked as a gift.")
    page.locator("#p-form").select_option("gift_wrap.json")
    expect(page.locator('.djs-overlays[data-container-id="gift_wrap"] .finding')).to_have_count(0)
    assert canvas.problems() == []
    assert canvas.properties("gift_wrap") == {
        "team": "warehouse", "due": "PT2H", "formJsonSchemaFilename": "gift_wrap.json"}


def consent_is_asked_for(canvas: Canvas) -> None:
    page = canvas.page
    page.get_by_role("button", name="Ask for consent").click()
    dialog = page.get_by_role("dialog", name="Ask for consent")
    dialog.get_by_label("Why is it changed?").fill(WHY)
    dialog.get_by_role("button", name="Ask for consent").click()
    page.wait_for_url(f"**/processes/{KEY}/2")


# --- consent ----------------------------------------------------------------------------------------------------------


def the_author_cannot_consent(story: Story) -> None:
    """No button says so to her, and what a button would send is refused."""
    page = story.who("analyst")
    expect(page.get_by_text("You made it, so another analyst or an administrator must consent.")).to_be_visible()
    expect(page.get_by_role("button", name="Consent and deploy")).to_have_count(0)
    token = page.locator("input[name=csrf_token]").first.input_value()
    answer = page.request.post(f"/processes/{KEY}/2/consent", form={"csrf_token": token},
                               headers={"Referer": page.url})
    assert answer.status == 403
    assert story.site.shop.engine.version(KEY, 2).state == "awaiting_consent"


def the_second_analyst_sees_what_changes(story: Story) -> None:
    """Who and why, the picture, the words, the check, and what becomes of the live orders."""
    page = story.who("analyst-2")
    page.goto("/processes")
    page.get_by_role("link", name=re.compile("^Version 2 of")).click()
    page.wait_for_selector("figure.diagram[data-ready]")
    expect(page.locator("h1")).to_have_text("Version 2 waits for consent")
    expect(page.locator(".lead")).to_contain_text("Ines Duarte")
    expect(page.locator(".lead")).to_contain_text(WHY)
    expect(page.locator(".canvas.now .djs-element.added[data-element-id=gift_wrap]")).to_be_visible()
    words = page.get_by_role("table", name="Changes in words")
    expect(words.get_by_role("rowheader", name=re.compile("^Gift wrap")).first).to_be_visible()
    expect(words).to_contain_text("gift_wrap")
    expect(page.locator(".facts")).to_contain_text("No problems")
    live = sum(version.open_instances for version in story.site.shop.engine.versions(KEY))
    impact = page.get_by_role("table", name="What moving does to live orders")
    expect(impact.locator("tbody")).not_to_contain_text("Cannot move")
    expect(impact.locator("tfoot")).to_contain_text(str(live))


def and_deploys(story: Story) -> None:
    """For new orders alone: live ones are moved later."""
    page = story.who("analyst-2")
    expect(page.get_by_role("radio", name=re.compile("^Only new orders"))).to_be_checked()
    page.get_by_label("Comment").fill("Agreed with the warehouse.")
    page.get_by_role("button", name="Consent and deploy version 2").click()
    expect(page.locator(".notice.good")).to_contain_text("Version 2 is deployed. New orders run on it.")
    made = story.site.shop.engine.version(KEY, 2)
    assert (made.deployed_by, made.consented_by, made.reason) == ("analyst", "analyst-2", WHY)
    assert story.half_packed.instance.version == 1


# --- orders -----------------------------------------------------------------------------------------------------------


def an_order_from_before_goes_on_as_it_was(story: Story) -> None:
    """To its end, through the twenty steps that it began with."""
    order = story.at_step_10
    order.goes_to_its_end()
    assert (order.status, order.instance.version) == ("closed", 1)
    assert "gift_wrap" not in order.done()
    assert sorted(set(order.steps())) == list(range(1, 21))


def a_new_order_meets_the_step(story: Story) -> None:
    """After step 10 and before the label; with the form, in the inbox of the team, until the due time."""
    order = story.site.shop.places_order(name="Penang Marine").goes_to("gift_wrap")
    assert order.instance.version == 2
    _is_wrapped(story, order, "red")
    order.goes_to_its_end()
    done = order.done()
    assert done.index("package_products") < done.index("gift_wrap") < done.index("create_label")


def live_orders_are_moved(story: Story) -> None:
    """The page shows how far it is, then a result for each order."""
    page = story.who("analyst-2")
    they_begin_to_move(story)
    expect(page.locator("progress")).to_have_attribute("value", "0")
    expect(page.locator("#moves [role=status]")).to_contain_text("0 of 2 orders have been looked at")
    story.site.shop.engine.work(limit=1)
    expect(page.locator("#moves [role=status]")).to_contain_text("1 of 2 orders have been looked at")
    story.site.shop.works()
    expect(page.locator("#moves [role=status]")).to_contain_text("2 of 2 orders moved")
    table = page.get_by_role("table", name="What became of each order")
    for order in (story.half_packed, story.gone_on):
        row = table.get_by_role("row", name=re.compile(order.number))
        expect(row).to_contain_text("moved")
        assert order.instance.version == 2
    assert story.at_step_10.instance.version == 1


def they_begin_to_move(story: Story) -> None:
    """With a reason, which is kept in the history of each order."""
    page = story.who("analyst-2")
    page.goto(f"/processes/{KEY}/2")
    page.get_by_label("Why they are moved").fill("Gifts of this week too.")
    page.get_by_role("button", name="Move live orders to version 2").click()
    page.wait_for_url("**/migrations/*")


def nothing_of_the_open_task_is_lost(story: Story, begun: TaskView) -> None:
    """Id, assignee, due time; and the packer finds what was typed. The history says who moved the order, and why."""
    now = story.half_packed.task("package_products")
    assert (now.id, now.assignee, now.claimed_at, now.created_at, now.due_at) == (
        begun.id, begun.assignee, begun.claimed_at, begun.created_at, begun.due_at)
    page = story.who("warehouse")
    page.goto(f"/tasks/{begun.id}")
    expect(page.locator("textarea[name='/note']")).to_have_value(NOTE)
    moved = next(event for event in story.half_packed.history() if event.kind == "migrated")
    assert (moved.actor, moved.detail["from"], moved.detail["to"], moved.detail["reason"]) == (
        "analyst-2", 1, 2, "Gifts of this week too.")


def a_moved_order_meets_the_step(story: Story) -> None:
    """The packer completes what was begun, and gift wrap is next. Who is behind step 10 already goes on."""
    order, page = story.half_packed, story.who("warehouse")
    page.get_by_role("button", name="Complete task").last.click()
    expect(page.locator(".notice.good")).to_contain_text(f"Package ordered products for {order.number} is done.")
    story.site.shop.works()
    assert order.open_elements() == ["gift_wrap"]
    _is_wrapped(story, order, "blue")
    order.goes_to_its_end()
    story.gone_on.goes_to_its_end()
    assert [one.status for one in (order, story.gone_on)] == ["closed", "closed"]
    assert "gift_wrap" not in story.gone_on.done()


def _is_wrapped(story: Story, order: OrderHandle, paper: str) -> None:
    """A packer fills in the new form."""
    page, task = story.who("warehouse"), order.task("gift_wrap")
    assert task.due_at is not None
    assert (task.team, (task.due_at - task.created_at).total_seconds()) == ("warehouse", 7200)
    page.goto("/inbox")
    page.locator(".tasks a", has_text=order.number).click()
    expect(page.locator("h1")).to_have_text("Gift wrap")
    expect(page.get_by_text("Wrap every piece that is marked as a gift.")).to_be_visible()
    page.get_by_role("button", name="Claim").click()
    page.get_by_label("Paper").fill(paper)
    page.get_by_role("button", name="Complete task").last.click()
    expect(page.locator(".notice.good")).to_contain_text(f"Gift wrap for {order.number} is done.")
    story.site.shop.works()
    assert order.variables["gift_wrap"]["paper"] == paper


# --- back -------------------------------------------------------------------------------------------------------------


def the_way_back(story: Story) -> None:
    """Version 1 again, as version 3: the same flow with the other's consent; who is on version 2 stays there."""
    shop = story.site.shop
    wrapping = shop.places_order(name="Vins Chevalier").goes_to("gift_wrap")
    page = story.who("analyst-2")
    page.goto(f"/processes/{KEY}/1")
    page.get_by_label("Why").fill("It takes too long before the holidays.")
    page.get_by_role("button", name="Go back to version 1").click()
    page.wait_for_url(f"**/processes/{KEY}/3")
    expect(page.locator("h1")).to_have_text("Version 3 waits for consent")
    expect(page.get_by_role("button", name="Consent and deploy")).to_have_count(0)

    page = story.who("analyst")
    page.goto(f"/processes/{KEY}/3")
    page.wait_for_selector("figure.diagram[data-ready]")
    expect(page.locator(".canvas.was .djs-element.removed[data-element-id=gift_wrap]")).to_have_count(1)
    impact = page.get_by_role("table", name="What moving does to live orders")
    expect(impact.get_by_role("row", name=re.compile("Cannot move"))).to_contain_text(wrapping.number)
    page.get_by_role("button", name="Consent and deploy version 3").click()
    expect(page.locator(".notice.good")).to_contain_text("Version 3 is deployed.")

    engine = shop.engine
    assert engine.bundle(KEY, 3).files == engine.bundle(KEY, 1).files
    after = shop.places_order(name="Ama Boateng").goes_to("package_products")
    assert after.instance.version == 3
    after.goes_to_its_end()
    assert "gift_wrap" not in after.done()
    wrapping.answers("gift_wrap", paper="green")
    wrapping.goes_to_its_end()
    assert (wrapping.instance.version, "gift_wrap" in wrapping.done()) == (2, True)
