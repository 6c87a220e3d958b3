"""Files of a bundle one by one: what they may be called, what they draw, laying some over others, text and bytes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.errors import InvalidForm
from engine.findings import local
from engine.lint.bundle import MAX_BYTES, MAX_FILES
from engine.safe_xml import MAX_BYTES as MAX_FILE
from engine.safe_xml import parse_xml
from handlers.contract import FieldError

_NAME = re.compile(r"processes/[A-Za-z0-9_][\w.-]{0,120}\.(?:bpmn|dmn)|forms/[A-Za-z0-9_][\w.-]{0,120}\.json")
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Drawn:
    """A process that a diagram draws."""

    id: str
    name: str
    executable: bool


def drawn(file: str, data: bytes) -> list[Drawn]:
    """The processes of a diagram, in its order; none of a file that cannot be read."""
    root = parse_xml(data, file)[0] if file.endswith(".bpmn") else None
    return [
        Drawn(node.get("id", ""), " ".join(node.get("name", "").split()), node.get("isExecutable") in ("true", "1"))
        for node in (root if root is not None else ()) if local(node) == "process"
    ]


def defines(file: str, data: bytes) -> set[str]:
    """The ids of the processes and decisions in a file; none of a form or of a file that cannot be read."""
    root = None if file.endswith(".json") else parse_xml(data, file)[0]
    return {node.get("id", "") for node in (root if root is not None else ())
            if local(node) in ("process", "decision")}


def laid_over(base: Mapping[str, bytes], given: Mapping[str, bytes]) -> dict[str, bytes]:
    """The given files over those of `base`: each takes the place of the one that bears its name or draws the same."""
    taken = {id_ for file, data in given.items() for id_ in defines(file, data)}
    kept = {
        file: data for file, data in base.items()
        if file not in given and not taken & defines(file, data)
    }
    return {**kept, **given}


def refuse_unfit(files: Mapping[str, bytes]) -> None:
    """InvalidForm when the files could not be kept as one bundle: names, number and sizes. Contents are not looked at.

    Fields are `/files/<name>`, or `/files` for all of them together.
    """
    errors = list(_unfit(files))
    if len(files) > MAX_FILES:
        errors.append(FieldError("/files", f"A bundle holds at most {MAX_FILES} files."))
    if sum(len(data) for data in files.values()) > MAX_BYTES:
        errors.append(FieldError("/files", f"A bundle holds at most {MAX_BYTES // _MEGABYTE} MB."))
    if errors:
        raise InvalidForm(errors)


def _unfit(files: Mapping[str, bytes]) -> Iterator[FieldError]:
    for file, data in files.items():
        field = f"/files/{file[:140].replace('~', '~0').replace('/', '~1')}"
        if _NAME.fullmatch(file) is None:
            yield FieldError(field, "A bundle holds processes/*.bpmn, processes/*.dmn and forms/*.json; names are of "
                                    "letters, digits and . _ -, and do not begin with a dot.")
        elif len(data) > MAX_FILE:
            yield FieldError(field, f"A file has at most {MAX_FILE // _MEGABYTE} MB.")


def text_of(file: str, data: bytes) -> str:
    """The text of a file as a browser edits it; what its encoding cannot read is shown by a mark."""
    return data.decode(_encoding(file, data), "replace")


def bytes_of(file: str, text: str) -> bytes:
    """The file that `text_of` reads as this text, in the encoding that an XML file declares."""
    encoding = _encoding(file, text[:200].encode("utf-8", "replace"))
    return text.encode("utf-8" if encoding == "utf-8-sig" else encoding, "xmlcharrefreplace")


def _encoding(file: str, data: bytes) -> str:
    if file.endswith(".json"):
        return "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    found = _DECLARED.match(data[:200])
    name = found[1].decode().lower() if found else "utf-8"
    return {"utf-16": "utf-16", "iso-8859-1": "latin-1", "latin-1": "latin-1", "windows-1252": "cp1252"}.get(
        name, "utf-8-sig")
