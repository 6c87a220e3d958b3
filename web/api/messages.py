"""Messages from banks, couriers and shops: signed, stored once, matched now or later."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from handlers.contract import FieldError
from handlers.reports_in import check_message
from web import incoming
from web.api.endpoint import Calls, Header, Reply
from web.api.models import BusinessKey, Input, Output
from web.permissions import SIGNED
from web.problems import bad_input
from web.services import current_services

calls = Calls("messages")

SOURCE = "webhook"


class MessageIn(Input):
    """A message about one order."""

    id: str = Field(min_length=1, max_length=120, description="The sender's own id; equals the header webhook-id.")
    order: BusinessKey
    payload: dict[str, Any] = Field(default_factory=dict)


class MessageOut(Output):
    """What became of a message."""

    id: str
    accepted: bool = Field(description="False when it had come before; then nothing was done.")


@calls.post(
    "/messages/<name>",
    permission=SIGNED,
    body=MessageIn,
    headers=(
        Header("webhook-id", "Standard Webhooks: the message's id.", 120),
        Header("webhook-timestamp", "Standard Webhooks: seconds since 1970, at most five minutes off.", 12),
        Header("webhook-signature", "Standard Webhooks: `v1,` and base64 of the HMAC-SHA256.", 2000),
    ),
    returns={202: MessageOut, 200: MessageOut},
    problems=(401,),
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
    return Reply(MessageOut(id=body.id, accepted=new), 202 if new else 200)
