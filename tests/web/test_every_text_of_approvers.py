"""The approvers' pages in a language in which every text is wrapped; see `tests/web/every_text.py`."""

from __future__ import annotations

from datetime import timedelta

from tests.web.api_world import World
from tests.web.every_text import names, unmarked
from tests.web.test_pages_delegations import REASON, gives, opens
from tests.web.test_pages_gates import decides, order_at_gate
from tests.web.test_pages_sign_several import signs
from tests.web.visitor import Page, open_task, visitor

SAID = {"Look again.", "Holiday.", "Seen.", REASON}
"""What people typed."""
ENGINE = {
    "I have checked what is submitted from steps 3 and 4 and approve it",
    "I open this gate in an emergency, without its approvers.",
    "What is submitted has changed since you opened the page. Read it again.",
    "Only stock approvers sign this gate.",
    "Say why the approvers cannot sign, in at least 20 characters.",
    "This is not your password.",
    "/reason",
}
"""Sentences of the engine: what is signed, and why something is refused."""


def test_every_text_of_the_approvers_pages_is_in_the_catalogue(world: World, wrapped: None) -> None:
    """Gates, several at once, in an emergency; alarms, delegations and the access review."""
    helena, ravi, dana = (visitor(world, name) for name in ("stock-approver", "stock-approver-2", "owner"))
    seen: dict[str, Page] = {}
    order, task = order_at_gate(world)
    _, other = order_at_gate(world)
    seen["gate"] = helena.goes(f"/tasks/{task}")
    seen["wrong password"] = decides(helena, task, decision="approve", password="wrong")
    seen["no reason"] = decides(helena, task, decision="reject")
    seen["stale"] = decides(helena, task, decision="approve", snapshot="0" * 64)
    seen["several"] = helena.goes(f"/tasks/{task}/sign-several?task={task}")
    seen["none ticked"] = signs(helena, seen["several"], [])
    seen["sent back"] = decides(helena, task, decision="send_back", send_back_to="3", comment="Look again.")
    world.work()
    task = open_task(world, order)
    seen["again"] = ravi.goes(f"/tasks/{task}")
    seen["several again"] = ravi.goes(f"/tasks/{task}/sign-several")
    seen["one refused"] = signs(ravi, seen["several again"], [task, other], **{f"snapshot:{other}": "0" * 64})
    seen["decided"] = ravi.goes(f"/tasks/{task}")
    seen["not for the owner"] = dana.goes(f"/tasks/{other}")
    seen["emergency"] = dana.goes(f"/tasks/{other}/override")
    seen["short reason"] = opens(world, dana, other, reason="")
    seen["opened"] = opens(world, dana, other)
    seen["alarm"] = helena.goes("/alarms")
    seen["my alarm"] = dana.goes("/alarms")
    seen["acknowledged"] = helena.sends("/alarms/1/acknowledge", seen["alarm"].form("/acknowledge"), note="Seen.")
    seen["delegations"] = helena.goes("/delegations")
    seen["nothing chosen"] = gives(world, helena, to="", ends_at="")
    seen["given"] = gives(world, helena)
    later = (world.clock.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    seen["planned"] = gives(world, ravi, to="sales", starts_at=later)
    seen["everybody's"] = visitor(world, "admin").goes("/delegations")
    _, task = order_at_gate(world)
    seen["for another"] = visitor(world, "warehouse").goes(f"/tasks/{task}")
    seen["access review"] = dana.goes("/access-review")
    seen["another moment"] = dana.goes("/access-review?at=2030-01-01T10:00")

    company = names(world) | SAID | ENGINE
    found = {said: left for said, page in seen.items() if (left := unmarked(page.tree, company))}
    assert found == {}


def test_what_a_signature_failed_by_is_kept_in_english(world: World, wrapped: None) -> None:
    """The history reads the same for everybody; the page says it in the reader's language."""
    order, task = order_at_gate(world)

    page = decides(visitor(world, "stock-approver"), task, decision="approve", password="wrong")

    assert "⟦This is not your password.⟧" in page.text
    assert world.engine.history(order)[-1].detail["why"] == "This is not your password."
