"""My second factor: shown to the app, confirmed by a code, taken away again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import segno
from flask import Blueprint, Response, flash, make_response, redirect, request, url_for

from web import accounts
from web.accounts.administration import Administration
from web.pages.account import again
from web.pages.notices import send_notices
from web.pages.shell import me, page_of
from web.permissions import permission
from web.reauth import check_again
from web.services import current_services
from web.texts import _


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/account/second-factor", "second_factor", show, methods=["GET"])
    pages.add_url_rule("/account/second-factor", "confirm_second_factor", confirm, methods=["POST"])
    pages.add_url_rule("/account/second-factor/off", "second_factor_off", turn_off, methods=["POST"])


@permission("account")
def show() -> Any:
    """The key for the app, as a picture and as text; the same until it is confirmed."""
    if me().second_factor:
        return redirect(url_for("pages.account"))
    return _page()


@permission("account")
def confirm() -> Any:
    """Turns it on when password and code are right, and shows the recovery codes once."""
    services, person = current_services(), me()
    if person.second_factor:
        return redirect(url_for("pages.account"), 303)
    checked = check_again(services, person.name, request.form.get("password", ""))
    if checked.how is None:
        return _page(checked.errors, 429 if checked.wait else 422)
    with services.engine.transaction() as session:
        codes = accounts.confirm_second_factor(
            session, person.name, request.form.get("code", "")[:40], services.settings.secret_key,
            services.wall_clock.now(),
        )  # fmt: skip
        if codes:
            services.engine.note_in_journal(session, person.name, "second_factor_on", person.name)
    if codes is None:
        return _page({"code": _("This is not the code that the app shows now. Try the next one.")}, 422)
    return make_response(page_of("recovery_codes.html", section="account", codes=codes))


@permission("account")
def turn_off() -> Any:
    """Takes it away: with the password and a code."""
    services, person = current_services(), me()
    if wrong := again("factor"):
        return wrong
    with services.engine.transaction() as session:
        office = Administration(services.engine, session, person.actor, services.wall_clock)
        office.take_second_factor(person.name)
    send_notices(person.actor, office.notices)
    flash(_("Your second factor is off. The password alone signs you in."))
    return redirect(url_for("pages.account"), 303)


def _page(errors: Mapping[str, str] | None = None, status: int = 200) -> Response:
    services, person = current_services(), me()
    with services.database.write() as session:
        offer = accounts.offer_second_factor(session, person.name, services.settings.secret_key)
    picture = segno.make_qr(offer.address).svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None
    )
    key = " ".join(offer.key[at : at + 4] for at in range(0, len(offer.key), 4))
    body = page_of("second_factor.html", section="account", picture=picture, key=key, errors=errors or {})
    return make_response(body, status)
