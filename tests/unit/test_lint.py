"""The linter names every construct that would be run wrongly or not at all."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.unit.lint_bundle import (
    DIAGRAM,
    UNDO,
    findings_of,
    flow,
    good_bundle,
    process,
    properties,
    rules,
    service,
    spoiled,
)

USER = properties(team="sales", due="PT4H", formJsonSchemaFilename="take_order.json")
TIMER = "<bpmn:timerEventDefinition><bpmn:timeDuration>PT1H</bpmn:timeDuration></bpmn:timerEventDefinition>"


def test_a_good_bundle_has_no_findings() -> None:
    """A bundle that keeps all rules can be deployed, and nothing is said about it."""
    assert findings_of(good_bundle()) == []


def test_names_without_a_folder_are_taken_too() -> None:
    """The editor uploads plain file names."""
    assert findings_of({name.split("/")[-1]: data for name, data in good_bundle().items()}) == []


def test_executable_may_be_written_as_1() -> None:
    """`isExecutable="1"` is a true boolean of XML."""
    assert findings_of(spoiled('isExecutable="true"', 'isExecutable="1"')) == []


def test_a_finding_says_where_what_and_what_to_do() -> None:
    """Every problem bears file, element, name, line, what is wrong and what to do."""
    [finding] = findings_of(spoiled('value="PT4H"', 'value="4 hours"'))

    assert (finding.file, finding.element, finding.name) == (DIAGRAM, "take_order", "Take order")
    assert finding.line is not None
    assert finding.line > 5
    assert "4 hours" in finding.message
    assert "PT4H" in finding.advice
    assert finding.severity == "error"


MUTANTS = [
    # text, replacement, element, rule
    ('isExecutable="true"', 'isExecutable="false"', "parcel", "not-executable"),
    ('<bpmn:startEvent id="started"/>', "", "parcel", "start-event"),
    ('id="started"/>', 'id="Start"/>', "Start", "reserved-id"),
    ('id="done"/>', 'id="End"/>', "End", "reserved-id"),
    ('id="done"/>', 'id="take_order"/>', "take_order", "duplicate-id"),
    ('id="note"', 'id="take_order"', "take_order", "duplicate-id"),
    ('id="done"/>', "/>", "parcel", "id"),
    ('id="done"/>', 'id="a b"/>', "a b", "id"),
    ('id="done"/>', f'id="{"d" * 101}"/>', "d" * 101, "id"),
    ('processRef="parcel"', 'processRef="other"', "pool", "participant"),
    ('x="100" y="80.5"', 'x="abc" y="80.5"', "take_order_shape", "bounds"),
    ('width="100" height="80"', 'width="100"', "take_order_shape", "bounds"),
    ('<di:waypoint x="1"', '<di:waypoint x="NaN"', "edge", "bounds"),
    ('bpmnElement="take_order"', 'bpmnElement="gone"', "take_order_shape", "shape"),
    # flows
    (flow("take_order", "reserve"), "", "take_order", "dead-end"),
    (flow("take_order", "reserve"), "", "done", "unreachable"),
    (flow("take_order", "reserve"), flow("take_order", "reserve", "order.total > 1".replace(">", "&gt;")),
     "take_order", "condition-ignored"),
    (flow("take_order", "reserve"), flow("take_order", "reserve") + flow("take_order", "wait"),
     "take_order", "two-outgoing"),
    (flow("take_order", "reserve"), flow("take_order", "take_order"), "take_order", "self-loop"),
    (flow("take_order", "reserve"), flow("take_order", "nowhere"), "take_order__nowhere", "flow-end"),
    (flow("take_order", "reserve"), flow("take_order", "send"), "take_order__send", "flow-end"),
    (flow("take_order", "reserve"), flow("take_order", "started"), "take_order__started", "flow-end"),
    (flow("sending", "done"), flow("sending", "done") + flow("done", "wait"), "done__wait", "flow-end"),
    (flow("sending", "done"), flow("sending", "next"), "next", "no-end"),
    ('default="signed__reserve"', 'default="gone"', "signed", "default-flow"),
    ('default="signed__reserve"', "", "signed__reserve", "no-condition"),
    ('default="signed__reserve"', 'default="signed__wait"', "signed__wait", "default-flow"),
    ("""sign.decision == "approve\"""", "", "signed__wait", "no-condition"),
    ('<bpmn:userTask id="take_order"', '<bpmn:userTask default="x" id="take_order"', "take_order", "default-flow"),
    (flow("next", "later"), flow("next", "count"), "next", "event-gateway"),
    (flow("next", "later"), "", "next", "event-gateway"),
    ('attachedToRef="reserve"', 'attachedToRef="signed"', "short", "boundary"),
    ('attachedToRef="reserve"', 'attachedToRef="gone"', "short", "boundary"),
    ('attachedToRef="reserve"', 'attachedToRef="reserve" cancelActivity="false"', "short", "boundary"),
    ('attachedToRef="wait" cancelActivity="false"', 'attachedToRef="wait" cancelActivity="no"', "remind", "boolean"),
    # kinds of elements
    ('<bpmn:endEvent id="done"/>', '<bpmn:endEvent id="done"><bpmn:signalEventDefinition/></bpmn:endEvent>',
     "done", "signal-event"),
    ('<bpmn:endEvent id="done"/>', '<bpmn:endEvent id="done"><bpmn:messageEventDefinition/></bpmn:endEvent>',
     "done", "message-event"),
    ('<bpmn:endEvent id="done"/>', '<bpmn:endEvent id="done"><bpmn:compensateEventDefinition/></bpmn:endEvent>',
     "done", "compensation-event"),
    ('<bpmn:endEvent id="done"/>', '<bpmn:endEvent id="done"><bpmn:cancelEventDefinition/></bpmn:endEvent>',
     "done", "cancel-event"),
    ('<bpmn:endEvent id="done"/>',
     '<bpmn:endEvent id="done"><bpmn:errorEventDefinition errorRef="error_short"/></bpmn:endEvent>',
     "done", "error-end"),
    ('<bpmn:startEvent id="started"/>', f'<bpmn:startEvent id="started">{TIMER}</bpmn:startEvent>',
     "started", "timer-event"),
    ('<bpmn:subProcess id="sending">', '<bpmn:subProcess id="sending" triggeredByEvent="true">',
     "sending", "event-subprocess"),
    ('<bpmn:subProcess id="sending">', '<bpmn:subProcess id="sending" isForCompensation="true">',
     "sending", "compensation"),
    ('<bpmn:textAnnotation id="note">', '<bpmn:dataStoreReference id="s"/><bpmn:textAnnotation id="note">',
     "s", "unsupported-dataStoreReference"),
    ('<bpmn:collaboration', '<bpmn:dataStore id="s" name="s"/><bpmn:collaboration', "s", "unsupported-dataStore"),
    ('<bpmn:textAnnotation id="note">',
     '<bpmn:dataObjectReference id="ref" dataObjectRef="gone"/><bpmn:textAnnotation id="note">', "ref", "data-object"),
    ('<bpmn:startEvent id="sending_started"/>',
     '<bpmn:startEvent id="sending_started"/><bpmn:dataObjectReference id="ref"/>', "ref", "data-object"),
    ('<bpmn:textAnnotation id="note">', '<bpmn:ioSpecification/><bpmn:textAnnotation id="note">',
     "parcel", "unsupported-ioSpecification"),
    ('<bpmn:textAnnotation id="note">', '<bpmn:unheard id="u"/><bpmn:textAnnotation id="note">',
     "u", "unsupported-element"),
    ("<spiffworkflow:messageVariable>",
     "<spiffworkflow:preScript>x = 1</spiffworkflow:preScript><spiffworkflow:messageVariable>", "wait", "prescript"),
    ("<spiffworkflow:messageVariable>", "<spiffworkflow:odd/><spiffworkflow:messageVariable>", "wait", "extension"),
    ('name="due" value="PT4H"', 'name="due"', "take_order", "property"),
    ('name="escalateTo" value="owner"', 'name="team" value="owner"', "take_order", "property"),
    # events
    ('messageRef="message_paid">', 'messageRef="gone">', "wait", "message"),
    ('<bpmn:messageEventDefinition messageRef="message_paid"/>', "<bpmn:messageEventDefinition/>",
     "paid_again", "message"),
    ('id="message_paid" name="bank.paid"', 'id="message_paid"', "message_paid", "message-name"),
    ('errorRef="error_short"', 'errorRef="gone"', "short", "error"),
    ("<bpmn:errorEventDefinition errorRef=\"error_short\"/>", "<bpmn:errorEventDefinition/>", "short", "error"),
    ('errorCode="short"', 'errorCode=""', "error_short", "error-code"),
    ('<bpmn:businessRuleTask id="look_up">',
     '<bpmn:boundaryEvent id="again" attachedToRef="reserve"><bpmn:errorEventDefinition errorRef="error_short"/>'
     '</bpmn:boundaryEvent><bpmn:businessRuleTask id="look_up">', "again", "error-twice"),
    ("R3/P3D", "R0/P3D", "remind", "timer"),
    ("R3/P3D", "P3D", "remind", "timer"),
    ('"P5D"', "PT", "later", "timer"),
    ('"P5D"', "five days", "later", "timer"),
    ('"P5D"', '"five days"', "later", "timer"),
    ('"P5D"', "", "later", "timer"),
    ('<bpmn:timeDuration>"P5D"</bpmn:timeDuration>', "", "later", "timer"),
    ('<bpmn:timeDuration>"P5D"</bpmn:timeDuration>', "<bpmn:timeDate>2026-02-30T00:00:00Z</bpmn:timeDate>",
     "later", "timer"),
    ('attachedToRef="wait" cancelActivity="false"', 'attachedToRef="wait"', "remind", "timer"),
    ('<bpmn:endEvent id="reminded"/>',
     '<bpmn:intermediateCatchEvent id="reminded"/>', "reminded", "none-event"),
    ('attachedToRef="reserve"', 'attachedToRef="wait"', "short", "error-never"),
    ("<bpmn:businessRuleTask id=\"look_up\"><bpmn:extensionElements>",
     '<bpmn:businessRuleTask id="look_up"><bpmn:extensionElements/><bpmn:extensionElements>', "look_up", "extension"),
    ("<spiffworkflow:properties><spiffworkflow:property name=\"step\" value=\"1\"/>",
     "<spiffworkflow:properties/><spiffworkflow:properties><spiffworkflow:property name=\"step\" value=\"1\"/>",
     "take_order", "extension"),
    ('<bpmn:conditionExpression>sign.decision == "approve"',
     '<bpmn:conditionExpression>1 == 1</bpmn:conditionExpression>'
     '<bpmn:conditionExpression>sign.decision == "approve"', "signed__wait", "condition-twice"),
    # lanes
    ("<bpmn:flowNodeRef>sign</bpmn:flowNodeRef>", "", "sign", "lane-team"),
    ("<bpmn:flowNodeRef>sign<", "<bpmn:flowNodeRef>gone<", "lane_sales", "lane-reference"),
    ("<bpmn:flowNodeRef>sign<", "<bpmn:flowNodeRef>send<", "lane_sales", "lane-subprocess"),
    ("<bpmn:flowNodeRef>sign<", "<bpmn:flowNodeRef>sending<", "sending", "lane-subprocess"),
    ("<bpmn:flowNodeRef>sign<", "<bpmn:flowNodeRef>take_order<", "take_order", "lane-twice"),
    ('value="sales, signers"', 'value="signers"', "take_order", "lane-team"),
    (properties(teams="sales, signers"), "", "lane_sales", "lane-teams"),
    # cancellation
    ('value="parcel_undo"', 'value="gone"', "parcel", "cancellation"),
    ('value="parcel_undo"', 'value="parcel"', "parcel", "cancellation"),
    (properties(cancellation="parcel_undo"), "", "rejected", "cancels"),
    (properties(cancels="true"), properties(cancels="yes"), "rejected", "boolean"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "element", "rule"), MUTANTS, ids=lambda value: str(value)[:40])
