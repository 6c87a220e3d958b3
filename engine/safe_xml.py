"""Reads XML that somebody uploaded: bounded in size, depth and number of elements, without DOCTYPE or entities."""

from __future__ import annotations

from lxml import etree

from engine.errors import Finding
from engine.findings import Report

MAX_BYTES = 5 * 1024 * 1024
MAX_DEPTH = 60
MAX_ELEMENTS = 100_000
_ENCODINGS = {"utf-8", "utf-16", "utf-16le", "utf-16be", "iso-8859-1", "us-ascii", "ascii", "latin-1", "windows-1252"}

_OTHERS = {
    b"PK\x03\x04": "an archive (ZIP)", b"\x1f\x8b": "a compressed file (gzip)", b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture", b"GIF8": "a picture", b"%PDF": "a PDF", b"{\\rtf": "a text of a word processor",
    b"\xd0\xcf\x11\xe0": "a file of an office program",
}
"""How other kinds of files begin."""


def parse_xml(data: bytes, file: str) -> tuple[etree._Element | None, list[Finding]]:
    """The root element, or None and what is wrong. Never raises; never resolves an entity or opens another file.

    Encodings are read as the file declares them: UTF-8 with or without a byte order mark, UTF-16, Latin-1.
    """
    report = Report(file)
    root = _parse(data, report)
    return (None if report.has_errors else root), report.findings


def xml_text(data: bytes) -> str:
    """The text of an XML file that `parse_xml` accepts, whatever its encoding."""
    parser = _parser()
    root = etree.fromstring(data, parser)
    return etree.tostring(root.getroottree(), encoding="unicode")


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, dtd_validation=False, huge_tree=False, recover=False
    )


def _parse(data: bytes, report: Report) -> etree._Element | None:
    if len(data) > MAX_BYTES:
        report.error(None, "xml-size", f"The file has {len(data):,} bytes.", "At most 5 MB are allowed; split it.")
        return None
    if not data.strip():
        report.error(None, "xml-empty", "The file is empty.", "Save the diagram again in the editor.")
        return None
    plain = data.replace(b"\0", b"")
    if (kind := _other_kind(plain)) is not None:
        report.error(
            None, "xml-kind", f"This is {kind}, not a diagram or a table.", "Choose the file that the editor saved."
        )
        return None
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        _refuse_doctype(report)
        return None
    if plain.count(b"<") > 2 * MAX_ELEMENTS:
        _refuse_count(report)
        return None
    try:
        root = etree.fromstring(data, _parser())
    except etree.XMLSyntaxError as error:
        where = f" in line {error.lineno}" if error.lineno else ""
        reason = (error.msg or "it cannot be read").split(", line ")[0]
        report.error(
            None,
            "xml-syntax",
            f"The file is not well-formed XML{where}: {reason[:200]}.",
            "Save it again in a BPMN editor, or correct that line.",
        )
        return None
    except (ValueError, LookupError, MemoryError) as error:
        report.error(None, "xml-syntax", f"The file cannot be read: {str(error)[:200]}.", "Save it again as UTF-8.")
        return None
    return root if _is_acceptable(root, report) else None


def _other_kind(data: bytes) -> str | None:
    """What a file is that somebody took for a diagram, if that can be seen from its beginning."""
    for start, kind in _OTHERS.items():
        if data.startswith(start):
            return kind
    beginning = data[:2_000].lower()
    if b"<!doctype html" in beginning or b"<html" in beginning:
        return "a web page, perhaps of a sign-in"
    return "a file of JSON" if data.lstrip()[:1] in (b"{", b"[") else None


def _is_acceptable(root: etree._Element, report: Report) -> bool:
    info = root.getroottree().docinfo
    if info.internalDTD is not None:
        _refuse_doctype(report)
        return False
    if (info.encoding or "UTF-8").lower() not in _ENCODINGS:
        report.error(None, "xml-encoding", f"The file is encoded as {str(info.encoding)[:40]}.", "Save it as UTF-8.")
        return False
    depth = count = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        count += event == "start"
        if depth > MAX_DEPTH:
            report.error(None, "xml-depth", f"Elements are nested more than {MAX_DEPTH} deep.", "Flatten the diagram.")
            return False
    if count > MAX_ELEMENTS:
        _refuse_count(report)
        return False
    return True


def _refuse_doctype(report: Report) -> None:
    report.error(
        None, "xml-doctype", "The file has a DOCTYPE or declares entities.", "Remove them; no diagram needs them."
    )


def _refuse_count(report: Report) -> None:
    report.error(None, "xml-size", f"The file has more than {MAX_ELEMENTS:,} elements.", "Split it into several.")
