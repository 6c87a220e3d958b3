"""A bundle as the rules see it: diagrams with scopes, nodes and flows; forms; decision tables; operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from engine.decisions import Decision
from engine.findings import Report, local
from engine.standard import processes_run
from handlers.contract import Operation

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
SPIFF = "http://spiffworkflow.org/bpmn/schema/1.0/core"
BPMNDI = "http://www.omg.org/spec/BPMN/20100524/DI"
DC = "http://www.omg.org/spec/DD/20100524/DC"
DI = "http://www.omg.org/spec/DD/20100524/DI"

TASKS = frozenset({"userTask", "serviceTask", "businessRuleTask", "scriptTask", "receiveTask"})
SUBPROCESSES = frozenset({"subProcess", "transaction", "adHocSubProcess"})
ACTIVITIES = TASKS | SUBPROCESSES | {"callActivity", "task", "manualTask", "sendTask"}
DECIDING = frozenset({"exclusiveGateway", "inclusiveGateway"})
"""Gateways that look at the conditions of their flows."""
GATEWAYS = DECIDING | {"parallelGateway", "eventBasedGateway", "complexGateway"}
EVENTS = frozenset({"startEvent", "endEvent", "intermediateCatchEvent", "intermediateThrowEvent", "boundaryEvent"})
FLOW_NODES = ACTIVITIES | GATEWAYS | EVENTS


def tag(name: str) -> str:
    """The full BPMN tag."""
    return f"{{{BPMN}}}{name}"


def spiff(name: str) -> str:
    """The full tag of an extension."""
    return f"{{{SPIFF}}}{name}"


def is_bpmn(node: etree._Element) -> bool:
    return isinstance(node.tag, str) and node.tag.startswith(f"{{{BPMN}}}")


def text_of(node: etree._Element | None) -> str:
    """The text of an element without the spaces around it; empty when there is none."""
    return "".join(str(part) for part in node.itertext()).strip() if node is not None else ""


def properties_of(node: etree._Element) -> dict[str, str]:
    """The properties that an analyst set on an element."""
    path = f"{tag('extensionElements')}/{spiff('properties')}/{spiff('property')}"
    return {item.get("name", ""): item.get("value", "") for item in node.iterfind(path)}


@dataclass(eq=False)
class Flow:
    """A sequence flow."""

    xml: etree._Element
    id: str
    source: str
    target: str
    condition: str | None
    """The text of its condition; None when it has none, empty when the condition is empty."""


@dataclass(eq=False)
class Node:
    """A task, an event, a gateway or a subprocess."""

    xml: etree._Element
    id: str
    kind: str
    """The local name of its tag."""
    scope: Scope
    properties: Mapping[str, str]
    outgoing: list[Flow] = field(default_factory=list)
    incoming: list[Flow] = field(default_factory=list)
    boundaries: list[Node] = field(default_factory=list)
    """The events attached to it."""

    @property
    def name(self) -> str:
        return " ".join(self.xml.get("name", "").split()) or self.id

    @property
    def is_approval(self) -> bool:
        return self.kind == "userTask" and self.properties.get("kind") == "approval"

    @property
    def step(self) -> int | None:
        value = self.properties.get("step", "").strip()
        return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else None

    def child(self, name: str) -> etree._Element | None:
        """Its first BPMN child of this name."""
        return self.xml.find(tag(name))

    def extensions(self, name: str) -> list[etree._Element]:
        """Its extension elements of this name."""
        return self.xml.findall(f"{tag('extensionElements')}/{spiff(name)}")

    @property
    def definitions(self) -> list[etree._Element]:
        """Its event definitions."""
        return [child for child in self.xml if is_bpmn(child) and local(child).endswith("EventDefinition")]

    @property
    def event(self) -> str:
        """What kind of event it is: `timer`, `message`, … or `none`."""
        definitions = self.definitions
        return local(definitions[0]).removesuffix("EventDefinition") if definitions else "none"


@dataclass(eq=False)
class Scope:
    """A process or an embedded subprocess: what its flows may join."""

    xml: etree._Element
    id: str
    diagram: Diagram
    parent: Scope | None
    nodes: dict[str, Node] = field(default_factory=dict)
    flows: list[Flow] = field(default_factory=list)

    @property
    def process(self) -> Scope:
        return self if self.parent is None else self.parent.process

    @property
    def properties(self) -> dict[str, str]:
        return properties_of(self.xml)

    def targets(self, node: Node) -> list[Node]:
        """Where the flows of a node lead."""
        return [self.nodes[flow.target] for flow in node.outgoing if flow.target in self.nodes]


@dataclass(eq=False)
class Diagram:
    """One `.bpmn` file."""

    file: str
    root: etree._Element
    report: Report
    scopes: list[Scope] = field(default_factory=list)
    declared: dict[str, dict[str, etree._Element]] = field(default_factory=dict)
    """Messages, errors, escalations and signals by tag and id."""

    @property
    def processes(self) -> list[Scope]:
        return [scope for scope in self.scopes if scope.parent is None]

    def nodes(self, process: Scope | None = None) -> Iterator[Node]:
        """Every node, or those of one process and its subprocesses."""
        for scope in self.scopes:
            if process is None or scope.process is process:
                yield from scope.nodes.values()

    def declaration(self, kind: str, reference: str | None) -> etree._Element | None:
        return self.declared.get(kind, {}).get(reference or "")


@dataclass(eq=False)
class Form:
    """One form: its schema and, if there is one, its UI schema. None where the file cannot be read."""

    file: str
    schema: dict[str, Any] | None
    report: Report


@dataclass
class Context:
    """Everything that the rules of one bundle look at."""

    operations: Mapping[str, Operation]
    teams: Mapping[str, bool] | None = None
    """The teams that people can be of, and whether they do tasks; None when that is not known."""
    messages: frozenset[str] = frozenset()
    """The messages that are sent from outside; empty when that is not known."""
    diagrams: list[Diagram] = field(default_factory=list)
    decisions: dict[str, Decision | None] = field(default_factory=dict)
    """By id; None when the table could be found and not be read."""
    forms: dict[str, Form] = field(default_factory=dict)
    """By the name that a user task gives: `receive_order.json`."""
    known: object = None
    """What `dataflow.known_before` found, once it was asked."""

    @property
    def processes(self) -> dict[str, Scope]:
        return {scope.id: scope for diagram in self.diagrams for scope in diagram.processes}

    def form_of(self, node: Node) -> Form | None:
        return self.forms.get(node.properties.get("formJsonSchemaFilename", ""))


def read_diagram(file: str, root: etree._Element, report: Report) -> Diagram:
    """The scopes, nodes and flows of a diagram; what is doubled or joins nothing is left out, and rules report it."""
    diagram = Diagram(file, root, report)
    for kind in ("message", "error", "escalation", "signal"):
        diagram.declared[kind] = {node.get("id", ""): node for node in root.iterfind(tag(kind))}
    for process in processes_run(root):
        _read_scope(diagram, process, None)
    return diagram


def _read_scope(diagram: Diagram, xml: etree._Element, parent: Scope | None) -> None:
    scope = Scope(xml, xml.get("id", ""), diagram, parent)
    diagram.scopes.append(scope)
    for child in xml:
        if not is_bpmn(child):
            continue
        kind, name = local(child), child.get("id", "")
        if kind in FLOW_NODES and name not in scope.nodes:
            scope.nodes[name] = Node(child, name, kind, scope, properties_of(child))
        elif kind == "sequenceFlow":
            condition = child.find(tag("conditionExpression"))
            scope.flows.append(
                Flow(
                    child, name, child.get("sourceRef", ""), child.get("targetRef", ""),
                    None if condition is None else text_of(condition),
                )
            )
    for flow in scope.flows:
        if flow.source in scope.nodes:
            scope.nodes[flow.source].outgoing.append(flow)
        if flow.target in scope.nodes:
            scope.nodes[flow.target].incoming.append(flow)
    for node in scope.nodes.values():
        if node.kind == "boundaryEvent" and node.xml.get("attachedToRef", "") in scope.nodes:
            scope.nodes[node.xml.get("attachedToRef", "")].boundaries.append(node)
    for node in list(scope.nodes.values()):
        if node.kind in SUBPROCESSES:
            _read_scope(diagram, node.xml, scope)