def test_a_fault_is_named_with_its_element(old: str, new: str, element: str, rule: str) -> None:
    """What is wrong is said of the element that is wrong."""
    assert rule in rules(findings_of(spoiled(old, new)), element)


def test_a_message_that_two_files_mean_differently_is_refused() -> None:
    """All diagrams of a bundle are read together, so one id means one error."""
    files = spoiled('<bpmn:process id="parcel_undo"', '<bpmn:error id="error_short" errorCode="x"/>'
                    '<bpmn:process id="parcel_undo"', UNDO)  # fmt: skip

    assert "declaration" in rules(findings_of(files), "error_short")


def test_a_process_that_two_files_hold_is_refused() -> None:
    """A process id is unique in a bundle."""
    files = good_bundle()

    assert "duplicate-id" in rules(findings_of(files | {"processes/twin.bpmn": files[UNDO]}), "parcel_undo")


def test_undoing_cannot_be_undone() -> None:
    """The process that cancels has no cancellation of its own."""
    files = spoiled('<bpmn:startEvent id="undo_started"/>', properties(cancellation="parcel")
                    + '<bpmn:startEvent id="undo_started"/>', UNDO)  # fmt: skip

    assert "cancellation" in rules(findings_of(files), "parcel_undo")


def calling(name: str, called: str) -> bytes:
    text = process(
        f'<bpmn:callActivity id="call_{name}" calledElement="{called}"/>'
        + flow("begin", f"call_{name}") + flow(f"call_{name}", "finish")
    )["small.bpmn"]
    return text.replace(b'"small"', f'"{name}"'.encode())


