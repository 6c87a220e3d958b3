"""Signing asks who it is once more: the password, and a code of whoever has a second factor. Page and API alike."""

from __future__ import annotations

import pytest

from tests.web.api_world import World
from tests.web.second_factor import with_second_factor
from tests.web.test_api_tasks import decide, gate, kind_of
from tests.web.test_pages_gates import decides, order_at_gate
from tests.web.visitor import open_task, visitor
from web import accounts

WHO = "stock-approver"


def test_the_page_asks_for_a_code_only_where_there_is_a_second_factor(world: World) -> None:
    """One person of the team has one, the other has not."""
    _, task = order_at_gate(world)
    signed_in = visitor(world, WHO)
    with_second_factor(world, WHO)

    assert signed_in.goes(f"/tasks/{task}").find("//input[@name='code']")
    assert not visitor(world, "stock-approver-2").goes(f"/tasks/{task}").find("//input[@name='code']")


def test_with_a_second_factor_the_password_alone_signs_nothing(world: World) -> None:
    """The page names the field, and what was typed stays; with the code it is signed."""
    order, task = order_at_gate(world)
    who = visitor(world, WHO)
    phone, _ = with_second_factor(world, WHO)

    without = decides(who, task, decision="approve", comment="Counted.")
    wrong = decides(who, task, decision="approve", code="000000")
    assert without.status == wrong.status == 422
    assert "Enter the code of your authenticator app" in without.text
    assert without.value("comment").strip() == "Counted."
    assert "This is not a code of now" in wrong.text
    assert open_task(world, order) == task

    assert "is approved and goes on" in decides(who, task, decision="approve", code=phone.code()).text


def test_the_api_takes_the_code_beside_the_password(each_world: World) -> None:
    """403 names the field; a recovery code does as well, and its use is in the journal."""
    task = gate(each_world)
    _, codes = with_second_factor(each_world, WHO)

    for code in ({}, {"code": ""}, {"code": "123"}):
        answer = decide(each_world, WHO, task, **code)
        assert (answer.status_code, kind_of(answer)) == (403, "wrong-code")
        assert [error["field"] for error in answer.json["errors"]] == ["/code"]

    assert decide(each_world, WHO, task, code=codes[0]).status_code == 200
    line = each_world.engine.journal(subject=WHO).items[0]
    assert (line.kind, line.actor, line.after["left"]) == ("recovery_code_used", WHO, 9)
    assert codes[0] not in str(line)


def test_a_wrong_password_uses_no_code_up(world: World) -> None:
    """So that the person does not have to wait for the next one."""
    task = gate(world)
    phone, _ = with_second_factor(world, WHO)
    code = phone.code()

    assert kind_of(decide(world, WHO, task, password="wrong", code=code)) == "wrong-password"

    assert decide(world, WHO, task, code=code).status_code == 200


def test_guessing_the_code_is_stopped(world: World) -> None:
    """Five wrong ones, on pages and calls together; then the right one waits as well."""
    _, at = order_at_gate(world)
    who, task = visitor(world, WHO), gate(world)
    phone, _ = with_second_factor(world, WHO)
    for _ in range(3):
        decide(world, WHO, task, code="000000")
    for _ in range(2):
        decides(who, at, decision="approve", code="000000")

    stopped = decide(world, WHO, task, code=phone.code())

    assert (stopped.status_code, kind_of(stopped)) == (429, "too-many")
    assert "Too many wrong tries" in decides(who, at, decision="approve", code=phone.code()).text
    world.wall_clock.advance(minutes=5)
    assert decide(world, WHO, task, code=phone.code()).status_code == 200


@pytest.mark.parametrize("off", [-30, 0, 30])
def test_clocks_may_differ_by_one_step(world: World, off: int) -> None:
    """The code before and the code after are taken."""
    task = gate(world)
    phone, _ = with_second_factor(world, WHO)
    world.wall_clock.advance(minutes=5)

    assert decide(world, WHO, task, code=phone.code(off=off)).status_code == 200


@pytest.mark.parametrize("off", [-60, 60])
def test_clocks_may_not_differ_by_more(world: World, off: int) -> None:
    """Two steps are too many."""
    task = gate(world)
    phone, _ = with_second_factor(world, WHO)
    world.wall_clock.advance(minutes=5)

    assert kind_of(decide(world, WHO, task, code=phone.code(off=off))) == "wrong-code"


def test_a_code_works_once(each_world: World) -> None:
    """Whoever looked over the shoulder has nothing; neither have older codes, nor a recovery code again."""
    first, second, third = gate(each_world), gate(each_world), gate(each_world)
    phone, codes = with_second_factor(each_world, WHO)
    used = phone.code()
    assert decide(each_world, WHO, first, code=used).status_code == 200

    assert kind_of(decide(each_world, WHO, second, code=used)) == "wrong-code"
    assert kind_of(decide(each_world, WHO, second, code=phone.code(off=-30))) == "wrong-code"
    assert decide(each_world, WHO, second, code=codes[3].upper()).status_code == 200
    assert kind_of(decide(each_world, WHO, third, code=codes[3])) == "wrong-code"


def test_a_copy_of_the_database_does_not_make_codes(world: World) -> None:
    """The key of the app is not in it, nor are the recovery codes."""
    _, codes = with_second_factor(world, WHO)
    with world.database.read() as session:
        kept = session.get_one(accounts.SecondFactor, WHO).secret
        hashes = {row.hash for row in session.query(accounts.RecoveryCode)}

    with world.database.read() as session, pytest.raises(accounts.UnreadableSecretError):
        accounts.take_code(session, WHO, "123456", "another installation's key", world.wall_clock.now())
    assert len(kept) > 100
    assert not hashes & {*codes, *(code.replace("-", "") for code in codes)}
