"""The contract between the engine and what the diagram's service tasks do.

The engine imports this module and nothing else of `handlers`; handlers import nothing of the engine.

Two kinds of operation exist. A *transactional* one is a function that only writes our database: it runs inside the
engine's command, in a savepoint, so that its effect and the token move together. An *external* one talks to somebody
else and has three parts (`External`). Both are registered under the name that the diagram uses (`operation`).
"""

from __future__ import annotations

import hashlib
import inspect
import time
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

from sqlalchemy import DateTime, Dialect
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

# --- time -----------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Where the time comes from. Nothing in Waybill reads the wall clock otherwise, so tests and demo can move it."""

    def now(self) -> datetime:
        """The time now, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class UtcTime(TypeDecorator[datetime]):
    """A point in time as an aware UTC datetime, in every database (SQLite alone would forget the zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# --- errors ---------------------------------------------------------------------------------------------------------


class WaybillError(Exception):
    """The root of every error Waybill raises on purpose. Its text is written for the person who reads it."""


class Refused(WaybillError):
    """A business refusal (declined card, no stock). Goes to the error boundary of the task that met it.

    `code` is the error code of a boundary event on the diagram; one that no boundary catches becomes an incident.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class TryAgain(WaybillError):
    """A passing failure outside (a time-out, a 503): the job is tried again later with the same key.

    `after` is how long the other side asks to be left alone (Retry-After).
    """

    def __init__(self, message: str, *, after: timedelta | None = None) -> None:
        super().__init__(message)
        self.after = after


class GiveUp(WaybillError):
    """A failure outside that trying again cannot mend (wrong credentials, a request that makes no sense there).

    No refusal of the business, and not the customer's business either: the job is an incident at once.
    """


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field. `field` is a JSON pointer into the submitted document, e.g. `/items/0/quantity`."""

    field: str
    message: str


class Problem(WaybillError):
    """A submitted form that cannot be taken for a business reason. Goes back to the form, nothing is stored."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{e.field}: {e.message}" for e in errors))
        self.errors = errors


# --- trying again ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when a job that failed is tried again. Pure: the same question has the same answer everywhere."""

    attempts: int = 8
    """After so many attempts that met a passing failure (`TryAgain`) the job is an incident."""
    unforeseen: int = 3
    """The same for a failure that nobody foresaw: it seldom passes, and a person should see it soon."""
    first: timedelta = timedelta(seconds=1)
    """The wait after the first attempt; it doubles with each one."""
    longest: timedelta = timedelta(minutes=5)

    def next_attempt(
        self, attempt: int, key: str, now: datetime, *, allowed: int, after: timedelta | None = None
    ) -> datetime | None:
        """When to try again after attempt number `attempt` (the first is 1) has failed; None: not by itself any more.

        `allowed` is how many attempts this job has (a retry by hand grants more), `after` what the other side asked
        for, of which at most a day is granted. The jitter, a quarter to either side, is drawn from the key: jobs that
        failed together do not come back together.
        """
        if attempt >= allowed:
            return None
        doubled = self.first * (1 << min(attempt - 1, 20))
        drawn = int.from_bytes(hashlib.sha256(f"{key}:{attempt}".encode()).digest()[:2], "big") / 65535
        wait = min(doubled, self.longest) * (0.75 + 0.5 * drawn)
        return now + max(wait, min(after or wait, LONGEST_AFTER))


LONGEST_AFTER = timedelta(days=1)
"""What is granted of a Retry-After; nobody else decides that an order sleeps for a week."""
USUAL_RETRY = RetryPolicy()
CALL_SECONDS = 14.0
"""What one `perform` may take in all, waiting included: less than half a lease, so that a worker that still works on a
job is never taken for dead."""
_ends: ContextVar[float | None] = ContextVar("call_ends", default=None)


@contextmanager
def time_limit(seconds: float = CALL_SECONDS) -> Iterator[None]:
    """Around one `perform`: `seconds_left` counts down from here."""
    token = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(token)


def seconds_left() -> float:
    """How long an outside call may still take. Every port that waits waits no longer. TryAgain when time is up.

    `CALL_SECONDS` outside a `perform`, where a person waits for the answer.
    """
    ends = _ends.get()
    left = CALL_SECONDS if ends is None else ends - time.monotonic()
    if left <= 0:
        raise TryAgain(f"The outside calls of this job took more than {CALL_SECONDS:.0f} seconds together.")
    return left


# --- calls ----------------------------------------------------------------------------------------------------------


class Later(Protocol):
    """Queues an external operation beside the token: it runs as a job of its own and the order does not wait for it."""

    def __call__(self, operation: str, **arguments: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation, inside the engine's transaction."""

    order: str
    """The business key of the instance, for an order its number."""
    actor: str
    """Who caused it: a user name, or `waybill` when nobody did."""
    clock: Clock
    session: Session
    """The command's session. Never commit or roll it back."""
    element: str
    """The diagram element that calls."""
    key: str
    """`order:element:visit[:item]`, the same on every retry."""
    variables: Mapping[str, Any]
    """The instance's variables as they are now; read only."""
    later: Later
    ports: Any = None
    """The object the registry was built with; `handlers.ports.Ports` in the shop."""
    history: Callable[[], Mapping[str, Any]] = dict
    """The instance's history as of now: `head` (hash), `seq`, `version`, `events` (plain dicts), read when called."""
    note: Callable[[str], None] = lambda _: None
    """Adds a sentence to the history's line of the task that a form completes."""

    @property
    def now(self) -> datetime:
        return self.clock.now()


class External(ABC):
    """An operation that talks to somebody else. The class is made once, with the ports, when the registry is built.

    `prepare` runs in the command; what it returns is frozen as the job's arguments (a dataclass of plain values).
    `perform` is called by a worker with the frozen arguments, no transaction open and no lock held, and may be repeated
    with the same key. `record` writes the result in the finishing command, and runs even when the token is gone.

    `prepare(self, call, <parameters of the diagram>) -> Args`; subclasses name the parameters. When it returns None
    there is nothing to do: no job is made, and the token goes on.
    """

    retry: RetryPolicy = USUAL_RETRY
    prepare: Callable[..., Any]

    @abstractmethod
    def perform(self, arguments: Any, key: str) -> Any:
        """Act outside, within `CALL_SECONDS`. Returns a dataclass of plain values.

        Raises `Refused` (a business no), `TryAgain` (it passes) or `GiveUp` (it does not).
        """

    @abstractmethod
    def record(self, call: Call, arguments: Any, result: Any) -> Mapping[str, Any] | None:
        """Write what happened. What it returns becomes the result variable, if the token is still there."""

    def refused(self, call: Call, arguments: Any, refusal: Refused) -> None:  # noqa: B027 - optional part
        """Write that the other side refused. Runs in the finishing command, before the refusal goes to its boundary."""

    def by_hand(
        self, call: Call, arguments: Any, reason: str, given: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Write what a person has done outside instead, when an incident is resolved by hand with this reason.

        `given` is what the person says of it. What this returns becomes the result variable in its place. Raises
        `Problem` (`/result/…`) when it needs to know more.
        """
        return None


# --- forms ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a pick list."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of what a person should see above a form."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class FormContext:
    """What a form needs to know of its order now. Returned by the operation that a user task names as `formContext`."""

    data: Mapping[str, Any] = field(default_factory=dict)
    """What the form starts with."""
    example: Mapping[str, Any] = field(default_factory=dict)
    """One document that is valid for this task now."""
    choices: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)
    """Pick lists by property path, e.g. `{"items.sku": (...)}`; they become the schema's `oneOf` there."""
    facts: tuple[Fact, ...] = ()


# --- registry -------------------------------------------------------------------------------------------------------

T = typing.TypeVar("T", bound=Callable[..., Any])
Kind = Literal["transactional", "external"]
Values = frozenset[Any] | str | None
"""The values that a key can have, or their kind (`string`, `number`, `boolean`); None where neither can be said."""
_declared: dict[str, Callable[..., Any] | type[External]] = {}
_Promises = tuple[
    Mapping[str, Values] | None, frozenset[str] | None, frozenset[str], tuple[str, ...], tuple[str, ...]
]
_promises: dict[str, _Promises] = {}
_NOTHING: _Promises = (None, None, frozenset(), (), ())


def operation(
    name: str, *, gives: Collection[str] | Mapping[str, Collection[Any] | str | None] | None = None,
    refuses: Collection[str] | None = None, reads: Collection[str] = (), takes: Collection[str] = (),
    worth: Collection[str] = (),
) -> Callable[[T], T]:
    """Registers a function (transactional) or an `External` subclass under the name that the diagram uses.

    `gives` names the keys of its result, with their possible values or their kind where that can be said; `refuses` the
    codes it may refuse with, `reads` the variables that it looks up under a fixed name if they are there, `takes` the
    fields of the form that it reads, those that may be missing with a question mark. A diagram that reads another key,
    catches no such refusal or has no such field is told so before it is deployed. None: not known, nothing is said.

    `worth`, of what composes a submission: its keys, as far as they are there, with amounts (`{"amount", "currency"}`)
    none of which may be above the amount up to which somebody signs for another person.
    """
    keys = None if gives is None else {
        key: values if values is None or isinstance(values, str) else frozenset(values)
        for key, values in (gives if isinstance(gives, Mapping) else dict.fromkeys(gives)).items()
    }

    def declare(target: T) -> T:
        if name in _declared and _declared[name] is not target:
            raise ValueError(f"operation {name!r} is declared twice")
        _declared[name] = target
        refusals = None if refuses is None else frozenset(refuses)
        _promises[name] = keys, refusals, frozenset(reads), tuple(takes), tuple(worth)
        return target

    return declare


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation as the diagram must give it."""

    name: str
    type: type
    required: bool
    choices: tuple[Any, ...] | None = None
    """The values that it may have; None when any of its type will do."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A registered operation."""

    name: str
    kind: Kind
    function: Callable[..., Any] | None
    external: External | None
    parameters: tuple[Parameter, ...]
    documentation: str
    gives: Mapping[str, Values] | None = None
    """The keys of its result with their possible values; None when it does not say."""
    refuses: frozenset[str] | None = None
    """The codes it may refuse with; None when it does not say."""
    reads: frozenset[str] = frozenset()
    """The variables that it looks up under a fixed name, if they are there."""
    takes: tuple[str, ...] = ()
    """The fields that it reads of the form it is given; those with a question mark may be missing."""
    worth: tuple[str, ...] = ()
    """The keys of a submission that say what it is about is worth."""

    @property
    def retry(self) -> RetryPolicy:
        """How often and when its jobs are tried again."""
        return self.external.retry if self.external is not None else USUAL_RETRY

    @property
    def arguments_type(self) -> Any:
        """The type of the frozen arguments of an external operation."""
        assert self.external is not None
        perform = type(self.external).perform
        first = next(name for name in inspect.signature(perform).parameters if name != "self")
        return typing.get_type_hints(perform)[first]

    @property
    def result_type(self) -> Any:
        """The type of what an external operation's `perform` returns."""
        assert self.external is not None
        return typing.get_type_hints(type(self.external).perform)["return"]


class Registry(Mapping[str, Operation]):
    """The operations that a diagram may name."""

    def __init__(
        self, operations: Mapping[str, Operation], ports: Any = None, messages: Collection[str] = ()
    ) -> None:
        self._operations = dict(operations)
        self.ports = ports
        self.messages = frozenset(messages)
        """The names of the messages that are sent to instances from outside; empty when that is not known."""

    def __getitem__(self, name: str) -> Operation:
        return self._operations[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._operations))

    def __len__(self) -> int:
        return len(self._operations)


def build_registry(
    ports: Any, declared: Mapping[str, Callable[..., Any] | type[External]] | None = None,
    messages: Collection[str] = (),
) -> Registry:
    """Makes every declared operation; an external class is called with `ports`."""
    operations = {}
    for name, target in (_declared if declared is None else declared).items():
        promised = _promises.get(name, _NOTHING) if declared is None else _NOTHING
        if isinstance(target, type):
            external = target(ports)
            operations[name] = Operation(
                name, "external", None, external, _parameters(external.prepare), inspect.getdoc(target) or "",
                *promised,
            )
        else:
            operations[name] = Operation(
                name, "transactional", target, None, _parameters(target), inspect.getdoc(target) or "", *promised
            )
    return Registry(operations, ports, messages)


def _parameters(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    hints = typing.get_type_hints(function)
    signature = inspect.signature(function)
    return tuple(
        Parameter(
            name, hints.get(name, object), parameter.default is inspect.Parameter.empty,
            typing.get_args(hints.get(name)) if typing.get_origin(hints.get(name)) is Literal else None,
        )
        for name, parameter in signature.parameters.items()
        if name not in ("self", "call")
    )
