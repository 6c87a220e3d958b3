"""Flows that a mending draws: with right angles, from border to border, on no shape of their own ends."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from engine.foreign.drawing import BPMNDI, DC, DI, box_of, draw_flow

places = st.tuples(st.integers(0, 2000), st.integers(0, 1000), st.integers(20, 200), st.integers(20, 200))


@given(first=places, last=places)
def test_a_drawn_flow_goes_straight_from_border_to_border(
    first: tuple[int, int, int, int], last: tuple[int, int, int, int]
) -> None:
    """Wherever the two stand, also one upon the other."""
    shapes = "".join(
        f'<d:BPMNShape bpmnElement="{name}"><c:Bounds x="{x}" y="{y}" width="{w}" height="{h}"/></d:BPMNShape>'
        for name, (x, y, w, h) in (("a", first), ("b", last)))
    root = etree.fromstring(f'<plane xmlns:d="{BPMNDI}" xmlns:c="{DC}">{shapes}</plane>')

    draw_flow(root, "f", "a", "b")

    points = [(float(p.get("x")), float(p.get("y"))) for p in root.iter(f"{{{DI}}}waypoint")]
    assert len(points) >= 2
    for (x1, y1), (x2, y2) in itertools.pairwise(points):
        assert x1 == x2 or y1 == y2
    for name, (x, y) in (("a", points[0]), ("b", points[-1])):
        box = box_of(root, name)
        assert box is not None
        assert box.x <= x <= box.right
        assert box.y <= y <= box.bottom
        assert x in (box.x, box.right) or y in (box.y, box.bottom)