def test_a_process_that_calls_itself_is_refused() -> None:
    """A process may not come to call itself, not even by way of another."""
    assert "calls-itself" in rules(findings_of({"a.bpmn": calling("one", "one")}), "call_one")
    assert "calls-itself" in rules(
        findings_of({"a.bpmn": calling("one", "two"), "b.bpmn": calling("two", "one")}), "call_one"
    )


def test_a_called_process_must_be_there() -> None:
    """A call activity names a process of the bundle."""
    assert "called-process" in rules(findings_of({"a.bpmn": calling("one", "gone")}), "call_one")


SNIPPETS = [
    ('<bpmn:complexGateway id="x"/>', "unsupported-complexGateway"),
    ('<bpmn:adHocSubProcess id="x"><bpmn:userTask id="u"/></bpmn:adHocSubProcess>', "unsupported-adHocSubProcess"),
    ('<bpmn:task id="x"/>', "unsupported-task"),
    ('<bpmn:manualTask id="x"/>', "unsupported-manualTask"),
    ('<bpmn:sendTask id="x"/>', "unsupported-sendTask"),
    ('<bpmn:intermediateThrowEvent id="x"><bpmn:compensateEventDefinition/></bpmn:intermediateThrowEvent>',
     "compensation-event"),
    ('<bpmn:intermediateThrowEvent id="x"><bpmn:linkEventDefinition name="l"/></bpmn:intermediateThrowEvent>',
     "link-event"),
    ('<bpmn:intermediateCatchEvent id="x"><bpmn:linkEventDefinition name="l"/></bpmn:intermediateCatchEvent>',
     "link-event"),
    ('<bpmn:intermediateThrowEvent id="x"><bpmn:messageEventDefinition/></bpmn:intermediateThrowEvent>',
     "message-event"),
    ('<bpmn:intermediateCatchEvent id="x"><bpmn:conditionalEventDefinition><bpmn:condition>a</bpmn:condition>'
     "</bpmn:conditionalEventDefinition></bpmn:intermediateCatchEvent>", "conditional-event"),
    (f'<bpmn:intermediateCatchEvent id="x">{TIMER}{TIMER}</bpmn:intermediateCatchEvent>', "event-kinds"),
    ('<bpmn:serviceTask id="x"/>', "no-operator"),
    (service("x", "gone.away", "result"), "unknown-operation"),
    (service("x", "x", "result"), "operator-id"),
    ('<bpmn:businessRuleTask id="x"/>', "no-decision"),
    ('<bpmn:scriptTask id="x"/>', "script"),
    ('<bpmn:scriptTask id="x"><bpmn:script>import os</bpmn:script></bpmn:scriptTask>', "script"),
    ('<bpmn:receiveTask id="x"/>', "message"),
    ('<bpmn:parallelGateway id="x" default="y"/>', "default-flow"),
    ('<bpmn:subProcess id="x"/>', "start-event"),
    ('<bpmn:userTask id="x-y"/>', "variable-name"),
]  # fmt: skip


