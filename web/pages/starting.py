"""Starting an instance of any deployed process: its business key, and what it asks for first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, request, url_for

from engine import forms as engine_forms
from engine.errors import InvalidForm
from engine.starting import Starting, starting, values_of
from handlers.contract import FieldError, Problem
from web import forms
from web.pages.shell import me, page_of
from web.permissions import permission
from web.queries import PROCESS
from web.services import current_services
from web.texts import _

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_KEY_INPUT = "_business_key"
_SHOWN = 20


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/processes/<key>/start", "start_process", ask)
    pages.add_url_rule("/processes/<key>/start", "begin_process", begin, methods=["POST"])


@permission("instances.start")
def ask(key: str) -> Any:
    """Asks for the business key and what the process wants to know first."""
    if key == PROCESS:
        return redirect(url_for("pages.orders"))  # an order is taken there, with its number
    return _page(starting(current_services().engine, key), {}, "")


@permission("instances.start")
def begin(key: str) -> Any:
    """Starts the instance; what was typed is kept when something is wrong."""
    if key == PROCESS:
        return redirect(url_for("pages.orders"), 303)
    engine = current_services().engine
    found = starting(engine, key)
    business_key = request.form.get(_KEY_INPUT, "").strip()
    form = _form_of(found)
    typed = forms.parse(form, {name: request.form.getlist(name) for name in request.form if name != _KEY_INPUT})
    if row := request.form.get("_add"):
        return _page(found, forms.add_row(form, typed, row), business_key)
    if row := request.form.get("_remove"):
        return _page(found, forms.remove_row(form, typed, row), business_key)
    if not _KEY.fullmatch(business_key):
        error = _("Enter a business key.") if not business_key else (
            _("Use letters, digits, dots, dashes and underscores, at most 80; a letter or digit first."))
        return _page(found, typed, business_key, key_error=error)
    given: dict[str, Any] = {}
    try:
        if found.kind == "variables":
            engine_forms.check(form, typed)
            given["variables"] = values_of(found, typed)
        elif form:
            given["submit"] = typed
        view, new = engine.start(key, business_key, me().actor, **given)
    except (InvalidForm, Problem) as refused:
        return _page(found, typed, business_key, refused.errors)
    if not new:
        taken = _("%(key)s is taken. Choose another, or look at it on its page.", key=business_key)
        return _page(found, typed, business_key, key_error=taken)
    flash(_("%(key)s was started.", key=view.business_key))
    return redirect(url_for("pages.order", number=view.business_key), 303)


def _form_of(found: Starting) -> Mapping[str, Any]:
    """What this person fills in: a first task's form only when it is for a team of theirs."""
    if found.kind == "task" and found.team not in me().actor.teams:
        return {}
    return found.form


def _page(
    found: Starting, typed: Mapping[str, Any], business_key: str, errors: Iterable[FieldError] = (), *,
    key_error: str | None = None,
) -> Response:
    schema, wrong = _form_of(found), list(errors)
    instances = current_services().engine.instances(found.key, limit=_SHOWN)
    body = page_of(
        "starting.html", section="processes", found=found, asks=bool(schema), business_key=business_key,
        form=forms.build(schema, found.ui, typed, wrong) if schema else None, key_error=key_error,
        instances=instances.items, key_input=_KEY_INPUT,
    )
    return make_response(body, 422 if wrong or key_error else 200)
