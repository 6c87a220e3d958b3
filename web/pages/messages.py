"""Messages from outside: those that no order takes and why, what each one says, and setting them aside."""

from __future__ import annotations

from typing import Any, Final, cast, get_args

import orjson
from flask import Blueprint, flash, make_response, redirect, request, url_for

from engine.errors import Conflict, InvalidForm
from engine.views import MessageState, MessageView
from web import incoming
from web.names import named
from web.pages.shell import me, page_of
from web.permissions import permission
from web.services import current_services
from web.texts import _

PAGE: Final = 50
_LARGEST_ID: Final = 2**63 - 1
_ID = f"<int(max={_LARGEST_ID}):message_id>"


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/messages", "messages", show)
    pages.add_url_rule(f"/messages/{_ID}", "message", one)
    pages.add_url_rule(f"/messages/{_ID}/set-aside", "set_aside", set_aside, methods=["POST"])
    pages.add_url_rule(f"/messages/{_ID}/put-back", "put_back", put_back, methods=["POST"])


@permission("messages.read")
def show() -> Any:
    """Messages in one state, newest first; at first those that a person has to look at."""
    asked = request.args.get("state", "unmatched")
    state = cast(MessageState, asked if asked in get_args(MessageState) else "unmatched")
    before = request.args.get("cursor", type=int)
    page = current_services().engine.messages(
        state=state, limit=PAGE, unless=incoming.besides(state),
        before=before if before is not None and 0 < before <= _LARGEST_ID else None,
    )  # fmt: skip
    return page_of("messages.html", section="messages", state=state, page=page, told=incoming.told)


@permission("messages.read")
def one(message_id: int) -> Any:
    """One message, whole."""
    return _page(current_services().engine.message(message_id))


@permission("messages.set_aside")
def set_aside(message_id: int) -> Any:
    """No order takes it any more; the reason is kept."""
    engine, reason = current_services().engine, request.form.get("reason", "")
    try:
        engine.set_aside(message_id, me().actor, reason)
    except InvalidForm as refused:
        body = _page(engine.message(message_id), error=refused.errors[0].message, reason=reason)
        return make_response(body, 422)
    except Conflict as refused:
        flash(named(refused), "bad")
    else:
        flash(_("The message is set aside. No order takes it any more."))
    return redirect(url_for("pages.message", message_id=message_id), 303)


@permission("messages.set_aside")
def put_back(message_id: int) -> Any:
    """It waits again, and is taken at once when its order waits for it."""
    try:
        found = current_services().engine.put_back(message_id, me().actor)
    except Conflict as refused:
        flash(named(refused), "bad")
    else:
        flash(_("The message was put back, and its order has taken it.") if found.state == "taken"
              else _("The message is put back."))  # fmt: skip
    return redirect(url_for("pages.message", message_id=message_id), 303)


def _page(message: MessageView, *, error: str | None = None, reason: str = "") -> str:
    return page_of(
        "message.html", section="messages", m=message, text=incoming.told(message.name, message.payload),
        payload=orjson.dumps(message.payload, option=orjson.OPT_INDENT_2).decode(), error=error, reason=reason,
    )  # fmt: skip
