"""Diagrams as other tools write them: small ones of our own, after the families A, B and C of the public test suite."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape

from tests.foreign.writing import Tool

Files = dict[str, bytes]


@dataclass(frozen=True)
class Foreign:
    """One diagram, and what is to become of it."""

    name: str
    vendor: str
    family: str
    build: Callable[[], Files]
    refused: Mapping[str, str] = field(default_factory=dict)
    """Element → rule, of what no fix takes away. Empty: it runs to its end when it is mended."""
    starts_with: Mapping[str, object] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    """Messages that come from outside, in order."""
    named: tuple[tuple[str, str], ...] = ()
    """Element and a word that the warnings about its extensions hold."""


def _one(data: bytes) -> Files:
    return {"processes/x.bpmn": data}


# --- A: how a flow is drawn ------------------------------------------------------------------------------------------


def trisotech_a1() -> Files:
    """Tasks without a type in a row, ids that begin with an underscore, Latin-1."""
    t = Tool("semantic:", 'xmlns:triso="http://www.trisotech.com/2015/triso/modeling"', 'exporter="BPMN Modeler"',
             "ISO-8859-1")  # fmt: skip
    common = {"completionQuantity": "1", "startQuantity": "1", "isForCompensation": "false"}
    ids = ["_93c466ab-b271", "_ec59e164-68b4", "_820c21c0-45f3", "_a47df184-085b"]
    inner = (
        t.tag("startEvent", id=ids[0], name="Start")
        + t.tag("task", id=ids[1], name="Prüfe Auftrag", triso__readOnly="false", **common)
        + t.tag("task", id=ids[2], name="Task 2", **common)
        + t.tag("endEvent", id=ids[3], name="End") + t.flows(*ids)
    )
    return _one(t.file(t.tag("process", inner, id="WFP-6-", isExecutable="false"), tuple(ids)))


def signavio_a2() -> Files:
    """An exclusive gateway whose flows bear names and no conditions, and a join by drawing."""
    t = Tool("", 'xmlns:signavio="http://www.signavio.com"', 'exporter="Signavio Process Editor"')
    looks = t.extensions('<signavio:signavioMetaData metaKey="bgcolor" metaValue="#ffffcc"/>')
    s = [f"sid-{number}A-4F" for number in range(7)]
    inner = (
        t.tag("startEvent", looks, id=s[0], name="") + t.tag("task", looks, id=s[1], name="Look at it")
        + t.tag("exclusiveGateway", looks, id=s[2], name="Fine?", gatewayDirection="Diverging")
        + t.tag("manualTask", id=s[3], name="Repair") + t.tag("task", id=s[4], name="Replace")
        + t.tag("exclusiveGateway", id=s[5], gatewayDirection="Converging") + t.tag("endEvent", id=s[6])
        + t.flows(s[0], s[1], s[2]) + t.flow(s[2], s[3], name="a little") + t.flow(s[2], s[4], name="not at all")
        + t.flow(s[2], s[5], name="yes") + t.flows(s[3], s[5]) + t.flows(s[4], s[5], s[6])
    )
    return _one(t.file(t.tag("process", inner, id="sid-process", isExecutable="false"), tuple(s)))


def bpmnio_a3() -> Files:
    """A collapsed subprocess with nothing drawn inside, and one with a message on its border that nobody declared."""
    t = Tool(namespaces='xmlns:bioc="http://bpmn.io/schema/bpmn/biocolor/1.0"')
    message = t.tag("messageEventDefinition", id="MED_1")
    body = (
        t.tag("startEvent", id="Event_in") + t.tag("task", id="Activity_in", name="Work inside")
        + t.tag("endEvent", id="Event_out") + t.flows("Event_in", "Activity_in", "Event_out")
    )
    inner = (
        t.tag("startEvent", id="StartEvent_1") + t.tag("subProcess", id="Activity_closed", name="Closed work")
        + t.tag("subProcess", body, id="Activity_open", name="Open work")
        + t.tag("boundaryEvent", message, id="Event_border", name="Called off", attachedToRef="Activity_open")
        + t.tag("task", id="Activity_after", name="Clean up") + t.tag("endEvent", id="Event_end")
        + t.flows("StartEvent_1", "Activity_closed", "Activity_open", "Event_end")
        + t.flows("Event_border", "Activity_after", "Event_end")
    )
    names = ("StartEvent_1", "Activity_closed", "Activity_open", "Activity_after", "Event_end")
    return _one(t.file(t.tag("process", inner, id="Process_1"), names))


def bizagi_a4() -> Files:
    """Two pools with a process each, lanes whose names are teams, message flows between the pools."""
    t = Tool("", 'xmlns:bizagi="http://www.bizagi.com/bpmn20"')
    shop = t.extensions('<bizagi:BizagiExtensions><bizagi:BizagiProperties/></bizagi:BizagiExtensions>')
    lanes = t.tag("laneSet", t.tag("lane", t.tag("flowNodeRef", "Id_1") + t.tag("flowNodeRef", "Id_2"), id="Id_l1",
                  name="Sales") + t.tag("lane", t.tag("flowNodeRef", "Id_3") + t.tag("flowNodeRef", "Id_4"),
                  id="Id_l2", name="Warehouse"), id="Id_lanes")  # fmt: skip
    seller = (
        shop + lanes + t.tag("startEvent", id="Id_1", name="Asked") + t.tag("userTask", id="Id_2", name="Write offer")
        + t.tag("task", id="Id_3", name="Pack samples") + t.tag("endEvent", id="Id_4")
        + t.flows("Id_1", "Id_2", "Id_3", "Id_4")
    )
    buyer = (
        t.tag("startEvent", id="Id_b1") + t.tag("task", id="Id_b2", name="Read offer") + t.tag("endEvent", id="Id_b3")
        + t.flows("Id_b1", "Id_b2", "Id_b3")
    )
    pools = t.tag(
        "collaboration",
        t.tag("participant", id="Id_p1", name="Seller", processRef="Id_seller")
        + t.tag("participant", id="Id_p2", name="Buyer", processRef="Id_buyer")
        + t.tag("participant", id="Id_p3", name="Bank")
        + t.tag("messageFlow", id="Id_m1", sourceRef="Id_2", targetRef="Id_b2"),
        id="Id_pools",
    )
    return _one(t.file(
        pools + t.tag("process", seller, id="Id_seller", name="Offer", isClosed="false")
        + t.tag("process", buyer, id="Id_buyer"), ("Id_1", "Id_2", "Id_3", "Id_4")))


def adonis_a41() -> Files:
    """Lanes inside a lane, a subprocess in a lane whose tasks the lane lists too; UTF-16."""
    t = Tool(namespaces='xmlns:boc="http://www.boc-group.com"', encoding="UTF-16")
    extra = t.extensions('<boc:attribute name="Responsible" value="x"/>')
    inside = (
        t.tag("startEvent", id="_i1") + t.tag("task", id="_i2", name="Count") + t.tag("endEvent", id="_i3")
        + t.flows("_i1", "_i2", "_i3")
    )
    inner = (
        t.tag("laneSet", t.tag("lane", t.tag("childLaneSet",
            t.tag("lane", "".join(t.tag("flowNodeRef", name) for name in ("_s", "_sub", "_i2")), id="_l2",
                  name="Finance"), id="_cs"), id="_l1", name="House"), id="_ls")
        + t.tag("startEvent", id="_s") + t.tag("subProcess", extra + inside, id="_sub", name="Stocktaking")
        + t.tag("task", id="_t", name="Book it") + t.tag("endEvent", id="_e") + t.flows("_s", "_sub", "_t", "_e")
    )
    return _one(t.file(t.tag("process", inner, id="_p", name="Stocktaking"), ("_s", "_sub", "_t", "_e")))


# --- B: what can be drawn --------------------------------------------------------------------------------------------


def w4_b1() -> Files:
    """Everything about data and notes: objects, stores, associations, inputs, performers, groups, annotations."""
    t = Tool("", 'xmlns:w4="http://www.w4.eu/spec/BPMN/20110701/MODEL"')
    inputs = t.tag("ioSpecification", t.tag("dataInput", id="in1", name="paper") + t.tag("inputSet")
                   + t.tag("outputSet"), id="io")  # fmt: skip
    binds = t.tag("dataInputAssociation", t.tag("sourceRef", "ref") + t.tag("targetRef", "in1"), id="bind")
    owner = t.tag("potentialOwner", t.tag("resourceAssignmentExpression", t.tag("formalExpression", "shipping")))
    gives = t.tag("dataOutputAssociation", t.tag("targetRef", "store_ref"), id="gives")
    inner = (
        t.tag("property", id="prop", name="weight") + t.tag("dataObject", id="paper", name="Paper")
        + t.tag("dataObjectReference", id="ref", dataObjectRef="paper", name="Paper")
        + t.tag("dataStoreReference", id="store_ref", dataStoreRef="store") + t.tag("startEvent", id="s")
        + t.tag("userTask", inputs + binds + owner, id="read", name="Read paper")
        + t.tag("callActivity", id="call", name="Weigh", calledElement="weighing")
        + t.tag("scriptTask", gives + t.tag("script", "weight = 3 * 2"), id="note", name="Note")
        + t.tag("endEvent", id="e") + t.flows("s", "read", "call", "note", "e")
        + t.tag("textAnnotation", t.tag("text", "Read twice"), id="a1")
        + t.tag("association", id="as1", sourceRef="read", targetRef="a1") + t.tag("group", id="g1")
    )
    weighing = (
        t.tag("startEvent", id="ws") + t.tag("intermediateThrowEvent", id="wi") + t.tag("endEvent", id="we")
        + t.flows("ws", "wi", "we")
    )
    return _one(t.file(
        t.tag("import", importType="http://www.w3.org/2001/XMLSchema", location="x.xsd", namespace="urn:x")
        + t.tag("itemDefinition", id="item", structureRef="xsd:string") + t.tag("dataStore", id="store", name="Archive")
        + t.tag("process", inner, id="papers", name="Papers", isExecutable="true", w4__version="1")
        + t.tag("process", weighing, id="weighing", isExecutable="1"), ("s", "read", "call", "note", "e")))


def signavio_b2() -> Files:
    """One of each event and gateway that would silently do something else: each is named."""
    t = Tool("", 'xmlns:signavio="http://www.signavio.com"')
    parts = {
        "undo": t.tag("intermediateThrowEvent", t.tag("compensateEventDefinition"), id="undo"),
        "jump": t.tag("intermediateThrowEvent", t.tag("linkEventDefinition", name="A"), id="jump"),
        "when": t.tag("intermediateCatchEvent", t.tag("conditionalEventDefinition"), id="when"),
        "odd": t.tag("complexGateway", id="odd"),
        "loose": t.tag("adHocSubProcess", t.tag("task", id="inside"), id="loose"),
    }
    inner = (
        t.tag("startEvent", t.tag("timerEventDefinition", t.tag("timeCycle", "R/P1D")), id="begin")
        + "".join(parts.values()) + t.tag("endEvent", t.tag("signalEventDefinition", signalRef="sig"), id="finish")
        + t.flows("begin", *parts, "finish")
    )
    return _one(t.file(t.tag("signal", id="sig", name="Done") + t.tag("process", inner, id="events")))


def bpmnio_b3() -> Files:
    """Standard events that run as they are: a timer and a message behind a gateway, flags written as 1 and 0, data."""
    t = Tool()
    timer = t.tag("timerEventDefinition", t.tag("timeDuration", "P3D", xsi__type="bpmn:tFormalExpression"), id="td")
    remind = t.tag("timerEventDefinition", t.tag("timeCycle", "R2/P1D"), id="tc")
    inner = (
        t.tag("dataObject", id="paper") + t.tag("dataObjectReference", id="paper_ref", dataObjectRef="paper")
        + t.tag("startEvent", id="began") + t.tag("eventBasedGateway", id="either")
        + t.tag("intermediateCatchEvent", t.tag("messageEventDefinition", messageRef="m1"), id="came", name="Came")
        + t.tag("intermediateCatchEvent", timer, id="late") + t.tag("receiveTask", id="more", messageRef="m2")
        + t.tag("boundaryEvent", remind, id="again", attachedToRef="more", cancelActivity="0")
        + t.tag("scriptTask", t.tag("script", "reminded = true"), id="mark") + t.tag("endEvent", id="marked")
        + t.tag("parallelGateway", id="both") + t.tag("scriptTask", t.tag("script", "left = 1"), id="one")
        + t.tag("scriptTask", t.tag("script", "right = 2"), id="two") + t.tag("parallelGateway", id="joined")
        + t.tag("exclusiveGateway", id="meet") + t.tag("endEvent", t.tag("terminateEventDefinition"), id="done")
        + t.flows("began", "either", "came", "more", "meet") + t.flows("either", "late", "meet")
        + t.flows("again", "mark", "marked") + t.flows("meet", "both", "one", "joined", "done")
        + t.flows("both", "two", "joined") + t.tag("group", id="g")
    )
    pools = t.tag(
        "collaboration",
        t.tag("participant", id="us", processRef="waiting") + t.tag("participant", id="them", name="Partner")
        + t.tag("messageFlow", id="mf", sourceRef="them", targetRef="came"),
        id="c",
    )
    return _one(t.file(
        t.tag("message", id="m1", name="Payment received") + t.tag("message", id="m2", name="Goods received") + pools
        + t.tag("process", inner, id="waiting", name="Waiting", isExecutable="1")))


# --- C: what is meant to run -----------------------------------------------------------------------------------------


def camunda7_c1() -> Files:
    """An invoice: groups, form fields, `${approved}` and its opposite, a topic that names one of our operations."""
    t = Tool("", 'xmlns:camunda="http://camunda.org/schema/1.0/bpmn"', 'exporter="Camunda Modeler"')
    fields = t.extensions(
        '<camunda:formData><camunda:formField id="approved" label="Approved" type="boolean"/>'
        '<camunda:formField id="level" label="Level" type="enum"><camunda:value id="low" name="Low"/>'
        '<camunda:value id="high" name="High"/></camunda:formField></camunda:formData>'
    )
    topic = t.extensions('<camunda:inputOutput><camunda:inputParameter name="text">${approve.level}'
                         "</camunda:inputParameter></camunda:inputOutput>")  # fmt: skip
    inner = (
        t.tag("startEvent", id="Start", name="Invoice received", camunda__initiator="starter")
        + t.tag("userTask", fields, id="approve", name="Approve invoice", camunda__candidateGroups="finance",
                camunda__assignee="${approver}", camunda__dueDate="${now}")
        + t.tag("exclusiveGateway", id="good", name="Approved?")
        + t.tag("serviceTask", topic, id="pay", name="Pay", camunda__type="external", camunda__topic="desk-note")
        + t.tag("sendTask", id="tell", name="Tell the sender", camunda__delegateExpression="${mailer}")
        + t.tag("endEvent", t.tag("messageEventDefinition"), id="End", name="Paid") + t.tag("endEvent", id="refused")
        + t.flows("Start", "approve", "good") + t.flow("good", "pay", "${approved}", "yes")
        + t.flow("good", "tell", "${!approved}", "no") + t.flows("pay", "End") + t.flows("tell", "refused")
    )
    names = ("Start", "approve", "good", "pay", "End")
    return _one(t.file(t.tag("process", inner, id="invoice", name="Invoice", isExecutable="true",
                             camunda__historyTimeToLive="180"), names))  # fmt: skip


def flowable_c2() -> Files:
    """Form properties, a loop over a collection, a task that two conditional flows leave."""
    t = Tool("", 'xmlns:flowable="http://flowable.org/bpmn"')
    fields = t.extensions('<flowable:formProperty id="days" name="Days" type="long" required="true"/>')
    inner = (
        t.tag("startEvent", id="start") + t.tag("userTask", fields, id="ask", name="Ask for leave",
              flowable__assignee="${initiator}", flowable__candidateGroups="sales", default="f_ask_short")
        + t.tag("userTask", id="short", name="Note it", flowable__candidateGroups="sales")
        + t.tag("userTask", id="long", name="Discuss it", flowable__candidateGroups="owner,finance")
        + t.tag("endEvent", id="end") + t.flows("start", "ask") + t.flow("ask", "short")
        + t.flow("ask", "long", escape("${days > 5}")) + t.flows("short", "end") + t.flows("long", "end")
    )  # fmt: skip
    return _one(t.file(t.tag("process", inner, id="leave", name="Leave", isExecutable="true"),
                       ("start", "ask", "short", "end")))  # fmt: skip


def flowable_c3() -> Files:
    """A script in Groovy that is more than an assignment: nobody can translate it."""
    t = Tool("", 'xmlns:flowable="http://flowable.org/bpmn"')
    inner = (
        t.tag("startEvent", id="start")
        + t.tag("scriptTask", t.tag("script", "new File('x').eachLine { println it }"), id="run", name="Run",
                scriptFormat="groovy", flowable__autoStoreVariables="false") + t.tag("endEvent", id="end")
        + t.flows("start", "run", "end")
    )
    return _one(t.file(t.tag("process", inner, id="scripted", isExecutable="true")))


def zeebe_c9() -> Files:
    """FEEL everywhere, a form as JSON in the process, a job type, a duration in a function, a script with a result."""
    t = Tool(
        "bpmn:",
        'xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:modeler="http://camunda.org/schema/modeler/1.0"',
        'modeler:executionPlatform="Camunda Cloud"',
    )
    form = escape(json.dumps({"components": [
        {"type": "number", "key": "amount", "label": "Amount", "validate": {"required": True}},
        {"type": "select", "key": "kind", "label": "Kind", "values": [{"value": "old", "label": "Old"},
         {"value": "new", "label": "New"}]},
    ]}), quote=False)  # fmt: skip
    task = t.extensions('<zeebe:userTask/><zeebe:formDefinition formKey="camunda-forms:bpmn:userTaskForm_1"/>'
                        '<zeebe:assignmentDefinition candidateGroups="sales"/>'
                        '<zeebe:taskSchedule dueDate="=duration(&#34;PT8H&#34;)"/>')  # fmt: skip
    job = t.extensions('<zeebe:taskDefinition type="desk.note" retries="3"/><zeebe:ioMapping>'
                       '<zeebe:input source="=&#34;seen&#34;" target="text"/></zeebe:ioMapping>')  # fmt: skip
    script = t.extensions('<zeebe:script expression="=enter.amount * 2" resultVariable="doubled"/>')
    wait = t.tag("timerEventDefinition", t.tag("timeDuration", "=duration(&#34;PT1H&#34;)"), id="td")
    inner = (
        t.extensions(f'<zeebe:userTaskForm id="userTaskForm_1">{form}</zeebe:userTaskForm>')
        + t.tag("startEvent", id="StartEvent_1") + t.tag("userTask", task, id="enter", name="Enter amount")
        + t.tag("exclusiveGateway", id="Gateway_1", name="Much?", default="f_Gateway_1_note")
        + t.tag("scriptTask", script, id="double", name="Double") + t.tag("serviceTask", job, id="note", name="Note")
        + t.tag("intermediateCatchEvent", wait, id="wait") + t.tag("endEvent", id="Event_end")
        + t.flows("StartEvent_1", "enter", "Gateway_1") + t.flow("Gateway_1", "note", name="no")
        + t.flow("Gateway_1", "double", escape("= amount > 1000 and not(kind = \"old\")"), "yes")
        + t.flows("double", "wait", "note", "Event_end")
    )
    return _one(t.file(t.tag("process", inner, id="amounts", name="Amounts", isExecutable="true"),
                       ("StartEvent_1", "enter", "Gateway_1", "double", "wait", "note", "Event_end")))  # fmt: skip


def adonis_c4() -> Files:
    """Nothing but tasks: no start, no end, two ways out of a task, a message that starts it, performers by name."""
    t = Tool(namespaces='xmlns:boc="http://www.boc-group.com"')
    owner = t.tag("humanPerformer", name="Shipping")
    inner = (
        t.tag("userTask", owner, id="first", name="Weigh") + t.tag("task", id="left", name="Label")
        + t.tag("task", id="right", name="Wrap") + t.flows("first", "left") + t.flows("first", "right")
    )
    return _one(t.file(t.tag("process", inner, id="parcel", name="Parcel"), ("first", "left", "right")))


def camunda7_c5() -> Files:
    """A message start with a start form whose fields conditions read, and a gateway that reads what nobody asks for."""
    t = Tool("bpmn:", 'xmlns:camunda="http://camunda.org/schema/1.0/bpmn"')
    field = '<camunda:formField id="amount" label="Amount" type="long"/>'
    ask = t.extensions(f"<camunda:formData>{field}</camunda:formData>")
    inner = (
        t.tag("startEvent", ask + t.tag("messageEventDefinition", messageRef="m"), id="asked", name="Asked")
        + t.tag("exclusiveGateway", id="much", name="Much?", default="f_much_sign")
        + t.tag("userTask", id="check", name="Check", camunda__candidateGroups="finance")
        + t.tag("exclusiveGateway", id="fine", default="f_fine_sign") + t.tag("userTask", id="sign", name="Sign",
              camunda__candidateGroups="finance") + t.tag("endEvent", id="ended") + t.tag("endEvent", id="given_up")
        + t.flows("asked", "much") + t.flow("much", "sign") + t.flow("much", "check", escape("${amount > 100}"))
        + t.flows("check", "fine") + t.flow("fine", "sign") + t.flow("fine", "given_up", "${verdict == 'no'}")
        + t.flows("sign", "ended")
    )  # fmt: skip
    return _one(t.file(t.tag("message", id="m", name="asked") + t.tag("process", inner, id="request", name="Request",
                       isExecutable="true"), ("asked", "much", "check", "fine", "sign", "ended")))  # fmt: skip


def trisotech_c6() -> Files:
    """A task that waits for several: a loop that never says how often, and an event subprocess."""
    t = Tool("semantic:", 'xmlns:triso="http://www.trisotech.com/2015/triso/modeling"')
    loop = t.tag("multiInstanceLoopCharacteristics", isSequential="0")
    aside = t.tag("startEvent", t.tag("messageEventDefinition", messageRef="m"), id="as") + t.tag(
        "endEvent", id="ae") + t.flows("as", "ae")  # fmt: skip
    inner = (
        t.tag("startEvent", id="s") + t.tag("userTask", loop, id="vote", name="Vote") + t.tag("endEvent", id="e")
        + t.flows("s", "vote", "e") + t.tag("subProcess", aside, id="aside", triggeredByEvent="true")
    )
    return _one(t.file(t.tag("message", id="m", name="stop") + t.tag("process", inner, id="votes",
                                                                     isExecutable="true")))  # fmt: skip


DIAGRAMS = (
    Foreign("tasks in a row", "Trisotech", "A", trisotech_a1, named=(("definitions", "Trisotech"),)),
    Foreign("a gateway without conditions", "Signavio", "A", signavio_a2),
    Foreign("subprocesses", "bpmn.io", "A", bpmnio_a3),
    Foreign("pools and lanes", "Bizagi", "A", bizagi_a4, named=(("Id_seller", "Bizagi"),)),
    Foreign("lanes in lanes", "ADONIS", "A", adonis_a41, named=(("_sub", "ADONIS"),)),
    Foreign("data and notes", "W4", "B", w4_b1, named=(("papers", "version"),)),
    Foreign("events that would do nothing", "Signavio", "B", signavio_b2, refused={
        "undo": "compensation-event", "jump": "link-event", "when": "conditional-event",
        "odd": "unsupported-complexGateway", "loose": "unsupported-adHocSubProcess"}),
    Foreign("standard events", "bpmn.io", "B", bpmnio_b3, messages=("Payment received", "Goods received")),
    Foreign("an invoice", "Camunda 7", "C", camunda7_c1, named=(
        ("approve", "candidateGroups"), ("approve", 'property "team"'), ("pay", "topic"), ("approve", "formData"))),
    Foreign("leave", "Flowable", "C", flowable_c2, named=(("ask", "Flowable"), ("ask", "formProperty"))),
    Foreign("a script", "Flowable", "C", flowable_c3, refused={"run": "script"}),
    Foreign("amounts", "Camunda 8 (Zeebe)", "C", zeebe_c9, named=(
        ("note", "taskDefinition"), ("note", "choose an operation"), ("enter", "Camunda 8 (Zeebe)"))),
    Foreign("only tasks", "ADONIS", "C", adonis_c4),
    Foreign("a request", "Camunda 7", "C", camunda7_c5, starts_with={"amount": 500}),
    Foreign("votes", "Trisotech", "C", trisotech_c6, refused={
        "vote": "repetition", "aside": "event-subprocess", "as": "message-event"}),
)
