"""Names of variables: what may be one."""

from __future__ import annotations

import keyword
import re

from engine.expressions import FUNCTIONS
from engine.lint.model import Diagram, Node

_VARIABLE = re.compile(r"[^\W\d_]\w{0,79}")
_TAKEN = FUNCTIONS | {"true", "false", "null", "message"}


def is_variable(name: str) -> bool:
    """True if an expression can read a variable of this name."""
    return _VARIABLE.fullmatch(name) is not None and name not in _TAKEN and not keyword.iskeyword(name)


def check_variable(diagram: Diagram, node: Node, name: str, what: str) -> None:
    """Reports a name under which no expression could read what is written."""
    if not is_variable(name):
        diagram.report.error(
            node.xml, "variable-name", f"{what} {name[:60]!r} cannot be the name of a variable.",
            "Use letters, digits and _ only, a letter first, and no word of the expression language.",
        )


def listed(text: str) -> list[str]:
    """The parts of a property that lists several things, such as `3, 4`."""
    return [part.strip() for part in text.split(",") if part.strip()]
