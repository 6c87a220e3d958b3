"""Questions between teams by API."""

from __future__ import annotations

from tests.web.api_world import World


def test_a_question_is_asked_listed_and_answered(world: World) -> None:
    """By the asked team alone, once; the order's history has both."""
    order = world.place()
    asked = world.of("warehouse").post(f"/orders/{order}/questions", {
        "text": "Has the deposit arrived?", "team": "finance", "person": "finance"})  # fmt: skip
    assert asked.status_code == 201, asked.get_data(as_text=True)
    question = asked.json
    assert (question["order"], question["state"], question["from_team"]) == (order, "open", "warehouse")

    assert [q["id"] for q in world.of("finance").get("/questions", state="open").json["items"]] == [question["id"]]
    assert [q["id"] for q in world.of("warehouse").get("/questions", mine="true").json["items"]] == [question["id"]]
    assert world.of("sales").get("/questions").json["items"] == []
    assert [q["id"] for q in world.of("owner").get("/questions", team="finance").json["items"]] == [question["id"]]
    assert world.of("sales").get(f"/questions/{question['id']}").json["text"] == "Has the deposit arrived?"

    path = f"/questions/{question['id']}/answer"
    assert world.of("sales").post(path, {"text": "Yes."}).status_code == 403
    done = world.of("finance").post(path, {"text": "Yes."})
    assert (done.status_code, done.json["state"], done.json["answer"]) == (200, "answered", "Yes.")
    assert world.of("finance").post(path, {"text": "No."}).status_code == 409
    kinds = [event["kind"] for event in world.of("sales").get(f"/orders/{order}/history").json["items"]]
    assert kinds[-2:] == ["asked", "answered"]


def test_a_question_is_withdrawn_by_who_asked(world: World) -> None:
    """By nobody else."""
    order = world.place()
    asked = world.of("warehouse").post(f"/orders/{order}/questions", {"text": "Where?", "team": "finance"}).json

    assert world.of("finance").post(f"/questions/{asked['id']}/withdraw").status_code == 403
    assert world.of("warehouse").post(f"/questions/{asked['id']}/withdraw").json["state"] == "withdrawn"


def test_a_wrong_question_names_its_field(world: World) -> None:
    """No text, too much of it, no such team, a person of another team, nobody; no such order."""
    order = world.place()
    for body, field in (
        ({"text": " ", "team": "finance"}, "/text"),
        ({"text": "x" * 2001, "team": "finance"}, "/text"),
        ({"text": "Where?", "team": "catering"}, "/team"),
        ({"text": "Where?", "team": "finance", "person": "sales"}, "/person"),
        ({"text": "Where?", "team": "finance", "person": "nobody"}, "/person"),
    ):
        answer = world.of("warehouse").post(f"/orders/{order}/questions", body)
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)
    assert world.of("warehouse").post("/orders/WB-0/questions", {"text": "?", "team": "finance"}).status_code == 404
    assert world.of("warehouse").post("/questions/none/answer", {"text": "Yes."}).status_code == 404
    assert world.of(None).get("/questions").status_code == 401
