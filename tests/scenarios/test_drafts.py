"""What analysts work on before anybody consents: kept as it is, and never overwritten unseen."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import event

from engine import SYSTEM, Bundle, Database, Engine
from engine.drafts import empty_diagram
from engine.errors import (
    CannotDeploy,
    Conflict,
    DraftChanged,
    Finding,
    InvalidForm,
    NotFound,
    NothingChanged,
    OwnVersion,
    StaleBase,
)
from engine.views import DraftView
from handlers.contract import Registry
from tests.drawing import Drawing
from tests.looking import ADMIN, ANALYST, ANOTHER, DIAGRAM, FORM, bundle
from tests.web.sqlcount import statements

XML = bundle("Two").files[DIAGRAM]


@pytest.fixture
def engine(database: Database, clock: Any) -> Engine:
    """The process `looking` is deployed as version 1."""
    engine = Engine(database, Registry({}), clock)
    engine.deploy(bundle("One"), SYSTEM)
    return engine


@pytest.fixture
def draft(engine: Engine) -> DraftView:
    """A draft of version 1."""
    return engine.open_draft(ANALYST, key="looking", base_version=1)


def fields(refused: Any) -> list[str]:
    return [error.field for error in refused.value.errors]


# --- opening ---------------------------------------------------------------------------------------------------------


def test_a_draft_begins_as_a_copy_of_a_version(engine: Engine, draft: DraftView) -> None:
    """Of any deployed one, also an old one."""
    engine.deploy(bundle("Two"), SYSTEM)
    newest = engine.open_draft(ANOTHER, key="looking", base_version=2, title="Next week")
    old = engine.open_draft(ANOTHER, key="looking", base_version=1)

    assert (draft.title, draft.revision, draft.state, draft.base_version) == ("One", 1, "open", 1)
    assert (newest.title, newest.files) == ("Next week", bundle("Two").files)
    assert engine.draft(old.id).files == bundle("One").files
    assert {one.id for one in engine.drafts()} == {draft.id, newest.id, old.id}


def test_a_draft_is_not_opened_of_what_waits_or_is_not_there(engine: Engine) -> None:
    """A version that waits has a draft of its own."""
    engine.propose(bundle("Two"), ANALYST, reason="because", base_version=1)

    for version in (2, 7):
        with pytest.raises(NotFound, match=f"no deployed version {version} of looking"):
            engine.open_draft(ANALYST, key="looking", base_version=version)


def test_an_empty_draft_has_a_start_that_is_drawn(engine: Engine) -> None:
    """Ids of its own, a name, and a shape for the start."""
    draft = engine.open_draft(ANALYST, key="gift_wrapping", title='Gifts & "more"')

    root = etree.fromstring(draft.files["processes/gift_wrapping.bpmn"])
    drawing = Drawing(root)
    ids = [node.get("id") for node in root.iter() if node.get("id")]
    assert (draft.key, draft.title, draft.base_version) == ("gift_wrapping", 'Gifts & "more"', None)
    assert (drawing.process.get("id"), drawing.process.get("name")) == ("gift_wrapping", 'Gifts & "more"')
    assert list(drawing.boxes) == ["start"]
    assert len(ids) == len(set(ids))
    assert not [one for one in engine.check_draft(draft.id) if one.rule in ("xml-syntax", "bpmn", "id", "process-id")]


@pytest.mark.parametrize("key", ["", "a b", "1st", "ü", "a/b", "x" * 81, "<x>"])
def test_a_key_must_be_one(engine: Engine, key: str) -> None:
    """It becomes an id in the diagram and a part of addresses."""
    with pytest.raises(InvalidForm) as refused:
        engine.open_draft(ANALYST, key=key)

    assert fields(refused) == ["/key"]


def test_a_key_that_is_taken_is_refused_naming_the_newest_version(engine: Engine) -> None:
    """Whoever wants to change the process builds on that."""
    for files in (None, {DIAGRAM: XML}):
        with pytest.raises(Conflict, match=r"deployed already.*the newest is 1"):
            engine.open_draft(ANALYST, key="looking", files=files)


def test_a_draft_of_files_is_about_the_first_executable_process(engine: Engine) -> None:
    """Also when a tool writes 1 for true; where a tool marks none, it is about the first of all."""
    plain = b'<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="drawn"/>%s</definitions>'
    files = {"processes/a.bpmn": plain % b'<process id="runs" name="Runs" isExecutable="1"/>'}

    draft = engine.open_draft(ANALYST, files=files)

    assert (draft.key, draft.title, draft.files) == ("runs", "Runs", files)
    assert engine.open_draft(ANALYST, files=files, key="drawn").key == "drawn"
    assert engine.open_draft(ANALYST, files={"processes/a.bpmn": plain % b""}).key == "drawn"
    for wrong, field, words in (
        ({"forms/a.json": FORM}, "/files", "no diagram with a process"),
        ({"processes/a.bpmn": b"<oops"}, "/files/processes~1a.bpmn", "not well-formed"),
    ):
        with pytest.raises(InvalidForm, match=words) as refused:
            engine.open_draft(ANALYST, files=wrong)
        assert fields(refused) == [field]
    with pytest.raises(InvalidForm, match="draw no process other; they draw drawn, runs"):
        engine.open_draft(ANALYST, files=files, key="other")


def test_files_on_a_version_are_all_that_the_draft_holds(engine: Engine) -> None:
    """A copy of a draft does not get files back that were removed in it."""
    draft = engine.open_draft(ANALYST, key="looking", base_version=1, files={DIAGRAM: XML})

    assert engine.draft(draft.id).files == {DIAGRAM: XML}


# --- consent ---------------------------------------------------------------------------------------------------------


def test_whoever_changed_a_draft_does_not_consent_to_it(engine: Engine) -> None:
    """Though another analyst opened it and asks; looking at it, naming it and asking are no changes."""
    draft = engine.open_draft(ANALYST, key="looking", base_version=1)
    saved = engine.save_draft(draft.id, ANOTHER, revision=1, files={DIAGRAM: bundle("Seen").files[DIAGRAM]})
    engine.rename_draft(draft.id, ADMIN, "Seen")
    [asked] = engine.submit_draft(draft.id, ANALYST, reason="Clearer.", revision=saved.revision)

    for maker in (ANALYST, ANOTHER):
        assert engine.made("looking", asked.version, maker)
        with pytest.raises(OwnVersion):
            engine.consent("looking", asked.version, maker)

    assert not engine.made("looking", asked.version, ADMIN)
    assert engine.consent("looking", asked.version, ADMIN).state == "deployed"


def test_a_copy_is_still_theirs_who_changed_the_draft(engine: Engine) -> None:
    """Else a change would be consented to by whoever made it, once a colleague has copied it."""
    draft = engine.open_draft(ANALYST, key="looking", base_version=1)
    engine.save_draft(draft.id, ANOTHER, revision=1, files={DIAGRAM: bundle("Seen").files[DIAGRAM]})
    copy = engine.copy_draft(draft.id, ANALYST, whose="Ines")
    [asked] = engine.submit_draft(copy.id, ANALYST, reason="Clearer.", revision=copy.revision)

    with pytest.raises(OwnVersion):
        engine.consent("looking", asked.version, ANOTHER)


# --- saving ----------------------------------------------------------------------------------------------------------


def test_what_is_saved_is_kept_as_it_is(engine: Engine, draft: DraftView, clock: Any) -> None:
    """Half a diagram too; others' files stay; None removes one."""
    clock.advance(minutes=1)
    saved = engine.save_draft(draft.id, ANOTHER, revision=1, files={DIAGRAM: b"<half a", "forms/new.json": b"{"})
    again = engine.save_draft(draft.id, ANALYST, revision=2, files={"forms/look.json": None, "forms/gone.json": None})

    assert (saved.revision, saved.updated_by, saved.updated_at) == (2, "analyst-2", clock.now())
    assert again.files == {DIAGRAM: b"<half a", "forms/new.json": b"{"}
    assert engine.draft(draft.id) == again


