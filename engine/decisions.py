"""Decision tables (DMN), read and run by ourselves.

A table has inputs (expressions of the safe language), rules and outputs. Two hit policies are run: UNIQUE (one rule, or
the last row of dashes when no other matches) and COLLECT (every rule that matches, as lists). Cells are written in the
few forms of `engine.decision_cells`; everything else is refused when the table is deployed, because a form that is
merely not understood would silently never match.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from lxml import etree

from engine.decision_cells import Cell, cells_meet, fits_type, is_whole, kind_of_type, parse_cell
from engine.errors import CannotDeploy, ExpressionError, Finding
from engine.expressions import Expression, compile_expression
from engine.findings import Report, local
from engine.safe_xml import parse_xml

MAX_RULES = 500
MAX_COLUMNS = 30
_IDENTIFIER = re.compile(r"[^\W\d_]\w{0,79}")


@dataclass(frozen=True, slots=True)
class Input:
    """One input column."""

    label: str
    expression: Expression
    type: str | None
    """`string`, `number`, `boolean`, or None when the table does not say."""


@dataclass(frozen=True, slots=True)
class Output:
    """One output column; its name is the key under the decision's id."""

    name: str
    type: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One row."""

    id: str
    description: str
    cells: tuple[Cell, ...]
    outputs: tuple[Expression, ...]

    @property
    def is_catch_all(self) -> bool:
        return all(cell.is_any for cell in self.cells)

    def matches(self, values: tuple[Any, ...]) -> bool:
        return all(cell.matches(value) for cell, value in zip(self.cells, values, strict=True))


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision table."""

    id: str
    name: str
    hit_policy: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    rules: tuple[Rule, ...]

    @property
    def names(self) -> frozenset[str]:
        """The variables that the table reads."""
        found = frozenset[str]().union(*(column.expression.names for column in self.inputs))
        return found.union(*(expression.names for rule in self.rules for expression in rule.outputs))

    def evaluate(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs by name; with COLLECT a list of each. Raises ExpressionError when an input is missing or of
        another type than its column, or when several rules of a UNIQUE table match."""
        found = self._rules(variables)
        if self.hit_policy == "COLLECT":
            return {
                output.name: [rule.outputs[index].evaluate(variables) for rule in found]
                for index, output in enumerate(self.outputs)
            }
        return {
            output.name: expression.evaluate(variables)
            for output, expression in zip(self.outputs, found[0].outputs, strict=True)
        }

    def fired(self, variables: Mapping[str, Any]) -> list[int]:
        """The numbers of the rows that answer, from 1. Raises as `evaluate` does."""
        found = self._rules(variables)
        return [number for number, rule in enumerate(self.rules, 1) if any(rule is one for one in found)]

    def _rules(self, variables: Mapping[str, Any]) -> list[Rule]:
        values = tuple(self._value(column, variables) for column in self.inputs)
        if self.hit_policy == "COLLECT":
            return [rule for rule in self.rules if rule.matches(values)]
        return [self._one_rule(values)]

    def _one_rule(self, values: tuple[Any, ...]) -> Rule:
        catch_all = self.rules[-1] if self.rules and self.rules[-1].is_catch_all else None
        found = [rule for rule in self.rules if rule is not catch_all and rule.matches(values)]
        if len(found) > 1:
            rows = " and ".join(str(self.rules.index(rule) + 1) for rule in found[:2])
            raise ExpressionError(f"The decision table {self.name!r} has several answers: rows {rows} both match.")
        if found:
            return found[0]
        if catch_all is None:
            raise ExpressionError(f"The decision table {self.name!r} has no row for {_shown(self.inputs, values)}.")
        return catch_all

    def _value(self, column: Input, variables: Mapping[str, Any]) -> Any:
        try:
            value = column.expression.evaluate(variables)
        except ExpressionError as error:
            raise ExpressionError(
                f"The decision table {self.name!r} lacks the input {column.label!r}: {error}"
            ) from None
        if value is None:
            raise ExpressionError(
                f"The decision table {self.name!r} lacks the input {column.label!r}: {column.expression.text} is empty."
            )
        if not fits_type(value, column.type):
            raise ExpressionError(
                f"The decision table {self.name!r} wants a {column.type} as {column.label!r}, "
                f"and {column.expression.text} is {str(value)[:40]!r}."
            )
        return value


def parse_decision(data: bytes, file: str) -> Decision:
    """The decision of a `.dmn` file. Raises CannotDeploy with everything that `check_decision` finds."""
    decision, findings = read_decision(data, file)
    if decision is None:
        raise CannotDeploy(findings)
    return decision


def check_decision(data: bytes, file: str) -> list[Finding]:
    """Everything that is wrong with a `.dmn` file. Never raises."""
    return read_decision(data, file)[1]


def read_decision(data: bytes, file: str) -> tuple[Decision | None, list[Finding]]:
    """The decision, or None when something is wrong, and the findings. Never raises."""
    root, findings = parse_xml(data, file)
    if root is None:
        return None, findings
    report = Report(file)
    decision = _Reader(report).read(root)
    return (None if report.has_errors else decision), findings + report.findings


class _Reader:
    """Reads one file and reports everything that is wrong with it, not only the first."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def read(self, root: etree._Element) -> Decision | None:
        tag = root.tag if isinstance(root.tag, str) else ""
        if local(root) != "definitions" or "/spec/DMN/" not in tag:
            self.report.error(
                root, "dmn-root", "This is not a DMN file.", "Upload the file that the table editor saved."
            )
            return None
        decisions = [node for node in root if local(node) == "decision"]
        if len(decisions) != 1:
            self.report.error(
                root, "dmn-one-decision", f"The file holds {len(decisions)} decisions.", "Keep one decision in a file."
            )
            return None
        decision = decisions[0]
        name = decision.get("id", "")
        if not _IDENTIFIER.fullmatch(name):
            self.report.error(
                decision,
                "dmn-id",
                f"{name!r} cannot be the id of a decision.",
                "Its outputs are read under this id; use letters, digits and _ only, a letter first.",
            )
        tables = [node for node in decision if local(node) == "decisionTable"]
        if len(tables) != 1:
            self.report.error(
                decision, "dmn-table", "The decision is not a table.", "Only decision tables are run; draw it as one."
            )
            return None
        return self._table(decision, tables[0])

    def _table(self, decision: etree._Element, table: etree._Element) -> Decision | None:
        policy = self._policy(table)
        for node in table:
            if local(node) == "annotation":
                self.report.error(
                    node,
                    "dmn-annotation",
                    "The table has an annotation column.",
                    "Remove it; write what a row means into the row's description.",
                )
        nodes = [node for node in table if local(node) == "input"]
        inputs = [self._input(node) for node in nodes]
        outputs = [self._output(node) for node in table if local(node) == "output"]
        if not inputs or not outputs or len(inputs) + len(outputs) > MAX_COLUMNS:
            self.report.error(
                table,
                "dmn-columns",
                f"The table has {len(inputs)} inputs and {len(outputs)} outputs.",
                f"It needs at least one of each, and at most {MAX_COLUMNS} columns.",
            )
            return None
        self._check_output_names(table, outputs)
        rows = [node for node in table if local(node) == "rule"]
        if not rows or len(rows) > MAX_RULES:
            self.report.error(table, "dmn-rows", f"The table has {len(rows)} rows.", f"It needs 1 to {MAX_RULES} rows.")
            return None
        whole = [is_whole(self._type_ref(node)) for node in nodes]
        types = [column.type if column else None for column in inputs]
        rules = [self._rule(row, types, outputs) for row in rows]
        self._check_rows(policy, table, list(zip(rows, rules, strict=True)), whole)
        if self.report.has_errors:
            return None
        return Decision(
            id=decision.get("id", ""), name=decision.get("name", "") or decision.get("id", ""), hit_policy=policy,
            inputs=tuple(column for column in inputs if column), outputs=tuple(column for column in outputs if column),
            rules=tuple(rule for rule in rules if rule),
        )

    def _policy(self, table: etree._Element) -> str:
        policy = table.get("hitPolicy", "UNIQUE")
        if policy not in ("UNIQUE", "COLLECT") or table.get("aggregation"):
            shown = " ".join(filter(None, (policy, table.get("aggregation"))))
            self.report.error(
                table,
                "dmn-hit-policy",
                f"The hit policy {shown[:40]} is not supported.",
                "Use UNIQUE with a last row of dashes, or COLLECT without an aggregation.",
            )
        return policy

    def _input(self, node: etree._Element) -> Input | None:
        expression = _child(node, "inputExpression")
        text = _text(expression) if expression is not None else ""
        label = node.get("label") or text
        for child in node:
            if local(child) == "inputValues":
                self._values_ignored(node)
        self._check_language(expression if expression is not None else node)
        kind = self._type(node, self._type_ref(node))
        compiled = self._compile(node, text, "The input")
        return Input(label, compiled, kind) if compiled else None

    def _output(self, node: etree._Element) -> Output | None:
        for child in node:
            if local(child) == "outputValues":
                self._values_ignored(node)
            if local(child) == "defaultOutputEntry":
                self.report.error(
                    node, "dmn-default", "A default output is not supported.", "Write it into a last row of dashes."
                )
        kind = self._type(node, node.get("typeRef"))
        name = node.get("name", "")
        if not _IDENTIFIER.fullmatch(name):
            self.report.error(
                node,
                "dmn-output-name",
                f"{name!r} cannot be the name of an output.",
                "Use letters, digits and _ only, a letter first.",
            )
            return None
        return Output(name, kind)

    def _check_output_names(self, table: etree._Element, outputs: list[Output | None]) -> None:
        names = [output.name for output in outputs if output]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.report.error(
                table, "dmn-output-name", f"Two outputs bear the name {name!r}.", "Give each output its own name."
            )

    def _rule(self, row: etree._Element, types: list[str | None], outputs: list[Output | None]) -> Rule | None:
        inputs = [node for node in row if local(node) == "inputEntry"]
        answers = [node for node in row if local(node) == "outputEntry"]
        if any(local(node) == "annotationEntry" for node in row):
            self.report.error(
                row, "dmn-annotation", "The row has an annotation.", "Write it into the row's description instead."
            )
        if len(inputs) != len(types) or len(answers) != len(outputs):
            self.report.error(
                row,
                "dmn-row",
                f"The row has {len(inputs)} input and {len(answers)} output cells.",
                f"Give it one cell for each of the {len(types)} inputs and {len(outputs)} outputs.",
            )
            return None
        cells = [self._cell(node, kind) for node, kind in zip(inputs, types, strict=True)]
        results = [self._answer(node, output) for node, output in zip(answers, outputs, strict=True)]
        if any(cell is None for cell in cells) or any(result is None for result in results):
            return None
        description = _child(row, "description")
        return Rule(
            row.get("id", ""), _plain(description), tuple(cell for cell in cells if cell),
            tuple(result for result in results if result),
        )

    def _cell(self, node: etree._Element, kind: str | None) -> Cell | None:
        self._check_language(node)
        try:
            return parse_cell(_text(node), kind)
        except ExpressionError as error:
            message, _, advice = str(error).partition(" — ")
            self.report.error(node, "dmn-cell", message, advice)
            return None

    def _answer(self, node: etree._Element, output: Output | None) -> Expression | None:
        self._check_language(node)
        expression = self._compile(node, _text(node), "The output cell")
        if expression is not None and not expression.names and output is not None:
            try:
                value = expression.evaluate({})
            except ExpressionError as error:
                self.report.error(node, "dmn-expression", str(error), "Write a value of the column's type.")
                return None
            if value is not None and not fits_type(value, output.type):
                self.report.error(
                    node,
                    "dmn-type",
                    f"{expression.text[:40]} is not a {output.type}.",
                    f"The output {output.name!r} is a {output.type}; change the cell or the column.",
                )
        return expression

    def _compile(self, node: etree._Element, text: str, what: str) -> Expression | None:
        try:
            return compile_expression(text)
        except ExpressionError as error:
            self.report.error(
                node, "dmn-expression", f"{what} cannot be read. {error}",
                'Write a variable such as order.total, a number, or a text in double quotes.',
            )
            return None

    def _type_ref(self, node: etree._Element) -> str | None:
        expression = _child(node, "inputExpression")
        return (expression.get("typeRef") if expression is not None else None) or node.get("typeRef")

    def _type(self, node: etree._Element, name: str | None) -> str | None:
        try:
            return kind_of_type(name)
        except ExpressionError as error:
            self.report.error(node, "dmn-type", str(error), "Use string, number or boolean.")
            return None

    def _check_language(self, node: etree._Element) -> None:
        language = node.get("expressionLanguage")
        if language and "feel" not in language.lower():
            self.report.error(
                node, "dmn-language", f"The cell is written in {language[:40]}.", "Remove the expression language."
            )

    def _values_ignored(self, node: etree._Element) -> None:
        self.report.warning(
            node,
            "dmn-values",
            "The column lists its values; the list is not checked when the table is run.",
            "Keep it as a hint, or remove it.",
        )

    def _check_rows(
        self, policy: str, table: etree._Element, rows: list[tuple[etree._Element, Rule | None]], whole: list[bool]
    ) -> None:
        if policy != "UNIQUE":
            return
        last = rows[-1][1]
        if last is not None and not last.is_catch_all:
            self.report.error(
                table,
                "dmn-catch-all",
                "The last row is not a catch-all.",
                "Add a last row with a dash in every input, so that the table always has an answer.",
            )
        checked = rows[:-1] if last is None or last.is_catch_all else rows
        for (first_row, first), (second_row, second) in combinations(checked, 2):
            if first is None or second is None:
                continue
            pairs = zip(first.cells, second.cells, whole, strict=True)
            if all(cells_meet(one, other, whole=only_whole) for one, other, only_whole in pairs):
                self.report.error(
                    second_row,
                    "dmn-overlap",
                    f"Row {_number(rows, second_row)} and row {_number(rows, first_row)} match the same inputs.",
                    "A UNIQUE table has one answer; make the rows exclude each other.",
                )
                if len(self.report.findings) > 50:
                    return


def _number(rows: list[tuple[etree._Element, Rule | None]], row: etree._Element) -> int:
    return next(index for index, (node, _) in enumerate(rows, 1) if node is row)


def _child(node: etree._Element, name: str) -> etree._Element | None:
    return next((child for child in node if local(child) == name), None)


def _text(node: etree._Element) -> str:
    return _plain(_child(node, "text"))


def _plain(node: etree._Element | None) -> str:
    return "".join(str(part) for part in node.itertext()).strip() if node is not None else ""


def _shown(inputs: tuple[Input, ...], values: tuple[Any, ...]) -> str:
    return ", ".join(f"{column.label} = {str(value)[:40]}" for column, value in zip(inputs, values, strict=True))
