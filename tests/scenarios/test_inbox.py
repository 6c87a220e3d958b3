"""The inbox: who sees a task, who takes it, and what is kept of what somebody has typed."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import (
    AlreadyDone,
    InvalidForm,
    NotAllowed,
    NotFound,
    StaleRevision,
    TakenByAnother,
)
from engine.views import Actor
from tests.scenarios.conftest import SQLITE_USUALLY
from tests.scenarios.shop import PEOPLE, OrderHandle, Shop

pytestmark = SQLITE_USUALLY

ANN, BEN = (Actor(name, frozenset({"warehouse"})) for name in ("ann", "ben"))
ADMIN = Actor("admin", frozenset({"admin"}), sees_all=True)
STEP = "prepare_shipment"


@pytest.fixture
def order(shop: Shop) -> OrderHandle:
    return shop.places_order().goes_to(STEP)


def form(order: OrderHandle) -> dict[str, Any]:
    return dict(order.detail(STEP, ANN).form["examples"][0])


def test_a_task_is_taken_and_given_back(shop: Shop, order: OrderHandle) -> None:
    """Both stand in the history; taking one's own again changes nothing."""
    task = order.task(STEP)

    taken = shop.engine.claim(task.id, ANN)
    assert (taken.assignee, taken.claimed_at) == ("ann", shop.clock.now())
    assert shop.engine.claim(task.id, ANN) == taken
    given = shop.engine.release(task.id, ANN)

    assert given.assignee is None
    assert [(e.kind, e.actor) for e in order.history()][-2:] == [("claimed", "ann"), ("released", "ann")]


def test_a_task_that_another_has_is_refused_by_name(shop: Shop, order: OrderHandle) -> None:
    """Claim, release, draft and completion all say who has it."""
    task, data = order.task(STEP), form(order)
    shop.engine.claim(task.id, ANN)

    for attempt in (
        lambda: shop.engine.claim(task.id, BEN),
        lambda: shop.engine.release(task.id, BEN),
        lambda: shop.engine.save_task_draft(task.id, BEN, {"x": 1}),
        lambda: shop.engine.complete(task.id, BEN, data),
        lambda: shop.engine.assign(task.id, BEN, BEN),
    ):
        with pytest.raises(TakenByAnother) as refused:
            attempt()
        assert refused.value.who == "ann"

    assert order.task(STEP).assignee == "ann"


def test_completing_takes_the_task_if_nobody_has(shop: Shop, order: OrderHandle) -> None:
    """Who completes a free task has it."""
    done = shop.engine.complete(order.task(STEP).id, BEN, form(order))

    assert (done.state, done.assignee, done.completed_by) == ("done", "ben", "ben")


def test_a_task_is_handed_over_within_its_team(shop: Shop, order: OrderHandle) -> None:
    """By who has it, or by owner and admin; not to another team."""
    task = order.task(STEP)
    shop.engine.claim(task.id, ANN)

    assert shop.engine.assign(task.id, ANN, BEN).assignee == "ben"
    assert shop.engine.assign(task.id, ADMIN, ANN).assignee == "ann"
    with pytest.raises(InvalidForm):
        shop.engine.assign(task.id, ANN, PEOPLE["sales"])


def test_a_colleagues_task_is_taken_over_with_a_note(shop: Shop, order: OrderHandle) -> None:
    """What was typed stays, the history says from whom and why, and the colleague is told when going on."""
    task, draft = order.task(STEP), {"city": "half"}
    shop.engine.claim(task.id, ANN)
    shop.engine.save_task_draft(task.id, ANN, draft)

    taken = shop.engine.take_over(task.id, BEN, "Ann has gone home.")

    assert (taken.assignee, taken.claimed_at) == ("ben", shop.clock.now())
    assert order.detail(STEP, BEN).draft == draft
    event = order.history()[-1]
    assert (event.kind, event.actor, event.detail) == (
        "taken_over", "ben", {"was": "ann", "comment": "Ann has gone home."})
    with pytest.raises(TakenByAnother):
        shop.engine.save_task_draft(task.id, ANN, {})


