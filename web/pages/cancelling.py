"""Cancelling an order: with a reason, and a page that works without a script."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, make_response, redirect, request, url_for

from engine.errors import TooLate
from web.pages.errors import error_page
from web.pages.shell import me, page_of
from web.permissions import permission
from web.services import current_services
from web.texts import _

_LONGEST = 1000


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/orders/<number>/cancel", "cancel_order", ask)
    pages.add_url_rule("/orders/<number>/cancel", "cancel", cancel, methods=["POST"])


@permission("orders.cancel")
def ask(number: str) -> Any:
    """Asks for the reason."""
    instance = current_services().engine.instance(number)
    return page_of(
        "cancel.html", section="orders", number=number, can_cancel=instance.can_cancel, error=None, reason=""
    )


@permission("orders.cancel")
def cancel(number: str) -> Any:
    """Cancels: what was done is undone, and the customer is told."""
    engine, reason = current_services().engine, request.form.get("reason", "").strip()
    if not reason or len(reason) > _LONGEST:
        error = _("Give a reason. It is kept in the history.")
        if reason:
            error = _("Enter at most %(most)s characters.", most=_LONGEST)
        instance = engine.instance(number)
        body = page_of(
            "cancel.html", section="orders", number=number, can_cancel=instance.can_cancel, error=error, reason=reason
        )
        return make_response(body, 422)
    try:
        _view, began = engine.cancel(number, me().actor, reason)
    except TooLate as refused:
        back = url_for("pages.order", number=number)
        return error_page(409, _("Too late to cancel"), str(refused), back=back, back_text=_("Back to the order"))
    if began:
        said = _("%(order)s is being cancelled. Stock, money and booking are given back, and the customer is told.",
                 order=number)
    else:
        said = _("%(order)s was being cancelled already. Nothing was changed.", order=number)
    flash(said)
    return redirect(url_for("pages.order", number=number), 303)
