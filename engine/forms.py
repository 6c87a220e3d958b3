"""Forms: the schema of a user task for this order now, and the check of what was submitted."""

from __future__ import annotations

import copy
import math
import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import orjson
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from engine.errors import EngineError, InvalidForm
from handlers.contract import Choice, FieldError, FormContext

if TYPE_CHECKING:
    from engine.definitions import Element
    from engine.unit import Unit

MAX_BYTES = 256 * 1024
"""The largest form that is taken, as JSON."""
MAX_DEPTH = 32
"""How deep lists and objects may lie in one another."""
MAX_NUMBER = 2**53
"""The largest whole number that every reader of JSON understands."""
LONG_TEXT = 500
"""A text that may be this long may have several lines; a shorter one is a single line."""
LONGEST_LIST_TOLD = 20
"""How many entries of a pick list an error message names."""


def context_of(unit: Unit, element: Element) -> FormContext:
    """What the form's `formContext` operation says of this order now; read only."""
    name = element.properties.get("formContext")
    if not name:
        return FormContext()
    operation = unit.engine.registry.get(name)
    if operation is None or operation.function is None:
        raise EngineError(f"There is no operation {name!r} for the form of {element.id}.")
    found = operation.function(unit.call(element, f"{unit.row.business_key}:{element.id}:form"))
    assert isinstance(found, FormContext)
    return found


def schema_for(schema: Mapping[str, Any], context: FormContext) -> dict[str, Any]:
    """The form's schema with this order's pick lists, and one valid sample in `examples`."""
    made = copy.deepcopy(dict(schema))
    for path, choices in context.choices.items():
        target = _property(made, path)
        if target is not None:
            target.pop("enum", None)
            target["oneOf"] = [_choice(choice) for choice in choices]
    if context.example:
        made["examples"] = [dict(context.example)]
    return made


def check_values(data: Any, *, limit: int = MAX_BYTES, at: str = "") -> None:
    """InvalidForm when `data` holds what cannot be stored in every database, or is larger than `limit` bytes.

    Whoever takes data from outside asks this first. `at` is the pointer to where the data stands in what was sent.
    """
    faults = []
    rest: list[tuple[str, Any, int]] = [(at, data, 0)]
    while rest:
        where, value, depth = rest.pop()
        if depth > MAX_DEPTH:
            faults.append(FieldError(where, f"Lists and objects may lie in one another {MAX_DEPTH} deep."))
        elif isinstance(value, Mapping):
            if any(text_fault(name) for name in value):
                faults.append(FieldError(where or "/", "The name of a field holds a sign that no text may hold."))
            else:
                rest += [(where + _pointer([name]), inner, depth + 1) for name, inner in value.items()]
        elif isinstance(value, list | tuple):
            rest += [(f"{where}/{place}", inner, depth + 1) for place, inner in enumerate(value)]
        elif fault := _value_fault(value):
            faults.append(FieldError(where or "/", fault))
    if faults:
        raise InvalidForm(sorted(faults, key=lambda fault: fault.field))
    if len(orjson.dumps(data)) > limit:
        raise InvalidForm([FieldError(at or "/", "This is too large.")])


def text_fault(text: Any) -> str | None:
    """Why a text cannot be stored and shown: a control character other than tab and line break, half a character."""
    if not isinstance(text, str):
        return "This is not a text."
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\t\n\r" for sign in text):
        return "This holds a sign that no text may hold. Type it again."
    return None


def _value_fault(value: Any) -> str | None:
    if isinstance(value, str):
        return text_fault(value)
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return None if abs(value) <= MAX_NUMBER else "This number is too large."
    if isinstance(value, float):
        return None if math.isfinite(value) else "Enter a number."
    return "This is not a value that a form can hold."