def test_nothing_is_taken_over_without_a_note_or_from_another_team(shop: Shop, order: OrderHandle) -> None:
    """A free task is claimed; a done one, another team's and an owner's look stay what they are."""
    task = order.task(STEP)
    for note in ("", "  ", "x" * 501):
        with pytest.raises(InvalidForm):
            shop.engine.take_over(task.id, BEN, note)
    with pytest.raises(NotFound):
        shop.engine.take_over(task.id, PEOPLE["sales"], "Mine.")
    with pytest.raises(NotAllowed):
        shop.engine.take_over(task.id, ADMIN, "Mine.")

    assert shop.engine.take_over(task.id, BEN, "It is free.").assignee == "ben"
    assert order.history()[-1].kind == "claimed"
    shop.engine.complete(task.id, BEN, form(order))
    with pytest.raises(AlreadyDone):
        shop.engine.take_over(task.id, ANN, "Again.")


def test_a_draft_is_kept_as_it_is(shop: Shop, order: OrderHandle) -> None:
    """Unchecked, through release, until the task is done; it is no work on the order."""
    task, draft = order.task(STEP), {"city": "", "lines": "not yet", "x": [None, 1.5, True]}
    events = len(order.history())

    shop.engine.save_task_draft(task.id, ANN, draft)

    assert order.detail(STEP, BEN).draft == draft
    assert len(order.history()) == events
    shop.engine.complete(task.id, ANN, form(order))
    assert shop.engine.task(task.id, ANN).draft is None


@pytest.mark.parametrize("draft", [{"a": "\x00"}, {"a": "\udfff"}, {"a": 10**30}, {"a": "x" * 300_000}])
def test_a_draft_that_cannot_be_kept_is_refused(shop: Shop, order: OrderHandle, draft: Any) -> None:
    """Bad input, not a crash."""
    with pytest.raises(InvalidForm):
        shop.engine.save_task_draft(order.task(STEP).id, ANN, draft)


def test_a_task_that_is_done_cannot_be_done_again(shop: Shop, order: OrderHandle) -> None:
    """Everything about it is refused, by who did it."""
    task, data = order.task(STEP), form(order)
    shop.engine.complete(task.id, ANN, data)

    for attempt in (
        lambda: shop.engine.claim(task.id, BEN),
        lambda: shop.engine.complete(task.id, BEN, data),
        lambda: shop.engine.save_task_draft(task.id, BEN, {}),
        lambda: shop.engine.assign(task.id, ADMIN, BEN),
    ):
        with pytest.raises(AlreadyDone):
            attempt()

    assert shop.engine.task(task.id, BEN).data["lines"] == data["lines"]


def test_a_page_that_is_older_than_the_task_completes_nothing(shop: Shop, order: OrderHandle) -> None:
    """The revision that was seen is the one that is completed."""
    task, data = order.task(STEP), form(order)
    shop.engine.claim(task.id, ANN)

    with pytest.raises(StaleRevision):
        shop.engine.complete(task.id, ANN, data, revision=task.revision)
    done = shop.engine.complete(task.id, ANN, data, revision=order.task(STEP).revision)

    assert done.state == "done"


def test_a_task_of_another_team_is_not_there(shop: Shop, order: OrderHandle) -> None:
    """Not even its existence is told, also when it does not exist."""
    task, data, other = order.task(STEP), form(order), PEOPLE["finance"]

    for task_id in (task.id, "no such task"):
        for attempt in (
            lambda task_id=task_id: shop.engine.task(task_id, other),
            lambda task_id=task_id: shop.engine.claim(task_id, other),
            lambda task_id=task_id: shop.engine.complete(task_id, other, data),
            lambda task_id=task_id: shop.engine.save_task_draft(task_id, other, {}),
        ):
            with pytest.raises(NotFound):
                attempt()
    assert shop.engine.tasks(other).items == ()


