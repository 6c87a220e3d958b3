"""Reads CSV files from outside, row by row, so that one bad row never spoils the others and nothing raises."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

LONGEST_FIELD = 10_000
"""Characters. No field of ours comes near; what is longer is a broken quote or an attack."""


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with one field of one line."""

    line: int
    """Counted from 1, the header included; for a row over several lines its first."""
    field: str
    """The column, or "" when the whole row is meant."""
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}, {self.field}" if self.field else f"line {self.line}"
        return f"{where}: {self.message}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it stands in the file, values untouched except for blanks around them."""

    line: int
    values: Mapping[str, str]
    """By column; a row that is too short has empty ones."""
    errors: tuple[RowError, ...] = ()
    """What cannot be read in it; such a row must not be taken."""

    def error(self, field: str, message: str) -> RowError:
        """What is wrong with a field of this row."""
        return RowError(self.line, field, message)


def read_rows(file: BinaryIO, columns: Sequence[str]) -> Iterator[Row | RowError]:
    """The rows of a UTF-8 CSV file (with or without byte order mark) whose first line names the columns, in any order.

    An error by itself is one of the file or of a row that is not CSV at all. A missing column ends the reading with one
    error each; an unknown one is named and otherwise ignored.
    """
    # Bytes that are not UTF-8 pass as lone surrogates, so that they can be named by line and field below.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield from _rows(text, columns)
    finally:
        text.detach()  # the file is the caller's to close


def _rows(text: io.TextIOWrapper, columns: Sequence[str]) -> Iterator[Row | RowError]:
    reader = csv.reader(text)
    header = _next(reader)
    if header is None or isinstance(header, RowError):
        yield RowError(1, "", f"The first line must name the columns: {','.join(columns)}")
        return
    names = [name.strip() for name in header]
    if wrong := _header_errors(names, columns):
        yield from wrong
        if any(column not in names for column in columns):
            return
    while True:
        line = reader.line_num + 1
        fields = _next(reader)
        if fields is None:
            return
        if isinstance(fields, RowError):
            yield fields
        elif any(fields):
            yield _row(line, names, fields, columns)


def _next(reader: Iterator[list[str]]) -> list[str] | RowError | None:
    try:
        return next(reader, None)
    except csv.Error as broken:
        line = getattr(reader, "line_num", 0)
        return RowError(line, "", f"This row is not CSV ({broken}). Are its quotes closed?")


def _header_errors(names: Sequence[str], columns: Sequence[str]) -> list[RowError]:
    if len(names) == 1 < len(columns) or any(_unreadable(name) for name in names):
        named = f"The first line must name the columns: {','.join(columns)}."
        return [RowError(1, "", f"{named} Save the file as CSV, UTF-8, separated by commas.")]
    missing = [RowError(1, column, "This column is missing.") for column in columns if column not in names]
    unknown = [
        RowError(1, _readable(name)[:40], "There is no such column; it was left out.")
        for name in names
        if name not in columns
    ]
    twice = [RowError(1, column, "This column stands here twice.") for column in columns if names.count(column) > 1]
    return missing + unknown + twice


def _row(line: int, names: Sequence[str], fields: Sequence[str], columns: Sequence[str]) -> Row:
    found = {name: value.strip() for name, value in zip(names, fields, strict=False) if name in columns}
    errors = [RowError(line, name, why) for name, value in found.items() if (why := _unreadable(value))]
    if len(fields) != len(names):
        message = f"{len(fields)} fields, but the first line names {len(names)} columns."
        errors.append(RowError(line, "", message))
    return Row(line, dict.fromkeys(columns, "") | found, tuple(errors))


def _unreadable(value: str) -> str | None:
    if len(value) > LONGEST_FIELD:
        return f"{len(value):,} characters are too long."
    if "\x00" in value:
        return "A NUL byte stands here; this is not text."
    if any("\ud800" <= character <= "\udfff" for character in value):
        return f"“{_readable(value)[:40]}” is not UTF-8. Save the file as CSV UTF-8."
    return None


def _readable(value: str) -> str:
    return value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "�")
