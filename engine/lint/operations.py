"""Operations that a property of a user task names: they exist and take what they are given."""

from __future__ import annotations

from engine.lint.model import Context, Diagram, Node
from handlers.contract import Operation


def check_operation(
    context: Context, diagram: Diagram, node: Node, name: str, takes: tuple[str, ...]
) -> Operation | None:
    """Checks that a property names a transactional operation that takes exactly this beside the call."""
    operation_name = node.properties.get(name)
    if operation_name is None:
        return None
    operation = context.operations.get(operation_name)
    if operation is None:
        diagram.report.error(
            node.xml, "unknown-operation", f"{name} names {operation_name[:80]!r}, which is no operation.",
            nearest(context, operation_name),
        )
        return None
    needed = {parameter.name for parameter in operation.parameters if parameter.required}
    known = {parameter.name for parameter in operation.parameters}
    if operation.kind != "transactional" or not needed <= set(takes) or not set(takes) <= known:
        wanted = f"takes {takes[0]} and nothing else" if takes else "takes nothing"
        diagram.report.error(
            node.xml, "wrong-operation", f"The operation {operation_name!r} cannot be used as {name}.",
            f"Name an operation that works in our own database and {wanted}.",
        )
    return operation


def nearest(context: Context, name: str) -> str:
    """Advice that names operations of the same area."""
    area = name.split(".", maxsplit=1)[0]
    near = [known for known in context.operations if known.startswith(area + ".")] or list(context.operations)
    return "Known are " + ", ".join(sorted(near)[:12]) + "." if near else "No operation is registered."