def test_of_two_people_the_second_is_told_who_was_first(engine: Engine, draft: DraftView, clock: Any) -> None:
    """Nothing is overwritten."""
    clock.advance(minutes=5)
    engine.save_draft(draft.id, ANOTHER, revision=1, files={DIAGRAM: b"hers"})

    with pytest.raises(DraftChanged, match="analyst-2 has changed this draft at 08:05:00 UTC") as told:
        engine.save_draft(draft.id, ANALYST, revision=1, files={DIAGRAM: b"his"})

    assert (told.value.by, told.value.at, told.value.revision) == ("analyst-2", clock.now(), 2)
    assert engine.draft(draft.id).files[DIAGRAM] == b"hers"


def test_of_saves_at_the_same_moment_one_wins(engine: Engine, draft: DraftView) -> None:
    """The revision is compared where it is written."""
    def save(number: int) -> bool:
        try:
            engine.save_draft(draft.id, ANALYST if number % 2 else ANOTHER, revision=1, files={DIAGRAM: b"%d" % number})
        except DraftChanged:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(save, range(6)))

    assert sum(results) == 1
    assert engine.draft(draft.id).files[DIAGRAM] == b"%d" % results.index(True)
    assert engine.draft(draft.id).revision == 2


def test_a_save_whose_answer_was_lost_may_be_sent_again(engine: Engine, draft: DraftView) -> None:
    """By the same person, with the same content."""
    first = engine.save_draft(draft.id, ANALYST, revision=1, files={DIAGRAM: b"x"})

    assert engine.save_draft(draft.id, ANALYST, revision=1, files={DIAGRAM: b"x"}) == first
    with pytest.raises(DraftChanged):
        engine.save_draft(draft.id, ANALYST, revision=1, files={DIAGRAM: b"y"})