@pytest.mark.parametrize(("snippet", "rule"), SNIPPETS, ids=[rule for _, rule in SNIPPETS])
def test_an_element_that_would_not_run_is_refused(snippet: str, rule: str) -> None:
    """Each construct that the engine refuses or silently ignores is named before it is deployed."""
    name = "x-y" if "x-y" in snippet else "x"
    files = process(snippet + flow("begin", name) + flow(name, "finish"))

    assert rule in rules(findings_of(files), name)


def test_a_compensation_boundary_is_refused() -> None:
    """Compensation handlers are never called."""
    files = process(
        service("work", "stock.release", "r", '<spiffworkflow:parameter id="reason" type="str" value="&quot;x&quot;"/>')
        + '<bpmn:boundaryEvent id="undo" attachedToRef="work"><bpmn:compensateEventDefinition/></bpmn:boundaryEvent>'
        + flow("begin", "work") + flow("work", "finish")
    )

    assert "compensation-event" in rules(findings_of(files), "undo")


def chain(count: int) -> dict[str, bytes]:
    names = ["begin", *(f"t{number}" for number in range(count)), "finish"]
    tasks = "".join(f'<bpmn:userTask id="{name}">{USER}</bpmn:userTask>' for name in names[1:-1])
    return process(tasks + "".join(flow(one, two) for one, two in pairwise(names)))


