"""Files on the bench: an element is found in its file, changed, and everything else of the file stays as it was."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from itertools import count
from typing import Any, cast

from lxml import etree

from engine.errors import Conflict
from engine.findings import local
from engine.foreign.drawing import BPMNDI, add_shape, draw_flow, remove_drawing
from engine.lint.model import FLOW_NODES, SPIFF, properties_of, tag
from engine.lint.names import is_variable
from engine.safe_xml import parse_xml
from engine.standard import BPMN
from handlers.contract import Operation

_FIRST = ("documentation", "extensionElements", "auditing", "monitoring", "categoryValueRef", "incoming", "outgoing")
"""What stands before everything else inside an element, in the standard's order."""
_REFERRING = frozenset(
    {"incoming", "outgoing", "flowNodeRef", "sourceRef", "targetRef", "attachedToRef", "default", "processRef",
     "messageRef", "errorRef", "signalRef", "escalationRef"}
)  # fmt: skip


class CannotMend(Conflict):
    """The mending is not one of those that the element is offered now."""


class Bench:
    """The files of a bundle while they are mended."""

    def __init__(
        self, files: Mapping[str, bytes], operations: Mapping[str, Operation], teams: Collection[str] = ()
    ) -> None:
        """`teams` are those whose people do tasks; empty when that is not known."""
        self.files = dict(files)
        self.operations = operations
        self.teams = tuple(teams)
        self._roots: dict[str, etree._Element | None] = {}
        self._ids: dict[str, dict[str, etree._Element]] = {}

    def root(self, file: str) -> etree._Element | None:
        """The root of a diagram, or None when the file cannot be read."""
        if file not in self._roots:
            self._roots[file] = parse_xml(self.files[file], file)[0] if file in self.files else None
        return self._roots[file]

    def roots(self) -> Iterator[tuple[str, etree._Element]]:
        """Every diagram that can be read."""
        for file in sorted(self.files):
            if file.endswith(".bpmn") and (root := self.root(file)) is not None:
                yield file, root

    def find(self, file: str, element: str | None) -> etree._Element | None:
        """The BPMN element of this id; the root itself without one."""
        root = self.root(file)
        if root is None or element is None:
            return root
        if file not in self._ids:  # asked for every finding; nothing is changed meanwhile
            self._ids[file] = {node.get("id", ""): node for node in reversed(list(root.iter(f"{{{BPMN}}}*")))}
        return self._ids[file].get(element)

    def size(self, file: str) -> int:
        """How many elements with an id a diagram has."""
        self.find(file, "")
        return len(self._ids.get(file, ()))

    def written(self, file: str) -> dict[str, bytes]:
        """The files with one diagram as it was changed, in the encoding it came in."""
        root = self.root(file)
        if root is not None:
            tree = root.getroottree()
            info = tree.docinfo
            more: dict[str, Any] = {"standalone": True} if info.standalone else {}
            data = etree.tostring(tree, encoding=info.encoding or "UTF-8", xml_declaration=True, **more)
            self.files[file] = data.encode() if isinstance(data, str) else data
        return self.files

    def free_id(self, wish: str) -> str:
        """An id that no element of any diagram bears: the wish itself, or with a number."""
        taken = {node.get("id") for _, root in self.roots() for node in root.iter() if isinstance(node.tag, str)}
        return next(name for name in _numbered(wish) if name not in taken)

    def free_file(self, wish: str) -> str:
        """A name of a form that the bundle does not hold yet."""
        return next(name for name in _numbered(wish) if f"forms/{name}.json" not in self.files) + ".json"


def _numbered(wish: str) -> Iterator[str]:
    yield wish
    for number in count(2):
        yield f"{wish}_{number}"


