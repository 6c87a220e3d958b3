"""Versions and drafts over HTTP: what analysts, the modeler and other tools call."""

from __future__ import annotations

import io
from typing import Any

import pytest

from settings import ROOT
from tests.looking import DIAGRAM, bundle
from tests.web.api_world import Caller, World

KEY = "order_fulfillment"
FORM = "forms/package_products.json"
LOOK = bundle("Two").files


def kind_of(answer: Any) -> tuple[int, str]:
    assert answer.content_type == "application/problem+json", answer.get_data(as_text=True)
    return answer.status_code, str(answer.json["type"]).rpartition("/")[2]


def field_of(answer: Any) -> list[str]:
    assert answer.status_code == 422, answer.get_data(as_text=True)
    return [error["field"] for error in answer.json["errors"]]


def upload(who: Caller, path: str = "/processes", **parts: Any) -> Any:
    """Sends files as they lie in a bundle (`{"diagram": {"look.bpmn": b"…"}}`) and texts."""
    data = {
        part: [(io.BytesIO(content), name) for name, content in value.items()] if isinstance(value, dict) else value
        for part, value in parts.items()
    }
    return who.call("POST", path, data=data, content_type="multipart/form-data")


def look(name: str = "Two", **parts: Any) -> dict[str, Any]:
    files = bundle(name).files
    return {"diagram": {"look.bpmn": files[DIAGRAM]}, "forms": {"look.json": files["forms/look.json"]}, **parts}


def better_form(word: str = "Better") -> dict[str, bytes]:
    """A form of the shop under another title."""
    text = (ROOT / FORM).read_text()
    return {FORM.removeprefix("forms/"): text.replace('"title": "', f'"title": "{word} ', 1).encode()}


@pytest.fixture
def analyst(world: World) -> Caller:
    return world.of("analyst")


@pytest.fixture
def second(world: World) -> Caller:
    return world.of("analyst-2")


# --- versions --------------------------------------------------------------------------------------------------------


def test_a_form_is_changed_on_top_of_the_newest_version(analyst: Caller, second: Caller, world: World) -> None:
    """202 until another analyst consents; the list says who, when and why; a new order runs on it."""
    asked = upload(analyst, forms=better_form(), base_version="1", reason="a better word")
    own = analyst.post(f"/processes/{KEY}/versions/2/consent")
    given = second.post(f"/processes/{KEY}/versions/2/consent")

    assert (asked.status_code, asked.json["key"], asked.json["version"], asked.json["state"]) == (
        202, KEY, 2, "awaiting_consent")
    assert kind_of(own) == (403, "own-version")
    assert (given.status_code, given.json["state"], given.json["consented_by"]) == (200, "deployed", "analyst-2")
    [newest, _] = analyst.get(f"/processes/{KEY}/versions").json["items"]
    assert [newest[name] for name in ("state", "reason", "deployed_by", "consented_by", "answered_by")] == [
        "deployed", "a better word", "analyst", "analyst-2", "analyst-2"]
    assert world.engine.bundle(KEY, 2).files.keys() == world.engine.bundle(KEY, 1).files.keys()
    assert analyst.get("/orders/" + world.place()).json["process_version"] == 2


def test_what_waits_is_listed_apart(analyst: Caller) -> None:
    """The list of processes shows what runs; `?state=` what a second analyst has to look at."""
    upload(analyst, forms=better_form(), base_version="1", reason="a better word")
    upload(analyst, **look(reason="new"))

    assert [(v["key"], v["version"]) for v in analyst.get("/processes").json["items"]] == [(KEY, 1)]
    waiting = analyst.get("/processes", state="awaiting_consent", limit=1)
    rest = analyst.get("/processes", state="awaiting_consent", cursor=waiting.json["next"])
    assert [(v["key"], v["version"]) for page in (waiting, rest) for v in page.json["items"]] == [
        ("looking", 1), (KEY, 2)]
    assert analyst.post("/processes/looking/start", {"business_key": "L-1"}).status_code == 404


