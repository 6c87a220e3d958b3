"""The safe expression language of conditions, parameters, scripts and decision tables.

It looks like Python and is not: a text is parsed, every node is held against a whitelist, and `a.b` is turned into
reading key `b` of mapping `a`. So nothing reachable from an expression is a Python object with attributes, and a text
costs a bounded amount of time and memory. Expressions read variables and change none.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from engine.errors import ExpressionError
from engine.expression_values import ARITIES, BINARY, FUNCTIONS, HELPERS, MAX_NUMBER, VARIABLES, Trouble
from engine.timer_texts import Timer, is_timer, parse_timer, quote_duration

__all__ = [
    "FUNCTIONS",
    "Expression",
    "Script",
    "Timer",
    "compile_expression",
    "compile_script",
    "is_timer",
    "parse_timer",
    "quote_duration",
]

MAX_LENGTH = 1_000
"""Characters of one expression."""
MAX_DEPTH = 20
MAX_NODES = 300
MAX_LINES = 50
"""Lines of one script."""
MAX_VALUES = 5_000
"""Values inside one variable that a script assigns."""

_CONSTANTS = {"true": True, "false": False, "null": None}
_ASSIGNMENT = re.compile(r"([^\W\d]\w*)\s*=(?!=)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression. Made by `compile_expression`, shared and immutable."""

    text: str
    names: frozenset[str]
    """The variables that it reads."""
    paths: frozenset[str]
    """What it reads, as far as the keys are written down: `order.total`."""
    _run: Callable[[Mapping[str, Any]], Any] = field(repr=False, compare=False)

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """The value of the expression on these variables.

        Raises ExpressionError, naming the expression and what is missing or of the wrong kind.
        """
        try:
            return self._run(variables)
        except Trouble as trouble:
            raise ExpressionError(f"{_short(self.text)} cannot be evaluated: {trouble}") from None
        except ZeroDivisionError:
            raise ExpressionError(f"{_short(self.text)} cannot be evaluated: it divides by zero.") from None
        except (TypeError, ValueError, OverflowError, ArithmeticError, RecursionError) as error:
            raise ExpressionError(f"{_short(self.text)} cannot be evaluated: {_reason(error)}.") from None


