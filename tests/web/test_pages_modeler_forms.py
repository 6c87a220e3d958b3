"""Forms and decision tables of a draft: lists, previews by the operators' macro, and tries that store nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from werkzeug.test import TestResponse

from engine.decisions import check_decision
from engine.views import Actor, DraftView
from tests.web.api_world import World
from tests.web.visitor import Page, Visitor, open_task, visitor
from web.pages.json_places import Place, place_of, places
from web.pages.modeler_decisions import new_table, not_run

ANALYST = Actor("analyst", frozenset({"analysts"}))


@pytest.fixture
def draft(world: World) -> DraftView:
    """A draft of the deployed order process."""
    return world.engine.open_draft(ANALYST, key="order_fulfillment", base_version=1, title="Gift wrap")


@pytest.fixture
def analyst(world: World) -> Visitor:
    return visitor(world, "analyst")


def text(draft: DraftView, file: str) -> str:
    return draft.files[file].decode()


def asked(visitor: Visitor, address: str, body: Mapping[str, Any]) -> TestResponse:
    """Sends JSON as the page's script does, with the session's token."""
    page = visitor.goes(address.rpartition("/")[0])
    token = str(page.find("//main/@data-csrf")[0])
    return visitor.client.post(address, json=body, headers={"X-CSRFToken": token})


def previewed(visitor: Visitor, draft: DraftView, name: str, schema: str, ui: str = "", **more: Any) -> TestResponse:
    body = {"schema": schema, "ui": ui, "mode": "look", **more}
    return asked(visitor, f"/modeler/{draft.id}/forms/{name}/preview", body)


def stored(world: World, draft: DraftView) -> tuple[int, Mapping[str, bytes]]:
    now = world.engine.draft(draft.id)
    return now.revision, now.files


# --- forms -----------------------------------------------------------------------------------------------------------


def test_the_list_names_the_tasks_of_each_form(analyst: Visitor, draft: DraftView) -> None:
    """And the address may bear the file's suffix, as the diagram names it."""
    page = analyst.goes(f"/modeler/{draft.id}/forms/package_products.json")

    assert page.status == 200
    entry = page.find("//nav[@class='shelf']//li[a/@aria-current]")[0].text_content()
    assert "package_products" in entry
    assert "10 Package ordered products" in entry
    assert json.loads(page.find("//textarea[@id='schema']")[0].text) == json.loads(
        text(draft, "forms/package_products.json")
    )


def test_the_preview_is_what_the_operator_sees(world: World, analyst: Visitor, draft: DraftView) -> None:
    """Drawn by the same macro: the same fields with the same labels, in the same order as on the task's page."""
    order = world.place(shipping_address={
        "street": "350 Fifth Avenue", "city": "New York", "region": "NY", "postal_code": "1", "country": "US"})
    world.work()
    task = world.task_of(order)
    assert task["name"] == "Correct customer details"
    seen = visitor(world, "sales").goes(f"/tasks/{open_task(world, order)}")

    answer = previewed(analyst, draft, "correct_details", text(draft, "forms/correct_details.json"),
                       text(draft, "forms/correct_details.ui.json"))

    shown = Page(answer_page(answer.json["html"]))
    labels = "//*[self::label or self::legend][@for or self::legend]"
    assert [words(n) for n in shown.find(labels)] == [words(n) for n in seen.find(f"//form[@id='form']{labels}")]
    assert answer.json["findings"] == []


def answer_page(html: str) -> TestResponse:
    from werkzeug.wrappers import Response

    return TestResponse(Response(html).response, "200 OK", Response().headers, None)  # type: ignore[arg-type]


def words(node: Any) -> str:
    return " ".join(node.text_content().split())


def test_unsaved_text_is_checked_and_every_finding_has_its_line(
    world: World, analyst: Visitor, draft: DraftView
) -> None:
    """Nothing of it is stored."""
    before = stored(world, draft)
    schema = json.loads(text(draft, "forms/package_products.json"))
    del schema["properties"]["note"]["maxLength"]
    written = json.dumps(schema, indent=2)

    found = previewed(analyst, draft, "package_products", written, '{"nobody": {}}').json["findings"]

    lines = written.split("\n")
    long_text = next(one for one in found if one["rule"] == "form-max-length")
    assert long_text["path"] == "/properties/note/maxLength"
    assert lines[long_text["line"] - 1].strip() == '"note": {'
    unknown = next(one for one in found if one["rule"] == "ui-field")
    assert unknown["file"] == "forms/package_products.ui.json"
    assert stored(world, draft) == before


