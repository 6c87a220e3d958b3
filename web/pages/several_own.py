"""What differs from order to order when several tasks are filled in together: each is asked for it by itself.

A form says so with `"ui:each": true` at a field. The inputs of one task bear its id: `@TASK/parcels/0/weight_g`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.views import TaskDetail
from handlers.contract import FieldError
from web import forms

Posted = Mapping[str, Sequence[str]]
_MARK = "@"


@dataclass(frozen=True, slots=True)
class Own:
    """The fields of one task that are its alone."""

    task: str
    order: str
    form: forms.Form


def own_fields(ui: Mapping[str, Any]) -> frozenset[str]:
    """The fields of a form that differ from order to order."""
    return frozenset(name for name, look in ui.items() if isinstance(look, Mapping) and look.get("ui:each") is True)


def part(schema: Mapping[str, Any], names: frozenset[str], *, own: bool) -> dict[str, Any]:
    """A form with only the fields that are each task's own, or without them."""
    properties = {name: each for name, each in schema.get("properties", {}).items() if (name in names) == own}
    required = [name for name in schema.get("required", ()) if name in properties]
    return {**schema, "properties": properties, "required": required}


def divided(posted: Posted) -> tuple[dict[str, Sequence[str]], dict[str, dict[str, Sequence[str]]]]:
    """The inputs that are for all, and those of each task by their pointers."""
    common: dict[str, Sequence[str]] = {}
    own: dict[str, dict[str, Sequence[str]]] = {}
    for name, values in posted.items():
        if name.startswith(_MARK):
            task, pointer = whose(name)
            own.setdefault(task, {})[pointer] = values
        else:
            common[name] = values
    return common, own


def whose(name: str) -> tuple[str, str]:
    """The task and the pointer in the name of an input; no task in one that is for all."""
    if not name.startswith(_MARK):
        return "", name
    task, _, pointer = name[len(_MARK) :].partition("/")
    return task, f"/{pointer}"


def own_form(detail: TaskDetail, document: Mapping[str, Any], errors: Sequence[FieldError]) -> Own:
    """What one task is asked for. Errors of fields that are for all are not among its."""
    names, task = own_fields(detail.ui), detail.task
    mine = [error for error in errors if is_own(error, names)]
    form = forms.build(part(detail.form, names, own=True), detail.ui, document, mine)
    for field in form.fields:
        _mark(field, _MARK + task.id)
    form.mistakes = [
        replace(one, target=f"f{_MARK}{task.id}{one.target[1:]}", text=f"{task.order}: {one.text}")
        for one in form.mistakes
    ]
    return Own(task.id, task.order, form)


def is_own(error: FieldError, names: frozenset[str]) -> bool:
    """Whether an error is about a field that is each task's own."""
    return error.field.strip("/").partition("/")[0] in names


def _mark(field: forms.Field, mark: str) -> None:
    field.pointer = mark + field.pointer
    field.counting = None  # a scan could not tell for which order it is
    for inner in (*field.children, *(cell for row in field.rows for cell in row)):
        _mark(inner, mark)
