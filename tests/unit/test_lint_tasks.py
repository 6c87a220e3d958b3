"""The linter's rules about tasks, gates, operations, parameters and expressions."""

from __future__ import annotations

import pytest

from tests.unit.lint_bundle import (
    DIAGRAM,
    TABLE,
    UNDO,
    definitions,
    findings_of,
    flow,
    good_bundle,
    process,
    properties,
    rules,
    service,
    spoiled,
)

MUTANTS = [
    # text, replacement, element, rule
    ('name="team" value="sales"', 'name="group" value="sales"', "take_order", "team"),
    ('name="team" value="sales"', 'name="group" value="sales"', "take_order", "unknown-property"),
    ('name="team" value="sales"', 'name="team" value="two words"', "take_order", "team"),
    ('value="owner"', 'value=""', "take_order", "escalate-to"),
    ('name="due" value="PT4H"', 'name="due" value=""', "take_order", "due"),
    ('name="due" value="PT4H"', 'name="due" value="R3/PT4H"', "take_order", "due"),
    ('value="take_order.json"', 'value="gone.json"', "take_order", "form"),
    ('name="formJsonSchemaFilename"', 'name="formUiSchemaFilename"', "take_order", "form"),
    ('name="onComplete" value="order.take"', 'name="commits" value="true"', "take_order", "result-variable"),
    ('value="order.take"', 'value="order.gone"', "take_order", "unknown-operation"),
    ('value="order.take"', 'value="order.submission"', "take_order", "wrong-operation"),
    ('value="order.take"', 'value="mail.send_out"', "take_order", "wrong-operation"),
    ('value="order.form"', 'value="order.take"', "take_order", "wrong-operation"),
    ('value="order.form"', 'value="gone"', "take_order", "unknown-operation"),
    ('name="resultVariable" value="order"', 'name="resultVariable" value="my order"', "take_order", "variable-name"),
    ('name="resultVariable" value="order"', 'name="resultVariable" value="len"', "take_order", "variable-name"),
    ('name="step" value="1"', 'name="step" value="one"', "take_order", "step"),
    ('name="step" value="1"', 'name="step" value="0"', "take_order", "step"),
    ('name="step" value="1"', 'name="step" value="4"', "parcel", "step"),
    ('name="step" value="2"', 'name="step" value="1"', "reserve", "step"),
    ('name="kind" value="approval"', 'name="kind" value="form"', "sign", "kind"),
    ('name="kind" value="approval"', 'name="escalateTo" value="owner"', "sign", "approval-property"),
    # gates
    ('name="submits" value="1,2"', 'name="submits" value="1,9"', "sign", "approval"),
    ('name="submits" value="1,2"', 'name="submits" value=""', "sign", "approval"),
    ('name="submits" value="1,2"', 'name="submits" value="3"', "sign", "approval"),
    ('name="sendBackTo" value="2"', 'name="sendBackTo" value="first"', "sign", "approval"),
    ('name="sendBackTo" value="2"', 'name="escalateTo" value="owner"', "sign", "approval"),
    ('name="submission" value="order.submission"', 'name="escalateTo" value="owner"', "sign", "approval"),
    ('value="order.submission"', 'value="order.gone"', "sign", "unknown-operation"),
    ('value="order.submission"', 'value="order.take"', "sign", "wrong-operation"),
    ('value="signers.count"', 'value="signers.count ="', "sign", "expression"),
    ('value="signers.count"', 'value="signers.total"', "sign", "unknown-key"),
    ('value="signers.count"', 'value="0"', "sign", "signatures"),
    ('value="signers.count"', 'value="1.5"', "sign", "signatures"),
    ('name="separateFrom" value="take_order"', 'name="separateFrom" value="sign"', "sign", "separate-from"),
    ('name="team" value="signers"', 'name="team" value="sales"', "sign", "gate-own-work"),
    ('name="separateFrom" value="take_order"', 'name="separateFrom" value="reserve"', "sign", "separate-from"),
    ('name="separateFrom" value="take_order"', 'name="onComplete" value="order.take"', "sign", "approval"),
    # service tasks
    ('id="stock.reserve"', 'id="stock.gone"', "reserve", "unknown-operation"),
    ('id="stock.reserve"', 'id="take_order"', "reserve", "operator-id"),
    ('id="stock.reserve"', 'id=""', "reserve", "no-operator"),
    ('resultVariable="reservation"', 'resultVariable="a-b"', "reserve", "variable-name"),
    ('<spiffworkflow:parameter id="sku" type="str" value="order.sku"/>', "", "reserve", "parameter"),
    ('<spiffworkflow:parameter id="sku" type="str"', '<spiffworkflow:parameter id="sku"', "reserve", "parameter"),
    ('id="sku" type="str" value="order.sku"', 'id="sku" type="str"', "reserve", "parameter"),
    ('id="sku" type="str"', 'id="article" type="str"', "reserve", "parameter"),
    ('id="sku" type="str"', 'id="sku" type="int"', "reserve", "parameter"),
    ('value="order.sku"/>', 'value="order.sku"/><spiffworkflow:parameter id="sku" type="str" value="1"/>',
     "reserve", "parameter"),
    ('value="order.sku"', 'value="order.sku.__class__"', "reserve", "expression"),
    ('value="order.sku"', 'value="oder.sku"', "reserve", "unknown-variable"),
    ("</spiffworkflow:parameters></spiffworkflow:serviceTaskOperator>",
     '</spiffworkflow:parameters><spiffworkflow:retry retries="often"/></spiffworkflow:serviceTaskOperator>',
     "reserve", "retry"),
    # decisions, scripts, messages
    ("<spiffworkflow:calledDecisionId>signers<", "<spiffworkflow:calledDecisionId>gone<", "look_up",
     "unknown-decision"),
    ("reminders = 1", "reminders", "count", "script"),
    ("reminders = 1", "message = 1", "count", "variable-name"),
    ("reminders = 1", "reminders = reminder + 1", "count", "unknown-variable"),
    (">payment<", ">pay ment<", "wait", "variable-name"),
    ("message.reference ==", "message.reference =", "wait", "expression"),
    ("message.reference == reservation.reference", "report.reference == 1", "wait", "unknown-variable"),
    (properties(cancels="true"), properties(accepts="message.a"), "rejected", "accepts"),
    # conditions
    ('sign.decision == "approve"', "sign.decision = 1", "signed__wait", "expression"),
    ('sign.decision == "approve"', 'sign.decision == "approved"', "signed__wait", "impossible-value"),
    ('sign.decision == "approve"', 'sign.decision in ["approve", "yes"]', "signed__wait", "impossible-value"),
    ('sign.decision == "approve"', "sign.send_back_to == 3", "signed__wait", "impossible-value"),
    ('sign.decision == "approve"', "sign.answer == 1", "signed__wait", "unknown-key"),
    ('sign.decision == "approve"', "take_order.colour == 1", "signed__wait", "unknown-key"),
    ('sign.decision == "approve"', 'take_order.kind == "gift"', "signed__wait", "missing-key"),
    ('sign.decision == "approve"', 'take_order.kind == "loan"', "signed__wait", "impossible-value"),
    ('sign.decision == "approve"', "message.total > 1".replace(">", "&gt;"), "signed__wait", "unknown-variable"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "element", "rule"), MUTANTS, ids=lambda value: str(value)[:40])
