"""Bundles of diagrams, forms and decision tables, and what they mean once parsed.

A bundle is deployed as a whole and never changed. It is parsed once; all instances of a version share the result.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lxml import etree

from engine.codec import Specs, pack, unpack, wire_loops
from engine.decisions import Decision, parse_decision
from engine.errors import NotFound
from engine.safe_xml import xml_text
from engine.specs import BPMN, parse
from engine.views import StepView

SPIFF = "http://spiffworkflow.org/bpmn/schema/1.0/core"
_B, _S = f"{{{BPMN}}}", f"{{{SPIFF}}}"
LONGEST_NAME = 200
"""Characters of the name of an element or a process."""


@dataclass(frozen=True)
class Bundle:
    """The files that are deployed together, by name: `processes/*.bpmn`, `processes/*.dmn`, `forms/*.json`."""

    files: Mapping[str, bytes]

    @classmethod
    def from_folders(cls, processes: Path, forms: Path) -> Bundle:
        """Reads the diagrams and tables of one folder and the forms of another."""
        found: dict[str, bytes] = {}
        for folder, prefix, suffixes in ((processes, "processes", {".bpmn", ".dmn"}), (forms, "forms", {".json"})):
            for path in sorted(folder.iterdir()):
                if path.suffix in suffixes:
                    found[f"{prefix}/{path.name}"] = path.read_bytes()
        return cls(found)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over names and contents, in hex."""
        total = hashlib.sha256()
        for name in sorted(self.files):
            total.update(f"{name}\0{len(self.files[name])}\0".encode())
            total.update(self.files[name])
        return total.hexdigest()

    def pack(self) -> bytes:
        return pack({name: base64.b64encode(data).decode() for name, data in self.files.items()})

    @classmethod
    def unpack(cls, data: bytes) -> Bundle:
        return cls({name: base64.b64decode(text) for name, text in unpack(data).items()})


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a diagram, with what Waybill reads of it."""

    id: str
    name: str
    kind: str
    """The local name of its tag, e.g. `userTask`."""
    process: str
    properties: Mapping[str, str] = field(default_factory=dict)
    documentation: str = ""
    instructions: str = ""
    attached_to: str | None = None
    """For a boundary event: the activity it sits on."""

    @property
    def step(self) -> int | None:
        value = self.properties.get("step", "")
        return int(value) if value.isdigit() else None

    @property
    def commits(self) -> bool:
        """Whether nothing can be cancelled any more once it is done."""
        return self.properties.get("commits", "false") != "false"

    @property
    def is_approval(self) -> bool:
        return self.properties.get("kind") == "approval"

    def steps(self, name: str) -> tuple[int, ...]:
        """The step numbers a property lists, e.g. `submits="3,4"`."""
        return tuple(int(part) for part in self.properties.get(name, "").split(",") if part.strip().isdigit())


@dataclass(frozen=True, slots=True)
class Diagram:
    """One process of a bundle."""

    id: str
    name: str
    file: str
    elements: Mapping[str, Element]
    properties: Mapping[str, str]
    specs: Specs


@dataclass(frozen=True, eq=False)
class Definition:
    """One deployed version, parsed."""

    version_id: int
    key: str
    version: int
    bundle: Bundle
    diagrams: Mapping[str, Diagram]
    decisions: Mapping[str, Decision]

    def diagram(self, process: str) -> Diagram:
        return self.diagrams[process]

    def find(self, process: str, element_id: str) -> Element | None:
        """An element of a process, or else of one that it calls; None when none of them has it."""
        return next((diagram.elements[element_id] for diagram in self._with_called(process)
                     if element_id in diagram.elements), None)

    def gates(self, process: str) -> list[Element]:
        """The gates of a process and of those that it calls."""
        return [each for diagram in self._with_called(process) for each in diagram.elements.values()
                if each.is_approval]

    def _with_called(self, process: str) -> Iterator[Diagram]:
        """A process, then those that it calls, each once."""
        waiting, seen = [process], set[str]()
        while waiting:
            name = waiting.pop(0)
            if name in seen or name not in self.diagrams:
                continue
            seen.add(name)
            yield self.diagrams[name]
            waiting += [each.properties["calledElement"] for each in self.diagrams[name].elements.values()
                        if "calledElement" in each.properties]

    def element(self, process: str, element_id: str) -> Element:
        """An element that a process, or one that it calls, is known to have."""
        found = self.find(process, element_id)
        assert found is not None, element_id
        return found

    @property
    def cancellation(self) -> str | None:
        """The id of the process that undoes this one."""
        return self.diagrams[self.key].properties.get("cancellation")

    def xml(self, process: str) -> str:
        return xml_text(self.bundle.files[self.diagrams[process].file])

    def form(self, element: Element) -> dict[str, Any]:
        """The JSON Schema of a user task's form; a fresh copy."""
        name = element.properties.get("formJsonSchemaFilename")
        return self._json(f"forms/{name}") if name else {}

    def ui(self, element: Element) -> dict[str, Any]:
        """The UI schema that stands beside the form; a fresh copy."""
        name = element.properties.get("formJsonSchemaFilename", "")
        return self._json("forms/" + name.removesuffix(".json") + ".ui.json")

    def _json(self, name: str) -> dict[str, Any]:
        data = self.bundle.files.get(name)
        loaded: dict[str, Any] = json.loads(data) if data is not None else {}
        return loaded

    def steps_of(self, element: Element) -> int:
        """The number of the last step in the process that draws the element; 0 where no step has one."""
        return max((each.step or 0 for each in self.diagrams[element.process].elements.values()), default=0)

    def steps(self) -> tuple[StepView, ...]:
        """The numbered steps of the process, in order."""
        found = {
            e.step: StepView(e.step, e.name, e.properties.get("team"), e.is_approval, e.commits)
            for e in self.diagrams[self.key].elements.values()
            if e.step is not None
        }
        return tuple(found[number] for number in sorted(found))

    def step_names(self) -> dict[int, tuple[str, str | None]]:
        """Step number → name and team (None: nobody's, it runs by itself)."""
        return {
            e.step: (e.name, e.properties.get("team"))
            for e in self.diagrams[self.key].elements.values()
            if e.step is not None
        }


