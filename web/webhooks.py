"""Signed messages from outside, by the rules of Standard Webhooks: who sent it, is it whole, is it fresh."""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook
from werkzeug.datastructures import Headers

from web.problems import ApiProblem

TOLERANCE = timedelta(minutes=5)
"""How far a message's time stamp may be from now, to either side."""


def verify(secret: str, raw: bytes, headers: Headers, now: datetime) -> str:
    """The id of a message whose headers sign exactly these bytes. A 401 problem says what is wrong with it.

    The library makes the signature; time is compared here, because it would read the machine's clock itself.
    """
    if not secret:
        raise _refuse("This installation takes no messages: it has no webhook secret.")
    message_id = headers.get("webhook-id", "")
    stamp = headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "")
    if not (message_id and stamp and signatures):
        raise _refuse("The headers webhook-id, webhook-timestamp and webhook-signature are required.")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 11):  # up to the year 5138
        raise _refuse("The header webhook-timestamp holds no time in seconds since 1970.")
    sent = datetime.fromtimestamp(int(stamp), UTC)
    if abs(now - sent) > TOLERANCE:
        raise _refuse(
            "The time stamp is more than five minutes off. Check the clock, and sign again when sending again."
        )
    try:
        expected = Webhook(secret).sign(message_id, sent, raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise _refuse("The body is not UTF-8.") from None
    if not any(_same(expected, one) for one in signatures.split(" ")):
        raise _refuse("No signature fits the body. Sign the raw bytes of the body as they are sent.")
    return message_id


def _same(expected: str, given: str) -> bool:
    version, _, signature = given.partition(",")
    try:
        return version == "v1" and hmac.compare_digest(
            base64.b64decode(expected.partition(",")[2]), base64.b64decode(signature, validate=True)
        )
    except (binascii.Error, ValueError):
        return False


def _refuse(detail: str) -> ApiProblem:
    return ApiProblem("bad-signature", detail)