def test_a_fault_is_named_with_its_element(old: str, new: str, element: str, rule: str) -> None:
    """What is wrong is said of the element that is wrong."""
    assert rule in rules(findings_of(spoiled(old, new)), element)


def test_a_gate_whose_decision_nobody_reads_is_refused() -> None:
    """A rejection must not go on as if it were an approval."""
    files = spoiled('sign.decision == "approve"', "order.total == 1")
    files = {name: data.replace(b'sign.decision == "reject"', b"order.total == 2") for name, data in files.items()}

    assert "decision-unheeded" in rules(findings_of(files), "sign")


@pytest.mark.parametrize(
    ("approved", "rejected"),
    [
        ('sign.decision != "reject"', 'sign.decision == "reject"'),  # what is sent back goes on
        ('sign.decision in ["approve", "reject"]', 'sign.comment == "no"'),  # what is rejected goes on
        ('sign.decision == "send_back"', 'sign.comment == "no"'),  # approve takes the default, and so does reject
    ],
)
def test_every_decision_of_a_gate_has_its_own_way(approved: str, rejected: str) -> None:
    """What is rejected or sent back never goes where the approved goes."""
    files = spoiled('sign.decision == "approve"', approved)
    files[DIAGRAM] = files[DIAGRAM].replace(b'sign.decision == "reject"', rejected.encode())

    assert "decision-unheeded" in rules(findings_of(files), "sign")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name="sendBackTo" value="2"', 'name="sendBackTo" value="1"', "send_back to step 1 leads to 'reserve'"),
        ('sign.decision == "approve"', 'sign.decision != "approve"', "send_back to step 2 leads to 'wait'"),
    ],
)
def test_a_gate_sends_back_to_the_step_that_it_offers(old: str, new: str, said: str) -> None:
    """Whoever sends back to a step sees the order arrive there."""
    found = [finding for finding in findings_of(spoiled(old, new)) if finding.element == "sign"]

    assert [finding.rule for finding in found] == ["decision-unheeded"]
    assert said in found[0].message