@dataclass(frozen=True, slots=True)
class Script:
    """Lines of `name = expression`, run from the first to the last. Made by `compile_script`."""

    text: str
    assignments: tuple[tuple[str, Expression], ...]

    @property
    def names(self) -> frozenset[str]:
        """The variables that it reads and has not assigned before."""
        assigned: set[str] = set()
        read: set[str] = set()
        for name, expression in self.assignments:
            read |= expression.names - assigned
            assigned.add(name)
        return frozenset(read)

    @property
    def assigned(self) -> frozenset[str]:
        """The variables that it writes."""
        return frozenset(name for name, _ in self.assignments)

    def run(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """What the lines assign; `variables` stay as they are. Raises ExpressionError."""
        seen = dict(variables)
        assigned: dict[str, Any] = {}
        for name, expression in self.assignments:
            seen[name] = assigned[name] = expression.evaluate(seen)
            if not _is_small(assigned[name]):
                raise ExpressionError(f"{name} = {_short(expression.text)} would hold more than {MAX_VALUES} values.")
        return assigned


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Expression:
    """Checks and compiles one expression.

    Raises ExpressionError when it is not one of the safe language, saying what to write instead.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"The expression starting {text[:40]!r} has {len(text)} characters; at most {MAX_LENGTH} are allowed. "
            "Move a part of it into a decision table."
        )
    line = re.sub(r"[\r\n\t]", " ", text).strip()
    if not line:
        raise ExpressionError("The expression is empty.")
    compiler = _Compiler(line)
    try:
        body = compiler.visit(compiler.parse())
        parameter = ast.arguments(posonlyargs=[], args=[ast.arg(VARIABLES)], kwonlyargs=[], kw_defaults=[], defaults=[])
        source = ast.Expression(ast.Lambda(args=parameter, body=body))
        code = compile(ast.fix_missing_locations(source), "<expression>", "eval")
    except (ValueError, RecursionError, MemoryError, SyntaxError) as error:
        raise ExpressionError(f"{_short(line)} is not an expression: {_reason(error)}.") from None
    run = eval(code, dict(HELPERS))  # noqa: S307 - every node has passed the whitelist of _Compiler
    return Expression(line, frozenset(compiler.names), frozenset(compiler.paths), run)


@lru_cache(maxsize=512)
def compile_script(text: str) -> Script:
    """Checks and compiles a script of lines `name = expression`; empty lines and lines with `#` first are skipped.

    Raises ExpressionError, naming the line.
    """
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise ExpressionError("The script is empty. Write lines of the form: name = expression")
    if len(lines) > MAX_LINES:
        raise ExpressionError(f"The script has {len(lines)} lines; at most {MAX_LINES} are allowed.")
    assignments = []
    for line in lines:
        match = _ASSIGNMENT.fullmatch(line)
        if match is None:
            raise ExpressionError(f"The script line {line[:80]!r} is not of the form: name = expression.")
        name = match.group(1)
        fault = _name_fault(name)
        if fault or name in FUNCTIONS or name in _CONSTANTS or name in {"True", "False", "None"}:
            reason = fault or "the name is taken."
            raise ExpressionError(f"The script line {line[:80]!r} cannot assign {name!r}: {reason}")
        assignments.append((name, compile_expression(match.group(2))))
    return Script(text, tuple(assignments))


# --- the whitelist ----------------------------------------------------------------------------------------------------


class _Compiler:
    """Turns the tree of a text into the tree that is run, node by node; what it does not know it refuses."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: set[str] = set()
        self.paths: set[str] = set()
        self._nodes = 0
        self._depth = 0

    def parse(self) -> ast.expr:
        """The tree of the text, or ExpressionError with the commonest slips explained."""
        if "\\" in self.text:
            raise self.refuse("it has a backslash; write the character itself")
        try:
            return ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            outside = re.sub(r"\"[^\"]*\"|'[^']*'", "", self.text)
            if re.search(r"(?<![=<>!])=(?!=)", outside):
                raise self.refuse("to compare, write two equals signs: ==") from None
            if re.search(r"&&|\|\||!(?!=)", outside):
                raise self.refuse("write 'and', 'or' and 'not'") from None
            raise self.refuse(_reason(error)) from None

    def refuse(self, reason: str) -> ExpressionError:
        return ExpressionError(f"{_short(self.text)} is not allowed as an expression: {reason}.")

    def visit(self, node: ast.expr) -> ast.expr:
        """The runnable form of one node."""
        self._nodes += 1
        self._depth += 1
        if self._depth > MAX_DEPTH or self._nodes > MAX_NODES:
            raise self.refuse("it is too long or too deeply nested; move a part of it into a decision table")
        method = getattr(self, f"_visit_{type(node).__name__}", None)
        if method is None:
            raise self.refuse(_ADVICE.get(type(node), f"{type(node).__name__} is not part of the language"))
        result: ast.expr = method(node)
        self._depth -= 1
        return result

    def _call(self, helper: str, *arguments: ast.expr) -> ast.expr:
        return ast.Call(func=ast.Name(helper, ast.Load()), args=list(arguments), keywords=[])

    def _visit_Constant(self, node: ast.Constant) -> ast.expr:  # noqa: N802 - named after the node
        value = node.value
        if value is None or isinstance(value, bool | str):
            return node
        if isinstance(value, int | float) and abs(value) <= MAX_NUMBER:
            return node
        raise self.refuse(f"{str(value)[:30]} is not a plain text or number")

    def _visit_Name(self, node: ast.Name) -> ast.expr:  # noqa: N802
        if node.id in _CONSTANTS:
            return ast.Constant(_CONSTANTS[node.id])
        self._check_name(node.id)
        if node.id in FUNCTIONS:
            raise self.refuse(f"{node.id} is a function; call it as {node.id}(…)")
        self.names.add(node.id)
        self.paths.add(node.id)
        return self._call("_name", ast.Name(VARIABLES, ast.Load()), ast.Constant(node.id))

    def _visit_Attribute(self, node: ast.Attribute) -> ast.expr:  # noqa: N802
        self._check_name(node.attr)
        owner = self.visit(node.value)
        path = ast.unparse(node.value)
        if path in self.paths:
            self.paths.add(f"{path}.{node.attr}")
        return self._call("_key", owner, ast.Constant(node.attr), ast.Constant(path))

    def _visit_Subscript(self, node: ast.Subscript) -> ast.expr:  # noqa: N802
        return self._call("_item", self.visit(node.value), self.visit(node.slice))

    def _visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:  # noqa: N802
        return ast.BoolOp(op=node.op, values=[self.visit(value) for value in node.values])

    def _visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:  # noqa: N802
        if isinstance(node.op, ast.Not):
            return ast.UnaryOp(op=node.op, operand=self.visit(node.operand))
        if isinstance(node.op, ast.USub):
            return self._call("_negative", self.visit(node.operand))
        raise self.refuse("only 'not' and '-' may stand before a value")

    def _visit_BinOp(self, node: ast.BinOp) -> ast.expr:  # noqa: N802
        helper = BINARY.get(type(node.op))
        if helper is None:
            raise self.refuse(f"{type(node.op).__name__} is not part of the language; it has + - * / // %")
        return self._call(helper.__name__, self.visit(node.left), self.visit(node.right))

    def _visit_Compare(self, node: ast.Compare) -> ast.expr:  # noqa: N802
        operators: list[ast.cmpop] = []
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, ast.Is | ast.IsNot):
                if not (isinstance(right, ast.Constant) and right.value is None):
                    raise self.refuse("'is' compares with None only; use ==")
                operators.append(ast.Eq() if isinstance(operator, ast.Is) else ast.NotEq())
            else:
                operators.append(operator)
        return ast.Compare(
            left=self.visit(node.left), ops=operators, comparators=[self.visit(right) for right in node.comparators]
        )

    def _visit_IfExp(self, node: ast.IfExp) -> ast.expr:  # noqa: N802
        return ast.IfExp(test=self.visit(node.test), body=self.visit(node.body), orelse=self.visit(node.orelse))

    def _visit_List(self, node: ast.List | ast.Tuple) -> ast.expr:  # noqa: N802
        return ast.List(elts=[self.visit(item) for item in node.elts], ctx=ast.Load())

    def _visit_Tuple(self, node: ast.Tuple) -> ast.expr:  # noqa: N802
        return self._visit_List(node)

    def _visit_Dict(self, node: ast.Dict) -> ast.expr:  # noqa: N802
        if not all(isinstance(key, ast.Constant) and isinstance(key.value, str) for key in node.keys):
            raise self.refuse("the keys of a mapping are texts")
        return ast.Dict(keys=list(node.keys), values=[self.visit(value) for value in node.values])

    def _visit_Call(self, node: ast.Call) -> ast.expr:  # noqa: N802
        known = ", ".join(sorted(FUNCTIONS))
        if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
            raise self.refuse(f"it calls {ast.unparse(node.func)[:40]}; the functions are {known}")
        _, least, most = ARITIES[node.func.id]
        if node.keywords or not least <= len(node.args) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise self.refuse(f"{node.func.id}() takes {wanted} values")
        return self._call(f"_f_{node.func.id}", *[self.visit(argument) for argument in node.args])

    def _check_name(self, name: str) -> None:
        fault = _name_fault(name)
        if fault:
            raise self.refuse(fault.rstrip("."))