def test_a_base_that_is_not_the_newest_is_409_with_both_versions(analyst: Caller, second: Caller) -> None:
    """When it is asked, and when it is consented to."""
    upload(analyst, forms=better_form("A"), base_version="1", reason="a")
    upload(analyst, forms=better_form("B"), base_version="1", reason="b")
    second.post(f"/processes/{KEY}/versions/3/consent", {"comment": "fine"})

    late = second.post(f"/processes/{KEY}/versions/2/consent", {})
    asked = upload(analyst, forms=better_form("C"), base_version="1", reason="c")

    for answer in (late, asked):
        assert kind_of(answer) == (409, "stale-base")
        assert (answer.json["base_version"], answer.json["newest_version"]) == (1, 3)
    assert "ask again" in late.json["detail"]


def test_the_same_upload_again_is_the_same_version(analyst: Caller, second: Caller) -> None:
    """Before and after the consent; content that changes nothing is refused."""
    def send() -> Any:
        return upload(analyst, forms=better_form(), base_version="1", reason="a better word")

    assert [send().status_code, send().json["version"]] == [202, 2]
    second.post(f"/processes/{KEY}/versions/2/consent")
    assert (send().status_code, send().json["version"]) == (201, 2)
    same = upload(analyst, forms=better_form(), base_version="2", reason="a better word")
    assert kind_of(same) == (409, "nothing-changed")


def test_a_new_process_stands_alone(analyst: Caller, second: Caller) -> None:
    """Without a base; then any of the staff may start it."""
    assert upload(analyst, **look(reason="new")).status_code == 202
    second.post("/processes/looking/versions/1/consent")

    started = analyst.post("/processes/looking/start", {"business_key": "L-1"})
    assert started.status_code == 201, started.json
    assert kind_of(upload(analyst, **look("Three", reason="newer"))) == (409, "stale-base")
    drawn = upload(analyst, diagram={"renamed.bpmn": bundle("Three").files[DIAGRAM]}, base_version="1", reason="x")
    assert (drawn.status_code, drawn.json["key"], drawn.json["version"]) == (202, "looking", 2)


@pytest.mark.parametrize(("parts", "fields"), [
    (look(), ["/reason"]),
    (look(reason="  "), ["/reason"]),
    (look(reason="x" * 2001), ["/reason"]),
    (look(reason=["a", "b"]), ["/reason"]),
    (look(reason="x", base_version="one"), ["/base_version"]),
    (look(reason="x", base_version="9"), ["/base_version"]),
    (look(reason="x", base_version="1", key="nothing"), ["/base_version"]),
    ({"reason": "x", "base_version": "1"}, ["/diagram"]),
    ({"reason": "x", "forms": better_form()}, ["/diagram"]),
    (look(reason="x", colour="red"), ["/colour"]),
])
def test_an_upload_names_what_is_wrong(analyst: Caller, parts: dict[str, Any], fields: list[str]) -> None:
    """422 with the part."""
    assert field_of(upload(analyst, **parts)) == fields


def test_what_cannot_run_is_422_with_every_problem(analyst: Caller) -> None:
    """And no version."""
    answer = upload(analyst, diagram={"x.bpmn": bundle(broken=True).files[DIAGRAM]}, reason="x")

    assert kind_of(answer) == (422, "cannot-deploy")
    assert "look" in [finding["element"] for finding in answer.json["findings"]]
    assert analyst.get("/processes/looking/versions").status_code == 404


def test_a_changed_file_is_checked_on_top_of_a_version(analyst: Caller) -> None:
    """As it would be deployed."""
    assert upload(analyst, "/processes/check", forms=better_form(), base_version="1").json["deployable"] is True