def test_owner_and_admin_see_every_task_and_do_none(shop: Shop, order: OrderHandle) -> None:
    """They look, hand over, and leave the work to the teams."""
    task, data = order.task(STEP), form(order)

    assert [t.id for t in shop.engine.tasks(ADMIN).items] == [task.id]
    assert shop.engine.task(task.id, ADMIN).task.id == task.id
    for attempt in (
        lambda: shop.engine.claim(task.id, ADMIN),
        lambda: shop.engine.complete(task.id, ADMIN, data),
        lambda: shop.engine.save_task_draft(task.id, ADMIN, {}),
    ):
        with pytest.raises(NotAllowed):
            attempt()


def test_the_inbox_shows_what_is_due_soonest_first_page_by_page(shop: Shop) -> None:
    """With filters; every task once."""
    numbers = []
    for _ in range(3):
        shop.clock.advance(minutes=1)
        numbers.append(shop.places_order().number)
    actor = PEOPLE["stock-approver"]

    first = shop.engine.tasks(actor, limit=2)
    rest = shop.engine.tasks(actor, limit=2, cursor=first.next)

    assert [task.order for task in (*first.items, *rest.items)] == numbers
    assert rest.next is None
    assert shop.engine.tasks(actor, order=numbers[1]).items[0].order == numbers[1]
    assert shop.engine.tasks(actor, mine=True).items == ()
    assert shop.engine.task_counts(actor)["all"] == 3
    shop.time_passes(hours=9)
    assert len(shop.engine.tasks(actor, overdue=True).items) == 3


# --- what a form takes


@pytest.mark.parametrize(("change", "field"), [
    ({"surprise": 1}, "/surprise"),
    ({"decision": "approve"}, "/decision"),
    ({"parcels": []}, "/parcels"),
    ({"lines": None}, "/lines"),
    ({"lines": "two"}, "/lines"),
    ({"lines": [{"sku": "product-a", "quantity": "2"}]}, "/lines/0/quantity"),
    ({"lines": [{"sku": "product-z", "quantity": 2}]}, "/lines/0/sku"),
    ({"city": "Ber\x00lin"}, "/city"),
    ({"city": "Ber\ud83dlin"}, "/city"),
    ({"lines": [{"sku": "product-a\x00", "quantity": 2}]}, "/lines/0/sku"),
    ({"lines": [{"sku": "product-a", "quantity": 10**40}]}, "/lines/0/quantity"),
    ({"street": "x" * 2_000_000}, None),
])
def test_a_form_is_refused_field_by_field(shop: Shop, order: OrderHandle, change: Any, field: str | None) -> None:
    """Fields that the form does not have, another form's, missing ones, wrong ones: each is named, nothing moves."""
    data = {k: v for k, v in {**form(order), **change}.items() if v is not None}
    events = len(order.history())

    with pytest.raises(InvalidForm) as refused:
        order.answers(STEP, **data)

    assert field is None or field in [error.field for error in refused.value.errors]
    assert order.open_elements() == [STEP]
    assert len(order.history()) == events


def test_a_gate_has_no_form(shop: Shop) -> None:
    """It is decided, not completed; and a form is not decided."""
    order = shop.places_order()

    with pytest.raises(InvalidForm):
        order.answers("approve_reservation", by=PEOPLE["stock-approver"], decision="approve")
    order.goes_to(STEP)
    with pytest.raises(NotFound):
        shop.engine.decide(order.task(STEP).id, ANN, "approve", comment="", snapshot="")


def test_an_order_with_a_bad_form_is_not_taken(shop: Shop) -> None:
    """Nothing is stored: no order, no instance, no history."""
    from engine.errors import InvalidForm as Refused

    for change in ({"name": "a\x00"}, {"items": []}, {"country": "XX"}, {"items": [{"sku": "nope", "quantity": 1}]},
                   {"name": "x" * 1_000_000}, {"unknown": 1}):
        with pytest.raises(Refused):
            shop.places_order(**change)

    assert shop.engine.instances("order_fulfillment").items == ()