_ADVICE: Mapping[type[ast.AST], str] = {
    ast.Lambda: "functions cannot be defined",
    ast.ListComp: "comprehensions are not part of the language; let an operation compute it",
    ast.SetComp: "comprehensions are not part of the language; let an operation compute it",
    ast.DictComp: "comprehensions are not part of the language; let an operation compute it",
    ast.GeneratorExp: "comprehensions are not part of the language; let an operation compute it",
    ast.JoinedStr: "texts with placeholders are not part of the language; join texts with +",
    ast.NamedExpr: "nothing can be assigned in an expression",
    ast.Slice: "slices are not part of the language",
    ast.Set: "sets are not part of the language; write a list with [ ]",
    ast.Starred: "the star is not part of the language",
}


def _name_fault(name: str) -> str | None:
    return "names that start with _ are not allowed." if name.startswith("_") else None


def _reason(error: BaseException) -> str:
    if isinstance(error, RecursionError | MemoryError):
        return "it is too deeply nested"
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return (text or "it cannot be read").rstrip(".")


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "…")


def _is_small(value: Any) -> bool:
    """Lists that hold a list twice double with every line; what would not fit the instance's variables ends here."""
    left, waiting = MAX_VALUES, [value]
    while waiting and left:
        left -= 1
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
    return not waiting