def test_a_version_is_returned_with_a_comment(analyst: Caller, second: Caller) -> None:
    """The author reads it in the list."""
    upload(analyst, forms=better_form(), base_version="1", reason="a better word")
    path = f"/processes/{KEY}/versions/2/return"

    assert [field_of(second.post(path, body)) for body in ({"comment": " "}, {}, {"comment": "x" * 2001})] == [
        ["/comment"]] * 3
    assert second.post(path, {"comment": "Not better."}).json["state"] == "returned"
    [newest, _] = analyst.get(f"/processes/{KEY}/versions").json["items"]
    assert (newest["answered_by"], newest["answer"], newest["consented_by"]) == ("analyst-2", "Not better.", None)
    assert kind_of(second.post(f"/processes/{KEY}/versions/2/consent")) == (409, "conflict")


def test_going_back_asks_for_consent_too(analyst: Caller, second: Caller) -> None:
    """The old content is a new version."""
    upload(analyst, forms=better_form(), base_version="1", reason="a better word")
    second.post(f"/processes/{KEY}/versions/2/consent")
    path = f"/processes/{KEY}/versions/1/go-back"

    assert field_of(analyst.post(path, {"reason": ""})) == ["/reason"]
    back = analyst.post(path, {"reason": "it was not better"})
    assert (back.status_code, back.json["version"], back.json["origin"], back.json["state"]) == (
        202, 3, "back", "awaiting_consent")
    assert kind_of(analyst.post(f"/processes/{KEY}/versions/3/consent")) == (403, "own-version")
    assert second.post(f"/processes/{KEY}/versions/3/consent").json["state"] == "deployed"


@pytest.mark.parametrize("who", ["sales", "stock-approver", "owner"])
def test_only_analysts_and_the_admin_change_processes(world: World, who: str) -> None:
    """Others read."""
    caller = world.of(who)
    calls = [
        upload(caller, **look(reason="x")), caller.post(f"/processes/{KEY}/versions/1/consent"),
        caller.post(f"/processes/{KEY}/versions/1/return", {"comment": "x"}),
        caller.post(f"/processes/{KEY}/versions/1/go-back", {"reason": "x"}),
        caller.get("/drafts"), caller.post("/drafts", {"key": "x"}), caller.get("/drafts/x"),
        caller.call("DELETE", "/drafts/x"), caller.get("/drafts/x/files/forms/y.json"),
        caller.put("/drafts/x/files", {"revision": 1, "files": {}}), caller.post("/drafts/x/check"),
        caller.post("/drafts/x/submit", {"reason": "x", "revision": 1}),
    ]

    assert {answer.status_code for answer in calls} == {403}
    assert caller.get(f"/processes/{KEY}/versions").status_code == 200


@pytest.mark.parametrize("version", ["0", "7", "x", "-1", "9" * 30, "²"])
def test_a_version_that_is_not_there_is_404(analyst: Caller, version: str) -> None:
    """Whatever stands in the address."""
    assert analyst.post(f"/processes/{KEY}/versions/{version}/consent").status_code == 404
    assert analyst.post(f"/processes/{KEY}/versions/{version}/go-back", {"reason": "x"}).status_code == 404


# --- drafts ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def draft(analyst: Caller) -> dict[str, Any]:
    """A draft of the shop's process."""
    answer = analyst.post("/drafts", {"key": KEY, "base_version": 1})
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return dict(answer.json)


def test_a_draft_is_worked_on_until_it_is_deployed(analyst: Caller, second: Caller, draft: dict[str, Any]) -> None:
    """Open, read, save, check, ask; another analyst consents."""
    path = f"/drafts/{draft['id']}"
    text = analyst.get(f"{path}/files/{FORM}").get_data(as_text=True)
    new = text.replace('"title": "', '"title": "Better ', 1)
    saved = analyst.put(f"{path}/files", {"revision": 1, "files": {FORM: new}})
    checked = analyst.post(f"{path}/check")
    asked = analyst.post(f"{path}/submit", {"reason": "a better word", "revision": 2})

    assert text == (ROOT / FORM).read_text()
    assert saved.json == {"revision": 2, "updated_at": "2026-11-23T08:00:00Z", "updated_by": "analyst"}
    assert analyst.get(f"{path}/files/{FORM}").get_data(as_text=True) == new
    assert (checked.status_code, checked.json["deployable"], checked.json["findings"]) == (200, True, [])
    assert isinstance(checked.json["ms"], int)
    assert (asked.status_code, asked.json["version"], asked.json["origin"]) == (202, 2, "draft")
    assert analyst.get(path).json["state"] == "asked"
    assert second.post(f"/processes/{KEY}/versions/2/consent").status_code == 200