def parse_bundle(bundle: Bundle) -> tuple[dict[str, Diagram], dict[str, Decision]]:
    """Parses a bundle that the linter has passed."""
    roots = {name: _root(data) for name, data in bundle.files.items() if name.endswith(".bpmn")}
    specs = parse(roots)
    diagrams: dict[str, Diagram] = {}
    for file, root in roots.items():
        for process in root.iter(f"{_B}process"):
            process_id = process.get("id", "")
            if process_id in specs:
                wire_loops(specs[process_id])
                diagrams[process_id] = Diagram(
                    process_id, _short(process.get("name") or process_id), file, _elements(process),
                    _properties(process), specs[process_id],
                )
    decisions = [parse_decision(data, name) for name, data in bundle.files.items() if name.endswith(".dmn")]
    return diagrams, {decision.id: decision for decision in decisions}


def main_processes(diagrams: Mapping[str, Diagram]) -> list[str]:
    """The processes that stand for themselves: those that no other one names as its cancellation."""
    undo = {diagram.properties.get("cancellation") for diagram in diagrams.values()}
    called = {
        element.properties.get("calledElement")
        for diagram in diagrams.values()
        for element in diagram.elements.values()
    }
    return [key for key in diagrams if key not in undo and key not in called]


def build_definition(version_id: int, key: str, version: int, bundle: Bundle) -> Definition:
    diagrams, decisions = parse_bundle(bundle)
    if key not in diagrams:
        raise NotFound(f"The bundle holds no process {key!r}.")
    return Definition(version_id, key, version, bundle, diagrams, decisions)


def _root(data: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_blank_text=False)
    return etree.fromstring(data, parser)


def _properties(node: etree._Element) -> dict[str, str]:
    path = f"{_B}extensionElements/{_S}properties/{_S}property"
    return {p.get("name", ""): p.get("value", "") for p in node.iterfind(path)}


def _elements(process: etree._Element) -> dict[str, Element]:
    found = {}
    for node in process.iter():
        if not isinstance(node.tag, str) or not node.tag.startswith(_B) or node.get("id") is None:
            continue
        kind = etree.QName(node).localname
        if kind in ("sequenceFlow", "lane", "laneSet", "process", "association", "textAnnotation"):
            continue
        properties = _properties(node)
        if node.get("calledElement"):
            properties["calledElement"] = node.get("calledElement", "")
        found[node.get("id", "")] = Element(
            id=node.get("id", ""),
            name=_short(" ".join((node.get("name") or node.get("id") or "").split())),
            kind=kind,
            process=process.get("id", ""),
            properties=properties,
            documentation=_text(node, f"{_B}documentation"),
            instructions=_text(node, f"{_B}extensionElements/{_S}instructionsForEndUser"),
            attached_to=node.get("attachedToRef"),
        )
    return found


def _short(name: str) -> str:
    """A name as lists and rows hold it; BPMN sets no limit."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME - 1]}…"


def _text(node: etree._Element, path: str) -> str:
    found = node.find(path)
    return (found.text or "").strip() if found is not None else ""
