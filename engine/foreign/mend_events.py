"""Mendings of events: starts and ends that would send or wait, messages without a name, timers without a time."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from engine.errors import ExpressionError
from engine.expressions import parse_timer
from engine.findings import local
from engine.foreign.bench import new_element, title_of, word_of
from engine.foreign.mending import Mending, Offer, Place
from engine.foreign.wording import timer_text, translate
from engine.lint.model import tag, text_of
from engine.timer_texts import Kind

_TIMES: dict[str, Kind] = {"timeDuration": "duration", "timeCycle": "cycle", "timeDate": "date"}
_CODES = {"message": "name", "signal": "name", "error": "errorCode", "escalation": "escalationCode"}


def _definitions(xml: etree._Element) -> list[etree._Element]:
    return [
        child for child in xml
        if isinstance(child.tag, str) and local(child).endswith(("EventDefinition", "eventDefinitionRef"))
    ]


def _plain_offers(place: Place) -> Iterable[Offer]:
    scope = place.xml.getparent()
    if scope is None or scope.get("triggeredByEvent") in ("true", "1"):
        return
    kinds = {local(each).removesuffix("EventDefinition") for each in _definitions(place.xml)}
    if place.kind == "startEvent" and kinds:
        yield Offer("Make it a plain start: instances are started by page, API or operation")
    elif place.kind == "endEvent" and kinds & {"message", "signal"}:
        yield Offer("Make it a plain end; draw a service task before it if something has to be sent")
    elif place.kind == "intermediateThrowEvent" and kinds & {"message"}:
        yield Offer("Pass through it; draw a service task if something has to be sent")


def _plain(place: Place, _: str) -> None:
    for definition in _definitions(place.xml):
        place.xml.remove(definition)


def _declaring(place: Place) -> tuple[etree._Element, str] | None:
    """What refers to a message, signal, escalation or error, and of which kind."""
    if place.kind == "receiveTask":
        return place.xml, "message"
    for definition in _definitions(place.xml):
        kind = local(definition).removesuffix("EventDefinition")
        if kind in ("message", "signal", "escalation") or (kind == "error" and place.kind == "endEvent"):
            return definition, kind
    return None


def _declare_offers(place: Place) -> Iterable[Offer]:
    found = _declaring(place)
    if found is not None:
        yield Offer(f"Declare the {found[1]} “{_words(place)}”")


def _words(place: Place) -> str:
    return word_of(title_of(place.xml), "message").replace("_", ".", 1)


def _declare(place: Place, _: str) -> None:
    found = _declaring(place)
    if found is None:
        return
    xml, kind = found
    words = _words(place)
    same = next((each for each in place.root.findall(tag(kind)) if each.get(_CODES[kind]) == words), None)
    if same is None:
        name = place.bench.free_id(f"{kind}_{word_of(title_of(place.xml))}")
        same = new_element(kind, place.root, {"id": name, "name": words} | {_CODES[kind]: words})
        place.root.insert(0, same)
    xml.set(f"{kind}Ref", same.get("id", ""))


def _code_offers(place: Place) -> Iterable[Offer]:
    if place.kind in _CODES:
        yield Offer(f"Call it “{_code(place)}”")


def _code(place: Place) -> str:
    words = " ".join((place.xml.get("name") or place.xml.get("id") or place.kind).split())
    return "".join(sign for sign in " ".join(words.split()) if sign not in "/?#%")[:80].strip() or place.kind


def _set_code(place: Place, _: str) -> None:
    place.xml.set(_CODES[place.kind], _code(place))


# --- timers ---------------------------------------------------------------------------------------------------------


def _time_of(place: Place) -> tuple[etree._Element, etree._Element | None] | None:
    """The timer of an event and its one time."""
    for definition in place.xml.findall(tag("timerEventDefinition")):
        times = [child for child in definition if isinstance(child.tag, str) and local(child) in _TIMES]
        return definition, times[0] if len(times) == 1 else None
    return None


def _timer_offers(place: Place) -> Iterable[Offer]:
    found = _time_of(place)
    if found is None:
        return
    definition, time = found
    text = text_of(time)
    if time is not None and text and (wish := _time_text(text, _TIMES[local(time)])):
        yield Offer(f"Write it as: {wish}", wish)
    elif not text and all(not text_of(child) for child in definition):
        yield Offer("Wait a day; change it when another time is right", "P1D")


def _time_text(text: str, kind: Kind) -> str | None:
    wish = timer_text(text)
    if wish is not None:
        try:
            parse_timer(wish, kind)
        except ExpressionError:
            return None
        return wish
    return translate(text) if text.startswith(("=", "${", "#{")) else None


def _set_time(place: Place, wish: str) -> None:
    found = _time_of(place)
    if found is None:
        return
    definition, time = found
    if time is None or not text_of(time):
        for child in list(definition):
            if isinstance(child.tag, str) and local(child) in _TIMES:
                definition.remove(child)
        time = etree.SubElement(definition, tag("timeDuration"))
    for child in list(time):
        time.remove(child)
    time.text = wish


EVENT_MENDINGS = (
    Mending(
        "plain-event",
        ("message-event", "signal-event", "timer-event", "conditional-event", "error-event", "escalation-event",
         "event-kinds"),
        _plain_offers, _plain,
    ),
    Mending("declare", ("message", "signal", "escalation", "error"), _declare_offers, _declare),
    Mending("code", ("message-name", "message-text", "error-code", "escalation-code"), _code_offers, _set_code),
    Mending("timer", ("timer",), _timer_offers, _set_time),
)  # fmt: skip

