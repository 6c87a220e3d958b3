"""What the library parses and then runs wrongly, or never ends on: every row has its diagram here.

A row is either refused, by a finding that names the element at fault, or accepted because Waybill runs it rightly; then
it is deployed and run. `REFUSED` and `test_accepted…` together are the whole list.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from engine import SYSTEM, Bundle, Database, Engine
from engine.decisions import parse_decision
from engine.errors import ExpressionError
from engine.lint import check
from engine.views import Actor
from handlers.contract import Call, Registry, build_registry
from tests.unit.lint_bundle import definitions, findings_of, flow, process, properties, rules, service

TIMER = "<bpmn:timerEventDefinition><bpmn:timeDuration>{}</bpmn:timeDuration></bpmn:timerEventDefinition>"
USER = properties(team="sales", due="PT4H", formJsonSchemaFilename="look.json")
FORM = (
    b'{"type": "object", "title": "Look", "additionalProperties": false,'
    b' "properties": {"fine": {"type": "boolean", "title": "Fine"}}}'
)


def _note(call: Call, text: str = "") -> dict[str, Any]:
    return {"text": text, "order": call.order}


SALES = Actor("sales", frozenset({"sales"}))
OPERATIONS = build_registry(None, {"desk.note": _note})


def user(name: str, more: str = "") -> str:
    return f'<bpmn:userTask id="{name}" name="{name.title()}">{USER}{more}</bpmn:userTask>'


def between(name: str, xml: str) -> dict[str, bytes]:
    """A process in which this element stands between start and end."""
    files = process(xml + flow("begin", name) + flow(name, "finish"))
    return files | ({"look.json": FORM} if "look.json" in xml else {})


def chain(count: int) -> dict[str, bytes]:
    names = ["begin", *(f"t{number}" for number in range(count)), "finish"]
    return process("".join(user(name) for name in names[1:-1]) + "".join(flow(*pair) for pair in pairwise(names))) | {
        "look.json": FORM
    }


def calling(name: str, called: str) -> bytes:
    return definitions(
        f'<bpmn:process id="{name}" isExecutable="true"><bpmn:startEvent id="begin_{name}"/>'
        f'<bpmn:callActivity id="call_{name}" calledElement="{called}"/><bpmn:endEvent id="finish_{name}"/>'
        f'{flow(f"begin_{name}", f"call_{name}")}{flow(f"call_{name}", f"finish_{name}")}</bpmn:process>'
    ).encode()


def table(
    rows: str, *, policy: str = "UNIQUE", expression: str = "amount", more: str = "", second: str = ""
) -> dict[str, bytes]:
    """A process with one decision table of one input and one output."""
    policy = policy if "=" in policy else f'hitPolicy="{policy}"'
    dmn = (
        '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="defs" name="x" namespace="x">'
        f'<decision id="rate" name="Rate"><decisionTable id="table" {policy}>'
        f'<input id="in1" label="Amount"><inputExpression id="ine1"><text>{expression}</text></inputExpression></input>'
        f'<output id="out1" name="share" typeRef="number"/>{more}{rows}</decisionTable></decision>{second}'
        "</definitions>"
    )
    task = (
        '<bpmn:businessRuleTask id="look_up"><bpmn:extensionElements><spiffworkflow:calledDecisionId>rate'
        "</spiffworkflow:calledDecisionId></bpmn:extensionElements></bpmn:businessRuleTask>"
    )
    return between("look_up", task) | {"rate.dmn": dmn.encode()}


def row(name: str, cell: str, answer: str = "1", more: str = "") -> str:
    return (
        f'<rule id="{name}"><inputEntry id="{name}_in"><text>{cell}</text></inputEntry>'
        f'<outputEntry id="{name}_out"><text>{answer}</text></outputEntry>{more}</rule>'
    )


LAST = row("last", "-", "0")
SUBPROCESS = (
    '<bpmn:subProcess id="inner"{}><bpmn:startEvent id="inner_began"/>{}<bpmn:endEvent id="inner_over"/>'
    f'{flow("inner_began", "inside")}{flow("inside", "inner_over")}</bpmn:subProcess>'
)
EVENT_SUBPROCESS = (
    '<bpmn:subProcess id="inner" triggeredByEvent="true"><bpmn:startEvent id="inner_began"><bpmn:errorEventDefinition/>'
    f'</bpmn:startEvent><bpmn:endEvent id="inner_over"/>{flow("inner_began", "inner_over")}</bpmn:subProcess>'
)
LANES = (
    '<bpmn:laneSet id="lanes"><bpmn:lane id="lane" name="Sales">{}<bpmn:flowNodeRef>{}</bpmn:flowNodeRef></bpmn:lane>'
    "</bpmn:laneSet>"
)
PICTURE = (
    '<bpmndi:BPMNDiagram id="picture"><bpmndi:BPMNPlane id="plane"><bpmndi:BPMNShape id="shape" bpmnElement="begin">'
    '<dc:Bounds x="NaN" y="" width="100" height="80"/></bpmndi:BPMNShape></bpmndi:BPMNPlane></bpmndi:BPMNDiagram>'
)
BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]><a>&y;</a>'


def throw(kind: str, more: str = "") -> str:
    return f'<bpmn:intermediateThrowEvent id="x"><bpmn:{kind}EventDefinition {more}/></bpmn:intermediateThrowEvent>'


def ending(kind: str) -> dict[str, bytes]:
    files = process('<bpmn:endEvent id="x">' f"<bpmn:{kind}EventDefinition/></bpmn:endEvent>" + flow("begin", "x"))
    return {name: data.replace(b'<bpmn:endEvent id="finish"/>', b"") for name, data in files.items()}


REFUSED: list[tuple[str, str | None, dict[str, bytes]]] = [
    # what the list calls it, the element that the finding names, the bundle
    ("compensation throw becomes a None event", "x", between("x", throw("compensate"))),
    ("compensation end becomes a None event", "x", ending("compensate")),
    ("link throw becomes a None event", "x", between("x", throw("link", 'name="l"'))),
    ("link catch becomes a None event", "x", between(
        "x", '<bpmn:intermediateCatchEvent id="x"><bpmn:linkEventDefinition name="l"/></bpmn:intermediateCatchEvent>')),
    ("signal end becomes a None event", "x", ending("signal")),
    ("condition on a flow that leaves a task is ignored", "look", process(
        user("look") + flow("begin", "look") + flow("look", "finish", "1 == 2")) | {"look.json": FORM}),
    ("event subprocess does not cancel the main flow", "inner", process(
        user("look") + EVENT_SUBPROCESS + flow("begin", "look") + flow("look", "finish")) | {"look.json": FORM}),
    ("conditional event can stay stuck", "x", between(
        "x", '<bpmn:intermediateCatchEvent id="x"><bpmn:conditionalEventDefinition><bpmn:condition>a</bpmn:condition>'
        "</bpmn:conditionalEventDefinition></bpmn:intermediateCatchEvent>")),
    ("ad hoc subprocess ends in a KeyError", "x", between(
        "x", f'<bpmn:adHocSubProcess id="x">{user("u")}</bpmn:adHocSubProcess>')),
    ("an element called Start collides with the engine's own", "Start", {"a.bpmn": definitions(
        '<bpmn:process id="small" isExecutable="true"><bpmn:startEvent id="Start"/><bpmn:endEvent id="finish"/>'
        + flow("Start", "finish") + "</bpmn:process>").encode()}),
    ("an element called End collides with the engine's own", "End", {"a.bpmn": definitions(
        '<bpmn:process id="small" isExecutable="true"><bpmn:startEvent id="begin"/><bpmn:endEvent id="End"/>'
        + flow("begin", "End") + "</bpmn:process>").encode()}),
    ("an unreachable element is never parsed and never checked", "lonely", process(
        user("look") + '<bpmn:serviceTask id="lonely"/>' + flow("begin", "look") + flow("look", "finish")
        + flow("lonely", "finish")) | {"look.json": FORM}),
    ("a service task without an operator is a raw TypeError", "x", between("x", '<bpmn:serviceTask id="x"/>')),
    ("a message reference that does not resolve is a raw error", "x", between(
        "x", '<bpmn:receiveTask id="x" messageRef="gone"/>')),
    ("a shape with bad bounds is a raw ValueError", "shape", {
        name: data.replace(b"</bpmn:definitions>", PICTURE.encode() + b"</bpmn:definitions>")
        for name, data in process(flow("begin", "finish")).items()}),
    ("a dangling data object reference in a subprocess: the parser never ends", "ref", process(
        SUBPROCESS.format("", user("inside") + '<bpmn:dataObjectReference id="ref" dataObjectRef="gone"/>')
        + flow("begin", "inner") + flow("inner", "finish")) | {"look.json": FORM}),
    ("a task that flows to itself: RecursionError", "look", process(
        user("look") + flow("begin", "look") + flow("look", "look") + flow("look", "finish")) | {"look.json": FORM}),
    ("a process that calls itself: RecursionError", "call_one", {"a.bpmn": calling("one", "one")}),
    ("processes that call each other: RecursionError", "call_two", {
        "a.bpmn": calling("one", "two"), "b.bpmn": calling("two", "one")}),
    ("500 tasks in a row: RecursionError", "t299", chain(500)),
    ("1,000 tasks in a row: RecursionError", "small", chain(1_000)),
    ("lanes around a subprocess: every nested node inherits its lane", "inner", process(
        LANES.format(properties(teams="sales"), "inner") + SUBPROCESS.format("", user("inside"))
        + flow("begin", "inner") + flow("inner", "finish")) | {"look.json": FORM}),
    ("a lane that refers into a subprocess is ignored", "lane", process(
        LANES.format(properties(teams="sales"), "inside") + SUBPROCESS.format("", user("inside"))
        + flow("begin", "inner") + flow("inner", "finish")) | {"look.json": FORM}),
    ("an operator id equal to an element id", "desk.note", between(
        "desk.note", service("desk.note", "desk.note", "noted"))),
    ("DOCTYPE and entities", None, {"a.bpmn": BOMB}),
    ("a file over 5 MB", None, {"a.bpmn": b"<a>" + b" " * (5 * 1024 * 1024) + b"</a>"}),
    ("a file nested too deeply", None, {"a.bpmn": b"<a>" * 90 + b"</a>" * 90}),
    # what the parser itself refuses, raw
    ("complex gateway", "x", between("x", '<bpmn:complexGateway id="x"/>')),
    ("compensation boundary", "undo", between("look", user("look") + '<bpmn:boundaryEvent id="undo" '
        'attachedToRef="look"><bpmn:compensateEventDefinition/></bpmn:boundaryEvent>')),
    ("two outgoing flows on a task", "look", process(
        user("look") + user("other") + flow("begin", "look") + flow("look", "finish") + flow("look", "other")
        + flow("other", "finish")) | {"look.json": FORM}),
    # decision tables
    *((f"hit policy {policy} gives wrong answers", "table", table(row("r1", "1") + LAST, policy=policy))
      for policy in ("FIRST", "ANY", "PRIORITY", "RULE ORDER", "OUTPUT ORDER", "NONSENSE",
                     'hitPolicy="COLLECT" aggregation="SUM"')),
    ("a FEEL expression as an input", "in1", table(row("r1", "1") + LAST, expression="if amount > 1 then 2 else 3")),
    ("a file with several decisions", "defs", table(
        row("r1", "1") + LAST, second='<decision id="other"/>')),
    ("no row matches: nothing is set", "table", table(row("r1", "1") + row("r2", "2"))),
    ("a FEEL list never matches", "r1_in", table(row("r1", '"EU","NA"') + LAST)),
    ("a FEEL range never matches", "r1_in", table(row("r1", "[1..5]") + LAST)),
    ("FEEL not(…)", "r1_in", table(row("r1", "not(5)") + LAST)),
    ("a FEEL name that is no text", "r1_in", table(row("r1", "EU") + LAST)),
    ("overlapping rows of UNIQUE take the first", "r2", table(row("r1", "&lt; 9") + row("r2", "&gt; 5") + LAST)),
    ("an annotation column", "note", table(
        row("r1", "1", more="<annotationEntry><text>why</text></annotationEntry>") + LAST,
        more='<annotation id="note" name="Why"/>')),
]  # fmt: skip


@pytest.mark.parametrize(("element", "files"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_by_a_finding_that_names_the_element(element: str | None, files: dict[str, bytes]) -> None:
    """What would run wrongly is not deployed, and whoever drew it is told where and what to do."""
    errors = [finding for finding in check(files, OPERATIONS) if finding.severity == "error"]

    assert element in {finding.element for finding in errors}, [str(finding) for finding in errors]
    assert {finding.rule for finding in errors}.isdisjoint({"unreadable", "engine"}), errors
    assert all(finding.message and finding.advice for finding in errors)
    assert all(finding.line for finding in errors if finding.element)


# --- what is accepted, and runs ---------------------------------------------------------------------------------------

SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def deployed(database: Database, clock: Any, files: dict[str, bytes], key: str = "small") -> Engine:
    """An engine on which this bundle is deployed and one instance started."""
    engine = Engine(database, OPERATIONS, clock)
    placed = {("forms/" if name.endswith(".json") else "processes/") + name: data for name, data in files.items()}
    assert [str(f) for f in check(placed, OPERATIONS) if f.severity == "error"] == []
    engine.deploy(Bundle(placed), SYSTEM)
    engine.start(key, "S-1", SYSTEM)
    return engine


@SQLITE
@pytest.mark.parametrize("text", ["PT4H", '"PT4H"', " PT4H ", "'PT4H'", "PT240M"])
def test_accepted_a_duration_with_and_without_quotes(database: Database, clock: Any, text: str) -> None:
    """Standard BPMN writes PT4H; the library wants a Python expression, so Waybill quotes it while loading."""
    xml = f'<bpmn:intermediateCatchEvent id="later">{TIMER.format(text)}</bpmn:intermediateCatchEvent>'
    engine = deployed(database, clock, between("later", xml))

    clock.advance(hours=3, minutes=59)
    engine.work()
    assert engine.instance("S-1").status == "open"
    clock.advance(minutes=2)
    engine.work()
    assert engine.instance("S-1").status == "closed"


@SQLITE
@pytest.mark.parametrize("value", ["true", "1"])
def test_accepted_executable_as_xml_writes_a_boolean(database: Database, clock: Any, value: str) -> None:
    """`isExecutable="1"` is true."""
    files = {
        name: data.replace(b'isExecutable="true"', f'isExecutable="{value}"'.encode())
        for name, data in between("note", service("note", "desk.note", "noted")).items()
    }

    assert deployed(database, clock, files).instance("S-1").status == "closed"


@SQLITE
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1"])
def test_accepted_every_usual_encoding(database: Database, clock: Any, encoding: str) -> None:
    """Bytes are read as the file declares them; names keep their letters on the way to the inbox."""
    declared = {"utf-8-sig": "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}.get(encoding, encoding.upper())
    text = between("look", user("look").replace('name="Look"', 'name="Prüfung"'))["small.bpmn"].decode()
    text = text.replace('encoding="UTF-8"', f'encoding="{declared}"')
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    engine = deployed(database, clock, {"small.bpmn": mark + text.encode(encoding), "look.json": FORM})

    assert [task.name for task in engine.order_tasks("S-1")] == ["Prüfung"]


@SQLITE
def test_accepted_a_slow_side_path_does_not_bring_old_values_back(database: Database, clock: Any) -> None:
    """Variables belong to the instance: what a reminder carried when it began is not written over newer values."""
    def script(name: str, line: str) -> str:
        return f'<bpmn:scriptTask id="{name}"><bpmn:script>{line}</bpmn:script></bpmn:scriptTask>'

    inner = (
        script("early", "state = &quot;old&quot;") + user("look")
        + '<bpmn:boundaryEvent id="remind" attachedToRef="look" cancelActivity="false">'
        f'{TIMER.format("PT1H")}</bpmn:boundaryEvent>'
        f'<bpmn:intermediateCatchEvent id="wait">{TIMER.format("P1D")}</bpmn:intermediateCatchEvent>'
        + script("side", "reminded = true") + '<bpmn:endEvent id="side_over"/>'
        + script("late", "state = &quot;new&quot;") + user("last")
        + flow("begin", "early") + flow("early", "look") + flow("look", "late") + flow("late", "last")
        + flow("last", "finish") + flow("remind", "wait") + flow("wait", "side") + flow("side", "side_over")
    )
    engine = deployed(database, clock, process(inner) | {"look.json": FORM})

    clock.advance(hours=2)
    engine.work()  # the side path begins, while the state is old
    [task] = [task for task in engine.order_tasks("S-1") if task.state == "open"]
    engine.complete(task.id, SALES, {"fine": True})
    clock.advance(days=2)
    engine.work()  # the side path ends, long after the state is new

    variables = engine.instance("S-1").variables
    assert (variables["state"], variables["reminded"]) == ("new", True)


@SQLITE
def test_accepted_a_table_answers_into_the_instance_and_misses_no_input(database: Database, clock: Any) -> None:
    """The answer is a variable of the instance; a table whose input is missing says so, at its own element."""
    files = table(row("r1", "&lt;= 5", "10") + LAST, expression="amount")
    decision = parse_decision(files["rate.dmn"], "rate.dmn")

    assert decision.evaluate({"amount": 5}) == {"share": 10}
    assert decision.evaluate({"amount": 6}) == {"share": 0}
    for variables in ({}, {"amount": None}):
        with pytest.raises(ExpressionError, match="'Rate' lacks the input 'Amount'"):
            decision.evaluate(variables)


def test_the_operations_of_this_file_are_all_that_is_needed() -> None:
    """A bundle that is right in everything else has no finding, so that what is found above is what is meant."""
    assert check(between("note", service("note", "desk.note", "noted")), OPERATIONS) == []
    assert check(between("look", user("look")), Registry({})) == []


SIGNAL = '<bpmn:signal id="sig" name="go"/>'
CATCH = '<bpmn:signalEventDefinition signalRef="sig"/>'
THROWN = f"""<bpmn:parallelGateway id="fork"/><bpmn:parallelGateway id="join"/>
<bpmn:intermediateThrowEvent id="throw">{CATCH}</bpmn:intermediateThrowEvent>
<bpmn:intermediateCatchEvent id="catch">{CATCH}</bpmn:intermediateCatchEvent>
{flow("begin", "fork")}{flow("fork", "throw")}{flow("fork", "catch")}{flow("throw", "join")}{flow("catch", "join")}
{flow("join", "finish")}"""


def test_a_signal_that_nothing_throws_is_not_waited_for() -> None:
    """The order would stop there for ever; one that is thrown beside is fine."""
    alone = process(
        f'<bpmn:intermediateCatchEvent id="catch">{CATCH}</bpmn:intermediateCatchEvent>'
        f'{flow("begin", "catch")}{flow("catch", "finish")}', before=SIGNAL)

    assert rules(findings_of(alone), "catch") == {"signal-never"}
    assert rules(findings_of(process(THROWN, before=SIGNAL)), "catch") == set()


@pytest.mark.parametrize("caught", [True, False])
def test_an_error_that_ends_a_subprocess_is_caught_around_it(caught: bool) -> None:
    """Else the order would go on as if nothing had happened."""
    boundary = ('<bpmn:boundaryEvent id="edge" attachedToRef="inside"><bpmn:errorEventDefinition errorRef="bad"/>'
                f'</bpmn:boundaryEvent>{flow("edge", "finish")}') if caught else ""
    files = process(
        f'<bpmn:subProcess id="inside"><bpmn:startEvent id="inner"/><bpmn:endEvent id="broken">'
        f'<bpmn:errorEventDefinition errorRef="bad"/></bpmn:endEvent>{flow("inner", "broken")}</bpmn:subProcess>'
        f'{boundary}{flow("begin", "inside")}{flow("inside", "finish")}',
        before='<bpmn:error id="bad" name="bad" errorCode="bad"/>')

    assert rules(findings_of(files), "broken") == (set() if caught else {"error-end"})


@pytest.mark.parametrize("again", [True, False])
def test_ways_that_an_inclusive_gateway_chose_do_not_come_together_in_a_loop(again: bool) -> None:
    """The library counts what came the first time, so what follows would be done once for each way."""
    scripts = "".join(f'<bpmn:scriptTask id="{each}"><bpmn:script>{each}_1 = 1</bpmn:script></bpmn:scriptTask>'
                      for each in ("left", "right"))
    back = flow("end", "merge", "left_1 &gt; 1") if again else ""
    files = process(
        f'<bpmn:exclusiveGateway id="merge"/><bpmn:inclusiveGateway id="choose" default="choose__left"/>{scripts}'
        f'<bpmn:inclusiveGateway id="together"/><bpmn:exclusiveGateway id="end" default="end__finish"/>'
        f'{flow("begin", "merge")}{flow("merge", "choose")}{flow("choose", "left")}{flow("choose", "right", "true")}'
        f'{flow("left", "together")}{flow("right", "together")}{flow("together", "end")}{flow("end", "finish")}{back}')

    assert ("inclusive-loop" in rules(findings_of(files), "together")) == again


@pytest.mark.parametrize("leaves", [False, True])
def test_a_join_that_a_branch_may_not_reach_is_named(leaves: bool) -> None:
    """A choice inside one branch leads to an end: then the other branch waits at the join for ever."""
    fork = '<bpmn:parallelGateway id="fork"/><bpmn:parallelGateway id="join"/>'
    choice = ('<bpmn:exclusiveGateway id="choose" default="choose__join"/><bpmn:endEvent id="early"/>'
              if leaves else '<bpmn:exclusiveGateway id="choose" default="choose__join"/>')
    last = flow("choose", "early", "a.fine") if leaves else flow("choose", "join", "a.fine").replace(
        'id="choose__join"', 'id="other"')
    files = process(
        user("a") + user("b") + fork + choice + flow("begin", "fork") + flow("fork", "a") + flow("fork", "b")
        + flow("a", "choose") + flow("choose", "join") + last + flow("b", "join") + flow("join", "finish")
    ) | {"look.json": FORM}

    assert ("join-may-starve" in rules(findings_of(files), "join")) == leaves
