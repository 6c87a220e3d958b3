"""Files that would hang, fool or break a careless reader, made when they are asked for; none is kept here."""

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from itertools import pairwise

from tests.unit.lint_bundle import FORM, GOOD_DIAGRAM, GOOD_FORM, definitions, flow, process, properties, service

MEGABYTE = 1024 * 1024
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def _doctype(inner: str, use: str = "&x;") -> bytes:
    return f'<?xml version="1.0"?><!DOCTYPE definitions [{inner}]>{definitions(use).partition("?>")[2]}'.encode()


def billion_laughs() -> bytes:
    names = "abcdefghij"
    inner = '<!ENTITY a "ha">' + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in pairwise(names))
    return _doctype(inner, "&j;")


def quadratic() -> bytes:
    return _doctype(f'<!ENTITY x "{"y" * 100_000}">', "&x;" * 20_000)


def external(address: str) -> Callable[[], bytes]:
    return lambda: _doctype(f'<!ENTITY x SYSTEM "{address}">')


def parameter_entity() -> bytes:
    return _doctype('<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;', "")


def _small(inner: str) -> bytes:
    return process(inner)["small.bpmn"]


def script(text: str) -> Callable[[], bytes]:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return lambda: _small(
        f'<bpmn:scriptTask id="run"><bpmn:script>{escaped}</bpmn:script></bpmn:scriptTask>'
        + flow("begin", "run") + flow("run", "finish")
    )


def condition(text: str) -> Callable[[], bytes]:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return lambda: _small(
        '<bpmn:exclusiveGateway id="which" default="which__finish"/><bpmn:endEvent id="other"/>'
        + flow("begin", "which") + flow("which", "finish") + flow("which", "other", escaped)
    )


def calls(*pairs: tuple[str, str]) -> Callable[[], bytes]:
    def one(name: str, called: str) -> str:
        return (
            f'<bpmn:process id="{name}" isExecutable="true"><bpmn:startEvent id="begin_{name}"/>'
            f'<bpmn:callActivity id="call_{name}" calledElement="{called}"/><bpmn:endEvent id="finish_{name}"/>'
            f'{flow(f"begin_{name}", f"call_{name}")}{flow(f"call_{name}", f"finish_{name}")}</bpmn:process>'
        )
    return lambda: definitions("".join(one(*pair) for pair in pairs)).encode()


def nested(depth: int, element: str = "bpmn:subProcess") -> Callable[[], bytes]:
    return lambda: _small(f"<{element}>" * depth + f"</{element}>" * depth)


def nested_subprocesses() -> bytes:
    """Within the allowed depth, each with its own start and end."""
    inner = ""
    for number in range(45):
        inner = (
            f'<bpmn:subProcess id="s{number}"><bpmn:startEvent id="a{number}"/>{inner}<bpmn:endEvent id="z{number}"/>'
            + (flow(f"a{number}", f"s{number - 1}") + flow(f"s{number - 1}", f"z{number}") if number
               else flow("a0", "z0")) + "</bpmn:subProcess>"
        )
    return _small(inner + flow("begin", "s44") + flow("s44", "gone"))


_TASK = properties(team="sales", due="PT4H", formJsonSchemaFilename="look.json")


def chain(count: int) -> Callable[[], bytes]:
    def make() -> bytes:
        names = ["begin", *(f"t{number}" for number in range(count)), "finish"]
        tasks = "".join(f'<bpmn:userTask id="{name}" name="Do">{_TASK}</bpmn:userTask>' for name in names[1:-1])
        return _small(tasks + "".join(flow(*pair) for pair in pairwise(names)))
    return make


def self_loop() -> bytes:
    return _small(f'<bpmn:userTask id="look" name="Look">{_TASK}</bpmn:userTask>'
                  + flow("begin", "look") + flow("look", "look") + flow("look", "finish"))


def mesh() -> bytes:
    """Sixty gateways, each joined to each: as many ways as there are subsets."""
    count = 50
    gates = "".join(f'<bpmn:exclusiveGateway id="g{n}" default="g{n}__finish"/>' for n in range(count))
    flows = "".join(flow(f"g{a}", f"g{b}", f"x == {b}") for a in range(count) for b in range(count) if a != b)
    return _small(gates + flow("begin", "g0") + flows + "".join(flow(f"g{n}", "finish") for n in range(count)))