def test_a_decision_is_looked_at_only_right_behind_its_gate() -> None:
    """A way that comes from elsewhere would go on with what was signed before."""
    assert "old-decision" in rules(findings_of(spoiled(flow("short", "take_order"), flow("short", "signed"))), "signed")


def test_a_flow_is_taken_on_the_value_that_it_is_called_by() -> None:
    """A condition that says the contrary of the flow's own name is a slip."""
    start = '<bpmn:sequenceFlow id="signed__rejected"'
    named = spoiled(start, start + ' name="Reject"')
    assert findings_of(named) == []

    named[DIAGRAM] = named[DIAGRAM].replace(b'"Reject"', b'"approve"')
    assert ("label-differs", "signed__rejected") in {(each.rule, each.element) for each in findings_of(named)}


def test_a_way_around_a_gate_is_a_warning() -> None:
    """A later step that is reached without the gate is said: it may be meant, but rarely is."""
    head = (
        '<bpmn:receiveTask id="wait" messageRef="message_paid"><bpmn:extensionElements>\n'
        "  <spiffworkflow:properties>"
    )
    files = spoiled(head, head + '<spiffworkflow:property name="step" value="4"/>')
    assert findings_of(files) == []

    files[DIAGRAM] = files[DIAGRAM].replace(flow("short", "take_order").encode(), flow("short", "wait").encode())
    found = {(finding.rule, finding.severity) for finding in findings_of(files)}
    assert ("gate-bypassed", "warning") in found
    assert ("read-too-early", "error") in found  # whoever comes this way has no reservation to look at


def timed(target: str) -> dict[str, bytes]:
    """The gate with a time on its border, at whose end the order goes on to an element."""
    end = (
        '<bpmn:boundaryEvent id="unsigned" name="Not signed" attachedToRef="sign"><bpmn:timerEventDefinition '
        'id="unsigned_timer"><bpmn:timeDuration>"P2D"</bpmn:timeDuration></bpmn:timerEventDefinition>'
        "</bpmn:boundaryEvent>"
    )
    return spoiled(flow("reserve", "look_up"), end + flow("unsigned", target) + flow("reserve", "look_up"))


@pytest.mark.parametrize("target", ["wait", "count", "sending", "done"])
def test_time_is_no_approval(target: str) -> None:
    """However far behind the gate it leads: what nobody signed does not go on by itself."""
    files = timed(target)
    if target == "count":  # over something that the gate does not guard
        files[DIAGRAM] = files[DIAGRAM].replace(flow("count", "reminded").encode(), flow("count", "wait").encode())

    found = {(each.rule, each.severity) for each in findings_of(files) if each.element == "unsigned"}

    assert ("gate-left", "error") in found


@pytest.mark.parametrize("target", ["reserve", "rejected", "take_order"])
def test_when_nobody_signs_in_time_the_order_goes_back_or_is_cancelled(target: str) -> None:
    """Back to before the gate, over it once more, or to an end that cancels."""
    assert "gate-left" not in {each.rule for each in findings_of(timed(target))}


@pytest.mark.parametrize(
    ("old", "new", "element"),
    [
        ('id="stock.reserve" resultVariable="reservation"', 'id="stock.reserve" resultVariable="sign"', "reserve"),
        ('name="resultVariable" value="order"', 'name="resultVariable" value="sign"', "take_order"),
        ("<bpmn:script>reminders = 1", '<bpmn:script>sign = "approve"', "count"),
        ("messageVariable>payment<", "messageVariable>sign<", "wait"),
        ("calledDecisionId>signers<", "calledDecisionId>sign<", "look_up"),
        ('name="cancellation" value="parcel_undo"', 'name="startsWith" value="sign"', "parcel"),
    ],
)  # fmt: skip
def test_only_the_gate_writes_its_decision(old: str, new: str, element: str) -> None:
    """Else an approval could come from a form, a message, a script or whoever starts the process."""
    assert "gate-written" in rules(findings_of(spoiled(old, new)), element)


