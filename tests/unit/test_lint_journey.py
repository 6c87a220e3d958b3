"""The journey of an order: steps in their order, refusals and messages that go somewhere, ways that do not double."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.errors import Finding
from engine.lint import check
from handlers.contract import Registry
from tests.unit.lint_bundle import DIAGRAM, FORM, flow, good_bundle, registry, rules, spoiled, spoiled_form

STEP_4 = (
    '<bpmn:receiveTask id="wait" messageRef="message_paid"><bpmn:extensionElements>\n  <spiffworkflow:properties>',
    '<spiffworkflow:property name="step" value="4"/>',
)


def promising(**promises: object) -> Registry:
    """The operations of the good bundle, of which `stock.reserve` says more of itself."""
    known = registry()
    return Registry({**known, "stock.reserve": replace(known["stock.reserve"], **promises)})  # type: ignore[arg-type]


def found(files: dict[str, bytes], operations: Registry | None = None) -> list[Finding]:
    return check(files, operations or registry())


def test_a_step_that_leads_past_the_next_one_is_told() -> None:
    """Whoever numbers a step wants it done: a way around it is said with both steps."""
    files = spoiled(flow("take_order", "reserve"), flow("take_order", "look_up"))
    files[DIAGRAM] = files[DIAGRAM].replace(b'default="signed__reserve"', b'default="signed__reserve" name="Signed?"')

    [skipped] = [each for each in found(files) if each.rule == "step-skipped"]

    assert (skipped.element, skipped.severity) == ("take_order", "warning")
    assert "step 2 is left out" in skipped.message
    assert "step-lost" in rules(found(files), "take_order")


def test_an_order_begins_with_the_first_step() -> None:
    """What an order is started with is the form of its first step, so nothing numbered comes before."""
    assert "step-lost" in rules(found(spoiled(flow("started", "take_order"), flow("started", "reserve"))), "started")


def test_the_last_step_comes_to_an_end() -> None:
    """A last step that only leads back to earlier ones would never let an order go."""
    head, step = STEP_4
    files = spoiled(head, head + step)
    assert found(files) == []

    files[DIAGRAM] = files[DIAGRAM].replace(flow("wait", "next").encode(), flow("wait", "reserve").encode())
    assert "step-lost" in rules(found(files), "wait")


def test_a_refusal_that_no_event_catches_is_told() -> None:
    """The order would stop there until a person helps."""
    assert found(good_bundle(), promising(refuses=frozenset({"short"}))) == []

    [finding] = found(good_bundle(), promising(refuses=frozenset({"short", "closed"})))

    assert (finding.element, finding.rule, finding.severity) == ("reserve", "refusal-uncaught", "warning")
    assert "'closed'" in finding.message


def test_an_event_for_a_refusal_that_never_comes_is_refused() -> None:
    """It was meant for another code."""
    assert "error-never" in rules(found(good_bundle(), promising(refuses=frozenset({"closed"}))), "short")


def test_a_key_that_an_operation_does_not_give_is_refused() -> None:
    """`reservation.reference` is read; the operation says what it gives."""
    assert found(good_bundle(), promising(gives={"reference": None})) == []
    assert "unknown-key" in rules(found(good_bundle(), promising(gives={"number": None})), "wait")


def test_a_field_that_the_operation_needs_is_in_the_form() -> None:
    """And the form does not let it be left out."""
    known = registry()
    needs = Registry({**known, "order.take": replace(known["order.take"], takes=("sku", "kind?", "colour?"))})
    [missing] = check(good_bundle(), needs)
    assert (missing.element, missing.rule, missing.severity) == ("take_order", "form-lacks", "warning")
    assert "'colour'" in missing.message

    optional = spoiled_form(lambda form: form["required"].clear())
    lacking = spoiled_form(lambda form: (form["properties"].pop("sku"), form["required"].clear(),
                                         form.pop("examples")))  # fmt: skip
    for files in (optional, lacking | {"forms/take_order.ui.json": b"{}"}):
        assert ("form-lacks", "error") in {(each.rule, each.severity) for each in check(files, needs)
                                           if each.element == "take_order"}
    assert FORM in lacking


def test_a_message_that_nobody_sends_is_told() -> None:
    """A name with a slip in it would be waited for for ever."""
    known = Registry(registry(), messages=("bank.paid", "bank.returned"))
    assert check(good_bundle(), known) == []

    [finding] = check(spoiled('name="bank.paid"', 'name="bnak.paid"'), known)

    assert (finding.element, finding.rule, finding.severity) == ("message_paid", "unknown-message", "warning")
    assert "bank.paid" in finding.advice


def test_a_side_path_that_comes_back_to_the_main_one_is_told() -> None:
    """A reminder begins beside the task; led to the main path it would do everything twice."""
    files = spoiled(flow("count", "reminded"), flow("count", "sending"))
    files[DIAGRAM] = files[DIAGRAM].replace(b'<bpmn:endEvent id="reminded"/>', b"")

    assert "side-path" in rules(found(files), "remind")


def test_a_join_that_no_fork_feeds_is_refused() -> None:
    """A parallel gateway that waits for ways of which only one is ever gone stops every order."""
    files = spoiled(
        flow("paid_again", "sending") + flow("later", "sending"),
        '<bpmn:parallelGateway id="both"/>' + flow("paid_again", "both") + flow("later", "both")
        + flow("both", "sending"),
    )

    assert "join-starves" in rules(found(files), "both")


@pytest.mark.parametrize(
    ("team", "escalation", "said"),
    [("sails", "owner", "the team 'sails' does not exist"), ("owner", "owner", "the team 'owner' does no tasks"),
     ("sales", "onwer", "the team 'onwer' does not exist")],
)  # fmt: skip
def test_a_team_that_nobody_is_of_is_refused(team: str, escalation: str, said: str) -> None:
    """Nobody could ever do the task, or hear that it is late."""
    teams = {"sales": True, "signers": True, "owner": False}
    assert check(good_bundle(), registry(), teams) == []
    files = spoiled('name="team" value="sales"', f'name="team" value="{team}"')
    files[DIAGRAM] = files[DIAGRAM].replace(b'value="owner"', f'value="{escalation}"'.encode()).replace(
        b'value="sales, signers"', f'value="sales, signers, {team}"'.encode())

    assert any(said in finding.message for finding in check(files, registry(), teams)
               if finding.element == "take_order" and finding.severity == "error")
