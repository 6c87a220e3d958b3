"""Who may change a process, and how: a reason, a second analyst's consent, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine import SYSTEM, Bundle, Database, Engine
from engine.errors import CannotDeploy, Conflict, InvalidForm, NotFound, NothingChanged, OwnVersion, StaleBase
from engine.views import Actor, VersionView
from handlers.contract import Registry
from tests.looking import ADMIN, ANALYST, ANOTHER, DIAGRAM, FORM, bundle


@pytest.fixture
def engine(database: Database, clock: Any) -> Engine:
    """The process `looking` is deployed as version 1, from the folder."""
    engine = Engine(database, Registry({}), clock)
    engine.deploy(bundle("One"), SYSTEM)
    return engine


def propose(engine: Engine, name: str, actor: Actor = ANALYST, *, base: int | None = 1) -> VersionView:
    [version] = engine.propose(bundle(name), actor, reason="because", base_version=base)
    return version


def states(engine: Engine) -> dict[int, str]:
    return {version.version: version.state for version in engine.versions("looking")}


def test_a_change_waits_until_a_second_analyst_consents(engine: Engine, clock: Any) -> None:
    """Who asked, who consented, when and why stand in the version."""
    asked = propose(engine, "Two")
    clock.advance(hours=2)

    found = engine.consent("looking", 2, ANOTHER, " Seen. ")

    assert (asked.state, asked.deployed_by, asked.reason, asked.consented_by) == (
        "awaiting_consent", "analyst", "because", None)
    assert (found.state, found.consented_by, found.answer) == ("deployed", "analyst-2", "Seen.")
    assert found.deployed_at == found.answered_at == clock.now()
    assert engine.version("looking", 2) == found


@pytest.mark.parametrize("author", [ANALYST, ADMIN], ids=lambda actor: actor.name)
def test_nobody_consents_to_an_own_change(engine: Engine, author: Actor) -> None:
    """Also not the admin, with other teams, under the same name in capitals, or by going back."""
    propose(engine, "Two", author)
    others = [author, Actor(author.name, frozenset(["analysts", "admin"]), sees_all=True), Actor(author.name.upper())]

    for same in others:
        with pytest.raises(OwnVersion, match="another analyst"):
            engine.consent("looking", 2, same)

    engine.consent("looking", 2, ANOTHER)
    engine.go_back("looking", 1, author, reason="it was better")
    with pytest.raises(OwnVersion):
        engine.consent("looking", 3, author)
    assert states(engine) == {3: "awaiting_consent", 2: "deployed", 1: "deployed"}


def test_a_change_on_an_older_version_is_refused_naming_both(engine: Engine) -> None:
    """What version 2 changed would be lost."""
    propose(engine, "Two")
    engine.consent("looking", 2, ANOTHER)

    with pytest.raises(StaleBase, match="made on version 1, but version 2 is the newest") as stale:
        propose(engine, "Three")

    assert (stale.value.base, stale.value.newest) == (1, 2)


def test_of_two_changes_that_wait_the_second_must_be_made_again(engine: Engine) -> None:
    """Both may wait. When one is deployed, the consent to the other one says what to do."""
    propose(engine, "Two")
    propose(engine, "Three", ANOTHER)
    engine.consent("looking", 3, ANALYST)

    with pytest.raises(StaleBase, match=r"made on version 1, but version 3 was deployed.*Return it; then.*version 3"):
        engine.consent("looking", 2, ANOTHER)

    assert states(engine) == {3: "deployed", 2: "awaiting_consent", 1: "deployed"}


def test_a_returned_change_says_why_and_is_not_consented_to_any_more(engine: Engine) -> None:
    """The comment stands in the version."""
    propose(engine, "Two")

    returned = engine.return_version("looking", 2, ANOTHER, "The name is wrong.")

    assert (returned.state, returned.answered_by, returned.answer, returned.consented_by) == (
        "returned", "analyst-2", "The name is wrong.", None)
    with pytest.raises(Conflict, match=r"analyst-2 has returned version 2.*The name is wrong"):
        engine.consent("looking", 2, ANOTHER)
    assert propose(engine, "Two").version == 3  # asked again, after talking about it


def test_a_consent_and_a_return_may_be_repeated(engine: Engine) -> None:
    """Whoever did not get the answer asks again; somebody else is told who was first."""
    propose(engine, "Two")
    engine.consent("looking", 2, ANOTHER)
    propose(engine, "Three", base=2)
    engine.return_version("looking", 3, ANOTHER, "no")

    assert engine.consent("looking", 2, ANOTHER).state == "deployed"
    assert engine.return_version("looking", 3, ANOTHER, "no").state == "returned"
    for answer in (
        lambda: engine.consent("looking", 2, ADMIN), lambda: engine.return_version("looking", 2, ADMIN, "no"),
        lambda: engine.return_version("looking", 3, ADMIN, "no"),
    ):
        with pytest.raises(Conflict, match="analyst-2"):
            answer()


def test_asking_twice_asks_once(engine: Engine) -> None:
    """The same change on the same version; who else makes it is told to consent instead."""
    first = propose(engine, "Two")

    assert propose(engine, "Two") == first
    with pytest.raises(Conflict, match=r"analyst has asked.*version 2.*Consent to that one"):
        propose(engine, "Two", ANOTHER)
    engine.consent("looking", 2, ANOTHER)
    assert propose(engine, "Two").state == "deployed"
    assert states(engine) == {2: "deployed", 1: "deployed"}


def test_a_change_that_changes_nothing_is_refused(engine: Engine) -> None:
    """There is nothing to consent to."""
    with pytest.raises(NothingChanged, match="Nothing changed: this is what version 1"):
        propose(engine, "One")
    with pytest.raises(NothingChanged):
        engine.go_back("looking", 1, ANALYST, reason="no")


def test_going_back_is_a_new_version_with_the_old_content(engine: Engine) -> None:
    """By the same way: a reason, and a second analyst."""
    propose(engine, "Two")
    engine.consent("looking", 2, ANOTHER)

    [back] = engine.go_back("looking", 1, ANALYST, reason="Two was slow")
    engine.consent("looking", 3, ANOTHER)

    assert (back.version, back.base_version, back.origin, back.reason, back.state) == (
        3, 2, "back", "Two was slow", "awaiting_consent")
    assert engine.bundle("looking", 3) == bundle("One")
    engine.start("looking", "A", SYSTEM)
    assert engine.instance("A").version == 3
    assert engine.order_tasks("A")[0].name == "One"


def test_nobody_goes_back_to_what_never_ran(engine: Engine) -> None:
    """A version that waits or was returned, or is not there."""
    propose(engine, "Two")

    with pytest.raises(Conflict, match="never deployed"):
        engine.go_back("looking", 2, ANALYST, reason="why not")
    with pytest.raises(NotFound):
        engine.go_back("looking", 7, ANALYST, reason="why not")


@pytest.mark.parametrize("text", ["", "  \n", "x" * 2001, "a\0b"])
def test_a_reason_and_a_comment_are_required_and_not_endless(engine: Engine, text: str) -> None:
    """Whoever looks later wants to know why."""
    propose(engine, "Two")
    calls: list[tuple[str, Callable[[], object]]] = [
        ("/reason", lambda: engine.propose(bundle("Three"), ANALYST, reason=text, base_version=1)),
        ("/reason", lambda: engine.go_back("looking", 1, ANALYST, reason=text)),
        ("/comment", lambda: engine.return_version("looking", 2, ANOTHER, text)),
    ]
    for field, call in calls:
        with pytest.raises(InvalidForm) as refused:
            call()
        assert [error.field for error in refused.value.errors] == [field]


def test_a_change_of_a_form_alone_is_a_new_version(engine: Engine) -> None:
    """Forms belong to the version."""
    changed = Bundle({**bundle("One").files, "forms/look.json": FORM.replace(b"Fine", b"Well")})

    [version] = engine.propose(changed, ANALYST, reason="a better word", base_version=1)

    assert version.version == 2


def test_where_no_consent_is_needed_asking_deploys(engine: Engine) -> None:
    """A shop of one analyst; what waits from before can be deployed by who made it."""
    propose(engine, "Early")
    engine.consent_needed = False

    assert propose(engine, "Early").state == "deployed"
    version = propose(engine, "Two", base=2)

    assert (version.state, version.consented_by) == ("deployed", None)


def test_what_cannot_run_is_not_proposed_and_not_consented_to(engine: Engine) -> None:
    """A version that waited while the rules changed is checked again."""
    with pytest.raises(CannotDeploy):
        engine.propose(bundle("Two", broken=True), ANALYST, reason="because", base_version=1)
    propose(engine, "Two")
    engine.check = lambda _bundle: engine.__class__.check(engine, bundle(broken=True))  # type: ignore[method-assign]

    with pytest.raises(CannotDeploy):
        engine.consent("looking", 2, ANOTHER)
    assert states(engine) == {2: "awaiting_consent", 1: "deployed"}


def test_a_new_process_names_no_base_and_a_known_one_must(engine: Engine) -> None:
    """So nobody replaces a process by chance."""
    [new] = engine.propose(bundle(key="tasting"), ANALYST, reason="new", base_version=None)

    assert (new.key, new.version, new.base_version) == ("tasting", 1, None)
    with pytest.raises(StaleBase, match=r"deployed already, as version 1.*send base_version 1"):
        propose(engine, "Two", base=None)
    with pytest.raises(InvalidForm, match="no deployed version 4"):
        propose(engine, "Two", base=4)
    with pytest.raises(InvalidForm, match="no deployed version 1"):
        engine.propose(bundle("Two", key="tasting"), ANALYST, reason="a change of what waits", base_version=1)


def test_a_change_that_lost_its_process_is_refused(engine: Engine) -> None:
    """A renamed id would be another process."""
    with pytest.raises(CannotDeploy, match="No diagram holds the process looking"):
        engine.propose(bundle(key="lucking"), ANALYST, reason="because", base_version=1, key="looking")


def test_processes_of_one_bundle_change_together(engine: Engine) -> None:
    """Each has numbers of its own and builds on its version of the same content."""
    pair = {DIAGRAM: bundle("One").files[DIAGRAM], "processes/b.bpmn": bundle("B", key="b").files[DIAGRAM],
            "forms/look.json": FORM}
    engine.propose(Bundle(pair), ANALYST, reason="b comes along", base_version=1)
    for key, version in (("looking", 2), ("b", 1)):
        engine.consent(key, version, ANOTHER)

    changed = Bundle({**pair, DIAGRAM: bundle("Two").files[DIAGRAM]})
    versions = engine.propose(changed, ANALYST, reason="because", base_version=2)

    assert sorted((one.key, one.version, one.base_version) for one in versions) == [("b", 2, 1), ("looking", 3, 2)]