def test_the_second_of_two_people_is_told(analyst: Caller, second: Caller, draft: dict[str, Any]) -> None:
    """Who, when, and which revision is there now."""
    path = f"/drafts/{draft['id']}/files"
    second.put(path, {"revision": 1, "files": {FORM: "{}"}})

    answer = analyst.put(path, {"revision": 1, "files": {FORM: "[]"}})

    assert kind_of(answer) == (409, "draft-changed")
    assert {name: answer.json[name] for name in ("by", "at", "revision")} == {
        "by": "analyst-2", "at": "2026-11-23T08:00:00Z", "revision": 2}
    assert analyst.get(f"{path}/{FORM}").get_data(as_text=True) == "{}"


def test_a_save_over_http_costs_few_statements(world: World, analyst: Caller, draft: dict[str, Any]) -> None:
    """One asks who calls, two save."""
    with world.statements() as seen:
        analyst.put(f"/drafts/{draft['id']}/files", {"revision": 1, "files": {FORM: "{}"}})

    assert len([one for one in seen if not one.startswith("BEGIN")]) <= 4, seen


def test_a_check_is_never_422(analyst: Caller, draft: dict[str, Any]) -> None:
    """What is not saved yet is checked too; every problem comes back."""
    path = f"/drafts/{draft['id']}"

    answer = analyst.post(f"{path}/check", {"files": {"processes/order_fulfillment.bpmn": "<half a", FORM: None}})

    assert (answer.status_code, answer.json["deployable"]) == (200, False)
    assert "xml-syntax" in [finding["rule"] for finding in answer.json["findings"]]
    assert FORM in analyst.get(path).json["files"]


def test_a_returned_draft_shows_why(analyst: Caller, second: Caller, draft: dict[str, Any]) -> None:
    """It is in the list again."""
    path = f"/drafts/{draft['id']}"
    analyst.put(f"{path}/files", {"revision": 1, "files": {FORM: better_form()["package_products.json"].decode()}})
    analyst.post(f"{path}/submit", {"reason": "a better word", "revision": 2})
    assert analyst.get("/drafts").json["items"] == []
    assert kind_of(analyst.call("DELETE", path)) == (409, "conflict")

    second.post(f"/processes/{KEY}/versions/2/return", {"comment": "Not better."})

    [row] = analyst.get("/drafts").json["items"]
    assert (row["state"], row["answered_by"], row["answer"]) == ("open", "analyst-2", "Not better.")
    assert analyst.call("DELETE", path).status_code == 204
    assert analyst.get(path).status_code == 404


def test_drafts_are_listed_page_by_page(world: World, analyst: Caller) -> None:
    """The one changed last first."""
    for key in ("a", "b", "c"):
        world.clock.advance(minutes=1)
        assert analyst.post("/drafts", {"key": key, "title": key.upper()}).status_code == 201

    first = analyst.get("/drafts", limit=2).json
    rest = analyst.get("/drafts", cursor=first["next"]).json

    assert [row["title"] for row in [*first["items"], *rest["items"]]] == ["C", "B", "A"]
    assert rest["next"] is None


