"""A note on an order: what the next person should know, kept in its history."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, make_response, redirect, request, url_for

from engine.errors import InvalidForm
from web.pages.shell import me, page_of
from web.permissions import permission
from web.services import current_services
from web.texts import _


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/orders/<number>/note", "note_order", ask)
    pages.add_url_rule("/orders/<number>/note", "note", write, methods=["POST"])


@permission("orders.note")
def ask(number: str) -> Any:
    """A page for it, where the dialog of the order's page cannot open."""
    current_services().engine.instance(number)
    return page_of("note.html", section="orders", number=number, error=None, text="")


@permission("orders.note")
def write(number: str) -> Any:
    """Keeps the note."""
    text = request.form.get("text", "")
    try:
        current_services().engine.note(number, me().actor, text)
    except InvalidForm as refused:
        error = refused.errors[0].message
        return make_response(page_of("note.html", section="orders", number=number, error=error, text=text), 422)
    flash(_("The note is in the history."))
    return redirect(url_for("pages.order", number=number), 303)
