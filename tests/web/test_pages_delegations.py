"""Delegations, an emergency and its alarm, on pages."""

from __future__ import annotations

from datetime import timedelta

from engine.views import Actor
from tests.web.api_world import World
from tests.web.test_pages_gates import decides, order_at_gate
from tests.web.visitor import Page, Visitor, open_task, visitor

OWNER = Actor("owner", frozenset(["owner"]), sees_all=True)
ENDS = "//p[@id='ends_at-err']"
REASON = "Both approvers are ill and the truck leaves at noon."


def gives(world: World, who: Visitor, **fields: object) -> Page:
    """Fills the form of the delegations' page and sends it."""
    form = who.goes("/delegations").form("/delegations")
    ends = (world.clock.now() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
    return who.sends("/delegations", {**form, "to": "warehouse", "ends_at": ends, "reason": "Holiday.", **fields})


def opens(world: World, who: Visitor, task: str, **fields: str) -> Page:
    """Opens a gate in an emergency."""
    address = f"/tasks/{task}/override"
    return who.sends(address, {**who.goes(address).form("/override"), "reason": REASON, "password": "demo", **fields})


def test_a_delegate_signs_and_both_names_are_shown(world: World) -> None:
    """From giving it to the signature: the gate is in the delegate's inbox, and the page says for whom they sign."""
    order, task = order_at_gate(world)
    page = gives(world, visitor(world, "stock-approver"))
    assert "Mei Tan signs for Helena Brandt from now on." in page.text
    assert "Mei Tan signs for you" in page.text
    [line] = visitor(world, "owner").goes("/journal?person=stock-approver").find("//tbody/tr[th[contains(., 'sign')]]")
    assert line.find("th").text_content() == "Helena Brandt let Mei Tan sign for them"
    assert "gates: all of the team" in line.text_content()

    mei = visitor(world, "warehouse")
    assert order in mei.goes("/inbox").text
    assert "You sign for Helena Brandt, until" in mei.goes(f"/tasks/{task}").text
    decides(mei, task, decision="approve")
    world.work()

    gate = visitor(world, "stock-approver-2").goes(f"/tasks/{task}")
    assert "Mei Tan, for Helena Brandt" in gate.text


def test_what_is_wrong_with_a_delegation_is_said_at_its_field(world: World) -> None:
    """Nobody chosen, no end, no reason; to somebody who signs for the team already; for too long."""
    who = visitor(world, "stock-approver")

    assert "Choose who signs for you." in gives(world, who, to="").text
    assert "Enter the day and the time at which it ends." in gives(world, who, ends_at="soon").text
    assert "This date is too far away." in gives(world, who, ends_at="9999-12-31T23:59").find(ENDS)[0].text_content()
    assert gives(world, who, reason="").find("//p[@id='reason-err']")
    assert "Ravi Menon signs for" in gives(world, who, to="stock-approver-2").text
    assert "is not an amount" in gives(world, who, up_to="much").find("//p[@id='up_to-err']")[0].text_content()
    assert "There is no currency" in gives(world, who, up_to="1", currency="xyz").text
    assert "at most 90 days" in gives(world, who, ends_at="2027-11-23T08:00").find(ENDS)[0].text_content()
    assert world.engine.delegations(OWNER) == []


def test_a_delegate_reads_up_to_what_amount_they_sign(world: World) -> None:
    """On the page of a gate that is below it and of one that is above; who cannot sign is not named as who can."""
    _, small = order_at_gate(world)
    _, large = order_at_gate(world, items=[{"sku": "product-d", "quantity": 10}])
    given = gives(world, visitor(world, "stock-approver"), up_to="3000", currency="usd")
    assert "up to $3,000.00" in given.text
    mei, owner = visitor(world, "warehouse"), visitor(world, "owner")

    assert "An order may be worth up to $3,000.00." in mei.goes(f"/tasks/{small}").text
    above = mei.goes(f"/tasks/{large}").text
    assert "This order is above the amount up to which you sign for Helena Brandt." in above
    assert "You sign for Helena Brandt up to $3,000.00." in above
    assert "for Helena Brandt" in owner.goes(f"/tasks/{small}").text
    assert "for Helena Brandt" not in owner.goes(f"/tasks/{large}").text
    assert "up to $3,000.00" in owner.goes("/access-review").text
    assert "3000.00,USD" in owner.goes("/access-review/could-sign.csv").text


def test_a_delegate_claims_a_gate_on_its_page(world: World) -> None:
    """As the people of the team do; others read who has it, and may sign all the same."""
    _, task = order_at_gate(world)
    gives(world, visitor(world, "stock-approver"))
    mei, ravi = visitor(world, "warehouse"), visitor(world, "stock-approver-2")

    page = mei.goes(f"/tasks/{task}")
    claimed = mei.sends(f"/tasks/{task}/claim", page.form("/claim"))

    assert "Yours since" in claimed.text
    seen = ravi.goes(f"/tasks/{task}")
    assert "Mei Tan has this task since" in seen.text
    assert seen.find("//section[@id='decide']//button[@data-sign]")
    mei.sends(f"/tasks/{task}/release", claimed.form("/release"))
    assert "Nobody has it yet." in ravi.goes(f"/tasks/{task}").text


def test_a_revoked_delegation_ends_at_once(world: World) -> None:
    """Either of the two ends it; the gate is gone from the delegate's inbox."""
    order, task = order_at_gate(world)
    gives(world, visitor(world, "stock-approver"))
    mei = visitor(world, "warehouse")
    page = mei.goes("/delegations")
    assert "You sign for Helena Brandt" in page.text

    action = next(f.action for f in page.tree.forms if (f.action or "").endswith("/revoke"))
    done = mei.sends(action, page.form("/revoke"))

    assert "Mei Tan does not sign for Helena Brandt any more." in done.text
    assert order not in mei.goes("/inbox").text
    assert mei.goes(f"/tasks/{task}").status == 404


def test_a_page_that_was_open_when_the_delegation_ended_says_so(world: World) -> None:
    """Nothing is signed, the page says why, and the attempt is on record."""
    order, task = order_at_gate(world)
    gives(world, visitor(world, "stock-approver"))
    mei = visitor(world, "warehouse")
    open_page = mei.goes(f"/tasks/{task}").form("/decide")
    lent = world.engine.delegations(OWNER)[0]
    world.engine.revoke_delegation(lent.id, Actor("stock-approver", frozenset(["stock-approvers"])))

    page = mei.sends(f"/tasks/{task}/decide", {**open_page, "decision": "approve", "password": "demo"})

    why = "You do not sign for Helena Brandt any more: the delegation was revoked."
    assert page.status == 404
    assert page.heading == "Nothing was signed"
    assert why in page.text
    assert page.link("Back") == "/inbox"
    refused = world.engine.history(order)[-1]
    assert (refused.kind, refused.actor, refused.detail["why"]) == ("signature_refused", "warehouse", why)
    assert open_task(world, order) == task


def test_the_other_of_two_who_count_as_one_reads_who_has_signed(world: World) -> None:
    """Both signatures of a large order cannot come from a person and their delegate."""
    _, task = order_at_gate(world, items=[{"sku": "product-d", "quantity": 20}])
    helena, mei = visitor(world, "stock-approver"), visitor(world, "warehouse")
    gives(world, helena)
    decides(mei, task, decision="approve")

    assert "Mei Tan has signed this gate for you." in helena.goes(f"/tasks/{task}").text


def test_the_order_says_of_each_signature_for_whom_and_whether_in_an_emergency(world: World) -> None:
    """As the gate's own page does."""
    order, task = order_at_gate(world)
    gives(world, visitor(world, "stock-approver"))
    decides(visitor(world, "warehouse"), task, decision="approve")
    world.work()
    opens(world, visitor(world, "owner"), open_task(world, order))

    signed = visitor(world, "stock-approver").goes(f"/orders/{order}").find("//table[@aria-labelledby='h-signatures']")
    rows = " ".join(signed[0].text_content().split())
    assert "Mei Tan, for Helena Brandt" in rows
    assert "opened the gate in an emergency, without its approvers" in rows


def test_a_blocked_page_names_the_delegates_who_can_sign(world: World) -> None:
    """Beside the people of the team, with for whom."""
    _, task = order_at_gate(world)
    gives(world, visitor(world, "stock-approver"))

    page = visitor(world, "owner").goes(f"/tasks/{task}")

    assert "Helena Brandt" in page.text
    can = page.find("//h2[normalize-space()='Who can sign']/following-sibling::ul")[0].text_content()
    assert "Ravi Menon" in can
    assert "for Helena Brandt" in can


def test_the_owner_opens_a_gate_in_an_emergency_and_the_alarm_stays_on_every_page(world: World) -> None:
    """Until another person acknowledges it: not the owner."""
    order, task = order_at_gate(world)
    owner = visitor(world, "owner")
    assert "Open in an emergency" in owner.goes(f"/tasks/{task}").text

    page = opens(world, owner, task)
    assert "the gate is open" in page.text
    assert "In an emergency, without the approvers" in page.text
    world.work()
    assert world.engine.instance(order).step != 5

    helena = visitor(world, "stock-approver")
    assert "opened in an emergency" in helena.goes("/board").text
    assert "opened in an emergency" not in visitor(world, "warehouse").goes("/board").text
    assert "somebody else must look at it" in owner.goes("/alarms").text

    alarms = helena.goes("/alarms")
    assert REASON in alarms.text
    action = next(f.action for f in alarms.tree.forms if (f.action or "").endswith("/acknowledge"))
    assert "Say what you found" in helena.sends(action, alarms.form("/acknowledge")).text
    helena.sends(action, {**alarms.form("/acknowledge"), "note": "Called the customer; all is right."})
    assert "opened in an emergency" not in helena.goes("/board").text


def test_an_emergency_needs_a_reason_and_the_password(world: World) -> None:
    """Neither alone opens the gate."""
    order, task = order_at_gate(world)
    owner = visitor(world, "owner")

    assert "at least 20 characters" in opens(world, owner, task, reason="Hurry").text.partition("What would go on")[2]
    assert "This is not your password." in opens(world, owner, task, password="wrong").text
    assert open_task(world, order) == task


def test_nobody_but_the_owner_is_offered_the_emergency(world: World) -> None:
    """Neither the administrator nor an approver."""
    _, task = order_at_gate(world)
    for name in ("admin", "stock-approver"):
        who = visitor(world, name)
        assert "Open in an emergency" not in who.goes(f"/tasks/{task}").text
        assert who.goes(f"/tasks/{task}/override").status == 403


def test_a_delegate_asks_another_team_from_the_page_of_the_gate(world: World) -> None:
    """Whoever sees a gate may ask about it; somebody for whom it is not there may not, as long as nothing is lent."""
    order, task = order_at_gate(world)
    mei = visitor(world, "warehouse")
    address = f"/orders/{order}/question"
    form = {**mei.goes(address).form("/question"), "task": task, "text": "Is it heavy?", "to": "finance"}
    assert mei.sends(address, form).status == 404

    gives(world, visitor(world, "stock-approver"))
    page = mei.goes(mei.goes(f"/tasks/{task}").link("Ask a question"))
    asked = mei.sends(address, page.form("/question"), text="Is it heavy?", to="finance")

    assert "Your question is with Finance" in asked.text
    assert [each.task for each in world.engine.order_questions(order)] == [task]


def test_sentences_about_people_read_their_names(world: World) -> None:
    """What was signed for whom, and why somebody cannot sign: never a user name."""
    _, task = order_at_gate(world, items=[{"sku": "product-d", "quantity": 20}])
    gives(world, visitor(world, "stock-approver"))
    mei = visitor(world, "warehouse")
    decides(mei, task, decision="approve")

    assert "I have checked what is submitted from steps 3 and 4 and approve it, for Helena Brandt." in (
        visitor(world, "stock-approver-2").goes(f"/tasks/{task}").text
    )
    assert "Mei Tan has signed this gate" in visitor(world, "stock-approver").goes(f"/tasks/{task}").text
