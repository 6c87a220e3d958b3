"""The safe expression language: it reads variables, computes a little, and can do nothing else."""

from __future__ import annotations

import ast
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ExpressionError
from engine.expression_values import HELPERS
from engine.expressions import (
    compile_expression,
    compile_script,
    is_timer,
    parse_timer,
    quote_duration,
)

VARIABLES: dict[str, Any] = {
    "order": {"total": 12_000, "region": "europe", "lines": [{"sku": "product-a"}], "note": None, "express": True},
    "choice": "cancel",
    "weight": 2.5,
    "len_": 3,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("order.total", 12_000),
        ('order["total"]', 12_000),
        ("order.total > 500 and choice == 'cancel'", True),
        ("order.total <= 500 or not order.express", False),
        ("0 < order.total < 20000", True),
        ("order.lines[0].sku", "product-a"),
        ("order.lines[-1]", {"sku": "product-a"}),
        ("len(order.lines)", 1),
        ("len(choice) + len(order)", 11),
        ("order.note is None", True),
        ("order.note is not None", False),
        ("order.note == null", True),
        ("true and not false", True),
        ("order.region in ['europe', 'malaysia']", True),
        ("order.region not in ('north_america',)", True),
        ("'rop' in order.region", True),
        ("1 if order.total > 5 else 2", 1),
        ("order.total * 2 - 1", 23_999),
        ("order.total // 7 + order.total % 7", 1716),
        ("order.total / 5", 2400.0),
        ("-weight", -2.5),
        ("'a' + 'b' + str(3)", "ab3"),
        ("min(3, 1, 2) + max([4, 5]) + abs(-1)", 7),
        ("round(weight) + round(2.345, 2)", 2 + 2.35),
        ("int('42') + float('0.5') + int(true)", 43.5),
        ("bool(order.note)", False),
        ("get(order, 'missing', 'none')", "none"),
        ("get(order, 'region')", "europe"),
        ("get(order.note, 'region', 1)", 1),
        ("{'a': [1, (2, 3)]}", {"a": [1, [2, 3]]}),
        ("order.total\n  > 5", True),
        ("len_", 3),
    ],
)
def test_what_an_expression_can_say(text: str, value: Any) -> None:
    """Keys, comparisons, arithmetic, pick lists and a few functions are what conditions need."""
    assert compile_expression(text).evaluate(VARIABLES) == value


def test_an_expression_knows_what_it_reads() -> None:
    """The linter asks which variables and keys an expression reads."""
    expression = compile_expression("order.total > limit and get(customer, 'vip') or order.lines[0].sku")

    assert expression.names == {"order", "limit", "customer"}
    assert expression.paths >= {"order", "order.total", "order.lines", "limit", "customer"}


ESCAPES = [
    "().__class__.__base__.__subclasses__()",
    "order.__class__",
    "order['total'].__class__.__name__",
    "__import__('os').system('id')",
    "_name",
    "order._private",
    "open('/etc/passwd')",
    "eval('1')",
    "getattr(order, 'total')",
    "order.get('total')",
    "order.lines.append(1)",
    "(lambda: 1)()",
    "[x for x in order]",
    "{x: 1 for x in order}",
    "(x for x in order)",
    "f'{order}'",
    "(x := 1)",
    "9 ** 9",
    "1 << 90",
    "~1",
    "order.lines[0:2]",
    "{1, 2}",
    "{**order}",
    "[*order]",
    "len(*order)",
    "round(number=1)",
    "order.total is 5",
    "b'x'",
    "1j",
    "...",
    "10000000000000000000000",
    "'\\x41'",
    "len",
    "await x",
    "yield",
    "import os",
    "x = 1",
    "x == 1; y",
    "＿x",
    "len()",
    "get(order)",
    "@",
    "",
    "   ",
    "order.",
    "\0",
    "choice == 'a",
    "{1: 2}",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_what_it_cannot_say_is_refused_before_it_runs(text: str) -> None:
    """Diagram text never runs as Python."""
    with pytest.raises(ExpressionError):
        compile_expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "1 + " * 400 + "1",
        "(" * 90 + "1" + ")" * 90,
        "(" * 400 + "1" + ")" * 400,
        "not " * 240 + "true",
        "-" * 900 + "1",
        "[" * 60 + "]" * 60,
        "a" + ".a" * 400,
        " and ".join(["a.b == 1"] * 90),
        "x" * 1_001,
    ],
    ids=lambda text: text[:10],
)
def test_long_and_deep_texts_are_refused_or_harmless(text: str) -> None:
    """A text costs a bounded amount of time, whatever it says."""
    with suppress(ExpressionError):
        compile_expression(text).evaluate(VARIABLES)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("missing > 1", "no variable 'missing'"),
        ("order.colour", "'order' has no 'colour'"),
        ("order.total.amount", "'order.total' is a number and has no 'amount'"),
        ("order.note.text", "'order.note' is empty (null)"),
        ("order['colour']", "no 'colour'"),
        ("order.lines[5]", "no item 5"),
        ("order.lines['a']", "no item 'a'"),
        ("order.note <= 500", "not supported"),
        ("order.total + 'a'", "'+' joins two texts"),
        ("order.lines + [1]", "needs numbers"),
        ("order.lines * 1000000", "needs numbers"),
        ("choice * 1000000", "needs numbers"),
        ("choice % order", "needs numbers"),
        ("order.express + 1", "needs numbers"),
        ("order.total / 0", "divides by zero"),
        ("order.total // 0.0", "divides by zero"),
        ("1e18 * 10 * 10", "too large"),
        ("float('nan')", "not a number"),
        ("float('inf')", "not a number"),
        ("int('nine')", "int()"),
        ("round(5, -1000000000)", "0 to 10"),
        ("len(5)", "len()"),
        ("min([])", "min()"),
        ("max('a', 1)", "needs numbers"),
        ("str(order)", "str()"),
        ("get(5, 'a')", "get()"),
        ("'a' in 5", "not iterable"),
    ],
)
def test_an_evaluation_that_fails_says_why(text: str, words: str) -> None:
    """The error names the expression and what is missing, for the person who reads the incident."""
    expression = compile_expression(text)

    with pytest.raises(ExpressionError) as caught:
        expression.evaluate(VARIABLES)

    assert words in str(caught.value)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("choice = 'cancel'", "two equals signs"),
        ("a && b", "'and', 'or' and 'not'"),
        ("a.b()", "the functions are"),
        ("[x for x in a]", "let an operation compute it"),
        ("a is 5", "use =="),
    ],
)
def test_a_refusal_says_what_to_write(text: str, words: str) -> None:
    """Common slips get advice, not a parser's message."""
    with pytest.raises(ExpressionError, match=words):
        compile_expression(text)


