"""Gates: what is submitted, who signs, where a gate may send back to, and that the flow heeds the decision."""

from __future__ import annotations

from engine.lint.model import Context, Diagram, Node
from engine.lint.names import listed
from engine.lint.operations import check_operation

DECISIONS = ("approve", "reject", "send_back")
FIELDS = ("decision", "comment", "send_back_to", "signed_by")
"""What the engine writes under a gate's id."""


def check_approval(context: Context, diagram: Diagram, node: Node) -> None:
    """One user task of the kind approval. Its `signatures` are checked with the other expressions."""
    report, properties = diagram.report, node.properties
    steps = {other.step for other in diagram.nodes(node.scope.process) if other.step is not None and other is not node}
    for name, what in (("submits", "the steps under review"), ("sendBackTo", "the steps it may send back to")):
        numbers = listed(properties.get(name, ""))
        if not numbers:
            report.error(node.xml, "approval", f"It does not say {name}.", f'Set the property "{name}" to {what}.')
        for number in numbers:
            if not (number.isascii() and number.isdigit() and len(number) < 6 and int(number) in steps):
                report.error(
                    node.xml, "approval", f"{name} names step {number[:20]!r}, which no other task bears.",
                    "Write numbers of steps, for example 3,4.",
                )
    if not properties.get("submission"):
        report.error(
            node.xml, "approval", "It does not say what is signed.",
            'Set the property "submission" to the operation that composes it.',
        )
    check_operation(context, diagram, node, "submission", ())
    for name in ("formJsonSchemaFilename", "onComplete"):
        if name in properties:
            report.error(
                node.xml, "approval", f"An approval has no {name}; its page shows the submission.", "Remove it."
            )
    known = {other.id for other in diagram.nodes(node.scope.process) if other.kind == "userTask"}
    for name in listed(properties.get("separateFrom", "")):
        if name not in known:
            report.error(
                node.xml, "separate-from", f"separateFrom names {name[:60]!r}, which is no user task.",
                "List the ids of user tasks whose people may not sign here.",
            )