@pytest.mark.parametrize(
    ("schema", "line", "column"),
    [('{\n  "type": "object",\n  "title" "x"\n}', 3, 11), ("", 1, 1), ('{"a": 1}\n}', 2, 1)],
)
def test_a_slip_of_the_pen_is_named_by_line_and_column(
    analyst: Visitor, draft: DraftView, schema: str, line: int, column: int
) -> None:
    """The page keeps the preview it had."""
    answer = previewed(analyst, draft, "package_products", schema).json

    (slip,) = [one for one in answer["findings"] if one["rule"].startswith("json-")]
    assert (slip["line"], slip["column"]) == (line, column)
    assert answer["drawn"] is False


SHAPES = [
    "[]", '"x"', '{"type": "object", "properties": []}', '{"properties": {"a": 1}}',
    '{"type": "object", "properties": {"a": {"type": "array", "items": 5, "minItems": "x"}}}',
    '{"examples": 5, "properties": {"a": {"oneOf": [1]}}}', "[" * 100_000, '{"title": "\\ud800"}',
]  # fmt: skip


@pytest.mark.parametrize("schema", SHAPES)
@pytest.mark.parametrize("mode", ["look", "check", "add", "remove"])
def test_no_text_breaks_the_preview(analyst: Visitor, draft: DraftView, schema: str, mode: str) -> None:
    """Whatever stands in it, there is an answer with findings."""
    answer = previewed(analyst, draft, "package_products", schema, schema, mode=mode, row="/a", typed={"/a": ["1"]})

    assert answer.status_code == 200
    assert answer.json["findings"]


def test_fill_in_and_check_says_what_completing_would_say(world: World, analyst: Visitor, draft: DraftView) -> None:
    """422 with the messages beside their fields; and when all is right, what the diagram would read."""
    before = stored(world, draft)
    schema, ui = text(draft, "forms/package_products.json"), text(draft, "forms/package_products.ui.json")
    sent = {"/parcels/0/weight_g": ["heavy"], "/contents/0/sku": ["product-a"], "/contents/0/parcel": ["1"],
            "/contents/0/quantity": ["2"]}

    refused = previewed(analyst, draft, "package_products", schema, ui, mode="check", typed=sent)

    assert refused.status_code == 422
    shown = Page(answer_page(refused.json["html"]))
    assert "Enter a whole number." in words(shown.find("//*[@id='f-parcels-0-weight_g-err']")[0])
    assert shown.value("/parcels/0/weight_g") == "heavy"

    right = {"/length_cm": "40", "/width_cm": "30", "/height_cm": "20", "/weight_g": "7400"}
    sent |= {f"/parcels/0{name}": [value] for name, value in right.items()}
    taken = previewed(analyst, draft, "package_products", schema, ui, mode="check", typed=sent)

    assert taken.status_code == 200
    assert "The form takes this" in taken.json["html"]
    assert "package_products.parcels" in taken.json["html"]
    assert stored(world, draft) == before


def test_rows_come_and_go_in_the_preview(analyst: Visitor, draft: DraftView) -> None:
    """What was typed stays."""
    schema, ui = text(draft, "forms/package_products.json"), text(draft, "forms/package_products.ui.json")
    typed = {"/parcels/0/weight_g": ["7400"]}

    more = previewed(analyst, draft, "package_products", schema, ui, mode="add", row="/parcels", typed=typed)

    shown = Page(answer_page(more.json["html"]))
    assert shown.value("/parcels/0/weight_g") == "7400"
    assert shown.find("//input[@name='/parcels/1/weight_g']")


def test_a_pattern_that_could_run_for_minutes_is_not_tried(analyst: Visitor, draft: DraftView) -> None:
    """Only a form that the check passes takes input."""
    schema = json.dumps({
        "type": "object", "additionalProperties": False,
        "properties": {"a": {"type": "string", "title": "A", "maxLength": 200, "pattern": "^(a+)+$"}}})

    answer = previewed(analyst, draft, "package_products", schema, mode="check", typed={"/a": ["a" * 60 + "!"]})

    assert answer.status_code == 200
    assert "Mend what must be mended first" in answer.json["html"]


def test_pick_lists_of_the_catalogue_are_shown_as_such(analyst: Visitor, draft: DraftView) -> None:
    """They have no entries in the form; the operation that gives them is named."""
    answer = previewed(analyst, draft, "receive_order", text(draft, "forms/receive_order.json"),
                       text(draft, "forms/receive_order.ui.json"))

    shown = Page(answer_page(answer.json["html"]))
    assert "The entries of Country and Product come from order.receive_form when the task opens" in shown.text
    assert shown.find("//select[@name='/country']")
    assert shown.find("//select[@name='/items/0/sku']")