def test_texts_stay_short() -> None:
    """No expression builds a text beyond its bound."""
    with pytest.raises(ExpressionError, match="longer than"):
        compile_expression("a + a").evaluate({"a": "x" * 6_000})


def test_compiled_expressions_are_shared() -> None:
    """The same text is compiled once."""
    assert compile_expression("order.total > 5") is compile_expression("order.total > 5")


def test_compiled_code_reaches_helpers_only() -> None:
    """Nothing but our guarded helpers is in reach of compiled code; builtins are not."""
    assert HELPERS["__builtins__"] == {}
    assert all(name == "__builtins__" or name.startswith("_") for name in HELPERS)


_tokens = st.sampled_from(
    ["order", ".", "total", "(", ")", "[", "]", "1", "0", "'a'", "+", "-", "*", "/", "%", "==", "<", "and", "or", "not",
     "in", "is", "None", "len", "get", ",", "if", "else", "true", "lambda", ":", "__class__", "{", "}", "for", "**"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(_tokens, max_size=14).map(" ".join) | st.text(max_size=30))
def test_any_text_is_compiled_or_refused(text: str) -> None:
    """Whatever stands in a diagram, the outcome is a value or an ExpressionError."""
    try:
        value = compile_expression(text).evaluate(VARIABLES)
    except ExpressionError:
        return
    assert isinstance(value, bool | int | float | str | list | dict | type(None))
    assert "__" not in ast.dump(ast.parse(text.strip().replace("\n", " "), mode="eval"))


def test_a_script_assigns_in_order_and_changes_nothing_else() -> None:
    """Each line sees what the lines above assigned; the variables given stay as they are."""
    variables = {"attempts": 1}
    script = compile_script("# count\nattempts = attempts + 1\n\nlast = attempts >= 2\n")

    assert script.run(variables) == {"attempts": 2, "last": True}
    assert variables == {"attempts": 1}
    assert script.assigned == {"attempts", "last"}
    assert script.names == {"attempts"}


@pytest.mark.parametrize(
    "text",
    ["", "# nothing", "import os", "a", "a == 1", "a.b = 1", "a[0] = 1", "a, b = 1, 2", "a += 1", "_a = 1", "len = 1",
     "true = 1", "for x in y: pass", "a = b = 1", "del a", "a = __import__('os')", "\n".join(["a = 1"] * 51)],
)  # fmt: skip
def test_a_script_has_lines_of_one_form(text: str) -> None:
    """A script is lines of `name = expression`, and nothing else."""
    with pytest.raises(ExpressionError):
        compile_script(text)


def test_a_script_cannot_grow_without_end() -> None:
    """A list that holds itself twice in every line would fill the database."""
    script = compile_script("a = [1, 1]\n" + "a = [a, a]\n" * 40)

    with pytest.raises(ExpressionError, match="more than 5000 values"):
        script.run({})


START = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("PT4H", START + timedelta(hours=4)),
        ('"PT4H"', START + timedelta(hours=4)),
        ("'P1DT2H3M4.5S'", START + timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ("P2W", START + timedelta(weeks=2)),
        ("P1M", datetime(2026, 2, 28, 9, 0, tzinfo=UTC)),
        ("P1Y1M", datetime(2027, 2, 28, 9, 0, tzinfo=UTC)),
        ("P11M", datetime(2026, 12, 31, 9, 0, tzinfo=UTC)),
        ("P1MT1H", datetime(2026, 2, 28, 10, 0, tzinfo=UTC)),
        ("PT0S", START),
    ],
)
def test_durations_are_counted_by_the_calendar(text: str, due: datetime) -> None:
    """Hours, days and weeks have their length; a month after the 31st is the last day of the next."""
    assert parse_timer(text, "duration").first(START) == due


