"""Decision tables: exactly one answer, or a clear error; no form that would silently never match."""

from __future__ import annotations

from html import escape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.decision_cells import cells_meet, parse_cell
from engine.decisions import check_decision, parse_decision
from engine.errors import CannotDeploy, ExpressionError

Row = tuple[list[str], list[str]]
BANDS: list[Row] = [(["<= 500"], ["1"]), (["> 500"], ["2"]), (["-"], ["9"])]


def table(
    rows: list[Row] | None = None,
    *,
    inputs: list[tuple[str, str]] | None = None,
    outputs: list[tuple[str, str]] | None = None,
    policy: str = 'hitPolicy="UNIQUE"',
    more: str = "",
    identifier: str = "policy",
) -> bytes:
    """A DMN file: rows of input and output cells."""
    ins = "".join(
        f'<input id="in{i}" label="Input {i}"><inputExpression id="x{i}" typeRef="{kind}"><text>{escape(text)}</text>'
        "</inputExpression></input>"
        for i, (text, kind) in enumerate(inputs if inputs is not None else [("order.total", "number")])
    )
    outs = "".join(
        f'<output id="out{i}" name="{name}" typeRef="{kind}"/>'
        for i, (name, kind) in enumerate(outputs if outputs is not None else [("signatures", "number")])
    )
    rules = ""
    for r, (tests, answers) in enumerate(rows if rows is not None else BANDS):
        cells = "".join(
            f'<inputEntry id="r{r}i{i}"><text>{escape(text)}</text></inputEntry>' for i, text in enumerate(tests)
        )
        cells += "".join(
            f'<outputEntry id="r{r}o{i}"><text>{escape(text)}</text></outputEntry>' for i, text in enumerate(answers)
        )
        rules += f'<rule id="r{r}">{cells}</rule>'
    return (
        '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="x">'
        f'<decision id="{identifier}" name="Policy"><decisionTable id="t" {policy}>{ins}{outs}{more}{rules}'
        "</decisionTable></decision></definitions>"
    ).encode()


def order(total: Any) -> dict[str, Any]:
    return {"order": {"total": total}}


@pytest.mark.parametrize(("total", "signatures"), [(0, 1), (500, 1), (500.5, 2), (501, 2)])
def test_the_row_that_matches_answers(total: float, signatures: int) -> None:
    """A UNIQUE table has one answer."""
    assert parse_decision(table(), "t.dmn").evaluate(order(total)) == {"signatures": signatures}


def test_the_last_row_answers_when_no_other_does() -> None:
    """The catch-all is read only when no other row matches, though its dashes match everything."""
    decision = parse_decision(
        table([(['"europe"', "<= 5"], ['"a"']), (["-", "-"], ['"person"'])],
              inputs=[("region", "string"), ("weight", "integer")], outputs=[("courier", "string")]),
        "t.dmn",
    )  # fmt: skip

    assert decision.evaluate({"region": "europe", "weight": 5}) == {"courier": "a"}
    assert decision.evaluate({"region": "europe", "weight": 6}) == {"courier": "person"}
    assert decision.evaluate({"region": "mars", "weight": 1}) == {"courier": "person"}
    assert decision.names == {"region", "weight"}


def test_collect_gives_every_answer() -> None:
    """A COLLECT table gives lists, empty ones too."""
    decision = parse_decision(
        table([(["> 1"], ['"a"']), (["> 10"], ['"b"'])], outputs=[("gifts", "string")], policy='hitPolicy="COLLECT"'),
        "t.dmn",
    )

    assert decision.evaluate(order(50)) == {"gifts": ["a", "b"]}
    assert decision.evaluate(order(5)) == {"gifts": ["a"]}
    assert decision.evaluate(order(0)) == {"gifts": []}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "no variable 'order'"),
        ({"order": {}}, "'order' has no 'total'"),
        (order(None), "order.total is empty"),
        (order("12"), "wants a number"),
        (order(True), "wants a number"),
    ],
)
def test_a_missing_or_wrong_input_is_an_error_before_any_row_is_read(variables: dict[str, Any], words: str) -> None:
    """The catch-all must not hide that an input is missing."""
    with pytest.raises(ExpressionError, match="Policy") as caught:
        parse_decision(table(), "t.dmn").evaluate(variables)
    assert words in str(caught.value)


def test_an_answer_may_be_computed() -> None:
    """An output cell is an expression over the same variables."""
    decision = parse_decision(table([(["-"], ["order.total * 2"])]), "t.dmn")

    assert decision.evaluate(order(4)) == {"signatures": 8}


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("[1..200]", "Ranges"),
        ("(1..200)", "Ranges"),
        ("1,2", "one row for each value"),
        ('"EU","NA"', "one row for each value"),
        ("not(5)", "not(…)"),
        ("? > 5", "question mark"),
        ("10 < ? < 20", "question mark"),
        ("total", "double quotes"),
        ("'text'", "double quotes"),
        ("> order.total", "Write a dash"),
        ("().__class__", "Write a dash"),
        ("in [1]", "Ranges"),
        ("5 5", "Write a dash"),
        ("= 5", "Write a dash"),
        ("> 1e5", "Write a dash"),
    ],
)
def test_other_forms_of_cells_are_refused_with_advice(cell: str, advice: str) -> None:
    """Forms that the engine would take for something else are named with the cell."""
    [finding] = check_decision(table([([cell], ["1"]), (["-"], ["2"])]), "t.dmn")

    assert (finding.rule, finding.element) == ("dmn-cell", "r0i0")
    assert advice in finding.advice


