"""Several small questions about one thing, asked in one statement.

The page of an order shows rows of a dozen tables. Each question stays a SELECT of its own, and all of them travel
together: `UNION ALL` of the questions, every row packed into a JSON array, unpacked here into rows with names again.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Date, LargeBinary, Select, literal, select, union_all
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from handlers.contract import UtcTime


class _Packed(FunctionElement[Any]):
    """The columns of a row as one JSON array."""

    inherit_cache = True
    type = JSON()


@compiles(_Packed, "sqlite")
def _sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_array({compiler.process(element.clauses, **options)})"


@compiles(_Packed, "postgresql")
def _postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_build_array({compiler.process(element.clauses, **options)})"


class Together:
    """Questions by name. Made once; asked with the values of their bind parameters. Binary columns cannot be asked
    for, and the rows of an answer come in no order: a limit or an order inside a question does not reach it."""

    def __init__(self, **questions: Select[Any]) -> None:
        self._rows: dict[str, Callable[[Sequence[Any]], Any]] = {}
        packed = []
        for name, question in questions.items():
            columns = question.subquery().c
            self._rows[name] = _unpacker(name, [(column.key, column.type) for column in columns])
            packed.append(select(literal(name).label("question"), _Packed(*columns).label("row")))
        self._statement = union_all(*packed)

    def ask(self, session: Session, values: Mapping[str, Any]) -> dict[str, list[Any]]:
        """The rows of each question, by its name. One statement."""
        found: dict[str, list[Any]] = {name: [] for name in self._rows}
        for name, row in session.execute(self._statement, values):
            found[name].append(self._rows[name](row))
        return found


def _unpacker(name: str, columns: Sequence[tuple[str, TypeEngine[Any]]]) -> Callable[[Sequence[Any]], Any]:
    made = namedtuple(name, [key for key, _ in columns])  # type: ignore[misc]
    readers = [_reader(type_) for _, type_ in columns]

    def unpack(row: Sequence[Any]) -> Any:
        return made(*(v if v is None or read is None else read(v) for v, read in zip(row, readers, strict=True)))

    return unpack


def _reader(type_: TypeEngine[Any]) -> Callable[[Any], Any] | None:
    """How a value is read that JSON does not hold as it is."""
    if isinstance(type_, LargeBinary):
        raise TypeError("JSON holds no bytes; ask for this column in a statement of its own.")
    if isinstance(type_, UtcTime):
        return _time
    if isinstance(type_, Date):
        return date.fromisoformat
    return bool if isinstance(type_, Boolean) else None


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
