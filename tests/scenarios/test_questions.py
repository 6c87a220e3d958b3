"""Questions to another team: asked about an order, answered by that team, kept in the order's history."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import AlreadyDone, InvalidForm, NotAllowed, NotFound, TooLate
from engine.views import Actor, QuestionView
from tests.scenarios.conftest import SQLITE_USUALLY
from tests.scenarios.shop import PEOPLE, OrderHandle, Shop
from tests.scenarios.test_staff_mails import has_mail, mails

pytestmark = SQLITE_USUALLY
WAREHOUSE, FINANCE, SALES = PEOPLE["warehouse"], PEOPLE["finance"], PEOPLE["sales"]


def asked(order: OrderHandle, by: Actor = WAREHOUSE, **more: Any) -> QuestionView:
    """The warehouse asks finance, unless the test says otherwise."""
    return order.engine.ask(order.number, by, "Has the deposit arrived?", **{"team": "finance", **more})


def test_question_and_answer_stand_in_the_history(shop: Shop) -> None:
    """With who, when, the element of the task it came from, and both texts; the chain of hashes holds."""
    order = shop.places_order().goes_to("package_products")
    task = order.task("package_products")

    question = asked(order, task_id=task.id)
    shop.time_passes(minutes=20)
    answered = shop.engine.answer(question.id, FINANCE, "  Yes, this morning.  ")

    first, second = order.history()[-2:]
    assert (first.kind, first.actor, first.element, first.detail) == ("asked", "warehouse", "package_products", {
        "comment": "Has the deposit arrived?", "question": question.id, "team": "finance"})
    assert (second.kind, second.actor, second.detail) == ("answered", "finance", {
        "comment": "Yes, this morning.", "question": question.id, "to": "warehouse"})
    assert (answered.state, answered.answer, answered.answered_by) == ("answered", "Yes, this morning.", "finance")
    assert shop.engine.verify_audit(order.number) == []


def test_a_question_does_not_block_its_task(shop: Shop) -> None:
    """The task is completed while the question waits; a gate's submission stays what it was."""
    order = shop.places_order().goes_to("approve_reservation")
    before = order.detail("approve_reservation", PEOPLE["stock-approver"]).approval
    asked(order, by=PEOPLE["stock-approver"], team="warehouse", task_id=order.task("approve_reservation").id)
    after = order.detail("approve_reservation", PEOPLE["stock-approver"]).approval

    assert before is not None
    assert after is not None
    assert (after.snapshot, after.blocked) == (before.snapshot, None)
    order.is_approved("approve_reservation")
    assert "approve_payment" in order.open_elements()


def test_the_asked_team_sees_it_and_so_does_who_asked(shop: Shop) -> None:
    """Longest waiting first; who asked sees the answer until it is marked as read. Nobody else's inbox shows it."""
    order, other = shop.places_order(), shop.places_order()
    first = asked(order)
    shop.time_passes(minutes=5)
    second = asked(other)

    assert [q.id for q in shop.engine.waiting_questions(FINANCE)] == [first.id, second.id]
    assert list(shop.engine.waiting_questions(WAREHOUSE)) == []
    assert list(shop.engine.waiting_questions(SALES)) == []

    shop.engine.answer(first.id, FINANCE, "Yes.")
    assert [q.id for q in shop.engine.waiting_questions(FINANCE)] == [second.id]
    assert [q.answer for q in shop.engine.waiting_questions(WAREHOUSE)] == ["Yes."]
    shop.engine.note_read(first.id, WAREHOUSE)
    assert list(shop.engine.waiting_questions(WAREHOUSE)) == []


def test_only_the_asked_team_answers(shop: Shop) -> None:
    """Not another team, not who asked, not the owner, who sees everything."""
    order = shop.places_order()
    question = asked(order)

    for who in (SALES, WAREHOUSE, Actor("owner", frozenset(["owner"]), sees_all=True)):
        with pytest.raises(NotAllowed):
            shop.engine.answer(question.id, who, "Yes.")
    assert shop.engine.question(question.id).state == "open"


def test_a_colleague_answers_for_the_person_who_was_asked(shop: Shop) -> None:
    """So that nobody waits for somebody who is away; a person of another team is refused."""
    order = shop.places_order()
    priya, omar = Actor("priya", frozenset(["finance"])), Actor("omar", frozenset(["finance"]))

    with pytest.raises(InvalidForm, match="not in the team"):
        asked(order, team="sales", person=priya)
    with pytest.raises(InvalidForm, match="somebody else"):
        asked(order, by=priya, person=priya)
    question = asked(order, person=priya)

    assert question.person == "priya"
    assert shop.engine.answer(question.id, omar, "Yes.").answered_by == "omar"