@pytest.mark.parametrize(("files", "field"), [
    ({"processes/../x.bpmn": b""}, "/files/processes~1..~1x.bpmn"),
    ({"forms/x.bpmn": b""}, "/files/forms~1x.bpmn"),
    ({"processes/x.json": b""}, "/files/processes~1x.json"),
    ({"x.bpmn": b""}, "/files/x.bpmn"),
    ({"forms/.hidden.json": b""}, "/files/forms~1.hidden.json"),
    ({"forms/a b.json": b""}, "/files/forms~1a b.json"),
    ({"forms/large.json": b" " * (5 * 1024 * 1024 + 1)}, "/files/forms~1large.json"),
    ({f"forms/{n}.json": b"" for n in range(199)}, "/files"),
    ({f"forms/{n}.json": b" " * 5_000_000 for n in range(5)}, "/files"),
])
def test_a_file_that_no_bundle_takes_is_named(
    engine: Engine, draft: DraftView, files: Mapping[str, bytes], field: str
) -> None:
    """By its name, and nothing is kept."""
    with pytest.raises(InvalidForm) as refused:
        engine.save_draft(draft.id, ANALYST, revision=1, files=files)

    assert fields(refused) == [field]
    assert engine.draft(draft.id) == draft


def test_a_save_costs_four_statements_at_most(engine: Engine, draft: DraftView) -> None:
    """It happens with every pause in typing."""
    with statements(engine.database) as seen:
        engine.save_draft(draft.id, ANALYST, revision=1, files={DIAGRAM: b"x"})
    with statements(engine.database) as refused, pytest.raises(DraftChanged):
        engine.save_draft(draft.id, ANOTHER, revision=1, files={DIAGRAM: b"y"})

    assert max(len(seen), len(refused)) <= 4, (seen, refused)
    assert sum("UPDATE draft" in one and "draft.revision =" in one for one in seen) == 1


# --- asking for consent ----------------------------------------------------------------------------------------------


def changed(engine: Engine, draft: DraftView) -> DraftView:
    return engine.save_draft(draft.id, ANALYST, revision=1, files={DIAGRAM: XML})


def test_what_could_not_be_saved_goes_on_in_a_copy(engine: Engine, draft: DraftView) -> None:
    """Also of a draft that somebody discarded meanwhile: nothing of it is lost."""
    changed(engine, draft)
    engine.discard_draft(draft.id, ANOTHER)

    copy = engine.copy_draft(draft.id, ANALYST, whose="Ines", files={"forms/more.json": b"{}", "forms/gone.json": None})

    assert copy.title.endswith(" (copy of Ines)")
    assert (copy.key, copy.base_version, copy.state, copy.created_by) == ("looking", 1, "open", ANALYST.name)
    assert copy.files == bundle("Two").files | {"forms/more.json": b"{}"}
    with pytest.raises(NotFound):
        engine.copy_draft("never-was", ANALYST, whose="Ines")