def test_a_form_is_made_copied_and_deleted_when_no_task_shows_it(
    world: World, analyst: Visitor, draft: DraftView
) -> None:
    """A new form passes the check; one that a task shows stays."""
    page = analyst.goes(f"/modeler/{draft.id}/forms/package_products")
    made = analyst.sends(f"/modeler/{draft.id}/forms", {**page.form("/forms"), "name": ["gift_wrap"], "copy_of": []})

    assert "gift_wrap.json is new in this draft." in made.text
    assert "no task shows it" in made.text
    findings = world.engine.check_draft(draft.id) if hasattr(world.engine, "check_draft") else []
    assert [f for f in findings if f.file.startswith("forms/gift_wrap") and f.severity == "error"] == []

    copied = analyst.sends(f"/modeler/{draft.id}/forms", {
        **made.form("/forms"), "name": ["gift_wrap_2"], "copy_of": ["package_products"]})
    files = world.engine.draft(draft.id).files
    assert files["forms/gift_wrap_2.ui.json"] == draft.files["forms/package_products.ui.json"]

    gone = analyst.sends(f"/modeler/{draft.id}/forms/gift_wrap_2/remove", copied.form("/remove"))
    assert gone.status == 200
    assert not {f for f in world.engine.draft(draft.id).files if "gift_wrap_2" in f}

    kept = analyst.sends(f"/modeler/{draft.id}/forms/package_products/remove", copied.form("/remove"))
    assert kept.status == 409
    assert "Package ordered products" in kept.text


@pytest.mark.parametrize("name", ["", "Ünder", "../x", "1st", "package_products", "a" * 61])
def test_a_name_that_cannot_be_taken_is_refused_in_words(
    world: World, analyst: Visitor, draft: DraftView, name: str
) -> None:
    """Also one that is there already."""
    page = analyst.goes(f"/modeler/{draft.id}/forms/package_products")

    refused = analyst.sends(f"/modeler/{draft.id}/forms", {**page.form("/forms"), "name": [name], "copy_of": []})

    assert refused.status == 422
    assert world.engine.draft(draft.id).revision == draft.revision


def test_a_page_that_is_older_than_the_draft_changes_nothing(
    world: World, analyst: Visitor, draft: DraftView
) -> None:
    """The second analyst is told who was faster."""
    page = analyst.goes(f"/modeler/{draft.id}/forms/package_products")
    other = visitor(world, "analyst-2")
    theirs = other.goes(f"/modeler/{draft.id}/forms")
    other.sends(f"/modeler/{draft.id}/forms", {**theirs.form("/forms"), "name": ["theirs"], "copy_of": []})

    refused = analyst.sends(f"/modeler/{draft.id}/forms", {**page.form("/forms"), "name": ["mine"], "copy_of": []})

    assert refused.status == 409
    assert "Nothing was changed." in refused.text
    assert "forms/mine.json" not in world.engine.draft(draft.id).files


@pytest.mark.parametrize("part", ["forms", "decisions"])
def test_only_analysts_come_here(world: World, draft: DraftView, part: str) -> None:
    """Others may read deployed versions, and no drafts; a draft that is not there is 404."""
    assert visitor(world, "warehouse").goes(f"/modeler/{draft.id}/{part}").status == 403
    assert visitor(world, "analyst").goes(f"/modeler/not-there/{part}").status == 404


def test_a_preview_takes_a_token_and_a_bounded_body(analyst: Visitor, draft: DraftView) -> None:
    """Not from a foreign page, not two megabytes."""
    address = f"/modeler/{draft.id}/forms/package_products/preview"

    assert analyst.client.post(address, json={"schema": "{}", "ui": "", "mode": "look"}).status_code == 400
    assert asked(analyst, address, {"schema": "x" * 2_000_000, "ui": "", "mode": "look"}).status_code == 413
    assert asked(analyst, address, {"schema": 5, "mode": "look"}).status_code == 400


def test_places_of_values_in_a_text() -> None:
    """Lists, objects, quoted brackets, and the nearest value around one that is not there."""
    found = places('{\n  "a": [1, {"b": "},{"}],\n  "c\\"d": null\n}')

    assert found["/a/1/b"] == Place(2, 13)
    assert found['/c"d'] == Place(3, 3)
    assert place_of(found, "/a/1/zz/deeper") == Place(2, 12)


# --- decision tables -------------------------------------------------------------------------------------------------


def tried(visitor: Visitor, draft: DraftView, xml: str, values: Mapping[str, str] | None = None) -> TestResponse:
    body = {"xml": xml} if values is None else {"xml": xml, "values": values}
    return asked(visitor, f"/modeler/{draft.id}/decisions/courier_choice/try", body)


