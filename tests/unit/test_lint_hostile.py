"""Whatever is uploaded, the linter answers with findings: it never raises, resolves nothing and ends soon."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.safe_xml import MAX_DEPTH, parse_xml, xml_text
from tests.unit.lint_bundle import DIAGRAM, FORM, GOOD_DIAGRAM, TABLE, findings_of, good_bundle, rules

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">'
    b"<!ENTITY z '&y;&y;&y;&y;&y;&y;&y;&y;'>]><a>&z;</a>"
)
FILE_ENTITY = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "xml-empty"),
        (b"   ", "xml-empty"),
        (b"not xml", "xml-syntax"),
        (b"<a>", "xml-syntax"),
        (b"<a>&unknown;</a>", "xml-syntax"),
        (b"\x00\x01\x02", "xml-syntax"),
        (b'<?xml version="1.0" encoding="unheard-of"?><a/>', "xml-syntax"),
        (b'<?xml version="1.0" encoding="EBCDIC-CP-US"?><a/>', None),
        (BOMB, "xml-doctype"),
        (FILE_ENTITY, "xml-doctype"),
        (BOMB.decode().replace("1.0", "1.0", 1).encode("utf-16"), "xml-doctype"),
        (b"<!DOCTYPE a><a/>", "xml-doctype"),
        (b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1), "xml-depth"),
        (b"<a>" * 5_000 + b"</a>" * 5_000, None),
        (b"<a>" + b"<b/>" * 150_000 + b"</a>", "xml-size"),
        (b"<a>" + b" " * (5 * 1024 * 1024) + b"</a>", "xml-size"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else None,
)
def test_hostile_xml_is_refused(data: bytes, rule: str | None) -> None:
    """No DOCTYPE, no entity, nothing huge and nothing deep; one line says why."""
    root, findings = parse_xml(data, "x.bpmn")

    assert root is None
    assert len(findings) == 1
    if rule:
        assert findings[0].rule == rule


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_every_usual_encoding_is_read(encoding: str) -> None:
    """Modelers on other systems save UTF-16, Latin-1 or a byte order mark; names keep their letters."""
    declared = encoding.replace("-sig", "").upper()
    text = GOOD_DIAGRAM.replace('encoding="UTF-8"', f'encoding="{declared}"').replace('name="Sign"', 'name="Prüfen"')

    assert findings_of(good_bundle() | {DIAGRAM: text.encode(encoding)}) == []
    assert 'name="Prüfen"' in xml_text(text.encode(encoding))


def test_another_language_of_xml_is_refused() -> None:
    """An SVG or a DMN file under the name of a diagram is named as such."""
    files = good_bundle()

    assert "not-bpmn" in rules(findings_of(files | {DIAGRAM: b"<svg/>"}), None)
    assert "not-bpmn" in rules(findings_of(files | {DIAGRAM: files[TABLE]}), "defs")
    assert "dmn-root" in rules(findings_of(files | {TABLE: files[DIAGRAM]}), "d")


@pytest.mark.parametrize("file", [DIAGRAM, TABLE, FORM])
@pytest.mark.parametrize("seed", range(40))
def test_damaged_files_give_findings_and_no_traceback(file: str, seed: int) -> None:
    """Pieces cut out, doubled, swapped or overwritten: the answer is a list of findings."""
    chance = random.Random(seed)
    data = bytearray(good_bundle()[file])
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(data))
        end = min(len(data), start + chance.randint(1, 60))
        piece = data[start:end]
        how = chance.randrange(4)
        if how == 0:
            del data[start:end]
        elif how == 1:
            data[start:start] = piece * 2
        elif how == 2:
            data[start:end] = bytes(chance.randrange(256) for _ in piece)
        else:
            data[start:end] = piece[::-1]
        data = data or bytearray(b" ")

    found = findings_of(good_bundle() | {file: bytes(data)})

    assert all(finding.rule != "unreadable" for finding in found)


_WORDS = [
    'id="', 'sourceRef="', 'targetRef="', 'value="', 'name="', 'attachedToRef="', 'default="', 'messageRef="', 'type="',
]


@pytest.mark.parametrize("seed", range(60))
def test_attributes_that_are_mixed_up_give_findings_and_no_traceback(seed: int) -> None:
    """Well-formed diagrams that make no sense: attributes and elements swapped at random."""
    chance = random.Random(seed)
    text = GOOD_DIAGRAM
    for _ in range(chance.randint(1, 8)):
        word = chance.choice(_WORDS)
        places = [index + len(word) for index in range(len(text)) if text.startswith(word, index)]
        one, other = chance.choice(places), chance.choice(places)
        value = text[other : text.index('"', other)]
        text = text[:one] + value + text[text.index('"', one) :]

    found = findings_of(good_bundle() | {DIAGRAM: text.encode()})

    assert all(finding.rule != "unreadable" for finding in found)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["type", "properties", "required", "items", "oneOf", "enum", "maxLength", "title", "examples",
                         "additionalProperties", "pattern", "const", "ui:order", "ui:widget", "sku", "$schema"]),
        inner | st.sampled_from(["object", "string", "array", "boolean", False]), max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_json)
def test_any_json_is_answered(document: object) -> None:
    """Any JSON as a form or as its UI schema is answered with findings."""
    import json

    data = json.dumps(document).encode()
    found = findings_of(good_bundle() | {FORM: data, "forms/take_order.ui.json": data})

    assert all(finding.rule != "unreadable" for finding in found)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=30) | st.sampled_from(["a.bpmn", "b.dmn", "c.json"]), st.binary(max_size=200),
                       max_size=4))  # fmt: skip
def test_any_bytes_under_any_name_are_answered(files: dict[str, bytes]) -> None:
    """Nothing that is uploaded ends in a traceback, and nothing that is no diagram is accepted."""
    assert findings_of(files)
