"""A diagram as it is drawn: shapes, lines and labels, and what would make it hard to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from pathlib import Path

from lxml import etree

PROCESSES = Path(__file__).parent.parent / "processes"
BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
SPIFF = "{http://spiffworkflow.org/bpmn/schema/1.0/core}"
DI = "{http://www.omg.org/spec/BPMN/20100524/DI}"
DC = "{http://www.omg.org/spec/DD/20100524/DC}"
DD = "{http://www.omg.org/spec/DD/20100524/DI}"
CLEAR = 8
"""How many pixels lie at least between two lines, or a line and a shape it has nothing to do with."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def centre(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2

    def grown(self, by: float) -> Box:
        return Box(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)

    def meets(self, other: Box) -> bool:
        """Whether the two share more than an edge."""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom

    def touches(self, other: Box) -> bool:
        """Whether the two share at least a point. A line is a box without width or height."""
        return self.x <= other.right and other.x <= self.right and self.y <= other.bottom and other.y <= self.bottom

    def holds(self, other: Box) -> bool:
        return self.x <= other.x and other.right <= self.right and self.y <= other.y and other.bottom <= self.bottom


@dataclass(slots=True)
class Drawing:
    """One .bpmn file: its elements by id, and where they are drawn."""

    root: etree._Element
    nodes: dict[str, etree._Element] = field(init=False)
    flows: dict[str, tuple[str, str]] = field(init=False)
    host: dict[str, str] = field(init=False)
    lanes: dict[str, etree._Element] = field(init=False)
    lane_of: dict[str, str] = field(init=False)
    boxes: dict[str, Box] = field(init=False)
    lines: dict[str, list[Point]] = field(init=False)
    labels: dict[str, Box] = field(init=False)

    def __post_init__(self) -> None:
        process = self.process
        flows = [*process.iter(f"{BPMN}sequenceFlow", f"{BPMN}association")]
        self.flows = {flow.get("id"): (flow.get("sourceRef"), flow.get("targetRef")) for flow in flows}
        self.nodes = {
            node.get("id"): node for node in process if node.get("id") and node.get("id") not in self.flows
            and node.tag != f"{BPMN}laneSet"
        }
        self.host = {event.get("id"): event.get("attachedToRef") for event in process.iter(f"{BPMN}boundaryEvent")}
        self.lanes = {lane.get("id"): lane for lane in process.iter(f"{BPMN}lane")}
        self.lane_of = {
            ref.text: key for key, lane in self.lanes.items() for ref in lane.iterfind(f"{BPMN}flowNodeRef")
        }
        shapes, edges = [*self.root.iter(f"{DI}BPMNShape")], [*self.root.iter(f"{DI}BPMNEdge")]
        self.boxes = {shape.get("bpmnElement"): _box(shape) for shape in shapes}
        self.lines = {
            edge.get("bpmnElement"): [(float(p.get("x")), float(p.get("y"))) for p in edge.iterfind(f"{DD}waypoint")]
            for edge in edges
        }
        self.labels = {
            drawn.get("bpmnElement"): _box(label)
            for drawn in [*shapes, *edges]
            if (label := drawn.find(f"{DI}BPMNLabel")) is not None
        }

    @property
    def process(self) -> etree._Element:
        return self.root.find(f"{BPMN}process")

    def name(self, element: str) -> str:
        found = self.root.find(f".//*[@id='{element}']")
        return found.get("name") or "" if found is not None else ""

    def properties(self, element: str) -> dict[str, str]:
        return properties(self.nodes[element])

    def segments(self, flow: str) -> list[Box]:
        return [
            Box(min(a[0], b[0]), min(a[1], b[1]), abs(a[0] - b[0]), abs(a[1] - b[1]))
            for a, b in pairwise(self.lines[flow])
        ]


def read(key: str) -> Drawing:
    return Drawing(etree.parse(str(PROCESSES / f"{key}.bpmn")).getroot())


def properties(node: etree._Element) -> dict[str, str]:
    found = node.iterfind(f"{BPMN}extensionElements/{SPIFF}properties/{SPIFF}property")
    return {item.get("name"): item.get("value") for item in found}


def faults(drawing: Drawing) -> list[str]:
    """Everything that is drawn badly, a line each."""
    return [
        *_lines_against_lines(drawing), *_lines_against_shapes(drawing), *_labels(drawing), *_shapes(drawing),
        *_lanes(drawing),
    ]


def _box(drawn: etree._Element) -> Box:
    bounds = drawn.find(f"{DC}Bounds")
    return Box(*(float(bounds.get(side)) for side in ("x", "y", "width", "height")))


def _lines_against_lines(drawing: Drawing) -> Iterator[str]:
    for flow in drawing.lines:
        if any(segment.width and segment.height for segment in drawing.segments(flow)):
            yield f"{flow} is slanted"
    for one, other in combinations(drawing.lines, 2):
        # Lines that share an element come near each other at it; they may not touch.
        room = 0 if set(drawing.flows[one]) & set(drawing.flows[other]) else CLEAR
        if any(a.grown(room).touches(b) for a in drawing.segments(one) for b in drawing.segments(other)):
            yield f"{one} crosses {other}, or comes too near"


def _lines_against_shapes(drawing: Drawing) -> Iterator[str]:
    for flow, ends in drawing.flows.items():
        for node in drawing.nodes:
            if node in ends:
                continue
            kin = drawing.host.get(ends[0]) == node or drawing.host.get(node) in ends
            room = drawing.boxes[node].grown(-1 if kin else CLEAR - 1)
            if any(segment.touches(room) for segment in drawing.segments(flow)):
                yield f"{flow} runs through {node}, or comes too near"


def _labels(drawing: Drawing) -> Iterator[str]:
    for one, other in combinations(drawing.labels, 2):
        if drawing.labels[one].grown(1).meets(drawing.labels[other]):
            yield f"the labels of {one} and {other} overlap"
    for owner, label in drawing.labels.items():
        for flow in drawing.lines:
            if any(segment.touches(label.grown(1)) for segment in drawing.segments(flow)):
                yield f"the label of {owner} lies on {flow}"
        for node in drawing.nodes:
            if _covers(drawing, node, label):
                yield f"the label of {owner} lies on {node}"


def _covers(drawing: Drawing, node: str, label: Box) -> bool:
    """Whether the label lies on the shape that is really drawn: a diamond, a circle or a rectangle."""
    box, kind = drawing.boxes[node], drawing.nodes[node].tag
    if not box.meets(label):
        return False
    x, y = box.centre
    across, down = max(label.x - x, x - label.right, 0), max(label.y - y, y - label.bottom, 0)
    if kind.endswith("Gateway"):
        return across / (box.width / 2) + down / (box.height / 2) < 1
    if kind.endswith("Event"):
        return across**2 + down**2 < (box.width / 2) ** 2
    return True


def _shapes(drawing: Drawing) -> Iterator[str]:
    for one, other in combinations(drawing.nodes, 2):
        kin = drawing.host.get(one) == other or drawing.host.get(other) == one
        if not kin and drawing.boxes[one].grown(5).meets(drawing.boxes[other]):
            yield f"{one} and {other} stand too near"


def _lanes(drawing: Drawing) -> Iterator[str]:
    for node, lane in drawing.lane_of.items():
        inside = drawing.boxes[lane].grown(-1)
        for part in (drawing.boxes[node], drawing.labels.get(node)):
            if part is not None and not inside.holds(part):
                yield f"{node} stands outside of {lane}"
