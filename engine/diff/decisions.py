"""Compares two decision tables: hit policy, columns, and rows with the texts of their cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from engine.diff.model import Detail
from engine.diff.words import counted
from engine.findings import local


@dataclass(frozen=True, slots=True)
class Column:
    """One input or output."""

    title: str
    said: tuple[str, ...]
    """Its expression or name, and its type."""
    is_output: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One rule: its cells by column, without those that take anything."""

    cells: Mapping[str, str]
    note: str


@dataclass(frozen=True, slots=True)
class Table:
    """One decision as it is written."""

    id: str
    name: str
    said: Mapping[str, str]
    """Hit policy, description and the like."""
    columns: Mapping[str, Column]
    rows: Mapping[str, Row]


def read_tables(root: etree._Element) -> dict[str, Table]:
    """The decisions of a file, by id."""
    return {table.id: table for table in map(_table, (node for node in root.iter() if local(node) == "decision"))}


def compare_tables(old: Table, new: Table) -> list[Detail]:
    """What changes in a table."""
    details = [] if old.name == new.name else [Detail("name", old.name, new.name)]
    for what in dict.fromkeys((*new.said, *old.said)):
        if old.said.get(what) != new.said.get(what):
            details.append(Detail(what, old.said.get(what), new.said.get(what)))
    details += _columns(old, new)
    details += _rows(old, new)
    return details


def table_words(table: Table) -> str:
    """A table in one line: `8 rows over Ships from, Weight in g`."""
    inputs = [column.title for column in table.columns.values() if not column.is_output]
    return counted(len(table.rows), "row") + (f" over {', '.join(inputs)}" if inputs else "")


def _columns(old: Table, new: Table) -> Iterator[Detail]:
    for key, column in new.columns.items():
        before = old.columns.get(key)
        if before != column:
            yield Detail(f"column {column.title}", _column_words(before) if before else None, _column_words(column))
    for key, column in old.columns.items():
        if key not in new.columns:
            yield Detail(f"column {column.title}", _column_words(column), None)


def _column_words(column: Column) -> str:
    said = ", ".join(part for part in (column.title, *column.said) if part)
    return f"answer {said}" if column.is_output else said


def _rows(old: Table, new: Table) -> Iterator[Detail]:
    pairs = _pairs(old, new)
    numbers = {key: number for number, key in enumerate(new.rows, 1)}
    for key, row in new.rows.items():
        partner = pairs.get(key)
        what = f"row {numbers[key]}"
        if partner is None:
            yield Detail(what, None, _row_words(row, new))
            continue
        before = old.rows[partner]
        if before.cells != row.cells:
            yield Detail(what, _row_words(before, old), _row_words(row, new))
        if before.note != row.note:
            yield Detail(f"{what}: note", before.note or None, row.note or None)
    taken = set(pairs.values())
    for number, (key, row) in enumerate(old.rows.items(), 1):
        if key not in taken:
            yield Detail(f"row {number}", _row_words(row, old), None)
    kept = [pairs[key] for key in new.rows if key in pairs]
    if kept != sorted(kept, key=list(old.rows).index):
        places = {key: str(number) for number, key in enumerate(old.rows, 1)}
        yield Detail("order of rows", ", ".join(places[key] for key in old.rows if key in taken),
                     ", ".join(places[key] for key in kept))  # fmt: skip


def _pairs(old: Table, new: Table) -> dict[str, str]:
    """New row → the old one it was: the one of the same id, else one with the same cells or the same inputs."""
    pairs = {key: key for key in new.rows if key in old.rows}
    for whole in (True, False):
        taken = set(pairs.values())
        free = {_cells(row, old, whole=whole): key for key, row in reversed(list(old.rows.items())) if key not in taken}
        for key, row in new.rows.items():
            if key not in pairs and (partner := free.pop(_cells(row, new, whole=whole), None)) is not None:
                pairs[key] = partner
    return pairs


def _cells(row: Row, table: Table, *, whole: bool) -> tuple[tuple[str, str], ...]:
    return tuple((key, text) for key, text in row.cells.items() if whole or not table.columns[key].is_output)


def _row_words(row: Row, table: Table) -> str:
    """`Ships from europe, Weight in g <= 30000: Courier courier_c`."""
    inputs: list[str] = []
    outputs: list[str] = []
    for key, column in table.columns.items():
        if key in row.cells:
            (outputs if column.is_output else inputs).append(f"{column.title} {row.cells[key]}")
    return f"{', '.join(inputs) or 'everything else'}: {', '.join(outputs) or 'nothing'}"


def _table(decision: etree._Element) -> Table:
    table = next((node for node in decision if local(node) == "decisionTable"), None)
    said = {"description": _text(decision, "description")}
    columns: dict[str, Column] = {}
    rows: dict[str, Row] = {}
    if table is None:
        said["content"] = " ".join("".join(str(part) for part in decision.itertext()).split())
    else:
        policy = table.get("hitPolicy", "UNIQUE")
        said["hit policy"] = " ".join(filter(None, (policy, table.get("aggregation"))))
        columns = dict(_column(node) for node in table if local(node) in ("input", "output"))
        rows = dict(_row(node, list(columns), number) for number, node in enumerate(table) if local(node) == "rule")
    return Table(
        decision.get("id", ""), decision.get("name", "") or decision.get("id", ""),
        {what: text for what, text in said.items() if text}, columns, rows,
    )  # fmt: skip


def _column(node: etree._Element) -> tuple[str, Column]:
    """A column under a name that stays when its text changes: its id, else what it reads or gives."""
    expression = next((child for child in node if local(child) == "inputExpression"), None)
    text = _text(expression, "text") if expression is not None else node.get("name", "")
    kind = (expression.get("typeRef") if expression is not None else None) or node.get("typeRef") or ""
    values = [_text(child, "text") for child in node if local(child) in ("inputValues", "outputValues")]
    title = " ".join((node.get("label") or text).split())
    return node.get("id") or f"{local(node)} {text}", Column(
        title, tuple(part for part in (text, kind, *values) if part), local(node) == "output"
    )


def _row(rule: etree._Element, columns: list[str], number: int) -> tuple[str, Row]:
    cells = [_text(node, "text") for node in rule if local(node) in ("inputEntry", "outputEntry")]
    notes = [_text(rule, "description"), *(_text(node, "text") for node in rule if local(node) == "annotationEntry")]
    named = dict(zip(columns, (_cell(cell) for cell in cells), strict=False))
    return rule.get("id") or f"row {number}", Row(
        {key: text for key, text in named.items() if text}, "; ".join(note for note in notes if note)
    )


def _cell(text: str) -> str:
    """A cell as people read it: a text without its quotes, a dash as nothing."""
    if text == "-":
        return ""
    if len(text) > 2 and text[0] == text[-1] == '"' and '"' not in text[1:-1]:
        return text[1:-1]
    return text


def _text(node: etree._Element, name: str) -> str:
    found = next((child for child in node if local(child) == name), None)
    return "".join(str(part) for part in found.itertext()).strip() if found is not None else ""
