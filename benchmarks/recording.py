"""Answers of one real order, recorded once, so that all engines under comparison work with the same data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.operations import plain
from handlers.contract import Call, External, Operation, Registry


@dataclass
class Recording:
    """What operations answered, what people submitted and what came from outside, in one order's usual way."""

    results: dict[str, Any] = field(default_factory=dict)
    """Operation name → its last result."""
    forms: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Element id → what a person submitted there."""
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Message name → its payload."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """The instance's variables at the end."""


def recorded(registry: Registry, recording: Recording) -> Registry:
    """The same operations; each leaves its result in the recording."""
    return Registry({name: _recorded(registry[name], recording) for name in registry}, registry.ports)


def _recorded(operation: Operation, recording: Recording) -> Operation:
    def note(result: Any) -> Any:
        recording.results[operation.name] = result
        return result

    if operation.external is not None:
        record = operation.external.record
        operation.external.record = lambda *args: note(record(*args))  # type: ignore[method-assign]
        return operation
    function = operation.function
    assert function is not None
    return replace(operation, function=lambda *args, **kwargs: note(function(*args, **kwargs)))


def replayed(registry: Registry, recording: Recording) -> Registry:
    """Operations of the same names and kinds that do nothing but give the recorded answer."""
    return Registry({name: _replayed(registry[name], recording) for name in registry})


def _replayed(operation: Operation, recording: Recording) -> Operation:
    answer = recording.results.get(operation.name)
    if operation.kind == "external":
        return replace(operation, external=_Answer(answer))
    function: Callable[..., Any] = lambda _call, *_args, **_kwargs: answer  # noqa: E731
    return replace(operation, function=function)


class _Answer(External):
    """An external operation without an outside."""

    def __init__(self, answer: Any) -> None:
        self._answer = plain(answer)

    def prepare(self, _call: Call, **_arguments: Any) -> dict[str, Any]:
        return {}

    def perform(self, _arguments: dict[str, Any], _key: str) -> dict[str, Any]:
        return {}

    def record(self, _call: Call, _arguments: Any, _result: Any) -> Any:
        return self._answer
