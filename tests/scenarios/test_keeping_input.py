"""What somebody typed is not lost and not overwritten, and a claim that is forgotten gives way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine.errors import DraftChanged
from engine.housekeeping import Housekeeping
from engine.views import Actor
from tests.scenarios.conftest import SQLITE_USUALLY
from tests.scenarios.redrawing import Redrawn
from tests.scenarios.shop import OrderHandle, Shop
from tests.scenarios.test_migration import deploys, moves

pytestmark = SQLITE_USUALLY

ANN, BEN = (Actor(name, frozenset({"warehouse"})) for name in ("ann", "ben"))
STEP = "prepare_shipment"


@pytest.fixture
def order(shop: Shop) -> OrderHandle:
    return shop.places_order().goes_to(STEP)


def test_a_draft_that_is_built_on_an_older_one_overwrites_nothing(shop: Shop, order: OrderHandle) -> None:
    """Two windows of one person: the second save is refused with who, when and the newest revision."""
    task = order.task(STEP).id
    first = shop.engine.save_task_draft(task, ANN, {"note": "here"}, revision=0)
    shop.clock.advance(minutes=1)

    with pytest.raises(DraftChanged) as refused:
        shop.engine.save_task_draft(task, ANN, {"note": "there"}, revision=0)

    assert (refused.value.by, refused.value.at, refused.value.revision) == ("ann", first.draft_at, 1)
    assert order.detail(STEP, ANN).draft == {"note": "here"}
    assert shop.engine.save_task_draft(task, ANN, {"note": "there"}, revision=1).draft_revision == 2


def test_the_same_save_again_is_no_other_window(shop: Shop, order: OrderHandle) -> None:
    """Its answer was lost on the way."""
    task = order.task(STEP).id
    for _ in range(2):
        saved = shop.engine.save_task_draft(task, ANN, {"note": "here"}, revision=0)

    assert saved.draft_revision == 1


def test_completing_on_an_older_draft_is_refused(shop: Shop, order: OrderHandle) -> None:
    """As saving is; nothing of the task is changed, and with the newest it is done."""
    task, data = order.task(STEP).id, dict(order.detail(STEP, ANN).form["examples"][0])
    shop.engine.save_task_draft(task, ANN, {**data, "city": "Elsewhere"})

    with pytest.raises(DraftChanged):
        shop.engine.complete(task, ANN, data, draft_revision=0)

    assert order.task(STEP).state == "open"
    assert shop.engine.complete(task, ANN, data, draft_revision=1).state == "done"


def test_typing_takes_a_free_task(shop: Shop, order: OrderHandle) -> None:
    """With a line in the history; typing on adds none."""
    task = order.task(STEP).id
    for revision in (0, 1):
        saved = shop.engine.save_task_draft(task, ANN, {"note": revision}, revision=revision, claim=True)

    assert saved.assignee == "ann"
    assert [e.kind for e in order.history()].count("claimed") == 1


def _taken_over(shop: Shop, task: str) -> None:
    shop.engine.take_over(task, BEN, "Ann is ill.")


def _handed_over(shop: Shop, task: str) -> None:
    shop.engine.assign(task, ANN, BEN)


def _released(shop: Shop, task: str) -> None:
    shop.engine.release(task, ANN)


@pytest.mark.parametrize("passed", [_taken_over, _handed_over, _released])
def test_the_successor_sees_what_was_typed_and_by_whom(shop: Shop, order: OrderHandle, passed: Any) -> None:
    """However the task came to the successor; the old window then overwrites nothing."""
    task = order.task(STEP).id
    shop.engine.save_task_draft(task, ANN, {"note": "half"}, revision=0, claim=True)

    passed(shop, task)

    seen = shop.engine.task(task, BEN)
    assert (seen.draft, seen.task.draft_by) == ({"note": "half"}, "ann")
    shop.engine.save_task_draft(task, BEN, {"note": "whole"}, revision=1, claim=True)
    assert shop.engine.task(task, BEN).task.draft_by == "ben"


def test_what_was_typed_survives_a_new_version_of_the_process(shop: Shop, order: OrderHandle) -> None:
    """With who typed it, and the revision on which the open window builds."""
    task = order.task(STEP).id
    before = shop.engine.save_task_draft(task, ANN, {"note": "half"}, revision=0, claim=True)
    version = deploys(shop, Redrawn().puts_in("gift_wrap", after="package_products"))

    assert moves(shop, version, order) == [("moved", "")]

    seen = shop.engine.task(task, ANN)
    assert (seen.draft, seen.task.draft_by, seen.task.draft_at) == ({"note": "half"}, "ann", before.draft_at)
    assert shop.engine.save_task_draft(task, ANN, {"note": "more"}, revision=1).draft_revision == 2


def test_a_claim_on_which_nothing_happens_ends(shop: Shop, order: OrderHandle) -> None:
    """After eight hours, by the worker's housekeeping; the draft stays, and the history says why."""
    task = order.task(STEP).id
    shop.engine.save_task_draft(task, ANN, {"note": "half"}, claim=True)
    shop.clock.advance(hours=8)
    assert shop.engine.release_forgotten() == 0
    shop.clock.advance(seconds=1)

    Housekeeping(shop.engine).look()

    free = order.task(STEP)
    assert (free.assignee, free.claimed_at) == (None, None)
    assert order.detail(STEP, BEN).draft == {"note": "half"}
    event = order.history()[-1]
    assert (event.kind, event.actor, event.detail) == ("released", "waybill", {"was": "ann", "idle_hours": 8})


def test_a_claim_on_which_something_happens_stays(shop: Shop, order: OrderHandle) -> None:
    """Saving a draft counts; so does taking the task over."""
    task = order.task(STEP).id
    shop.engine.claim(task, ANN)
    shop.clock.advance(hours=7)
    shop.engine.save_task_draft(task, ANN, {"note": "half"})
    shop.clock.advance(hours=7)
    assert shop.engine.release_forgotten() == 0
    shop.engine.take_over(task, BEN, "Ann has gone home.")
    shop.clock.advance(hours=7)

    assert shop.engine.release_forgotten() == 0
    assert order.task(STEP).assignee == "ben"


def test_how_long_a_claim_lasts_is_set(shop: Shop, order: OrderHandle) -> None:
    """In hours."""
    shop.engine.claims_end_after = timedelta(hours=1)
    shop.engine.claim(order.task(STEP).id, ANN)
    shop.clock.advance(minutes=61)

    assert shop.engine.release_forgotten() == 1