def test_a_thousand_tasks_in_a_row_are_refused() -> None:
    """The engine follows flows by recursion and would break; two hundred in a row are fine."""
    assert "too-long" in {finding.rule for finding in findings_of(chain(600))}
    assert "too-large" in {finding.rule for finding in findings_of(chain(1_200))}
    assert {finding.rule for finding in findings_of(chain(200))} == {"form", "no-name"}


def test_parallel_blocks_that_double_again_and_again_are_refused() -> None:
    """Every parallel block behind another doubles what the engine foresees; thirteen are thousands of tasks."""

    def blocks(count: int) -> dict[str, bytes]:
        inner, last = "", "begin"
        for number in range(count):
            for kind in ("fork", "join"):
                inner += f'<bpmn:parallelGateway id="{kind}{number}"/>'
            for side in ("a", "b"):
                inner += f'<bpmn:userTask id="{side}{number}">{USER}</bpmn:userTask>'
                inner += flow(f"fork{number}", f"{side}{number}") + flow(f"{side}{number}", f"join{number}")
            inner += flow(last, f"fork{number}")
            last = f"join{number}"
        return process(inner + flow(last, "finish"))

    assert "too-wide" in rules(findings_of(blocks(13)), "begin")
    assert "too-wide" not in {finding.rule for finding in findings_of(blocks(3))}


def test_a_circle_of_gateways_is_refused() -> None:
    """A loop in which nothing happens would never let go of the command."""
    files = process(
        '<bpmn:exclusiveGateway id="a"/><bpmn:exclusiveGateway id="b" default="b__a"/>'
        + flow("begin", "a") + flow("a", "b") + flow("b", "a") + flow("b", "finish", "true")
    )

    assert "endless-loop" in rules(findings_of(files), "a")


def test_what_is_refused_is_not_asked_again_at_once() -> None:
    """A refusal that leads straight back to what refused turns for ever inside one command."""
    files = spoiled(flow("short", "take_order"), flow("short", "reserve"))

    assert ("endless-loop", "error") in {(each.rule, each.severity) for each in findings_of(files)
                                         if each.element == "short"}


def test_a_loop_of_outside_calls_is_a_warning() -> None:
    """Nobody would stop it: no person and no wait stands in it."""
    files = process(
        '<bpmn:exclusiveGateway id="a"/>' + service("work", "mail.send_out", "mail")
        + '<bpmn:exclusiveGateway id="b" default="b__finish"/>' + flow("begin", "a") + flow("a", "work")
        + flow("work", "b") + flow("b", "a", "mail.late") + flow("b", "finish")
    )

    assert [(each.element, each.rule, each.severity) for each in findings_of(files)] == [
        ("work", "automatic-loop", "warning")
    ]


def test_a_loop_of_automatic_tasks_is_a_warning() -> None:
    """A loop in which nothing waits is suspicious, but may come to its end by itself."""
    files = process(
        '<bpmn:exclusiveGateway id="a"/><bpmn:scriptTask id="s"><bpmn:script>n = 1</bpmn:script></bpmn:scriptTask>'
        '<bpmn:exclusiveGateway id="b" default="b__finish"/>'
        + flow("begin", "a") + flow("a", "s") + flow("s", "b") + flow("b", "a", "n &lt; 3") + flow("b", "finish")
    )

    assert [(finding.rule, finding.severity) for finding in findings_of(files)] == [("automatic-loop", "warning")]


@pytest.mark.parametrize(
    "name", ["../x.bpmn", "processes/x.json", "forms/x.bpmn", "picture.png", "/etc/x.bpmn", "processes/a/b.bpmn"]
)
def test_a_file_that_does_not_belong_is_refused(name: str) -> None:
    """A bundle holds diagrams, tables and forms, and nothing that leads elsewhere."""
    assert "file-name" in rules(findings_of(good_bundle() | {name: b"x"}), None)


def test_a_bundle_without_a_diagram_is_refused() -> None:
    """There is nothing to deploy without a diagram."""
    assert "no-diagram" in rules(findings_of({}), None)


def test_a_form_that_no_task_shows_is_a_warning() -> None:
    """A form left over is said, and does not stop the deployment."""
    files = good_bundle()
    [finding] = findings_of(files | {"forms/left_over.json": files["forms/take_order.json"]})

    assert (finding.rule, finding.severity) == ("unused-form", "warning")
