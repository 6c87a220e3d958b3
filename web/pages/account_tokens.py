"""My API tokens: made, shown once, revoked."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for

from web import accounts
from web.pages.account import again, page
from web.pages.shell import me
from web.permissions import permission
from web.services import current_services
from web.texts import _

_LONGEST_LABEL = 80


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/account/tokens", "make_token", make, methods=["POST"])
    pages.add_url_rule("/account/tokens/<token_id>/revoke", "revoke_token", revoke, methods=["POST"])


@permission("account")
def make() -> Any:
    """Makes a token and shows it, this once."""
    services, person = current_services(), me()
    label = " ".join(request.form.get("label", "").split())
    scopes = [one for one in accounts.SCOPES if one in request.form.getlist("scope")]
    days = request.form.get("days", type=int)
    typed = {"label": label, "scopes": scopes, "days": days}
    if not label or len(label) > _LONGEST_LABEL or not label.isprintable():
        return _wrong(typed, "label", _("Give it a name of 1 to %(most)s characters.", most=_LONGEST_LABEL))
    if not scopes:
        return _wrong(typed, "scope", _("Choose what it may be used for."))
    if days not in accounts.DAYS:
        return _wrong(typed, "days", _("Choose one of these."))
    if wrong := again("token", typed):
        return wrong
    with services.engine.transaction() as session:
        now = services.wall_clock.now()
        secret = accounts.create_token(session, person.name, now, label=label, scopes=scopes, days=days)
        services.engine.note_in_journal(
            session, person.name, "token_created", person.name, label=label, scopes=scopes, days=days
        )
    return page(made=secret, made_label=label)


@permission("account")
def revoke(token_id: str) -> Any:
    """Ends a token of mine."""
    services, person = current_services(), me()
    with services.engine.transaction() as session:
        label = accounts.revoke_token(session, token_id, services.wall_clock.now(), name=person.name)
        if label is not None:
            services.engine.note_in_journal(
                session, person.name, "token_revoked", person.name, label=label, token=token_id
            )
    flash(_("The token works no longer.") if label is not None else _("This token had ended already."))
    return redirect(url_for("pages.account"), 303)


def _wrong(typed: dict[str, Any], field: str, message: str) -> Any:
    return page(at="token", errors={field: message}, typed=typed, status=422)
