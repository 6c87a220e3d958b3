"""Compares two forms: the schema (what is asked) and the UI schema (how it looks), field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.diff.model import Detail
from engine.diff.words import counted, spaced, value_words

Json = Mapping[str, Any]
_KEYWORDS = {
    "description": "hint", "minimum": "at least", "maximum": "at most", "minLength": "shortest",
    "maxLength": "longest", "minItems": "fewest entries", "maxItems": "most entries", "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than", "multipleOf": "a multiple of", "default": "starts with",
    "writeOnly": "kept secret", "uniqueItems": "each once", "additionalProperties": "takes other fields",
    "pattern": "pattern", "const": "always",
}  # fmt: skip
_TYPES = {
    "string": "text", "integer": "whole number", "number": "number", "boolean": "yes or no", "array": "list",
    "object": "group",
}  # fmt: skip
_UI = {"ui:widget": "shown as", "ui:help": "help", "ui:placeholder": "example in the field", "ui:options": "look",
       "ui:autofocus": "has the focus first"}  # fmt: skip
_PLAIN = frozenset({"type", "format", "title", "oneOf", "enum", "properties", "items", "required", "$schema", "$id"})


def compare_form(old: Json, new: Json, old_ui: Json, new_ui: Json) -> list[Detail]:
    """What changes in a form."""
    details = [*_own("", old, new), *_own_ui("", old_ui, new_ui)]
    before, after = dict(_fields(old)), dict(_fields(new))
    for path, field in after.items():
        name = _name(path, field.schema)
        if path not in before:
            details.append(Detail(f"field {name}", None, field_words(field.schema, required=field.required)))
        else:
            details += _field(name, before[path], field)
    details += [
        Detail(f"field {_name(path, field.schema)}", field_words(field.schema, required=field.required), None)
        for path, field in before.items() if path not in after
    ]  # fmt: skip
    details += _order(before, after, old_ui, new_ui)
    for path in {**dict(_ui_fields(old_ui)), **dict(_ui_fields(new_ui))}:
        if path in before and path in after:
            details += _own_ui(
                f"{_name(path, after[path].schema)}: ", dict(_ui_fields(old_ui)).get(path, {}),
                dict(_ui_fields(new_ui)).get(path, {}),
            )  # fmt: skip
    return details


def form_words(schema: Json) -> str:
    """A form in one line: `2 fields: Gift paper, one of 3; Card, text`."""
    fields = [f"{_name(path, field.schema)}, {field_words(field.schema, required=field.required)}"
              for path, field in _fields(schema) if "/" not in path]  # fmt: skip
    return f"{counted(len(fields), 'field')}" + (": " + "; ".join(fields) if fields else "")


def field_words(schema: Json, *, required: bool = False) -> str:
    """What may be entered: `yes or no`, `whole number, 1 to 400, required`."""
    said = [_type(schema)]
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        said.append(f"{value_words(low)} to {value_words(high)}")
    elif low is not None or high is not None:
        said.append(f"from {value_words(low)}" if high is None else f"up to {value_words(high)}")
    if required:
        said.append("required")
    return ", ".join(said)


class _Field:
    """One field of a form, with what its group asks of it."""

    def __init__(self, schema: Json, *, required: bool) -> None:
        self.schema, self.required = schema, required


def _fields(schema: Json, at: str = "") -> Iterator[tuple[str, _Field]]:
    """Every field by its path: `note`, `parcels`, `parcels/weight_g`."""
    properties = schema.get("properties")
    required = schema.get("required")
    for name, field in properties.items() if isinstance(properties, dict) else ():
        if not isinstance(field, dict):
            continue
        path = f"{at}{name}"
        yield path, _Field(field, required=isinstance(required, list) and name in required)
        items = field.get("items")
        yield from _fields(items if isinstance(items, dict) and "properties" in items else field, f"{path}/")


def _ui_fields(ui: Json, at: str = "") -> Iterator[tuple[str, Json]]:
    for name, inner in ui.items():
        if name.startswith("ui:") or not isinstance(inner, dict):
            continue
        if name == "items":
            yield from _ui_fields(inner, at)
            continue
        yield f"{at}{name}", inner
        yield from _ui_fields(inner, f"{at}{name}/")


def _field(name: str, old: _Field, new: _Field) -> Iterator[Detail]:
    was, now = _type(old.schema), _type(new.schema)
    choices_was, choices_now = _choices(old.schema), _choices(new.schema)
    if (was, bool(choices_was)) != (now, bool(choices_now)) and not (choices_was and choices_now):
        yield Detail(f"{name}: kind", was, now)
    if old.required != new.required:
        yield Detail(f"{name}: required", "yes" if old.required else "no", "yes" if new.required else "no")
    if choices_was and choices_now and choices_was != choices_now:
        yield from _choice_changes(name, choices_was, choices_now)
    yield from _own(f"{name}: ", old.schema, new.schema)


def _choice_changes(name: str, old: dict[str, str], new: dict[str, str]) -> Iterator[Detail]:
    for value, title in new.items():
        if value not in old:
            yield Detail(f"{name}: choice", None, title)
        elif old[value] != title:
            yield Detail(f"{name}: choice", old[value], title)
    yield from (Detail(f"{name}: choice", title, None) for value, title in old.items() if value not in new)
    if [value for value in old if value in new] != [value for value in new if value in old]:
        yield Detail(f"{name}: order of choices", ", ".join(old.values()), ", ".join(new.values()))


def _own(name: str, old: Json, new: Json) -> Iterator[Detail]:
    """What a form or a field says of itself, beside its type and its fields."""
    if old.get("title") != new.get("title"):
        yield Detail(f"{name}title", _shown(old, "title"), _shown(new, "title"))
    for word in dict.fromkeys((*new, *old)):
        if word not in _PLAIN and old.get(word) != new.get(word):
            yield Detail(f"{name}{_KEYWORDS.get(word) or spaced(word)}", _shown(old, word), _shown(new, word))
    # what a list takes, where it is no group of fields
    items_old, items_new = old.get("items"), new.get("items")
    if isinstance(items_old, dict) and isinstance(items_new, dict):
        yield from _own(f"{name}each entry: ", items_old, items_new)


def _own_ui(name: str, old: Json, new: Json) -> Iterator[Detail]:
    for word in dict.fromkeys((*new, *old)):
        if word.startswith("ui:") and word != "ui:order" and old.get(word) != new.get(word):
            yield Detail(f"{name}{_UI.get(word) or word.removeprefix('ui:')}", _shown(old, word), _shown(new, word))


def _order(
    old: Mapping[str, _Field], new: Mapping[str, _Field], old_ui: Json, new_ui: Json
) -> Iterator[Detail]:
    """The order of the fields that both have, as the page shows it."""
    groups = dict.fromkeys(path.rpartition("/")[0] for path in new)
    for group in groups:
        was, now = _shown_order(old, old_ui, group), _shown_order(new, new_ui, group)
        both = [path for path in now if path in was]
        if [path for path in was if path in both] != both:
            title = f"{_name(group, new[group].schema)}: " if group else ""
            yield Detail(f"{title}order of fields", _listed(was, old), _listed(now, new))


def _shown_order(fields: Mapping[str, _Field], ui: Json, group: str) -> list[str]:
    names = [path for path in fields if path.rpartition("/")[0] == group]
    where = dict(_ui_fields(ui)).get(group, {}) if group else ui
    inner = where.get("items")
    where = inner if isinstance(inner, dict) else where
    wanted = where.get("ui:order")
    if not isinstance(wanted, list):
        return names
    place = {f"{group}/{name}" if group else name: number for number, name in enumerate(wanted)}
    return sorted(names, key=lambda path: place.get(path, len(place)))


def _listed(paths: list[str], fields: Mapping[str, _Field]) -> str:
    return ", ".join(_name(path, fields[path].schema).rpartition(" › ")[2] for path in paths)


def _type(schema: Json) -> str:
    choices = _choices(schema)
    kind = schema.get("type")
    items = schema.get("items")
    if kind == "array" and isinstance(items, dict):
        if "properties" in items:
            return "rows"
        return f"any of {len(choices)}" if choices else f"list of {_type(items)}"
    if choices:
        return f"one of {len(choices)}"
    if kind == "string" and schema.get("format"):
        return {"email": "e-mail"}.get(str(schema["format"]), str(schema["format"]))
    return _TYPES.get(str(kind), value_words(kind) if kind else "anything")


def _choices(schema: Json) -> dict[str, str]:
    """Value → what people read, of a pick list."""
    items = schema.get("items")
    if schema.get("type") == "array" and isinstance(items, dict) and "properties" not in items:
        return _choices(items)
    one_of, values = schema.get("oneOf"), schema.get("enum")
    if isinstance(one_of, list) and all(isinstance(one, dict) for one in one_of):
        return {value_words(one.get("const")): str(one.get("title", value_words(one.get("const")))) for one in one_of}
    return {value_words(value): value_words(value) for value in values} if isinstance(values, list) else {}


def _name(path: str, schema: Json) -> str:
    """`Weight in g`, of a field in a list `Parcels › Weight in g` by the list's own name."""
    parent, _, last = path.rpartition("/")
    title = str(schema.get("title") or last)
    return f"{parent.replace('_', ' ').replace('/', ' › ').capitalize()} › {title}" if parent else title


def _shown(schema: Json, word: str) -> str | None:
    return value_words(schema[word]) if word in schema else None
