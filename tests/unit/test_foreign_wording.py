"""Expressions of other tools in our words, where they mean the same."""

from __future__ import annotations

from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.expressions import compile_expression
from engine.foreign.wording import timer_text, translate

SAME = [
    ("${amount > 100}", "amount > 100"),
    ("#{amount gt 100}", "amount > 100"),
    ("=amount > 100", "amount > 100"),
    ("= not(approved)", "not (approved)"),
    ("${!approved}", "not approved"),
    ("${clarified == 'yes'}", 'clarified == "yes"'),
    ("${a && !b || c}", "a and not b or c"),
    ('=status = "open" and count(items) >= 2', 'status == "open" and len(items) >= 2'),
    ('=kind in ("a", "b")', 'kind in ["a", "b"]'),
    ("=total between 1 and 5", "(1 <= total and total <= 5)"),
    ('=if amount > 5 then "much" else "little"', '("much" if amount > 5 else "little")'),
    ("${vip ? 1 : 2}", "(1 if vip else 2)"),
    ("${execution.getVariable('level') == 3}", "level == 3"),
    ('Vacation Approval = "Approved"', 'vacation_approval == "Approved"'),
    ("${order.total / 2 > 10}", "order.total / 2 > 10"),
    ("=x = null", "x == null"),
]
NOT_THE_SAME = [
    "${bean.check(order)}",  # a call into another program
    "${empty items}",
    "${a}${b}",
    "=some x in items satisfies x > 1",
    "=items[1] = 3",  # theirs count from one
    "${approved == 'true'}",  # theirs turns a text into a truth value
    "=a < b < c",
    "${!a == b}",
    "not(bpmn:getDataObject('approved'))",
    "Approved",  # a word for people
    "Amount above limit",
    "",
    "${" + "(" * 60 + "a" + ")" * 60 + "}",
]


@pytest.mark.parametrize(("theirs", "ours"), SAME)
def test_an_expression_that_means_the_same_is_translated(theirs: str, ours: str) -> None:
    """FEEL, JUEL and plain words with signs."""
    assert translate(unescape(theirs)) == ours
    compile_expression(ours)


@pytest.mark.parametrize("theirs", NOT_THE_SAME)
def test_what_might_mean_something_else_is_left_to_a_person(theirs: str) -> None:
    """A guess would run, and go the wrong way."""
    assert translate(theirs) is None


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab1 ='\"()[]!<>&|?:.,+-*/${}#andortif", max_size=40))
def test_nothing_that_is_typed_breaks_it(text: str) -> None:
    """The answer is an expression of ours, or none."""
    found = translate(text)
    if found is not None:
        compile_expression(found)


values = st.integers(-5, 5)


@settings(max_examples=100, deadline=None)
@given(a=values, b=values, c=st.booleans())
def test_a_translation_decides_as_the_original_would(a: int, b: int, c: bool) -> None:
    """Precedence of `!`, `&&` and `||`, and of FEEL's words, is kept."""
    variables = {"a": a, "b": b, "c": c}

    juel = translate("${a > b && !c || a + b * 2 == 3}")
    feel = translate("=a > b and not(c) or a + b * 2 = 3")

    wanted = (a > b and not c) or a + b * 2 == 3
    assert juel
    assert feel
    assert compile_expression(juel).evaluate(variables) == wanted
    assert compile_expression(feel).evaluate(variables) == wanted


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [('=duration("PT5M")', "PT5M"), ('="R3/PT1H"', "R3/PT1H"), ("${'PT5M'}", "PT5M"), ("=due", None), ("PT4H", None)],
)
def test_a_time_is_found_in_its_wrapping(theirs: str, ours: str | None) -> None:
    assert timer_text(theirs) == ours
