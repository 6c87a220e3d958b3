"""Messages from banks, couriers and shops: signed, stored once, matched now or later."""

from __future__ import annotations

from typing import Any

import structlog
from pydantic import Field

from engine.errors import NotFound
from engine.messages import LONGEST_REASON
from engine.views import InstanceStatus, MessageState, MessageView, MessageWhy
from handlers.contract import FieldError
from handlers.reports_in import check_message
from web import incoming
from web.api.auth import Caller
from web.api.endpoint import Calls, Header, Reply
from web.api.models import BusinessKey, Input, Listing, Output, Paging, Time, cursor_of, read_cursor
from web.permissions import SIGNED
from web.problems import bad_input
from web.services import current_services

calls = Calls("messages")

log = structlog.get_logger(__name__)

SOURCE = "webhook"
_DIFFERS = (
    "This id was used before for another message, which is kept. What you sent now was not stored: send it with an id "
    "of its own."
)


class MessageIn(Input):
    """A message about one order."""

    id: str = Field(min_length=1, max_length=120, description="The sender's own id; equals the header webhook-id.")
    order: BusinessKey
    payload: dict[str, Any] = Field(default_factory=dict)


class DeliveredOut(Output):
    """What became of a message."""

    id: str
    accepted: bool = Field(description="False when it had come before; then nothing was done.")


class RepeatedOut(DeliveredOut):
    """A message whose id had come before."""

    differs: bool = Field(
        description="True when the id was used before for something else: what came now was **not** stored."
    )
    detail: str = Field(description="The same in a sentence.")


class MessageQuery(Paging):
    """Which messages."""

    state: MessageState | None = Field(
        None,
        description="`unmatched`: no order takes it and a person has to look; `waiting`: kept for an open order that "
        "does not ask for it now; `taken`; `set_aside`.",
    )
    order: BusinessKey | None = None


class SetAsideOut(Output):
    """Who has dealt with a message, and why no order has to."""

    at: Time
    by: str
    reason: str


class MessageOut(Output):
    """One message."""

    id: int = Field(description="Its number here.")
    message_id: str = Field(description="The sender's own id.")
    source: str
    name: str
    order: str
    payload: dict[str, Any]
    received_at: Time
    state: MessageState
    why: MessageWhy | None = Field(
        description="Why nobody has taken it: `early`, `no_order`, `ended` (the order has), `passed` "
        "(the order took such a message before and asks for no other), `not_accepted` (it does "
        "not fit what the order waits for), `failed` (see the order's incident)."
    )
    since: Time = Field(description="Since when that is so.")
    order_state: InstanceStatus | None = Field(validation_alias="order_status")
    taken_at: Time | None
    taken_by: str | None = Field(description="The element that took it.")
    set_aside: SetAsideOut | None


class MessageList(Listing[MessageOut]):
    """A page of messages, newest first."""


class SetAsideIn(Input):
    """Why no order has to take a message."""

    reason: str = Field(min_length=1, max_length=LONGEST_REASON, pattern=r"\S")


@calls.post(
    "/messages/<name>",
    permission=SIGNED,
    body=MessageIn,
    headers=(
        Header("webhook-id", "Standard Webhooks: the message's id.", 120),
        Header("webhook-timestamp", "Standard Webhooks: seconds since 1970, at most five minutes off.", 12),
        Header("webhook-signature", "Standard Webhooks: `v1,` and base64 of the HMAC-SHA256.", 2000),
    ),
    returns={202: DeliveredOut, 200: RepeatedOut},
    problems=(401, 404),
)
def deliver_message(name: str, body: MessageIn, message_id: str) -> Reply:
    """Deliver a message. One that comes too early waits for its order; the same id again is 200 and does nothing."""
    if body.id != message_id:
        raise bad_input(FieldError("/id", "This must equal the header webhook-id."))
    engine = current_services().engine
    with engine.reading() as session:
        known = incoming.known_names(session)
    if name not in known:
        raise bad_input(
            FieldError("/name", f"No process waits for this message. Known are {', '.join(sorted(known))}.")
        )
    payload = check_message(name, body.payload, message_id=body.id)
    new = engine.deliver(name, body.order, payload, source=SOURCE, message_id=body.id)
    if new:
        return Reply(DeliveredOut(id=body.id, accepted=True), 202)
    before = engine.message_of(SOURCE, body.id)
    differs = (before.name, before.order, before.payload) != (name, body.order, payload)
    if differs:
        log.warning("message id used twice", id=body.id, name=name, order=body.order, before=before.id)
    detail = _DIFFERS if differs else "It had come before. Nothing was done again."
    return Reply(RepeatedOut(id=body.id, accepted=False, differs=differs, detail=detail), 200)


@calls.get("/messages", permission="messages.read", query=MessageQuery, returns={200: MessageList})
def list_messages(caller: Caller, query: MessageQuery) -> MessageList:
    """List messages, newest first. `?state=unmatched` lists those that a person has to look at. Of those that nobody
    took, a courier's word of a pickup that was confirmed already is left out."""
    after = read_cursor(query.cursor, int)
    page = caller.services.engine.messages(
        state=query.state, order=query.order, limit=query.size, before=int(after[0]) if after else None,
        unless=incoming.besides(query.state),
    )  # fmt: skip
    following = None if page.next is None else cursor_of(int(page.next))
    return MessageList(items=[_body(message) for message in page.items], next=following)


@calls.get("/messages/<name>", permission="messages.read", returns={200: MessageOut}, problems=(404,))
def get_message(caller: Caller, name: str) -> MessageOut:
    """One message. In place of a name stands its number, the `id` of the list."""
    return _body(caller.services.engine.message(_number(name)))


@calls.post(
    "/messages/<id>/set-aside",
    permission="messages.set_aside",
    body=SetAsideIn,
    returns={200: MessageOut},
    problems=(404, 409),
)
def set_message_aside(caller: Caller, id: str, body: SetAsideIn) -> MessageOut:  # noqa: A002 - the path's own word
    """Set a message aside: a person has dealt with it, and no order takes it any more."""
    return _body(caller.services.engine.set_aside(_number(id), caller.actor, body.reason))


@calls.post(
    "/messages/<id>/put-back", permission="messages.set_aside", returns={200: MessageOut}, problems=(404, 409)
)
def put_message_back(caller: Caller, id: str) -> MessageOut:  # noqa: A002 - the path's own word
    """Put a message back that was set aside. Its order takes it at once when it waits for it."""
    return _body(caller.services.engine.put_back(_number(id), caller.actor))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise NotFound("There is no such message.")
    return int(text)


def _body(message: MessageView) -> MessageOut:
    return MessageOut.model_validate(message)