def test_a_draft_becomes_a_version_and_waits_with_it(engine: Engine, draft: DraftView) -> None:
    """It cannot be changed meanwhile, by nobody and by no way."""
    changed(engine, draft)

    [version] = engine.submit_draft(draft.id, ANALYST, reason="a better word", revision=2)

    assert (version.version, version.base_version, version.origin, version.state) == (
        2, 1, "draft", "awaiting_consent")
    assert engine.bundle("looking", 2) == bundle("Two")
    found = engine.draft(draft.id)
    assert (found.state, found.version) == ("asked", 2)
    assert engine.drafts() == []
    for call in (
        lambda: engine.save_draft(draft.id, ANALYST, revision=2, files={DIAGRAM: b""}),
        lambda: engine.discard_draft(draft.id, ANALYST), lambda: engine.rename_draft(draft.id, ANALYST, "x"),
        lambda: engine.rebase_draft(draft.id, ANALYST, revision=2, base_version=1),
        lambda: engine.submit_draft(draft.id, ANOTHER, reason="me too", revision=2),
    ):
        with pytest.raises(Conflict, match="asked for, as version 2"):
            call()
    assert engine.submit_draft(draft.id, ANALYST, reason="a better word", revision=2) == [version]


def test_a_returned_version_opens_its_draft_again_with_the_comment(engine: Engine, draft: DraftView) -> None:
    """It is mended and asked for again."""
    changed(engine, draft)
    engine.submit_draft(draft.id, ANALYST, reason="a better word", revision=2)

    engine.return_version("looking", 2, ANOTHER, "Call it Three.")

    [listed] = engine.drafts()
    assert (listed.state, listed.answered_by, listed.answer) == ("open", "analyst-2", "Call it Three.")
    engine.save_draft(draft.id, ANALYST, revision=2, files={DIAGRAM: bundle("Three").files[DIAGRAM]})
    [version] = engine.submit_draft(draft.id, ANALYST, reason="as you say", revision=3)
    assert (version.version, version.state) == (3, "awaiting_consent")
    assert engine.draft(draft.id).answer == ""


def test_what_cannot_be_asked_for_leaves_the_draft_open(engine: Engine, draft: DraftView) -> None:
    """No version is made."""
    with pytest.raises(NothingChanged):
        engine.submit_draft(draft.id, ANALYST, reason="no change", revision=1)
    with pytest.raises(InvalidForm):
        engine.submit_draft(draft.id, ANALYST, reason=" ", revision=1)
    engine.save_draft(draft.id, ANOTHER, revision=1, files={DIAGRAM: bundle(broken=True).files[DIAGRAM]})
    with pytest.raises(DraftChanged):
        engine.submit_draft(draft.id, ANALYST, reason="what I looked at", revision=1)
    with pytest.raises(CannotDeploy):
        engine.submit_draft(draft.id, ANALYST, reason="broken", revision=2)

    assert engine.draft(draft.id).state == "open"
    assert [version.state for version in engine.versions("looking")] == ["deployed"]


def test_a_draft_on_an_older_version_goes_on_when_a_person_has_taken_over_what_changed(
    engine: Engine, draft: DraftView
) -> None:
    """Otherwise the change of the newer version would be lost unseen."""
    changed(engine, draft)
    engine.deploy(bundle("Meanwhile"), SYSTEM)
    with pytest.raises(StaleBase, match="made on version 1, but version 2"):
        engine.submit_draft(draft.id, ANALYST, reason="because", revision=2)

    with pytest.raises(InvalidForm, match="no deployed version 9"):
        engine.rebase_draft(draft.id, ANALYST, revision=2, base_version=9)
    moved = engine.rebase_draft(draft.id, ANALYST, revision=2, base_version=2)

    assert (moved.base_version, moved.revision, moved.files) == (2, 3, bundle("Two").files)
    [version] = engine.submit_draft(draft.id, ANALYST, reason="because", revision=3)
    assert (version.version, version.base_version) == (3, 2)


