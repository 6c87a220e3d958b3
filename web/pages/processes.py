"""Processes: their versions, each with its picture. Read only."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort

from web import queries
from web.headers import use_policy
from web.pages.orders import xml_answer
from web.pages.shell import page_of
from web.permissions import permission
from web.services import current_services


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/processes", "processes", listing)
    pages.add_url_rule("/processes/<key>/<int(max=2147483647):version>", "process", show)
    pages.add_url_rule("/processes/<key>/<int(max=2147483647):version>/<file>.bpmn", "process_diagram", diagram)


@permission("processes.read")
def listing() -> Any:
    """Every version, newest first."""
    return page_of("processes.html", section="processes", versions=current_services().engine.versions())


@permission("processes.read")
def show(key: str, version: int) -> Any:
    """One version and its diagrams."""
    use_policy("diagram")
    found = next((v for v in current_services().engine.versions(key) if v.version == version), None)
    if found is None:
        abort(404)
    with current_services().database.read() as session:
        files = queries.bundle_files(session, key, version)
    diagrams = sorted(name for name in files if name.startswith("processes/") and name.endswith(".bpmn"))
    names = [name.removeprefix("processes/").removesuffix(".bpmn") for name in diagrams]
    names.sort(key=lambda name: name != key)
    return page_of("process.html", section="processes", version=found, diagrams=names, files=sorted(files))


@permission("processes.read")
def diagram(key: str, version: int, file: str) -> Response:
    """One diagram of a version."""
    with current_services().database.read() as session:
        content = queries.bundle_files(session, key, version).get(f"processes/{file}.bpmn")
    if content is None:
        abort(404)
    return xml_answer(content.decode("utf-8", "replace"))
