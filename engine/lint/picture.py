"""The picture of a diagram: what runs can be seen in it."""

from __future__ import annotations

from engine.lint.model import Context, Diagram

_DI = "{http://www.omg.org/spec/BPMN/20100524/DI}"


def check_picture(_context: Context, diagram: Diagram) -> None:
    """Where most is drawn, an element without a shape would run unseen. A file without a picture runs, and what a
    collapsed subprocess holds may be drawn elsewhere, or nowhere."""
    shapes = diagram.root.iter(f"{_DI}BPMNShape", f"{_DI}BPMNEdge")
    shown = {shape.get("bpmnElement", "") for shape in shapes}
    for scope in diagram.scopes:
        if len(shown.intersection(scope.nodes)) * 2 < len(scope.nodes):
            continue
        for node in scope.nodes.values():
            if node.id not in shown:
                diagram.report.warning(
                    node.xml, "not-drawn", "It is not in the picture: it runs, and nobody sees it.",
                    "Draw it in the editor that the file comes from, or remove it from the file.",
                )
        for flow in scope.flows:
            if flow.xml.get("id") not in shown and {flow.source, flow.target} <= shown:
                diagram.report.warning(
                    flow.xml, "not-drawn", "The flow is not in the picture: tokens go there, and nobody sees it.",
                    "Draw it in the editor that the file comes from, or remove it from the file.",
                )