def word_of(text: str, otherwise: str = "element") -> str:
    """A text as the name of a variable: `Check invoice (A)` → `check_invoice_a`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    found = re.sub(r"\W+", "_", plain).strip("_").lower()[:40].strip("_")
    found = found if not found[:1].isdigit() else f"{otherwise}_{found}"
    if not found:
        found = otherwise
    return found if is_variable(found) else f"{found}_1"


def title_of(xml: etree._Element) -> str:
    """The name of an element on one line; its id when it has none."""
    return " ".join((xml.get("name") or xml.get("id") or "").split())


def new_element(kind: str, like: etree._Element, attributes: Mapping[str, str] | None = None) -> etree._Element:
    """A BPMN element that is not placed yet, with the prefixes of another."""
    return etree.Element(tag(kind), dict(attributes or {}), nsmap=cast("dict[str, str]", like.nsmap))


def drop_attribute(xml: etree._Element, name: str) -> str | None:
    """Takes an attribute off; returns what it was."""
    value = xml.get(name)
    if value is not None:
        del xml.attrib[name]
    return value


def child_block(xml: etree._Element, name: str) -> etree._Element:
    """The child of this name among those that stand first; made at its place when there is none."""
    found = xml.find(tag(name))
    if found is None:
        found = new_element(name, xml)
        before = _FIRST[: _FIRST.index(name) + 1]
        place = sum(1 for child in xml if isinstance(child.tag, str) and local(child) in before)
        xml.insert(place, found)
    return found


def set_property(xml: etree._Element, name: str, value: str) -> None:
    """Sets one of the properties that analysts set."""
    block = child_block(xml, "extensionElements")
    properties = block.find(f"{{{SPIFF}}}properties")
    if properties is None:
        properties = etree.Element(f"{{{SPIFF}}}properties", nsmap={"spiffworkflow": SPIFF})
        block.insert(0, properties)
    for item in properties.iterfind(f"{{{SPIFF}}}property"):
        if item.get("name") == name:
            item.set("value", value)
            return
    etree.SubElement(properties, f"{{{SPIFF}}}property", {"name": name, "value": value})


def property_of(xml: etree._Element, name: str) -> str:
    return properties_of(xml).get(name, "")


def rename_id(root: etree._Element, old: str, new: str) -> None:
    """Gives an element another id, and everything that refers to it. What only happens to read the same stays."""
    for node in root.iter():
        if not isinstance(node.tag, str):
            continue
        for attribute, value in [(str(key), str(value)) for key, value in node.attrib.items()]:
            if not _may_refer(node, attribute):
                continue
            if value == old:
                node.set(attribute, new)
            elif value.endswith(f":{old}") and attribute in ("bpmnElement", "sourceRef", "targetRef"):
                node.set(attribute, f"{value[: -len(old)]}{new}")
        if local(node) in _REFERRING and (node.text or "").strip() == old:
            node.text = new


def _may_refer(node: etree._Element, attribute: str) -> bool:
    """Whether an attribute bears or names the id of a BPMN element; sizes, numbers and names of operations do not."""
    if node.tag == f"{{{SPIFF}}}property":
        return attribute == "value" and node.get("name") in ("cancellation", "separateFrom")
    if not str(node.tag).startswith((f"{{{BPMN}}}", f"{{{BPMNDI}}}")):
        return False
    return attribute in ("id", "bpmnElement", "default", "calledElement") or attribute.endswith("Ref")


# --- flows ----------------------------------------------------------------------------------------------------------


def flows_from(xml: etree._Element) -> list[etree._Element]:
    """The flows that leave an element."""
    return _flows(xml, "sourceRef")


def flows_to(xml: etree._Element) -> list[etree._Element]:
    """The flows that come to an element."""
    return _flows(xml, "targetRef")


def _flows(xml: etree._Element, end: str) -> list[etree._Element]:
    scope = xml.getparent()
    return [flow for flow in scope.findall(tag("sequenceFlow")) if flow.get(end) == xml.get("id")] \
        if scope is not None else []


def neighbour(flow: etree._Element, end: str) -> etree._Element | None:
    """The element at one end (`sourceRef`, `targetRef`) of a flow."""
    scope, name = flow.getparent(), flow.get(end)
    return next((node for node in scope if node.get("id") == name), None) if scope is not None and name else None


def add_node(
    root: etree._Element, beside: etree._Element, kind: str, name: str, title: str = "", *, before: bool = False
) -> etree._Element:
    """A new node in the scope of another, drawn beside it; in its lane too."""
    scope = beside.getparent()
    assert scope is not None
    node = new_element(kind, beside, {"id": name} | ({"name": title} if title else {}))
    node.tail = beside.tail
    scope.insert(scope.index(beside) + (0 if before else 1), node)
    size = "gateway" if kind.endswith("Gateway") else "event" if kind.endswith("Event") else "task"
    add_shape(root, name, size, beside.get("id", ""), before=before)
    for reference in list(scope.iter(tag("flowNodeRef"))):
        if (reference.text or "").strip() == beside.get("id"):
            twin = new_element("flowNodeRef", reference)
            twin.text, twin.tail = name, reference.tail
            reference.addnext(twin)
    return node


def add_flow(root: etree._Element, bench: Bench, source: etree._Element, target: etree._Element) -> etree._Element:
    """A new flow between two nodes of one scope."""
    scope = source.getparent()
    assert scope is not None
    name = bench.free_id(f"flow_{source.get('id')}_{target.get('id')}"[:80])
    ends = {"id": name, "sourceRef": source.get("id", ""), "targetRef": target.get("id", "")}
    flow = new_element("sequenceFlow", source, ends)
    nodes = [child for child in scope if isinstance(child.tag, str) and local(child) in FLOW_NODES | {"sequenceFlow"}]
    nodes[-1].addnext(flow)
    draw_flow(root, name, source.get("id", ""), target.get("id", ""))
    return flow


def move_flow(root: etree._Element, flow: etree._Element, end: str, node: etree._Element) -> None:
    """Leads one end of a flow to another node."""
    flow.set(end, node.get("id", ""))
    draw_flow(root, flow.get("id", ""), flow.get("sourceRef", ""), flow.get("targetRef", ""))


def rejoin(*nodes: etree._Element) -> None:
    """Writes the lists of incoming and outgoing flows of these nodes anew, as their flows are now."""
    for node in nodes:
        for kind in ("incoming", "outgoing"):
            for child in node.findall(tag(kind)):
                node.remove(child)
        place = sum(1 for child in node if isinstance(child.tag, str) and local(child) in _FIRST)
        names = [("incoming", flow) for flow in flows_to(node)] + [("outgoing", flow) for flow in flows_from(node)]
        for offset, (kind, flow) in enumerate(names):
            child = new_element(kind, node)
            child.text = flow.get("id", "")
            node.insert(place + offset, child)


def remove_node(root: etree._Element, xml: etree._Element) -> None:
    """Takes an element out of file and picture."""
    parent = xml.getparent()
    if parent is not None:
        remove_drawing(root, xml.get("id", ""))
        parent.remove(xml)