def forks(count: int) -> Callable[[], bytes]:
    def make() -> bytes:
        inner, last = "", "begin"
        for number in range(count):
            inner += f'<bpmn:parallelGateway id="f{number}"/><bpmn:parallelGateway id="j{number}"/>'
            inner += flow(last, f"f{number}")
            for side in "ab":
                inner += f'<bpmn:userTask id="{side}{number}" name="Do">{_TASK}</bpmn:userTask>'
                inner += flow(f"f{number}", f"{side}{number}") + flow(f"{side}{number}", f"j{number}")
            last = f"j{number}"
        return _small(inner + flow(last, "finish"))
    return make


def many_elements(count: int, *, kind: str = "textAnnotation") -> Callable[[], bytes]:
    return lambda: _small("".join(f'<bpmn:{kind} id="n{n}"/>' for n in range(count)) + flow("begin", "finish"))


def many_processes() -> bytes:
    def one(n: int) -> str:
        return (f'<bpmn:process id="p{n}" isExecutable="true"><bpmn:startEvent id="s{n}"/><bpmn:endEvent id="e{n}"/>'
                f'{flow(f"s{n}", f"e{n}")}</bpmn:process>')
    return definitions("".join(one(n) for n in range(5_000))).encode()


def many_writers() -> bytes:
    """Every task writes a variable of its own and reads all that came before, in the order that is worst to walk."""
    count = 290
    tasks = "".join(
        f'<bpmn:scriptTask id="t{n}"><bpmn:script>v{n} = v{n + 1}</bpmn:script></bpmn:scriptTask>' for n in range(count)
    )
    names = ["begin", *(f"t{n}" for n in reversed(range(count))), "finish"]
    return _small(tasks + "".join(flow(*pair) for pair in pairwise(names)))


def many_extensions() -> bytes:
    inner = "".join(f'<spiffworkflow:x{n} value="1"/>' for n in range(60_000))
    return _small(f'<bpmn:userTask id="look" name="Look"><bpmn:extensionElements>{inner}</bpmn:extensionElements>'
                  "</bpmn:userTask>" + flow("begin", "look") + flow("look", "finish"))


def many_properties() -> bytes:
    many = {f"p{n}": "x" for n in range(60_000)}
    return _small(f'<bpmn:userTask id="look" name="Look">{properties(**many)}</bpmn:userTask>'
                  + flow("begin", "look") + flow("look", "finish"))


def many_boundaries() -> bytes:
    events = "".join(
        f'<bpmn:boundaryEvent id="b{n}" attachedToRef="look"><bpmn:errorEventDefinition errorRef="gone"/>'
        "</bpmn:boundaryEvent>" for n in range(900)
    )
    return _small(f'<bpmn:userTask id="look" name="Look">{_TASK}</bpmn:userTask>' + events
                  + "".join(flow(f"b{n}", "finish") for n in range(900)) + flow("begin", "look")
                  + flow("look", "finish"))


def many_lanes() -> bytes:
    lanes = "".join(
        f'<bpmn:lane id="l{n}"><bpmn:flowNodeRef>begin</bpmn:flowNodeRef></bpmn:lane>' for n in range(30_000)
    )
    return _small(f'<bpmn:laneSet id="set">{lanes}</bpmn:laneSet>' + flow("begin", "finish"))


def many_shapes() -> bytes:
    shapes = "".join(
        f'<bpmndi:BPMNShape id="s{n}" bpmnElement="gone"><dc:Bounds x="NaN" y="1" width="1e999" height="-"/>'
        "</bpmndi:BPMNShape>" for n in range(30_000)
    )
    picture = f'<bpmndi:BPMNDiagram><bpmndi:BPMNPlane id="plane">{shapes}</bpmndi:BPMNPlane></bpmndi:BPMNDiagram>'
    return _small(flow("begin", "finish")).replace(b"</bpmn:definitions>", picture.encode() + b"</bpmn:definitions>")


def many_attributes() -> bytes:
    extra = " ".join(f'a{n}=""' for n in range(400_000))
    return f"{_HEAD}<definitions {extra}/>".encode()


def huge_attribute() -> bytes:
    return _small(f'<bpmn:userTask id="{"x" * 4_000_000}"/>')


def huge_text() -> bytes:
    return _small(f'<bpmn:scriptTask id="run"><bpmn:script>{"a = 1;" * 700_000}</bpmn:script></bpmn:scriptTask>')


def random_bytes() -> bytes:
    return random.Random(7).randbytes(100_000)


def zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("process.bpmn", b"0" * 50_000_000)
    return packed.getvalue()


def gzipped() -> bytes:
    return gzip.compress(b"<a>" + b"0" * 50_000_000)


