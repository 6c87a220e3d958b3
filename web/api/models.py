"""What several resources share: money, times, lists, and how models read and write JSON."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints, WithJsonSchema

from handlers.contract import FieldError
from web.problems import bad_input

T = TypeVar("T")

LONGEST_PAGE = 200
"""A greater `limit` is taken as this."""


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Time = Annotated[
    datetime,
    PlainSerializer(_rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""RFC 3339 in UTC, e.g. `2026-03-01T09:30:00Z`; with microseconds when there are any: hashes cover them."""

BusinessKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]


class Input(BaseModel):
    """A body: strict types, no field that the model does not name."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """The part of an address after the question mark. An empty value counts as none."""

    model_config = ConfigDict(extra="forbid")


class Output(BaseModel):
    """An answer. Serialised by its own fields only."""

    model_config = ConfigDict(from_attributes=True)


class Paging(Query):
    """Which part of a list."""

    limit: int = Field(50, ge=1, description=f"How many at most; more than {LONGEST_PAGE} is taken as {LONGEST_PAGE}.")
    cursor: str | None = Field(None, max_length=500, description="The `next` of the page before.")

    @property
    def size(self) -> int:
        return min(self.limit, LONGEST_PAGE)


class Listing(Output, Generic[T]):
    """A page of a list. `next` is the cursor of the page after it, or null."""

    items: list[T]
    next: str | None = None


class Money(Output):
    """An amount in minor units of its ISO 4217 currency: 12999 USD is 129.99 dollars."""

    amount: int
    currency: str = Field(min_length=3, max_length=3)


class Step(Output):
    """One of the 20 steps."""

    number: int | None = Field(description="1–20")
    name: str


def cursor_of(*parts: str | int) -> str:
    """An opaque cursor that stands after the row with these sort values."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def read_cursor(cursor: str | None, *types: type) -> tuple[str | int, ...] | None:
    """The sort values in a cursor; a 422 when it is none of ours."""
    if cursor is None:
        return None
    try:
        parts = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise bad_cursor() from None
    if not isinstance(parts, list) or [type(part) for part in parts] != list(types):
        raise bad_cursor()
    if any(isinstance(part, int) and abs(part) > 2**62 for part in parts):
        raise bad_cursor()
    return tuple(parts)


def bad_cursor() -> Exception:
    """The answer to a cursor that this list did not give out."""
    return bad_input(FieldError("/cursor", "This is not a cursor of this list. Take `next` of the page before."))


def under(prefix: str, error: FieldError) -> FieldError:
    """A fault of a form, named by its place in the body that carries the form under `prefix`."""
    return FieldError(prefix + error.field.rstrip("/"), error.message)
