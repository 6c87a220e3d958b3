"""The access review: who could sign which gate at a moment, who did sign, and both as files for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from flask import Blueprint, Response, make_response, request

from engine.errors import InvalidForm
from handlers.money import to_text
from web.access_review import USUAL_PERIOD, Review, Right, review
from web.names import who
from web.pages.shell import page_of, times, word
from web.permissions import permission
from web.services import current_services
from web.times import WrongTime

_FIELDS = ("at", "since")
_RUNS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes a cell for a formula by."""


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/access-review", "access_review", show)
    pages.add_url_rule("/access-review/could-sign.csv", "access_review_could", could)
    pages.add_url_rule("/access-review/signed.csv", "access_review_did", did)


@permission("access.review")
def show() -> Any:
    """Who could sign what at the moment that is asked for, and who signed before it."""
    found, errors = _asked()
    body = page_of(
        "access_review.html", section="people", review=found, gates=_by_gate(found.rights), errors=errors,
        typed={name: request.args.get(name, "")[:40] for name in _FIELDS}, usual=USUAL_PERIOD.days,
        asked={} if errors else {name: request.args[name] for name in _FIELDS if request.args.get(name)},
    )  # fmt: skip
    return make_response(body, 422 if errors else 200)


@permission("access.review")
def could() -> Any:
    """Who could sign, one line for each right."""
    found, errors = _asked()
    rows = (
        (times().iso(found.at), r.process, r.step, r.gate, word(r.team), r.display_name, r.person,
         "delegation" if r.lent_by else "own right", who(r.lent_by), r.lent_by,
         times().iso(r.lent_until) if r.lent_until else "",
         to_text(r.up_to.amount, r.up_to.currency) if r.up_to else "", r.up_to.currency if r.up_to else "")
        for r in found.rights
    )  # fmt: skip
    head = ("at", "process", "step", "gate", "team", "person", "user_name", "reason", "for", "for_user_name", "until",
            "up_to", "currency")
    return _file("could-sign", head, rows, found.at, errors)


@permission("access.review")
def did() -> Any:
    """Who signed, one line for each person."""
    found, errors = _asked()
    rows = (
        (times().iso(found.since), times().iso(found.at), u.display_name, u.person, u.signed, u.for_others,
         u.overrides, u.refused, times().iso(u.last) if u.last else "")
        for u in found.used
    )  # fmt: skip
    head = ("since", "until", "person", "user_name", "signed", "for_others", "overrides", "refused", "last_signed")
    return _file("signed", head, rows, found.at, errors)


def _asked() -> tuple[Review, dict[str, str]]:
    """The review of the moment and the period that the address names; what is wrong with them, with that of now."""
    engine, moments, errors = current_services().engine, dict[str, datetime](), {}
    for name in _FIELDS:
        if text := request.args.get(name, ""):
            try:
                moments[name] = times().read(text[:40])
            except WrongTime as wrong:
                errors[name] = str(wrong)
    if not errors:
        try:
            return review(engine, moments.get("at"), moments.get("since")), {}
        except InvalidForm as refused:
            errors = {fault.field.strip("/"): fault.message for fault in refused.errors}
    return review(engine), errors


def _by_gate(rights: Sequence[Right]) -> list[tuple[Right, list[Right]]]:
    """Gate by gate; what names the gate is its first right."""
    groups = [list(of) for _, of in groupby(rights, key=lambda r: (r.process, r.element, r.team))]
    return [(of[0], of) for of in groups]


def _file(
    name: str, head: Sequence[str], rows: Iterable[Sequence[Any]], at: datetime, errors: dict[str, str]
) -> Response:
    """A download. What was asked for wrongly is said instead."""
    if errors:
        return make_response(" ".join(errors.values()) + "\n", 422, {"Content-Type": "text/plain; charset=utf-8"})
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(head)
    lines.writerows([harmless(cell) for cell in row] for row in rows)
    day = f"{at:%Y-%m-%d}"
    return make_response(text.getvalue(), 200, {
        "Content-Type": "text/csv; charset=utf-8", "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{name}-{day}.csv"',
    })  # fmt: skip


def harmless(cell: Any) -> str:
    """A cell that a spreadsheet shows and does not run."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_RUNS) else text