HTML = b"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign in</title></head>
<body><p>Please sign in to download order.bpmn<br></body></html>"""
XHTML = b'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>Sign in</title></head><body/></html>'
XINCLUDE = (
    b'<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" '
    b'xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd" parse="text"/>'
    b"</bpmn:definitions>"
)

DIAGRAMS: dict[str, Callable[[], bytes]] = {
    "billion_laughs": billion_laughs,
    "quadratic_entities": quadratic,
    "external_file": external("file:///etc/passwd"),
    "external_address": external("http://127.0.0.1:9/secret"),
    "external_never_ends": external("file:///dev/zero"),
    "parameter_entity": parameter_entity,
    "doctype_in_utf16": lambda: billion_laughs().decode().encode("utf-16"),
    "xinclude": lambda: XINCLUDE,
    "empty": lambda: b"",
    "spaces": lambda: b" \n" * 500,
    "zeros": lambda: b"\0" * 1_000_000,
    "html_page": lambda: HTML,
    "xhtml_page": lambda: XHTML,
    "plain_text": lambda: b"Receive the order, then send it.",
    "json_for_xml": lambda: b'{"process": "order"}',
    "archive_zip": zipped,
    "archive_gzip": gzipped,
    "random_bytes": random_bytes,
    "picture": lambda: b"\x89PNG\r\n\x1a\n" + bytes(5_000),
    "cut_off": lambda: GOOD_DIAGRAM.encode()[:4_000],
    "two_roots": lambda: GOOD_DIAGRAM.encode() + GOOD_DIAGRAM.encode(),
    "wrong_encoding_said": lambda: GOOD_DIAGRAM.replace("Sign", "Prüfen").encode("latin-1"),
    "unheard_of_encoding": lambda: GOOD_DIAGRAM.replace("UTF-8", "unheard-of").encode(),
    "encoding_utf7": lambda: GOOD_DIAGRAM.replace("UTF-8", "UTF-7").encode(),
    "half_a_surrogate": lambda: b"\xff\xfe" + GOOD_DIAGRAM.encode("utf-16-le")[:1_001],
    "six_megabytes": lambda: GOOD_DIAGRAM.encode() + b" " * 6 * MEGABYTE,
    "deep_200": nested(200),
    "deep_100000": nested(100_000),
    "deep_subprocesses": nested_subprocesses,
    "elements_99000": many_elements(99_000, kind="userTask"),
    "elements_150000": many_elements(150_000),
    "processes_5000": many_processes,
    "tasks_in_a_row_1000": chain(1_000),
    "tasks_in_a_row_900": chain(900),
    "mesh": mesh,
    "forks_60": forks(60),
    "forks_doubling": forks(14),
    "self_loop": self_loop,
    "calls_itself": calls(("one", "one")),
    "calls_each_other": calls(("one", "two"), ("two", "three"), ("three", "one")),
    "writers_290": many_writers,
    "extensions_60000": many_extensions,
    "properties_60000": many_properties,
    "boundaries_900": many_boundaries,
    "lanes_30000": many_lanes,
    "shapes_30000": many_shapes,
    "attributes_400000": many_attributes,
    "huge_attribute": huge_attribute,
    "huge_script": huge_text,
    "script_opens_a_file": script("open('/etc/passwd').read()"),
    "script_imports": script("import os\nos.system('true')"),
    "script_loops": script("while True:\n    pass"),
    "script_reaches_for_classes": script("a = ().__class__.__bases__[0].__subclasses__()"),
    "script_calls_eval": script("a = eval('1')"),
    "script_grows": script("a = 'x' * 10000000000"),
    "script_powers": script("a = 9 ** 9 ** 9"),
    "condition_deep": condition("(" * 400 + "1" + ")" * 400),
    "condition_nots": condition("not " * 240 + "1"),
    "condition_long": condition("1 + " * 100_000 + "1"),
    "condition_giant_number": condition("9" * 900),
    "condition_giant_exponent": condition("1e999 > 1"),
    "condition_shifts": condition("1 << 100000000000"),
    "condition_walrus": condition("(a := 1) == 1"),
    "condition_lambda": condition("(lambda: 1)()"),
    "condition_comprehension": condition("[x for x in [1]] == [1]"),
    "unknown_operation": lambda: _small(service("run", "os.system", "done") + flow("begin", "run")
                                        + flow("run", "finish")),
}
"""Diagrams by name; each is refused."""


def _form(**changes: object) -> bytes:
    return json.dumps({**GOOD_FORM, **changes}).encode()


def _pattern(pattern: str) -> Callable[[], bytes]:
    def make() -> bytes:
        fields = {"sku": {"type": "string", "title": "Product", "maxLength": 40, "pattern": pattern}}
        return _form(properties=fields, examples=[{"sku": "a" * 40 + "!"}])
    return make


def form_of_many_examples() -> bytes:
    items = {"type": "array", "title": "Items", "maxItems": 1000, "uniqueItems": True, "items": {
        "type": "object", "additionalProperties": False, "properties": {"n": {"type": "integer", "title": "N"}}}}
    return _form(properties={"items": items}, required=[], examples=[{"items": [{"n": n} for n in range(15_000)]}])


FORMS: dict[str, Callable[[], bytes]] = {
    "form_empty": lambda: b"",
    "form_deep": lambda: b"[" * 100_000 + b"]" * 100_000,
    "form_deep_objects": lambda: b'{"a":' * 30_000 + b"1" + b"}" * 30_000,
    "form_large": lambda: b'{"title": "' + b"x" * 300_000 + b'"}',
    "form_nan": lambda: _form(maximum=float("nan")),
    "form_infinite": lambda: b'{"type": "object", "minimum": 1e999}',
    "form_giant_number": lambda: b'{"type": "object", "minimum": ' + b"9" * 100_000 + b"}",
    "form_twice_the_key": lambda: b'{"type": "object", "type": "object"}',
    "form_not_text": lambda: b"\xff\xfe\x00",
    "form_half_a_sign": lambda: b'{"type": "object", "title": "\\ud800"}',
    "form_pattern_nested": _pattern("(a+)+$"),
    "form_pattern_alternatives": _pattern("(a|a)*$"),
    "form_pattern_many_stars": _pattern("a*a*a*a*a*a*a*a*b"),
    "form_pattern_back": _pattern(r"(a)\1{30}"),
    "form_pattern_huge_count": _pattern("a{1,2147483647}"),
    "form_many_examples": form_of_many_examples,
    "form_fields_5000": lambda: _form(properties={
        f"f{n}": {"type": "boolean", "title": "x"} for n in range(5_000)}),
    "form_reference": lambda: _form(properties={"a": {"$ref": "http://127.0.0.1:9/x"}}),
    "form_itself": lambda: _form(properties={"a": {"$ref": "#"}}),
    "form_list": lambda: b"[]",
    "form_html": lambda: HTML,
}
"""Forms by name; each is refused."""


def table(rows: str, *, policy: str = "UNIQUE") -> bytes:
    return (
        f'{_HEAD}<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="defs" name="x" namespace="x">'
        f'<decision id="rate" name="Rate"><decisionTable id="table" hitPolicy="{policy}">'
        '<input id="in1" label="Amount"><inputExpression id="ine1"><text>amount</text></inputExpression></input>'
        f'<output id="out1" name="share"/>{rows}</decisionTable></decision></definitions>'
    ).encode()


def _row(number: int, cell: str, answer: str = "1") -> str:
    return (f'<rule id="r{number}"><inputEntry id="i{number}"><text>{cell}</text></inputEntry>'
            f'<outputEntry id="o{number}"><text>{answer}</text></outputEntry></rule>')


TABLES: dict[str, Callable[[], bytes]] = {
    "rules_15000": lambda: table("".join(_row(n, str(n)) for n in range(15_000))),
    "rules_50000": lambda: table("".join(f"<rule id='r{n}'/>" for n in range(50_000))),
    "rules_500_overlap": lambda: table("".join(_row(n, f"&gt; {n}") for n in range(500))),
    "rules_500_each_wrong": lambda: table("".join(_row(n, "[1..5]", "while") for n in range(500))),
    "table_laughs": lambda: _doctype('<!ENTITY x "ha">'),
    "table_code": lambda: table(_row(1, "-", "open('/etc/passwd')")),
    "table_deep_answer": lambda: table(_row(1, "-", "(" * 300 + "1" + ")" * 300)),
    "table_first": lambda: table(_row(1, "1") + _row(2, "-"), policy="FIRST"),
    "table_of_nothing": lambda: table(""),
    "table_html": lambda: HTML,
}
"""Decision tables by name; each is refused."""

ALL: dict[str, Callable[[], bytes]] = {
    **{f"{name}.bpmn": make for name, make in DIAGRAMS.items()},
    **{f"{name}.json": make for name, make in FORMS.items()},
    **{f"{name}.dmn": make for name, make in TABLES.items()},
}
"""Everything by file name."""
FORM_NAME = FORM.rpartition("/")[2]