def test_neither_does_a_process_that_it_calls() -> None:
    """That one reads and writes the same variables."""
    files = spoiled('<bpmn:endEvent id="done"/>', '<bpmn:endEvent id="done"/><bpmn:callActivity id="more" '
                    'calledElement="parcel_undo"/>')
    files[UNDO] = files[UNDO].replace(b'resultVariable="reservation"', b'resultVariable="sign"')
    assert "gate-written" in rules(findings_of(files), "release")


def test_a_user_task_without_a_name_is_a_warning() -> None:
    """The inbox shows names."""
    [finding] = findings_of(spoiled(' name="Take order"', ""))

    assert (finding.element, finding.rule, finding.severity) == ("take_order", "no-name", "warning")


def test_a_variable_of_the_undo_path_is_unknown_to_the_main_one() -> None:
    """The undo path reads what the order wrote, if it came so far, and not the other way round."""
    [finding] = findings_of(spoiled("cancellation.reason", "order.sku", UNDO))
    assert (finding.rule, finding.element, finding.severity) == ("read-too-early", "release", "warning")

    files = spoiled('resultVariable="reservation"', 'resultVariable="released"', UNDO)
    files[DIAGRAM] = files[DIAGRAM].replace(b"== reservation.reference", b"== released.reference")
    assert "unknown-variable" in rules(findings_of(files), "wait")


def test_a_variable_that_nothing_writes_is_refused_unless_the_instance_is_started_with_it() -> None:
    """A slip of the pen would stop every order; what an instance is started with is said on the process."""
    files = spoiled('value="order.sku"', 'value="oder.sku"')
    [finding] = findings_of(files)

    assert finding.severity == "error"
    assert "'oder'" in finding.message
    assert "order" in finding.advice
    told = files[DIAGRAM].replace(b'name="cancellation"', b'name="startsWith" value="priority, oder"/>'
                                  b'<spiffworkflow:property name="cancellation"')  # fmt: skip
    assert findings_of(files | {DIAGRAM: told}) == []


TOO_EARLY = [
    # text, replacement, element: what is read is written only later, or only on another way
    (flow("started", "take_order"), flow("started", "look_up"), "look_up"),
    (flow("short", "take_order"), flow("short", "wait"), "wait"),
    ('value="order.sku"', 'value="payment.reference"', "reserve"),
]


@pytest.mark.parametrize(("old", "new", "element"), TOO_EARLY)
def test_what_is_read_before_anything_writes_it_is_refused(old: str, new: str, element: str) -> None:
    """Every way to an element passes what writes the variables that it reads."""
    found = findings_of(spoiled(old, new))

    assert "read-too-early" in rules(found, element)
    assert all(finding.severity == "error" for finding in found if finding.rule == "read-too-early")


def test_a_branch_that_is_joined_has_written_its_variables() -> None:
    """Behind a parallel join everything of all branches is there; before it, nothing of the other branch."""
    def script(name: str, line: str) -> str:
        return f'<bpmn:scriptTask id="{name}"><bpmn:script>{line}</bpmn:script></bpmn:scriptTask>'

    def bundle(beside: str) -> dict[str, bytes]:
        return process(
            '<bpmn:parallelGateway id="fork"/><bpmn:parallelGateway id="join"/>' + script("one", "a = 1")
            + script("two", beside) + script("last", "c = a + b") + flow("begin", "fork") + flow("fork", "one")
            + flow("fork", "two") + flow("one", "join") + flow("two", "join") + flow("join", "last")
            + flow("last", "finish")
        )

    assert findings_of(bundle("b = 2")) == []
    assert "read-too-early" in rules(findings_of(bundle("b = a")), "two")


