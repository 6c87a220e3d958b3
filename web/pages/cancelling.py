"""Cancelling an order: with a reason, and a page that works without a script."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, make_response, redirect, request, url_for

from engine.errors import TooLate
from web.pages.errors import error_page
from web.pages.shell import me, page_of
from web.permissions import permission
from web.services import current_services

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
        error = "Give a reason. It is kept in the history." if not reason else f"Enter at most {_LONGEST} characters."
        instance = engine.instance(number)
        body = page_of(
            "cancel.html", section="orders", number=number, can_cancel=instance.can_cancel, error=error, reason=reason
        )
        return make_response(body, 422)
    try:
        _, began = engine.cancel(number, me().actor, reason)
    except TooLate as refused:
        back = url_for("pages.order", number=number)
        return error_page(409, "Too late to cancel", str(refused), back=back, back_text="Back to the order")
    if began:
        flash(f"{number} is being cancelled. Stock, money and booking are given back, and the customer is told.")
    else:
        flash(f"{number} was being cancelled already. Nothing was changed.")
    return redirect(url_for("pages.order", number=number), 303)
