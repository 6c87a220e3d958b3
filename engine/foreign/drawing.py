"""Puts what a mending adds on the picture, and takes off what it removes. A file without a picture stays without."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

BPMNDI = "http://www.omg.org/spec/BPMN/20100524/DI"
DC = "http://www.omg.org/spec/DD/20100524/DC"
DI = "http://www.omg.org/spec/DD/20100524/DI"
_SHAPE, _EDGE = f"{{{BPMNDI}}}BPMNShape", f"{{{BPMNDI}}}BPMNEdge"
SIZES = {"gateway": (50.0, 50.0), "event": (36.0, 36.0), "task": (100.0, 80.0)}
GAP = 40.0


@dataclass(frozen=True, slots=True)
class Box:
    """Where a shape stands, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    @property
    def centre(self) -> float:
        return self.x + self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height


def shape_of(root: etree._Element, element: str) -> etree._Element | None:
    """The shape of an element, or None."""
    return next((shape for shape in root.iter(_SHAPE) if shape.get("bpmnElement") == element), None)


def box_of(root: etree._Element, element: str) -> Box | None:
    """Where an element is drawn, or None."""
    shape = shape_of(root, element)
    bounds = shape.find(f"{{{DC}}}Bounds") if shape is not None else None
    if bounds is None:
        return None
    try:
        return Box(*(float(bounds.get(name, "0")) for name in ("x", "y", "width", "height")))
    except ValueError:
        return None


def add_shape(root: etree._Element, element: str, kind: str, beside: str, *, before: bool = False) -> None:
    """Draws a new element right (or left) of another, on the same plane."""
    near, box = shape_of(root, beside), box_of(root, beside)
    plane = near.getparent() if near is not None else None
    if plane is None or box is None:
        return
    width, height = SIZES[kind]
    x = box.x - GAP - width if before else box.right + GAP
    shape = etree.SubElement(plane, _SHAPE, {"id": f"{element}_shape", "bpmnElement": element})
    place = {"x": x, "y": box.middle - height / 2, "width": width, "height": height}
    etree.SubElement(shape, f"{{{DC}}}Bounds", {name: _number(value) for name, value in place.items()})


def resize(root: etree._Element, element: str, kind: str) -> None:
    """Gives a shape the size of another kind, around the same middle."""
    shape, box = shape_of(root, element), box_of(root, element)
    bounds = shape.find(f"{{{DC}}}Bounds") if shape is not None else None
    if bounds is None or box is None:
        return
    width, height = SIZES[kind]
    bounds.set("x", _number(box.x + (box.width - width) / 2))
    bounds.set("y", _number(box.middle - height / 2))
    bounds.set("width", _number(width))
    bounds.set("height", _number(height))


def draw_flow(root: etree._Element, flow: str, source: str, target: str) -> None:
    """Draws a flow, new or moved, with right angles between two shapes."""
    first, last = box_of(root, source), box_of(root, target)
    edge = next((edge for edge in root.iter(_EDGE) if edge.get("bpmnElement") == flow), None)
    near = shape_of(root, source)
    plane = near.getparent() if near is not None else None
    if first is None or last is None or plane is None:
        return
    if edge is None:
        edge = etree.SubElement(plane, _EDGE, {"id": f"{flow}_edge", "bpmnElement": flow})
    for point in edge.findall(f"{{{DI}}}waypoint"):
        edge.remove(point)
    for place, (x, y) in enumerate(_corners(first, last)):
        point = etree.Element(f"{{{DI}}}waypoint", {"x": _number(x), "y": _number(y)})
        edge.insert(place, point)


def _corners(first: Box, last: Box) -> list[tuple[float, float]]:
    """From the right side to the left one where the target stands to the right, else from below or above."""
    if last.x >= first.right:
        x = (first.right + last.x) / 2
        bend = [(x, first.middle), (x, last.middle)] if first.middle != last.middle else []
        return [(first.right, first.middle), *bend, (last.x, last.middle)]
    if last.y >= first.bottom or last.bottom <= first.y:
        leaves, comes = (first.bottom, last.y) if last.y >= first.bottom else (first.y, last.bottom)
        y = (leaves + comes) / 2
        bend = [(first.centre, y), (last.centre, y)] if first.centre != last.centre else []
        return [(first.centre, leaves), *bend, (last.centre, comes)]
    y = max(first.bottom, last.bottom) + GAP  # side by side, back to the left
    return [(first.centre, first.bottom), (first.centre, y), (last.centre, y), (last.centre, last.bottom)]


def remove_drawing(root: etree._Element, element: str) -> None:
    """Takes shape and edge of an element off the picture."""
    for drawn in list(root.iter(_SHAPE, _EDGE)):
        parent = drawn.getparent()
        if drawn.get("bpmnElement") == element and parent is not None:
            parent.remove(drawn)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