def test_a_try_names_the_row_and_what_comes_out(world: World, analyst: Visitor, draft: DraftView) -> None:
    """By the engine's own evaluation, on the unsaved table, for values as they are typed."""
    before = stored(world, draft)
    xml = text(draft, "processes/courier_choice.dmn").replace('<text>"courier_c"', '<text>"courier_z"')
    values = {"order.stock_region": "europe", "order.weight_g": "30000", "order.shipping_method": "standard"}

    asks = tried(analyst, draft, xml).json["asks"]
    answer = tried(analyst, draft, xml, values).json

    assert {ask["path"]: ask["kind"] for ask in asks} == {
        "order.stock_region": "string", "order.weight_g": "number", "order.shipping_method": "string"}
    assert asks[0]["values"] == ["north_america", "europe", "malaysia"]
    assert answer["fired"] == [{"row": 4, "description": "Road network"}]
    assert answer["outputs"] == {"courier": "courier_z", "decided_by": "table"}
    assert tried(analyst, draft, xml, {**values, "order.weight_g": "30000.5"}).json["fired"][0]["row"] == 8
    assert stored(world, draft) == before


def test_a_try_says_which_value_is_wrong_or_missing(analyst: Visitor, draft: DraftView) -> None:
    """A text where a number is wanted, and nothing where something is."""
    xml = text(draft, "processes/courier_choice.dmn")

    wrong = tried(analyst, draft, xml, {"order.weight_g": "heavy"})
    missing = tried(analyst, draft, xml, {"order.weight_g": "5"})

    assert wrong.status_code == 422
    assert list(wrong.json["faults"]) == ["order.weight_g"]
    assert missing.status_code == 422
    assert "Ships from" in missing.json["problem"]


def test_collect_names_every_row_that_answers(analyst: Visitor, draft: DraftView) -> None:
    """And none is no fault."""
    xml = text(draft, "processes/courier_choice.dmn").replace('hitPolicy="UNIQUE"', 'hitPolicy="COLLECT"')
    values = {"order.stock_region": "europe", "order.weight_g": "5", "order.shipping_method": "express"}

    answer = tried(analyst, draft, xml, values).json

    assert [one["row"] for one in answer["fired"]] == [5, 8]
    assert answer["outputs"]["courier"] == ["courier_d", ""]


def test_a_table_that_cannot_be_read_is_not_tried(analyst: Visitor, draft: DraftView) -> None:
    """Nor anything that is no table at all."""
    for xml in ("", "<x/>", "<!DOCTYPE x>", text(draft, "processes/courier_choice.dmn").replace("UNIQUE", "FIRST")):
        assert tried(analyst, draft, xml, {}).json == {"readable": False, "asks": []}


def test_a_table_is_shown_in_the_encoding_that_it_declares(world: World, analyst: Visitor, draft: DraftView) -> None:
    """What is shown is what is saved: no letter becomes a question mark."""
    xml = ('<?xml version="1.0" encoding="ISO-8859-1"?><definitions '
           'xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" name="Übergröße"/>')
    world.engine.save_draft(draft.id, ANALYST, revision=1, files={"processes/gifts.dmn": xml.encode("latin-1")})

    shown = json.loads(analyst.goes(f"/modeler/{draft.id}/decisions/gifts").find("//*[@id='xml']/text()")[0])

    assert "Übergröße" in shown
    assert tried(analyst, draft, "<definitions \ud800/>").json == {"readable": False, "asks": []}


def test_a_new_table_passes_the_check_and_can_be_deleted(world: World, analyst: Visitor, draft: DraftView) -> None:
    """One that a task runs stays."""
    page = analyst.goes(f"/modeler/{draft.id}/decisions")
    made = analyst.sends(f"/modeler/{draft.id}/decisions", {**page.form("/decisions"), "name": ["gift_policy"]})

    assert made.status == 200
    assert "no task runs it" in made.text
    assert check_decision(world.engine.draft(draft.id).files["processes/gift_policy.dmn"], "x") == []

    kept = analyst.sends(f"/modeler/{draft.id}/decisions/courier_choice/remove", made.form("/remove"))
    assert kept.status == 409
    gone = analyst.sends(f"/modeler/{draft.id}/decisions/gift_policy/remove", made.form("/remove"))
    assert gone.status == 200
    assert "processes/gift_policy.dmn" not in world.engine.draft(draft.id).files


def test_what_a_file_holds_beside_its_table_is_said_to_be_not_run(world: World) -> None:
    """A literal expression, a decision diagram, a boxed function."""
    with world.app.test_request_context():
        table = new_table("gift_policy")
    assert not_run(table.encode()) == []
    more = ('<decision id="sum" name="Sum"><literalExpression><text>1+1</text></literalExpression>'
            '<informationRequirement><requiredDecision href="#gift_policy"/></informationRequirement></decision>'
            '<businessKnowledgeModel id="bkm" name="Rates"/></definitions>')  # fmt: skip

    said = " ".join(not_run(table.replace("</definitions>", more).encode()))

    assert "“Sum” is a literal expression." in said
    assert "DRD" in said
    assert "“Rates” is a boxed function." in said
