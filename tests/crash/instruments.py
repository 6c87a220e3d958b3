"""Puts the labelled points into a built installation: around commits, operations and outside calls. The product has
no switch for any of this."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from app import Parts
from demo.dice import Dice
from engine import Engine
from handlers.contract import External
from tests.crash.points import COMMANDS, Points, after_commit, before_commit

_COMMAND: ContextVar[str] = ContextVar("command", default="")
_OPERATION: ContextVar[str] = ContextVar("operation", default="")
METHODS = {
    "start": "start", "complete": "complete", "decide": "decide", "decide_many": "decide", "override": "decide",
    "deliver": "deliver", "cancel": "cancel",
    "claim": "claim", "release": "release", "assign": "assign", "save_task_draft": "draft", "_claim": "take",
    "_fail": "fail", "retry": "retry", "_keep": "keep form", "_keep_decision": "keep decision",
    "_keep_message": "keep message", "resolve": "resolve", "set_aside": "set aside", "put_back": "put back",
    "seal_if_due": "seal",
}  # fmt: skip
_PORTS = {
    "payments": ("authorise", "capture", "void", "refund", "find"),
    "mail": ("send",),
    "renderer": ("pdf",),
    "files": ("put",),
}
_COURIER = ("book", "cancel", "track", "proof", "find")
BREAKDOWNS = {"complete": 0.012, "decide": 0.02, "deliver": 0.015, "finish": 0.01, "start": 0.01}
"""How often an operation breaks down, once, in a way that nobody foresaw, by the command that calls it."""


def instrument(parts: Parts, points: Points, breakdowns: Breakdowns) -> None:
    """Adds points and breakdowns to an installation. Call once in a process, before it works."""
    _watch_commits(points)
    _name_commands(parts.engine)
    for name, operation in parts.engine.registry.items():
        if operation.external is not None:
            _split(operation.external, name, points)
        else:
            object.__setattr__(operation, "function", breakdowns.around(name, operation.function))
    breakdowns.of_messages(parts.engine)
    for port, methods in _PORTS.items():
        for method in methods:
            _after_call(getattr(parts.ports, port), method, f"{port}.{method}", points)
    for courier in parts.ports.couriers.values():
        for method in _COURIER:
            _after_call(courier, method, f"courier.{method}", points)


# --- commands and commits --------------------------------------------------------------------------------------------


@contextmanager
def _named(variable: ContextVar[str], name: str) -> Iterator[None]:
    token = variable.set(name)
    try:
        yield
    finally:
        variable.reset(token)


def _name_commands(engine: Engine) -> None:
    for method, command in METHODS.items():
        setattr(engine, method, _within(getattr(engine, method), command))
    run_job = engine.run_job

    def labelled(claim: Any, *more: Any, **options: Any) -> Any:
        with _named(_COMMAND, "finish" if claim.kind == "operation" else claim.kind):
            return run_job(claim, *more, **options)

    engine.run_job = labelled  # type: ignore[method-assign]


def _within(method: Callable[..., Any], command: str) -> Callable[..., Any]:
    @functools.wraps(method)
    def labelled(*arguments: Any, **options: Any) -> Any:
        session = options.get("session")
        if session is not None:
            session.info["command"] = command  # its owner commits after this returns
        with _named(_COMMAND, command):
            return method(*arguments, **options)

    return labelled


def _watch_commits(points: Points) -> None:
    def command_of(session: Session) -> str:
        found: str = session.info.get("command") or _COMMAND.get()
        return "" if session.in_nested_transaction() or found not in COMMANDS else found

    @event.listens_for(Session, "before_commit")
    def before(session: Session) -> None:
        if command := command_of(session):
            session.flush()
            points.reach(before_commit(command))

    @event.listens_for(Session, "after_commit")
    def after(session: Session) -> None:
        if command := command_of(session):
            points.reach(after_commit(command))


# --- operations and outside calls ------------------------------------------------------------------------------------


def _split(external: External, name: str, points: Points) -> None:
    """Gives one external operation its points. It stays of its own class, whose signatures the engine reads."""
    kind = type(external)

    def followed(method: str, label: str) -> Callable[..., Any]:
        original = getattr(kind, method)

        @functools.wraps(original)
        def call(*arguments: Any, **options: Any) -> Any:
            result = original(*arguments, **options)
            points.reach(f"{label}: {name}")
            return result

        return call

    @functools.wraps(kind.perform)
    def perform(self: External, arguments: Any, key: str) -> Any:
        points.reach(f"before perform: {name}")
        with _named(_OPERATION, name):
            result = kind.perform(self, arguments, key)
        points.reach(f"after perform: {name}")
        return result

    methods = {"prepare": followed("prepare", "prepare"), "record": followed("record", "record"), "perform": perform}
    if kind.refused is not External.refused:
        methods["refused"] = followed("refused", "record refusal")
    external.__class__ = type(kind.__name__, (kind,), methods)


def _after_call(port: Any, method: str, name: str, points: Points) -> None:
    original = getattr(port, method, None)
    if original is None:
        return

    @functools.wraps(original)
    def call(*arguments: Any, **options: Any) -> Any:
        result = original(*arguments, **options)
        if operation := _OPERATION.get():
            points.reach(f"in perform: {operation}, after {name}")
        return result

    setattr(port, method, call)


# --- breakdowns ------------------------------------------------------------------------------------------------------


class Breakdown(RuntimeError):
    """A failure that nobody foresaw."""


class Breakdowns:
    """Operations that fail once in a while; never twice for the same, so that trying again helps."""

    def __init__(self, folder: Path, dice: Dice) -> None:
        self._folder, self._dice = folder, dice
        folder.mkdir(parents=True, exist_ok=True)

    def around(self, name: str, function: Any) -> Any:
        """The function of a transactional operation, which may break down after its work."""

        @functools.wraps(function)
        def call(given: Any, *arguments: Any, **options: Any) -> Any:
            result = function(given, *arguments, **options)
            command = _COMMAND.get()
            if command in BREAKDOWNS:
                self._maybe(BREAKDOWNS[command], f"{name} {given.key} {command}")
            return result

        return call

    def of_messages(self, engine: Engine) -> None:
        """Giving a message to whoever waits for it may break down, outside of every operation."""
        match = engine._match

        def call(tx: Session, name: str, business_key: str) -> None:
            waited = f" {name} " in _awaits(tx, business_key)
            match(tx, name, business_key)
            if waited:
                self._maybe(0.03, f"message {name} {business_key}")

        engine._match = call  # type: ignore[method-assign]

    def _maybe(self, chance: float, what: str) -> None:
        if not self._dice.chance(chance, what):
            return
        mark = self._folder / hashlib.sha256(what.encode()).hexdigest()[:24]
        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        raise Breakdown(f"broke down once: {what}")


def _awaits(tx: Session, business_key: str) -> str:
    from sqlalchemy import select

    from engine.store.tables import Instance

    return tx.execute(select(Instance.awaits).where(Instance.business_key == business_key)).scalar() or ""