@pytest.mark.parametrize(("encoding", "declared"), [
    ("utf-16", "UTF-16"), ("latin-1", "ISO-8859-1"), ("utf-8-sig", "UTF-8"),
])
def test_an_imported_diagram_is_read_in_its_own_encoding(analyst: Caller, encoding: str, declared: str) -> None:
    """The browser gets UTF-8; what it saves is read back letter by letter."""
    text = LOOK[DIAGRAM].decode().replace("UTF-8", declared).replace('name="Two"', 'name="Prüfen"')
    draft = upload(analyst, "/drafts/import", diagram={"look.bpmn": text.encode(encoding)}, title="Imported").json
    path = f"/drafts/{draft['id']}/files"

    assert (draft["key"], draft["title"]) == ("looking", "Imported")
    assert analyst.get(f"{path}/{DIAGRAM}").get_data(as_text=True) == text
    changed = text.replace("Prüfen", "Größe prüfen")
    analyst.put(path, {"revision": 1, "files": {DIAGRAM: changed}})
    assert analyst.get(f"{path}/{DIAGRAM}").get_data(as_text=True) == changed
    assert "xml-syntax" not in str(analyst.post(f"/drafts/{draft['id']}/check").json)


def test_an_import_lies_over_the_version_it_builds_on(analyst: Caller) -> None:
    """A diagram that was changed elsewhere comes back with its forms."""
    diagram = (ROOT / "processes" / "order_cancellation.bpmn").read_bytes()

    draft = upload(analyst, "/drafts/import", diagram={"from elsewhere.bpmn": diagram}, base_version="1")

    assert field_of(draft) == ["/files/processes~1from elsewhere.bpmn"]
    draft = upload(analyst, "/drafts/import", diagram={"elsewhere.bpmn": diagram}, base_version="1")
    assert (draft.status_code, draft.json["key"], draft.json["base_version"]) == (201, KEY, 1)
    assert "processes/elsewhere.bpmn" in draft.json["files"]
    assert "processes/order_cancellation.bpmn" not in draft.json["files"]
    assert FORM in draft.json["files"]


@pytest.mark.parametrize(("body", "answer"), [
    ({}, 422), ({"key": "a b"}, 422), ({"key": KEY}, 409), ({"key": KEY, "base_version": 5}, 404),
    ({"key": "x", "base_version": 1}, 404), ({"key": "x", "title": "x" * 201}, 422),
    ({"key": "x", "base_version": 0}, 422), ({"files": {}}, 422), ({"files": {"x.txt": ""}}, 422),
    ({"files": {"processes/x.bpmn": "<oops"}}, 422),
])
def test_what_no_draft_can_begin_with(analyst: Caller, body: dict[str, Any], answer: int) -> None:
    """Said before anything is stored."""
    assert analyst.post("/drafts", body).status_code == answer
    assert analyst.get("/drafts").json["items"] == []


def test_a_draft_gets_another_title_and_base(analyst: Caller, second: Caller, draft: dict[str, Any]) -> None:
    """Once somebody has taken over what a newer version changed."""
    upload(analyst, forms=better_form(), base_version="1", reason="a better word")
    second.post(f"/processes/{KEY}/versions/2/consent")
    path = f"/drafts/{draft['id']}"

    assert analyst.put(f"{path}/title", {"title": "Gift wrap"}).json["title"] == "Gift wrap"
    assert kind_of(analyst.post(f"{path}/submit", {"reason": "x", "revision": 1})) == (409, "stale-base")
    assert analyst.put(f"{path}/base", {"revision": 1, "base_version": 2}).json["base_version"] == 2
    assert analyst.post(f"{path}/submit", {"reason": "back to the old word", "revision": 2}).status_code == 202


def test_a_draft_and_a_file_that_are_not_there_are_404(analyst: Caller, draft: dict[str, Any]) -> None:
    """Also a file whose name could be no file's."""
    for path in ("/drafts/nothing", f"/drafts/{draft['id']}/files/forms/none.json",
                 f"/drafts/{draft['id']}/files/processes/..%2f..%2fsettings.py"):
        assert analyst.get(path).status_code == 404