def test_dates_are_points_in_time() -> None:
    """A date needs its zone, and is due then."""
    assert parse_timer("2026-03-01T10:00:00+01:00", "date").first(START) == datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def test_a_cycle_fires_so_often_and_so_far_apart() -> None:
    """`R3/P3D`: three times, every three days, the first after three days."""
    cycle = parse_timer("R3/P3D", "cycle")
    first = cycle.first(START)

    assert first == START + timedelta(days=3)
    assert cycle.repetitions == 3
    assert cycle.next(first, first) == first + timedelta(days=3)
    assert cycle.skipped(first, first) == 0


def test_a_cycle_that_missed_its_times_fires_once() -> None:
    """After an outage of ten days the next firing lies in the future, and those missed are counted."""
    cycle = parse_timer("R/P3D", "cycle")
    first = cycle.first(START)
    now = first + timedelta(days=10)

    assert cycle.repetitions is None
    assert cycle.next(first, now) == first + timedelta(days=12)
    assert cycle.skipped(first, now) == 3


def test_a_monthly_cycle_skips_too() -> None:
    """Months are counted by the calendar when they are skipped."""
    cycle = parse_timer("R5/P1M", "cycle")
    first = cycle.first(START)

    assert cycle.next(first, first + timedelta(days=40)) == datetime(2026, 4, 28, 9, 0, tzinfo=UTC)
    assert cycle.skipped(first, first + timedelta(days=40)) == 1


def test_a_cycle_may_begin_at_a_date() -> None:
    """`R2/2026-02-01T00:00:00Z/P1D` fires first at its date."""
    assert parse_timer("R2/2026-02-01T00:00:00Z/P1D", "cycle").first(START) == datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "duration"), ("P", "duration"), ("PT", "duration"), ("4h", "duration"), ("P1DT", "duration"),
        ("pt4h", "duration"), ("P-1D", "duration"), ("P9999Y", "duration"), ("P1W2D", "duration"),
        ("R3/PT1H", "duration"), ("order.due", "duration"),
        ("2026-01-01", "date"), ("2026-01-01T00:00:00", "date"), ("2026-02-30T00:00:00Z", "date"), ("PT4H", "date"),
        ("P3D", "cycle"), ("R3", "cycle"), ("R0/P3D", "cycle"), ("R/PT0S", "cycle"), ("R3/P3D/P3D", "cycle"),
        ("R3/PT0.1S", "cycle"), ("R-1/P1D", "cycle"), ("0 4 * * *", "cycle"),
    ],
)  # fmt: skip
def test_a_timer_that_cannot_be_read_is_refused(text: str, kind: Any) -> None:
    """The message shows the text and an example."""
    with pytest.raises(ExpressionError, match=r"Write|longer"):
        parse_timer(text, kind)


def test_a_duration_fires_once() -> None:
    """Only cycles have a next firing."""
    with pytest.raises(ExpressionError, match="fires once"):
        parse_timer("PT4H", "duration").next(START, START)


def test_a_time_beyond_the_calendar_is_an_error() -> None:
    """A wait that would end after the year 9999 is refused, not an overflow."""
    with pytest.raises(ExpressionError, match="beyond the calendar"):
        parse_timer("P90Y", "duration").first(datetime(9950, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("PT4H", '"PT4H"'), ('"PT4H"', '"PT4H"'), ("'PT4H'", '"PT4H"'), ("R3/P3D", '"R3/P3D"'),
        (" 2026-01-01T00:00:00Z ", '"2026-01-01T00:00:00Z"'), ("order.deadline", "order.deadline"), ("Plan", "Plan"),
    ],
)  # fmt: skip
def test_standard_timer_texts_are_quoted_for_the_engine(text: str, quoted: str) -> None:
    """Standard BPMN writes timers without quotes, SpiffWorkflow wants an expression; other texts are expressions."""
    assert quote_duration(text) == quoted
    assert is_timer(text) is (quoted.startswith('"'))