def test_a_called_process_knows_what_its_caller_knows() -> None:
    """What a caller has written is there in the process it calls, and what that writes is there afterwards."""
    def bundle(first: str) -> dict[str, bytes]:
        text = definitions(
            '<bpmn:process id="outer" isExecutable="true"><bpmn:startEvent id="o1"/>'
            f'<bpmn:scriptTask id="o2"><bpmn:script>{first} = 1</bpmn:script></bpmn:scriptTask>'
            '<bpmn:callActivity id="o3" calledElement="inner"/>'
            '<bpmn:scriptTask id="o4"><bpmn:script>c = b</bpmn:script></bpmn:scriptTask><bpmn:endEvent id="o5"/>'
            + flow("o1", "o2") + flow("o2", "o3") + flow("o3", "o4") + flow("o4", "o5") + "</bpmn:process>"
            '<bpmn:process id="inner" isExecutable="true"><bpmn:startEvent id="i1"/>'
            '<bpmn:scriptTask id="i2"><bpmn:script>b = a</bpmn:script></bpmn:scriptTask><bpmn:endEvent id="i3"/>'
            + flow("i1", "i2") + flow("i2", "i3") + "</bpmn:process>"
        )
        return {"calls.bpmn": text.encode()}

    assert findings_of(bundle("a")) == []
    assert "unknown-variable" in rules(findings_of(bundle("z")), "i2")


def test_missing_and_unknown_parameters_are_both_named() -> None:
    """A misspelt parameter is one too many and one too few; both are said with the operation's own names."""
    found = findings_of(spoiled('id="sku" type="str"', 'id="article" type="str"'))

    assert {finding.message for finding in found} == {
        "stock.reserve takes no parameter 'article'.", "stock.reserve needs the parameter 'sku'."
    }


def test_an_unknown_operation_shows_its_neighbours() -> None:
    """The advice names operations of the same area."""
    [finding] = findings_of(spoiled('id="stock.reserve"', 'id="stock.reserved"'))

    assert "stock.release, stock.reserve" in finding.advice


LOOPS = [
    ("", {"repetition"}),
    ("<bpmn:loopCardinality>3</bpmn:loopCardinality>", set()),
    ("<bpmn:loopCardinality>3 +</bpmn:loopCardinality>", {"expression"}),
    ("<bpmn:loopDataInputRef>mail</bpmn:loopDataInputRef>", {"repetition", "read-too-early"}),
    ('<bpmn:loopDataInputRef>parcels</bpmn:loopDataInputRef><bpmn:inputDataItem id="parcel"/>', {"unknown-variable"}),
    ('<bpmn:loopDataInputRef>a b</bpmn:loopDataInputRef><bpmn:inputDataItem id="parcel"/>', {"variable-name"}),
    ('<bpmn:loopCardinality>3</bpmn:loopCardinality><bpmn:loopDataOutputRef>r</bpmn:loopDataOutputRef>',
     {"repetition"}),
    ("<bpmn:loopCardinality>3</bpmn:loopCardinality><bpmn:completionCondition>done =</bpmn:completionCondition>",
     {"expression"}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), LOOPS)
def test_a_task_for_several_items_says_which(body: str, expected: set[str]) -> None:
    """A multi-instance task has either a number or a list with the name of its item."""
    task = service("work", "mail.send_out", "mail").replace(
        "</bpmn:serviceTask>",
        f"<bpmn:multiInstanceLoopCharacteristics>{body}</bpmn:multiInstanceLoopCharacteristics></bpmn:serviceTask>",
    )

    assert rules(findings_of(process(task + flow("begin", "work") + flow("work", "finish"))), "work") == expected


@pytest.mark.parametrize(
    ("loop", "expected"),
    [
        ("<bpmn:standardLoopCharacteristics/>", {"repetition"}),
        ('<bpmn:standardLoopCharacteristics loopMaximum="many"/>', {"repetition"}),
        ('<bpmn:standardLoopCharacteristics loopMaximum="3"/>', set()),
        ('<bpmn:standardLoopCharacteristics testBefore="yes" loopMaximum="3"/>', {"boolean"}),
    ],
)
def test_a_loop_has_an_end(loop: str, expected: set[str]) -> None:
    """A task that repeats itself says until when."""
    task = service("work", "mail.send_out", "mail").replace("</bpmn:serviceTask>", loop + "</bpmn:serviceTask>")

    assert rules(findings_of(process(task + flow("begin", "work") + flow("work", "finish"))), "work") == expected


def test_a_decision_table_that_is_wrong_is_named_with_its_cell() -> None:
    """What is wrong with a table is said when the bundle is checked."""
    assert "dmn-cell" in rules(findings_of(spoiled("&lt;= 500", "[1..500]", TABLE)), "c1")


def test_two_tables_of_one_id_are_refused() -> None:
    """A decision is read under its id, so there is one of each."""
    files = good_bundle()

    assert "decision-twice" in rules(findings_of(files | {"processes/twin.dmn": files[TABLE]}), None)