@pytest.mark.parametrize("cell", ['"5"', "true"])
def test_a_cell_of_another_type_than_its_column_is_refused(cell: str) -> None:
    """A text in a column of numbers would never match."""
    [finding] = check_decision(table([([cell], ["1"]), (["-"], ["2"])]), "t.dmn")

    assert "never matches" in finding.message


FAULTS: list[tuple[bytes, str, str]] = [
    (table(policy='hitPolicy="FIRST"'), "dmn-hit-policy", "t"),
    (table(policy='hitPolicy="RULE ORDER"'), "dmn-hit-policy", "t"),
    (table(policy='hitPolicy="COLLECT" aggregation="SUM"'), "dmn-hit-policy", "t"),
    (table([(["<= 500"], ["1"]), (["> 500"], ["2"])]), "dmn-catch-all", "t"),
    (table([(["<= 500"], ["1"]), (["<= 400"], ["2"]), (["-"], ["2"])]), "dmn-overlap", "r1"),
    (table([(["-"], ["1"]), (["<= 400"], ["2"]), (["-"], ["2"])]), "dmn-overlap", "r1"),
    (table([(["5"], ["1"]), (["5"], ["2"]), (["-"], ["2"])]), "dmn-overlap", "r1"),
    (table([(["5", "-"], ["1"]), (["-", '"a"'], ["2"]), (["-", "-"], ["2"])],
           inputs=[("a", "number"), ("b", "string")]), "dmn-overlap", "r1"),
    (table(more='<annotation name="Why"/>'), "dmn-annotation", "t"),
    (table().replace(b'</inputEntry><outputEntry id="r0o0">',
                     b'</inputEntry><annotationEntry/><outputEntry id="r0o0">'), "dmn-annotation", "r0"),
    (table(inputs=[("order.total", "date")]), "dmn-type", "in0"),
    (table(outputs=[("signatures", "context")]), "dmn-type", "out0"),
    (table([(["-"], ['"two"'])]), "dmn-type", "r0o0"),
    (table([(["-"], [""])]), "dmn-expression", "r0o0"),
    (table([(["-"], ["two words"])]), "dmn-expression", "r0o0"),
    (table([(["-"], ["__import__('os')"])]), "dmn-expression", "r0o0"),
    (table([(["-"], ["1 / 0"])]), "dmn-expression", "r0o0"),
    (table(inputs=[("order.__class__", "number")]), "dmn-expression", "x0"),
    (table(inputs=[("", "number")]), "dmn-expression", "x0"),
    (table(inputs=[]), "dmn-columns", "t"),
    (table(outputs=[]), "dmn-columns", "t"),
    (table([]), "dmn-rows", "t"),
    (table([(["-", "-"], ["1"])]), "dmn-row", "r0"),
    (table([(["-"], ["1", "2"])]), "dmn-row", "r0"),
    (table(outputs=[("a b", "number")]), "dmn-output-name", "out0"),
    (table([(["-"], ["1", "1"])], outputs=[("a", "number"), ("a", "number")]), "dmn-output-name", "t"),
    (table(identifier="approval-policy"), "dmn-id", "approval-policy"),
    (table().replace(b"</decision>", b'</decision><decision id="other"/>'), "dmn-one-decision", "d"),
    (table().replace(b"decisionTable", b"literalExpression"), "dmn-table", "policy"),
    (table().replace(b'id="r0i0"', b'id="r0i0" expressionLanguage="javascript"'), "dmn-language", "r0i0"),
    (table().replace(b'name="signatures" typeRef="number"/>',
                     b'name="signatures" typeRef="number"><defaultOutputEntry/></output>'), "dmn-default", "out0"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "rule", "element"), FAULTS, ids=[rule for _, rule, _ in FAULTS])
def test_what_would_be_answered_wrongly_is_refused(data: bytes, rule: str, element: str) -> None:
    """Every fault is named with its element, and the table cannot be used."""
    found = check_decision(data, "t.dmn")

    places = {finding.element for finding in found if finding.rule == rule}
    assert element in places or (element.startswith("x") and f"in{element[1:]}" in places)
    with pytest.raises(CannotDeploy):
        parse_decision(data, "t.dmn")


def test_whole_numbers_leave_no_gap_to_overlap_in() -> None:
    """`< 6` and `> 5` exclude each other for whole numbers, and meet between them for others."""
    rows: list[Row] = [(["< 6"], ["1"]), (["> 5"], ["2"]), (["-"], ["3"])]

    assert check_decision(table(rows, inputs=[("n", "integer")]), "t.dmn") == []
    assert check_decision(table(rows, inputs=[("n", "number")]), "t.dmn") != []


def test_two_answers_at_run_time_are_an_error() -> None:
    """A table that slipped through with two answers stops the order instead of choosing one."""
    decision = parse_decision(table(BANDS, policy='hitPolicy="COLLECT"'), "t.dmn")
    object.__setattr__(decision, "hit_policy", "UNIQUE")
    object.__setattr__(decision, "rules", (decision.rules[0], *decision.rules))

    with pytest.raises(ExpressionError, match="several answers"):
        decision.evaluate(order(5))


_cells = st.builds(
    lambda sign, number: parse_cell(f"{sign}{number}", "number"),
    st.sampled_from(["", "< ", "<= ", "> ", ">= "]), st.integers(-5, 5),
)  # fmt: skip


@given(_cells, _cells)
def test_overlap_is_found_exactly_when_some_number_matches_both(one: Any, other: Any) -> None:
    """The overlap check agrees with trying the numbers, whole ones and halves."""
    whole = [float(number) for number in range(-8, 9)]
    halves = [number / 2 for number in range(-16, 17)]

    assert cells_meet(one, other, whole=True) is any(one.matches(n) and other.matches(n) for n in whole)
    assert cells_meet(one, other, whole=False) is any(one.matches(n) and other.matches(n) for n in halves)
