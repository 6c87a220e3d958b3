"""The time zone and locale by which a person reads the pages."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for

from web.accounts import AccountError
from web.accounts.local import set_local
from web.local import forget, offered_locales, offered_zones
from web.pages.errors import error_page
from web.pages.shell import me, page_of
from web.permissions import permission
from web.services import current_services
from web.texts import _


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/account/local-times", "local_times", show)
    pages.add_url_rule("/account/local-times", "set_local_times", change, methods=["POST"])


def choices() -> dict[str, Any]:
    """What `parts/local_times.html` needs on whichever page it stands."""
    settings = current_services().settings
    return {"zones": offered_zones(), "locales": offered_locales(), "company": settings}


@permission("signed-in")
def show() -> Any:
    """How times and numbers are written for me, and the form to change it."""
    return page_of("local_times.html", section="account", **choices())


@permission("signed-in")
def change() -> Any:
    """Keeps the choice; an empty one is the company's."""
    zone, locale = request.form.get("time_zone", ""), request.form.get("locale", "")
    try:
        with current_services().database.write() as session:
            set_local(session, me().name, time_zone=zone or None, locale=locale or None)
    except AccountError as refused:
        return error_page(422, detail=_(str(refused)), back=url_for("pages.local_times"), back_text=_("Choose again"))
    forget()
    flash(_("Your choice is kept. Every page follows it from now on."))
    return redirect(url_for("pages.local_times"), 303)
