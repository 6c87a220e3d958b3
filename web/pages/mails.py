"""Mails to customers: the outbox, and one mail as the customer sees it, in a frame that can do nothing."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, make_response

from web import order_facts
from web.headers import use_policy
from web.pages.shell import page_of
from web.permissions import permission
from web.services import current_services


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/mails", "mails", outbox)
    pages.add_url_rule("/mails/<int(max=2147483647):mail_id>", "mail", show)
    pages.add_url_rule("/mails/<int(max=2147483647):mail_id>/body", "mail_body", body)


@permission("orders.read")
def outbox() -> Any:
    """The newest mails."""
    with current_services().database.read() as session:
        return page_of("mails.html", section="mails", mails=order_facts.mails(session))


@permission("orders.read")
def show(mail_id: int) -> Any:
    """One mail: head, and its body in a frame."""
    with current_services().database.read() as session:
        found = order_facts.mail_body(session, mail_id)
    if found is None:
        abort(404)
    row, text, html = found
    return page_of("mail.html", section="mails", mail=row, text=text, has_html=bool(html.strip()))


@permission("orders.read")
def body(mail_id: int) -> Response:
    """The body alone. Its policy lets nothing run and nothing load."""
    with current_services().database.read() as session:
        found = order_facts.mail_body(session, mail_id)
    if found is None:
        abort(404)
    use_policy("mail")
    return make_response(found[2])
