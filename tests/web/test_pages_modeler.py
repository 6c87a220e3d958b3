"""The modeler's pages as the server gives them: the drafts, the ways to begin one, and what the canvas page brings."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from engine.views import Actor, DraftView
from tests import looking
from tests.web.api_world import World
from tests.web.visitor import Page, Visitor, visitor

ROOT = Path(__file__).parents[2]
ANALYST = Actor("analyst", frozenset({"analysts"}))
SECOND = Actor("analyst-2", frozenset({"analysts"}))


@pytest.fixture
def analyst(world: World) -> Visitor:
    return visitor(world, "analyst")


@pytest.fixture
def draft(world: World) -> DraftView:
    """A draft of the deployed order process."""
    return world.engine.open_draft(ANALYST, key="order_fulfillment", base_version=1, title="Gift wrap")


def begins(visitor: Visitor, way: str, **inputs: Any) -> Page:
    """Sends one of the forms under "Begin a draft"."""
    token = visitor.goes("/modeler").value("csrf_token")
    return visitor.sends("/modeler", {"csrf_token": token, "way": way, **inputs})


def boot(page: Page) -> dict[str, Any]:
    """What the page tells its script."""
    return dict(json.loads(str(page.find("//*[@id='boot']/@data-json")[0])))


def only_draft(world: World) -> DraftView:
    [found] = world.engine.drafts()
    return world.engine.draft(found.id)


# --- who -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "may"), [("analyst", True), ("admin", True), ("warehouse", False), ("owner", False)])
def test_only_analysts_find_the_modeler(world: World, draft: DraftView, name: str, may: bool) -> None:
    """It is in their menu, also on a phone, and for nobody else is it there."""
    who = visitor(world, name)

    assert ("/modeler" in who.goes("/inbox").links()) is may
    assert ("/modeler" in who.goes("/more").links()) is may
    for address in ("/modeler", f"/modeler/{draft.id}"):
        assert who.goes(address).status == (200 if may else 403)


# --- the list --------------------------------------------------------------------------------------------------------


def test_the_list_says_who_changed_which_draft_last(world: World, analyst: Visitor, draft: DraftView) -> None:
    world.engine.save_draft(draft.id, SECOND, revision=1, files={"forms/gift_wrap.json": b"{}"})

    page = analyst.goes("/modeler")

    assert page.link("Gift wrap") == f"/modeler/{draft.id}"
    assert "Order fulfillment, version 1" in page.text
    assert "Karl Novak, Mon 23 Nov" in page.text


def test_the_process_that_is_most_used_is_offered_first(world: World, analyst: Visitor) -> None:
    """Orders before anything else, whatever is younger or comes first by name; every process goes by its name."""
    bundle = looking.bundle("Ask for leave", key="Sid_leave")
    world.engine.propose(bundle, ANALYST, reason="Leave.", base_version=None, key="Sid_leave")
    world.engine.consent("Sid_leave", 1, SECOND)
    world.engine.open_draft(ANALYST, key="Sid_leave", base_version=1, title="More days")

    page = analyst.goes("/modeler")

    versions = page.find("//select[@id='copy-version']/option/text()")
    assert versions[0] == "Order fulfillment, version 1"
    assert "Ask for leave, version 1" in versions
    row = page.find("//tr[contains(., 'More days')]")[0].text_content()
    assert "Ask for leave, version 1" in row
    assert "Sid leave" not in row


@pytest.mark.parametrize(
    ("needed", "says"),
    [(True, "another analyst or an administrator looks at it and deploys it"), (False, "you deploy it")],
)
def test_the_list_says_who_deploys_a_draft(world: World, analyst: Visitor, needed: bool, says: str) -> None:
    """Without consent there is nobody else to wait for."""
    world.engine.consent_needed = needed

    assert f"When it is ready, {says}." in analyst.goes("/modeler").text


def test_a_draft_begins_as_a_copy_of_a_version(world: World, analyst: Visitor) -> None:
    page = begins(analyst, "copy", version="order_fulfillment:1", title="Gift wrapping")

    assert page.heading == "Gift wrapping"
    assert "draft of version 1" in page.text
    assert only_draft(world).files == dict(world.engine.bundle("order_fulfillment", 1).files)


def test_a_draft_begins_empty(world: World, analyst: Visitor) -> None:
    """With one start event, and not under the name of a process that runs already."""
    assert begins(analyst, "empty", key="supplier_return", title="Supplier return").heading == "Supplier return"
    assert only_draft(world).key == "supplier_return"

    taken = begins(analyst, "empty", key="order_fulfillment", title="Mine")
    assert taken.status == 422
    assert "is deployed already" in taken.text
    assert "letters, digits" in begins(analyst, "empty", key="9 lives", title="Cat").text


def test_files_of_another_editor_are_taken_over(world: World, analyst: Visitor) -> None:
    """Alone as a new process, or over a copy of a version, where a form takes the place of the one of its name."""
    diagram = (ROOT / "processes" / "order_cancellation.bpmn").read_bytes().replace(b"order_cancellation", b"undo_all")
    alone = begins(analyst, "import", files=(io.BytesIO(diagram), "undo_all.bpmn"))
    assert alone.heading == "Order cancellation"
    first = only_draft(world)
    assert list(first.files) == ["processes/undo_all.bpmn"]
    world.engine.discard_draft(first.id, ANALYST)

    form = b'{"type": "object", "properties": {}}'
    begins(analyst, "import", version="order_fulfillment:1", files=(io.BytesIO(form), "package_products.json"))
    second = only_draft(world)
    assert (second.base_version, second.files["forms/package_products.json"]) == (1, form)
    assert "processes/order_fulfillment.bpmn" in second.files


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.txt", b"x", "notes.txt is neither a diagram"),
        ("bad.bpmn", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "DOCTYPE"),
        ("empty.bpmn", b"", "empty"),
        ("form.json", b"{}", "no diagram"),
    ],
)
def test_a_file_that_cannot_be_taken_over_is_named(
    world: World, analyst: Visitor, name: str, content: bytes, says: str
) -> None:
    page = begins(analyst, "import", files=(io.BytesIO(content), name))

    assert page.status == 422
    alert = page.find("//main//*[@role='alert' and @data-focus]")[0]
    assert says in alert.text_content()
    assert alert.getnext().findtext("h2") == "Drafts", "it stands above the list, however long that is"
    assert says in page.find("//form[.//input[@name='files']]")[0].text_content()
    assert world.engine.drafts() == []


def test_a_draft_is_discarded(world: World, analyst: Visitor, draft: DraftView) -> None:
    address = f"/modeler/{draft.id}/discard"
    page = analyst.sends(address, analyst.goes("/modeler").form(address))

    assert "“Gift wrap” is discarded" in page.text
    assert world.engine.drafts() == []
    assert analyst.goes(f"/modeler/{draft.id}").status == 404


# --- the canvas page -------------------------------------------------------------------------------------------------


def test_the_panel_is_told_the_operations_as_the_handlers_declare_them(analyst: Visitor, draft: DraftView) -> None:
    """With parameters, types, refusals, and where each can be used."""
    told = boot(analyst.goes(f"/modeler/{draft.id}"))
    operations = {one["name"]: one for one in told["operations"]}

    check = operations["inventory.check"]
    assert [(p["name"], p["type"], p["required"]) for p in check["parameters"]] == [("region", "str", True)]
    assert check["refusals"] == ["stock_short"]
    assert check["meaning"].startswith("Refuses with stock_short unless the region has everything")
    assert [(p["name"], p["type"], p["required"]) for p in operations["document.render"]["parameters"]][-1] == (
        "due", "int", False)
    uses = {name: operations[name]["use"] for name in (
        "shipping.pack", "shipping.pack_form", "inventory.submission", "courier.book", "shipping.track")}
    assert list(uses.values()) == ["form", "context", "plain", "service", "service"]


def test_the_panel_is_told_teams_and_what_the_draft_holds(analyst: Visitor, draft: DraftView) -> None:
    told = boot(analyst.goes(f"/modeler/{draft.id}"))

    assert ["warehouse", "Warehouse"] in told["teams"]
    assert "owner" not in dict(told["teams"])  # sees every task and does none
    assert "owner" in dict(told["tellable"])
    assert {"name": "package_products.json", "fields": ["parcels", "contents", "note"]} in told["forms"]
    assert "receive_order.ui.json" not in [form["name"] for form in told["forms"]]
    policy = next(one for one in told["decisions"] if one["id"] == "approval_policy")
    assert (policy["file"], policy["outputs"]) == ("processes/approval_policy.dmn", ["signatures"])
    assert {one["id"] for one in told["processes"]} == {"order_fulfillment", "order_cancellation"}
    assert "courier.picked_up" in told["messages"]
    assert told["file"] == "processes/order_fulfillment.bpmn"


def test_another_diagram_of_the_draft_is_opened_by_its_name(analyst: Visitor, draft: DraftView) -> None:
    address = f"/modeler/{draft.id}?file=order_cancellation.bpmn"

    assert boot(analyst.goes(address))["file"] == "processes/order_cancellation.bpmn"
    assert boot(analyst.goes(f"/modeler/{draft.id}?file=../x"))["file"] == "processes/order_fulfillment.bpmn"


def test_a_file_that_cannot_be_read_does_not_break_the_page(
    world: World, analyst: Visitor, draft: DraftView
) -> None:
    """The list of problems says what is wrong with it; the rest can be worked on."""
    broken: dict[str, bytes | None] = {
        "forms/a.json": b"{", "forms/b.json": b"[1]", "processes/c.dmn": b"<x", "processes/d.bpmn": b"\xff\xfe<",
    }
    world.engine.save_draft(draft.id, ANALYST, revision=1, files=broken)

    told = boot(analyst.goes(f"/modeler/{draft.id}"))

    assert {"name": "a.json", "fields": []} in told["forms"]
    assert told["file"] == "processes/order_fulfillment.bpmn"


def test_a_title_is_text_wherever_it_stands(world: World, analyst: Visitor) -> None:
    """Markup in names goes nowhere."""
    hostile = "</script><img src=x onerror=alert(1)>\"'"
    made = world.engine.open_draft(ANALYST, key="order_fulfillment", base_version=1, title=hostile)

    for address in ("/modeler", f"/modeler/{made.id}"):
        page = analyst.goes(address)
        assert hostile in page.text
        assert page.find("//img") == []


def test_nothing_inline_runs_on_the_canvas_page(analyst: Visitor, draft: DraftView) -> None:
    """Style attributes are for bpmn-js; scripts come from this server alone."""
    page = analyst.goes(f"/modeler/{draft.id}")
    policy = page.answer.headers["Content-Security-Policy"]

    assert "script-src 'self';" in policy
    assert "style-src-attr 'unsafe-inline'" in policy
    assert page.find("//script[not(@src)]") == []
    assert page.find("//@onclick") == []


def test_a_draft_that_waits_for_consent_can_only_be_looked_at(
    world: World, analyst: Visitor, draft: DraftView
) -> None:
    """Until the version is returned: then it says by whom and why."""
    form = json.loads(draft.files["forms/package_products.json"])
    form["title"] = "Pack the goods"
    changed = json.dumps(form).encode()
    world.engine.save_draft(draft.id, ANALYST, revision=1, files={"forms/package_products.json": changed})
    world.engine.submit_draft(draft.id, ANALYST, reason="Clearer title.", revision=2)

    page = analyst.goes(f"/modeler/{draft.id}")
    assert "Consent is asked for" in page.text
    assert page.link("version 2") == "/processes/order_fulfillment/2"
    assert page.find("//*[@id='ask-consent']") == []

    world.engine.return_version("order_fulfillment", 2, SECOND, "Say which goods.")
    again = analyst.goes(f"/modeler/{draft.id}")
    assert "Karl Novak returned version 2" in again.text
    assert "“Say which goods.”" in again.text
    assert again.find("//*[@id='ask-consent']") != []
    assert "returned by Karl Novak" in analyst.goes("/modeler").text


def test_a_newer_version_than_the_drafts_base_is_told(world: World, analyst: Visitor, draft: DraftView) -> None:
    """Before somebody draws for an hour on top of an old one."""
    assert "is newer" not in analyst.goes(f"/modeler/{draft.id}").text
    other = world.engine.open_draft(SECOND, key="order_fulfillment", base_version=1, title="Other")
    form = draft.files["forms/package_products.json"] + b"\n"
    world.engine.save_draft(other.id, SECOND, revision=1, files={"forms/package_products.json": form})
    world.engine.submit_draft(other.id, SECOND, reason="A line.", revision=2)
    world.engine.consent("order_fulfillment", 2, ANALYST)

    assert "Version 2 is newer than what this draft builds on" in analyst.goes(f"/modeler/{draft.id}").text