def test_a_draft_whose_process_is_gone_is_told(engine: Engine, draft: DraftView) -> None:
    """By the check, and when somebody asks for consent."""
    engine.save_draft(draft.id, ANALYST, revision=1, files={DIAGRAM: bundle(key="lucking").files[DIAGRAM]})

    assert "process-missing" in [finding.rule for finding in engine.check_draft(draft.id)]
    with pytest.raises(CannotDeploy, match="looking"):
        engine.submit_draft(draft.id, ANALYST, reason="because", revision=2)


def test_unsaved_files_are_checked_and_not_kept(engine: Engine, draft: DraftView) -> None:
    """So problems show while a person draws."""
    wrong = {DIAGRAM: bundle(broken=True).files[DIAGRAM]}

    assert any(finding.element == "look" for finding in engine.check_draft(draft.id, wrong))
    assert not engine.check_draft(draft.id)
    assert engine.draft(draft.id) == draft


def test_a_discarded_draft_is_gone(engine: Engine, draft: DraftView) -> None:
    """Nobody opens, saves or lists it."""
    engine.discard_draft(draft.id, ANOTHER)

    assert engine.drafts() == []
    for call in (
        lambda: engine.draft(draft.id), lambda: engine.discard_draft(draft.id, ANALYST),
        lambda: engine.save_draft(draft.id, ANALYST, revision=1, files={}),
        lambda: engine.submit_draft(draft.id, ANALYST, reason="because", revision=1),
    ):
        with pytest.raises(NotFound):
            call()


def test_a_title_is_changed_beside_the_work(engine: Engine, draft: DraftView) -> None:
    """A new title refuses nobody's unsaved work."""
    assert engine.rename_draft(draft.id, ANOTHER, " Gift wrap ").title == "Gift wrap"

    assert engine.save_draft(draft.id, ANALYST, revision=1, files={DIAGRAM: XML}).title == "Gift wrap"
    for title in (" ", "x" * 201, "a\x01b", "a\nb"):
        with pytest.raises(InvalidForm):
            engine.rename_draft(draft.id, ANALYST, title)


def test_the_draft_of_a_new_process_becomes_its_first_version(engine: Engine) -> None:
    """From an empty one to one that runs."""
    draft = engine.open_draft(ANALYST, key="tasting")
    files = {**bundle("Taste", key="tasting").files, "processes/tasting.bpmn": None}
    engine.save_draft(draft.id, ANALYST, revision=1, files=files)

    [version] = engine.submit_draft(draft.id, ANALYST, reason="new", revision=2)
    engine.consent("tasting", 1, ANOTHER)
    engine.start("tasting", "T-1", SYSTEM)

    assert (version.version, version.base_version) == (1, None)
    assert engine.order_tasks("T-1")[0].name == "Taste"


def test_two_drafts_of_one_new_process(engine: Engine) -> None:
    """The second to be consented to finds that there is a version now."""
    for name in ("Taste", "Smell"):
        draft = engine.open_draft(ANALYST, files=bundle(name, key="tasting").files)
        engine.submit_draft(draft.id, ANALYST, reason="new", revision=1)
    engine.consent("tasting", 2, ANOTHER)

    with pytest.raises(StaleBase, match="made on no version, but version 2 was deployed"):
        engine.consent("tasting", 1, ANOTHER)


def test_the_empty_diagram_is_what_bundles_hold() -> None:
    """UTF-8 with its declaration."""
    data = empty_diagram("x", "Süß")

    assert data.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    assert "Süß" in data.decode()
    assert Bundle({"processes/x.bpmn": data}).content_hash


def test_a_draft_is_checked_while_nobody_waits_for_it(
    engine: Engine, draft: DraftView, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check takes seconds; on SQLite nobody else could write in a transaction that is open meanwhile."""
    saved = engine.save_draft(draft.id, ANALYST, revision=1, files={DIAGRAM: XML})
    begun, ended, seen = list[object](), list[object](), list[int]()
    event.listen(database.engine, "begin", begun.append)
    event.listen(database.engine, "commit", ended.append)
    event.listen(database.engine, "rollback", ended.append)
    check = engine.check

    def watched(bundle: Bundle) -> list[Finding]:
        seen.append(len(begun) - len(ended))
        return check(bundle)

    monkeypatch.setattr(engine, "check", watched)

    engine.submit_draft(draft.id, ANALYST, reason="Two.", revision=saved.revision)

    assert seen == [0]
