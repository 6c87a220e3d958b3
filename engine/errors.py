"""What the engine refuses, in one tree. Every message is written for the person who reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from handlers.contract import FieldError, WaybillError


class EngineError(WaybillError):
    """The root of the engine's own errors."""

    def __init__(self, message: str = "", who: str | None = None) -> None:
        super().__init__(message)
        self.who = who
        """User name of the person whom the message names, if it names one: people read another name."""


class NotFound(EngineError):
    """Not there, or not the caller's to see."""


class NotAllowed(EngineError):
    """The caller may see it and may not do this."""


class SeparationOfDuties(NotAllowed):
    """Whoever worked on the order may not sign it."""


class NotAnApprover(NotAllowed):
    """The caller is not of the team that signs this gate."""


class OwnVersion(NotAllowed):
    """Whoever made a version may not consent to it."""


class Conflict(EngineError):
    """Somebody or something was faster; nothing was changed."""


class AlreadyDone(Conflict):
    """The task is done, or was withdrawn."""


class TakenByAnother(Conflict):
    """Another person has claimed the task."""

    def __init__(self, who: str) -> None:
        super().__init__(f"{who} has this task.", who)


class StaleRevision(Conflict):
    """The caller looked at an older state than the one stored."""


class StaleSnapshot(Conflict):
    """What the approver looked at is not what would be signed now."""


class AlreadyDecided(Conflict):
    """The gate was decided, or this person has signed it. `who` decided it, where the sentence names them."""


class TooLate(Conflict):
    """The order has passed the point from which it can no longer be cancelled."""


class StaleBase(Conflict):
    """A process change that was made on top of another version than the newest deployed one."""

    def __init__(self, message: str, *, base: int | None = None, newest: int | None = None) -> None:
        super().__init__(message)
        self.base = base
        """The version it was made on; None: on none."""
        self.newest = newest
        """The newest deployed version; None: there is none."""


class NothingChanged(Conflict):
    """A process change that changes nothing."""


class DraftChanged(StaleRevision):
    """Somebody else has saved the draft meanwhile."""

    def __init__(self, message: str, *, by: str, at: datetime, revision: int) -> None:
        super().__init__(message, by)
        self.by = by
        self.at = at
        self.revision = revision
        """The revision that is stored now."""


class InvalidForm(EngineError):
    """A submitted form that its schema, or the operation that takes it, refuses."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{e.field}: {e.message}" for e in errors))
        self.errors = tuple(errors)


class DatabaseBehind(EngineError):
    """The database's tables are older than this program."""


class DatabaseAhead(EngineError):
    """The database's tables are newer than this program."""


class DatabaseTrouble(EngineError):
    """The database itself cannot do its work now: full, read-only, busy, away, damaged. See `engine.store.trouble`."""

    def __init__(self, sentence: str, *, kind: str, cause: str, retry_after: int, known: bool = True) -> None:
        """`cause` is the database's own words, for logs and the command line; `retry_after` is in seconds.

        `known` is false when the connection broke while the work was being committed: perhaps it was kept.
        """
        outcome = "Nothing was changed." if known else "Look whether it was saved before you repeat it."
        super().__init__(f"{sentence} {outcome}")
        self.sentence = sentence
        self.kind = kind
        self.cause = cause
        self.retry_after = retry_after
        self.known = known


@dataclass(frozen=True, slots=True)
class Choice:
    """One fix of an element and the words on its button."""

    fix: str
    label: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the linter says about a bundle."""

    file: str
    element: str | None
    name: str | None
    line: int | None
    rule: str
    message: str
    """What is wrong."""
    advice: str
    """What to do."""
    severity: Literal["error", "warning"] = "error"
    fix: str | None = None
    """The id of a mending that `engine.executable` knows; None when a person has to decide."""
    label: str | None = None
    """What the fix does, as the words on a button."""
    others: tuple[Choice, ...] = ()
    """Further fixes to choose from."""

    def __str__(self) -> str:
        where = self.file + (f":{self.line}" if self.line else "")
        what = f" {self.element}" if self.element else ""
        called = f" “{self.name}”" if self.name else ""
        return f"{where}{what}{called}: {self.message} {self.advice}"


class CannotDeploy(EngineError):
    """A bundle that the linter refuses. `findings` holds every problem."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(str(f) for f in findings))
        self.findings = tuple(findings)


class ExpressionError(EngineError):
    """A text that is not an expression of the safe language, or that cannot be evaluated on these variables."""
