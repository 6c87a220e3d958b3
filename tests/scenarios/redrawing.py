"""Changes of the shipped bundle as analysts make them: a task put in, an element taken out, one more field."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from engine.definitions import Bundle
from tests.drawing import BPMN, SPIFF

ROOT = Path(__file__).parents[2]
GIFT_FORM: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Gift wrap", "type": "object",
    "properties": {"paper": {"type": "string", "title": "Paper", "minLength": 1, "maxLength": 40}},
    "required": ["paper"], "additionalProperties": False, "examples": [{"paper": "red"}],
}


class Redrawn:
    """A bundle under change."""

    def __init__(self, bundle: Bundle | None = None) -> None:
        shipped = bundle or Bundle.from_folders(ROOT / "processes", ROOT / "forms")
        self.files = dict(shipped.files)

    @property
    def bundle(self) -> Bundle:
        return Bundle(dict(self.files))

    def puts_in(self, element: str, after: str, *, form: str = "gift_wrap.json", **properties: str) -> Redrawn:
        """A user task on the only flow that leaves another element."""
        self.files.setdefault(f"forms/{form}", json.dumps(GIFT_FORM).encode())
        told = {"team": "warehouse", "due": "PT2H", "formJsonSchemaFilename": form, **properties}
        lines = "".join(f'<s:property name="{name}" value="{value}"/>' for name, value in told.items())
        task = etree.fromstring(
            f'<b:userTask xmlns:b="{BPMN[1:-1]}" xmlns:s="{SPIFF[1:-1]}" id="{element}" name="{_name(element)}">'
            f"<b:extensionElements><s:properties>{lines}</s:properties></b:extensionElements></b:userTask>"
        )
        return self.inserts(task, after)

    def inserts(self, node: etree._Element, after: str) -> Redrawn:
        """Any activity on the only flow that leaves another element."""
        def change(process: etree._Element) -> None:
            flow = next(f for f in process.iter(f"{BPMN}sequenceFlow") if f.get("sourceRef") == after)
            target, element = flow.get("targetRef", ""), node.get("id", "")
            flow.set("targetRef", element)
            following = f"{element}__{target}"
            _replace(_by_id(process, target), "incoming", flow.get("id", ""), following)
            etree.SubElement(node, f"{BPMN}incoming").text = flow.get("id")
            etree.SubElement(node, f"{BPMN}outgoing").text = following
            process.insert(process.index(_by_id(process, after)) + 1, node)
            etree.SubElement(process, f"{BPMN}sequenceFlow", id=following, sourceRef=element, targetRef=target)
            lane = next((r.getparent() for r in process.iter(f"{BPMN}flowNodeRef") if r.text == after), None)
            if lane is not None:
                etree.SubElement(lane, f"{BPMN}flowNodeRef").text = element
        return self.changes(after, change)

    def takes_out(self, element: str) -> Redrawn:
        """An element with one way in and one out, or a boundary event; what nobody reaches any more goes too."""
        def change(process: etree._Element) -> None:
            node = _by_id(process, element)
            flows = list(process.iter(f"{BPMN}sequenceFlow"))
            out = next(f for f in flows if f.get("sourceRef") == element)
            into = [f for f in flows if f.get("targetRef") == element]
            target = _by_id(process, out.get("targetRef", ""))
            _drop(target, "incoming", out.get("id", ""))
            for flow in into:
                flow.set("targetRef", target.get("id", ""))
                etree.SubElement(target, f"{BPMN}incoming").text = flow.get("id")
            process.remove(out)
            process.remove(node)
            _drop(process, "flowNodeRef", element)
        return self.changes(element, change)

    def sets(self, element: str, **properties: str) -> Redrawn:
        """Properties of an element."""
        def change(process: etree._Element) -> None:
            extensions = _by_id(process, element).find(f"{BPMN}extensionElements")
            assert extensions is not None
            holder = extensions.find(f"{SPIFF}properties")
            assert holder is not None
            for name, value in properties.items():
                found = next((p for p in holder if p.get("name") == name), None)
                if found is None:
                    found = etree.SubElement(holder, f"{SPIFF}property", name=name)
                found.set("value", value)
        return self.changes(element, change)

    def renames(self, element: str, new: str) -> Redrawn:
        """Another id for an element, wherever it is named."""
        for file, data in self.files.items():
            if file.endswith(".bpmn"):
                self.files[file] = re.sub(rb"\b%s\b" % element.encode(), new.encode(), data)
        return self

    def in_lane(self, element: str, lane: str) -> Redrawn:
        """An element goes to another lane."""
        def change(process: etree._Element) -> None:
            _drop(process, "flowNodeRef", element)
            etree.SubElement(_by_id(process, lane), f"{BPMN}flowNodeRef").text = element
        return self.changes(element, change)

    def reads(self, table: str, variable: str) -> Redrawn:
        """Another variable for the first input of a decision table."""
        name = f"processes/{table}.dmn"
        self.files[name] = re.sub(rb"(<inputExpression[^>]*><text>)[^<]*", rb"\g<1>" + variable.encode(),
                                  self.files[name], count=1)
        return self

    def asks_for(self, form: str, field: str, title: str) -> Redrawn:
        """One more field on a form; it need not be filled in."""
        schema = json.loads(self.files[f"forms/{form}"])
        schema["properties"][field] = {"type": "boolean", "title": title}
        self.files[f"forms/{form}"] = json.dumps(schema).encode()
        name = f"forms/{form.removesuffix('.json')}.ui.json"
        ui = json.loads(self.files.get(name, b"{}"))
        if "ui:order" in ui:
            self.files[name] = json.dumps({**ui, "ui:order": [*ui["ui:order"], field]}).encode()
        return self

    def changes(self, element: str, change: Callable[[etree._Element], None]) -> Redrawn:
        """Anything, on the process that holds an element."""
        file, root = next((file, root) for file, root in self.roots() if _find(root, element) is not None)
        process = _find(root, element)
        assert process is not None
        while process.tag != f"{BPMN}process":
            process = process.getparent()
            assert process is not None
        drawn = set(root.xpath("//@bpmnElement"))
        change(process)
        for gone in drawn - set(root.xpath("//@id")):
            for shape in root.xpath("//*[@bpmnElement=$id]", id=gone):
                shape.getparent().remove(shape)
        self.files[file] = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
        return self

    def roots(self) -> Iterator[tuple[str, etree._Element]]:
        for file, data in self.files.items():
            if file.endswith(".bpmn"):
                yield file, etree.fromstring(data)


def _find(node: etree._Element, id_: str) -> etree._Element | None:
    return next((found for found in node.iter() if found.get("id") == id_), None)


def _by_id(node: etree._Element, id_: str) -> etree._Element:
    found = _find(node, id_)
    assert found is not None, id_
    return found


def _replace(node: etree._Element, tag: str, old: str, new: str) -> None:
    next(child for child in node.iterfind(f"{BPMN}{tag}") if child.text == old).text = new


def _drop(node: etree._Element, tag: str, text: str) -> None:
    for child in [child for child in node.iter(f"{BPMN}{tag}") if child.text == text]:
        child.getparent().remove(child)


def _name(element: str) -> str:
    return element.replace("_", " ").capitalize()