def kept(schema: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """What of a form is kept in variables, task and history: all but fields marked `writeOnly` (JSON Schema 9.4).

    Only the form's own operation is given those, e.g. a payment token.
    """
    properties = schema.get("properties", {})
    return {name: value for name, value in data.items() if not properties.get(name, {}).get("writeOnly", False)}


def check(schema: Mapping[str, Any], data: Any) -> None:
    """InvalidForm with every fault of `data`, each with a JSON pointer to its field.

    Beyond JSON Schema: a text needs a sign that can be seen, and a single line (`LONG_TEXT`) holds no line break and
    no sign that turns the direction of writing around.
    """
    validator = _Validator(schema, format_checker=FormatChecker())
    found: dict[str, str] = {}
    for error in sorted(validator.iter_errors(data), key=_telling):
        for fault in _faults(error):
            found.setdefault(fault.field, fault.message)
    if found:
        raise InvalidForm([FieldError(field, message) for field, message in found.items()])


def _telling(error: ValidationError) -> tuple[list[str], bool]:
    """By field; what can be chosen says more than how long a text may be."""
    return [str(part) for part in error.absolute_path], error.validator not in ("oneOf", "enum")


def _choice(choice: Choice) -> dict[str, str]:
    return {"const": choice.value, "title": choice.label}


def _property(schema: dict[str, Any], path: str) -> dict[str, Any] | None:
    node: dict[str, Any] = schema
    for part in path.split("."):
        if node.get("type") == "array":
            node = node["items"]
        if part not in node.get("properties", {}):
            return None
        node = node["properties"][part]
    return node


def _pointer(path: Any) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _faults(error: ValidationError) -> Iterator[FieldError]:
    where = _pointer(error.absolute_path)
    rule, limit, schema = error.validator, cast(Any, error.validator_value), cast(dict[str, Any], error.schema)
    if rule == "required":
        for name in limit:
            if isinstance(error.instance, dict) and name not in error.instance:
                yield FieldError(f"{where}/{name}", "This is missing.")
    elif rule == "additionalProperties":
        known = schema.get("properties", {})
        for name in cast(dict[str, Any], error.instance):
            if name not in known:
                yield FieldError(f"{where}{_pointer([name])}", "This form has no such field.")
    elif rule in ("allOf", "if"):
        yield FieldError(where or "/", error.message[:200])
    else:
        yield FieldError(where or "/", _message(error, rule, limit))


def _message(error: ValidationError, rule: Any, limit: Any) -> str:
    schema = error.schema if isinstance(error.schema, dict) else {}
    match rule:
        case "type":
            return f"Enter {_TYPES.get(str(limit), str(limit))}."
        case "minLength" if limit == 1:
            return "This is missing."
        case "minLength":
            return f"Enter at least {limit} characters."
        case "maxLength":
            return line_fault(str(error.instance), limit) or f"Enter at most {_count(limit, 'character')}."
        case "minimum":
            return f"Enter {limit} or more."
        case "exclusiveMinimum":
            return f"Enter more than {limit}."
        case "maximum":
            return f"Enter {limit} or less."
        case "exclusiveMaximum":
            return f"Enter less than {limit}."
        case "minItems":
            return _too_few(schema, limit)
        case "maxItems":
            return f"Take some out: there may be {limit} at most."
        case "uniqueItems":
            return "Each may stand here once."
        case "enum":
            return _choose([str(v) for v in limit])
        case "const" if limit is True:
            return "Tick this: the task is done only when it is so."
        case "const":
            return f"This must be {limit}."
        case "oneOf":
            return _choose([str(option.get("title", option.get("const"))) for option in limit])
        case "pattern":
            return str(schema.get("description") or "This is not in the expected form.")
        case "format":
            return {"email": "Enter an e-mail address.", "date": "Enter a date, e.g. 2026-11-23."}.get(
                str(limit), f"This is not a {limit}.")
        case _:
            return "This is not accepted."


_TYPES = {"string": "a text", "integer": "a whole number", "number": "a number", "boolean": "yes or no",
          "array": "a list", "object": "an object"}


def _choose(titles: list[str]) -> str:
    if not titles:
        return "There is nothing to choose from."
    if len(titles) > LONGEST_LIST_TOLD:
        return "Choose one of the list."
    return f"Choose one of: {', '.join(titles)}." if len(titles) > 1 else f"Choose {titles[0]}."


def _too_few(schema: Mapping[str, Any], least: int) -> str:
    """Rows are added; of a list of choices some are ticked."""
    verb = "Add" if schema.get("items", {}).get("type") == "object" else "Tick"
    return f"{verb} at least {'one' if least == 1 else least}."


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


# --- texts and pick lists --------------------------------------------------------------------------------------------

_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Embeddings, overrides and isolates: what follows is shown in another order than it is stored."""
_BREAKS = frozenset("\n\r\u2028\u2029")
_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs by their category that are drawn as nothing."""


def line_fault(text: str, longest: int) -> str | None:
    """Why a text that may have `longest` characters cannot be read or would not stay in its line, whatever its length.

    A text of blanks alone counts as left empty and is none of this function's business.
    """
    if text.strip() and not any(_is_seen(sign) for sign in text):
        return "This holds no sign that can be seen. Type it again."
    if longest >= LONG_TEXT:
        return None
    if not _BREAKS.isdisjoint(text):
        return "Write this in one line."
    if not _TURNS.isdisjoint(text):
        return "This holds a sign that turns the direction of writing around. Type it again without it."
    return None


def _is_seen(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "LNPS" and sign not in _BLANK_LETTERS


def _max_length(_validator: Any, longest: int, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and (len(value) > longest or line_fault(value, longest)):
        yield ValidationError("not a text of this length that can be read")


def _min_length(_validator: Any, least: int, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and (len(value) < least or (least and not value.strip())):
        yield ValidationError("too short, or nothing but blanks")


def _one_of(validator: Any, options: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    """A pick list of texts by a set instead of one schema after the other: a list of countries is looked up at once."""
    if all(option.keys() <= {"const", "title"} and isinstance(option.get("const"), str) for option in options):
        if not isinstance(value, str) or value not in {option["const"] for option in options}:
            yield ValidationError("none of the list")
    else:
        yield from Draft202012Validator.VALIDATORS["oneOf"](validator, options, value, schema)


_Validator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"maxLength": _max_length, "minLength": _min_length, "oneOf": _one_of}
)
"""JSON Schema 2020-12 with the rules for texts that people read, and fast pick lists."""