def test_only_who_asked_withdraws(shop: Shop) -> None:
    """And once: what is answered or withdrawn stays as it is, whoever comes late."""
    order = shop.places_order()
    question, other = asked(order), asked(order)

    with pytest.raises(NotAllowed):
        shop.engine.withdraw_question(question.id, FINANCE)
    shop.engine.withdraw_question(question.id, WAREHOUSE)
    shop.engine.answer(other.id, FINANCE, "Yes.")

    assert order.history()[-2].kind == "question_withdrawn"
    for late in (question, other):
        with pytest.raises(AlreadyDone):
            shop.engine.answer(late.id, FINANCE, "No.")
        with pytest.raises(AlreadyDone):
            shop.engine.withdraw_question(late.id, WAREHOUSE)
    assert shop.engine.question(other.id).answer == "Yes."
    assert list(shop.engine.waiting_questions(FINANCE)) == []


def test_a_closed_order_takes_answers_and_no_new_questions(shop: Shop) -> None:
    """What was asked before may still be answered."""
    order = shop.places_order()
    question = asked(order)
    order.goes_to_its_end()

    with pytest.raises(TooLate, match="has ended"):
        asked(order)
    shop.engine.answer(question.id, FINANCE, "It had, on the second.")

    assert (order.status, order.history()[-1].kind) == ("closed", "answered")
    assert shop.engine.verify_audit(order.number) == []


@pytest.mark.parametrize("text", ["", " \n", "x" * 2001, "a\x00b"])
def test_question_and_answer_say_something(shop: Shop, text: str) -> None:
    """And no more than can be read."""
    order = shop.places_order()
    question = asked(order)

    with pytest.raises(InvalidForm):
        shop.engine.ask(order.number, WAREHOUSE, text, team="finance")
    with pytest.raises(InvalidForm):
        shop.engine.answer(question.id, FINANCE, text)
    assert len(shop.engine.order_questions(order.number)) == 1


def test_a_question_is_about_what_is_there(shop: Shop) -> None:
    """An order, a team, and a task of that order that the person may see."""
    order, other = shop.places_order().goes_to("package_products"), shop.places_order()
    packing = order.task("package_products").id

    with pytest.raises(NotFound):
        shop.engine.ask("WB-0", WAREHOUSE, "Where is it?", team="finance")
    with pytest.raises(InvalidForm):
        asked(order, team="catering")
    with pytest.raises(NotFound):
        asked(other, task_id=packing)
    with pytest.raises(NotFound):
        asked(order, by=SALES, task_id=packing)
    with pytest.raises(NotFound):
        shop.engine.answer("nothing", FINANCE, "Yes.")


def test_the_asked_people_are_told_by_mail(shop: Shop) -> None:
    """The team, or the one person who is meant; a question that nobody can be told of by mail is asked all the same."""
    order = shop.places_order().goes_to("package_products")
    asked(order)
    shop.works()
    assert mails(shop) == []

    has_mail(shop, "finance", "priya@waybill.example")
    asked(order, task_id=order.task("package_products").id)
    asked(order, person=PEOPLE["finance"])
    shop.works()

    assert [mail["To"] for mail in mails(shop)] == ["priya@waybill.example"] * 2
    text = mails(shop)[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Has the deposit arrived?" in text
    assert order.number in text
    assert order.incidents() == []


def test_a_list_shows_what_is_the_callers(shop: Shop) -> None:
    """To their team or asked by them, longest waiting first, page by page; the owner's shows all."""
    order = shop.places_order()
    mine = []
    for _ in range(3):
        mine.append(asked(order).id)
        shop.time_passes(minutes=1)
    asked(order, by=SALES, team="shipping")

    page = shop.engine.questions(WAREHOUSE, limit=2)
    rest = shop.engine.questions(WAREHOUSE, limit=2, cursor=page.next)

    assert [q.id for q in (*page.items, *rest.items)] == mine
    assert rest.next is None
    assert [q.id for q in shop.engine.questions(FINANCE, state="open").items] == mine
    assert shop.engine.questions(FINANCE, mine=True).items == ()
    assert len(shop.engine.questions(Actor("owner", frozenset(["owner"]), sees_all=True)).items) == 4
