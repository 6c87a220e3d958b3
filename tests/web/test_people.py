"""People, teams and their rights, as administrators change them."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes, policy
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest

from engine import SYSTEM
from handlers.contract import TryAgain
from tests.web.api_world import World
from tests.web.second_factor import with_second_factor
from tests.web.visitor import Page, Visitor, visitor
from web.accounts import AccountError, User
from web.accounts.administration import Administration
from web.services import KEY


def services(world: World) -> Any:
    return world.app.extensions[KEY]


def journal(world: World, kind: str) -> list[Any]:
    """The lines of that kind, newest first."""
    return [line for line in world.engine.journal(limit=200).items if line.kind == kind]


def saves(who: Visitor, name: str, **changes: Any) -> Page:
    form = who.goes(f"/people/{name}").form(f"/people/{name}")
    form.update({field: value if isinstance(value, list) else [value] for field, value in changes.items()})
    return who.sends(f"/people/{name}", {field: value for field, value in form.items() if value != [None]})


@pytest.fixture
def admin(world: World) -> Visitor:
    return visitor(world, "admin")


@pytest.fixture
def letters(world: World) -> Any:
    """The links in the mails that have left, oldest first."""

    def read() -> list[str]:
        services(world).errands.wait()
        files = sorted((services(world).settings.var / "outbox").glob("*.eml"), key=lambda p: p.stat().st_mtime_ns)
        mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in files]
        texts = [mail.get_body(("plain",)).get_content() for mail in mails]  # type: ignore[attr-defined]
        return [urlsplit(word).path for text in texts for word in text.split() if word.startswith("http")]

    return read


def adds(admin: Visitor, **changes: Any) -> Page:
    form = {**admin.goes("/people/new").form("/people"), "display_name": "Nora Vik", "name": "nora",
            "email": "Nora@Example.com", "teams": ["warehouse"], **changes}
    return admin.sends("/people", form)


def test_an_invited_person_sets_a_password_and_works(world: World, admin: Visitor, letters: Any) -> None:
    """The link comes by mail alone, opening it twice changes nothing, and it holds once."""
    page = adds(admin)
    assert page.find("//h1//bdi[text()='Nora Vik']")
    [link] = letters()
    assert link not in page.answer.get_data(as_text=True)
    assert "the mail lies as a file in the folder “outbox”" in page.text
    state = "//tr[.//bdi[text()='Nora Vik'] or .//a[contains(., 'Nora Vik')]]/td[last()]"
    assert admin.goes("/people").find(state)[0].text_content() == "invited"
    nora = Visitor(world.app)
    assert nora.goes(link).status == nora.goes(link).status == 200

    done = nora.sends(link, {**nora.goes(link).form(), "password": "demo", "again": "demo"})

    assert done.heading == "Sign in"
    assert "Your password is set. Sign in with it." in done.text
    assert done.value("name") == "nora"
    assert nora.signs_in("nora").heading == "Inbox"
    assert admin.goes("/people").find(state)[0].text_content() == "active"
    assert Visitor(world.app).goes(link).status == 404
    [line] = [each for each in journal(world, "user_added") if each.subject == "nora"]
    assert (line.actor, line.after) == ("admin", {
        "display_name": "Nora Vik", "email": "nora@example.com", "teams": ["warehouse"], "active": True
    })  # fmt: skip
    assert [each.subject for each in journal(world, "invited")] == ["nora"]


def test_a_link_ends_with_its_time_and_with_a_newer_one(world: World, admin: Visitor, letters: Any) -> None:
    """An invitation holds for seven days, a reset for an hour, and only the newest."""
    adds(admin)
    form = admin.goes("/people/nora").form("/sign-out")
    admin.sends("/people/nora/link", {"csrf_token": form["csrf_token"], "kind": "invitation"})
    old, new = letters()
    assert (Visitor(world.app).goes(old).status, Visitor(world.app).goes(new).status) == (404, 200)

    world.wall_clock.advance(days=7)

    assert Visitor(world.app).goes(new).status == 404
    stranger = Visitor(world.app)
    stranger.sends("/forgot", {**stranger.goes("/forgot").form(), "name": "nora@example.com"})
    reset = letters()[-1]
    assert stranger.goes(reset).status == 200
    assert stranger.goes(reset.replace("/reset/", "/welcome/")).status == 404, "a link of another kind"
    world.wall_clock.advance(hours=1)
    assert stranger.goes(reset).status == 404


def test_asking_for_a_link_tells_nobody_who_works_here(world: World, admin: Visitor, letters: Any) -> None:
    """A known and an unknown name get the same answer; only the known one gets a mail."""
    adds(admin)
    stranger = Visitor(world.app)
    form = stranger.goes("/forgot").form()

    known, unknown = (stranger.sends("/forgot", {**form, "name": name}) for name in ("nora", "nobody"))

    assert known.text == unknown.text
    assert len(letters()) == 2


def test_a_password_set_by_a_link_ends_all_sessions(world: World, admin: Visitor, letters: Any) -> None:
    """Whoever had the old password is out."""
    saves(admin, "sales", email="anna@example.com")
    thief = visitor(world, "sales")
    owner = Visitor(world.app)
    owner.sends("/forgot", {**owner.goes("/forgot").form(), "name": "sales"})
    [link] = letters()

    done = owner.sends(link, {**owner.goes(link).form(), "password": "another one", "again": "another one"})
    assert done.heading == "Sign in", done.text

    assert thief.goes("/inbox").heading == "Sign in"
    assert owner.signs_in("sales", "another one").heading == "Inbox"


def test_a_mail_that_cannot_be_sent_is_said(world: World, admin: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The administrator reads why, and may send it again."""

    def broken(_: object) -> None:
        raise TryAgain("The mail server did not answer.")

    monkeypatch.setattr(services(world).ports.mail, "send", broken)

    page = adds(admin)

    assert "could not be sent: The mail server did not answer. Try again." in page.text
    assert page.find("//button[text()='Send an invitation']")
    [line] = journal(world, "invitation_not_sent")
    assert (line.actor, line.subject, line.detail["reason"]) == ("admin", "nora", "The mail server did not answer.")
    assert "Tomas Ibarra could not send the invitation to Nora Vik" in admin.goes("/journal").text


def test_the_time_of_the_answer_tells_nobody_who_works_here(
    world: World, admin: Visitor, letters: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer comes before anything is looked up, made or sent; a mail that fails is in the journal."""
    adds(admin)
    may_go = Event()

    def slow(_: object) -> None:
        may_go.wait(30)
        raise TryAgain("The mail server did not answer.")

    monkeypatch.setattr(services(world).ports.mail, "send", slow)
    stranger = Visitor(world.app)
    form = stranger.goes("/forgot").form()

    answers = [stranger.sends("/forgot", {**form, "name": name}).status for name in ("nora", "nobody", "nora")]
    assert journal(world, "reset_not_sent") == []
    may_go.set()
    services(world).errands.wait()

    assert answers == [200, 200, 200]
    assert [line.subject for line in journal(world, "reset_not_sent")] == ["nora", "nora"]


@pytest.fixture
def told(world: World) -> Any:
    """The security notices that have left, as (address, subject, text), oldest first."""

    def read() -> list[tuple[str, str, str]]:
        services(world).errands.wait()
        outbox = services(world).settings.var / "outbox"
        files = sorted(outbox.glob("security*.eml"), key=lambda path: path.stat().st_mtime_ns)
        mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in files]
        return [(str(mail["To"]), str(mail["Subject"]), mail.get_body(("plain",)).get_content())  # type: ignore[attr-defined]
                for mail in mails]

    return read


@pytest.mark.parametrize("by_admin", [True, False])
def test_a_right_that_is_lent_is_told_to_whom_it_concerns(
    world: World, admin: Visitor, told: Any, *, by_admin: bool
) -> None:
    """To both people; when an administrator lends it for another, to the lender and the owners as well."""
    for name in ("stock-approver", "warehouse", "owner", "admin"):
        saves(admin, name, email=f"{name}@example.com")
    lender = admin if by_admin else visitor(world, "stock-approver")
    form = lender.goes("/delegations").form("/delegations")
    ends = (world.clock.now() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")

    lender.sends("/delegations", {**form, "principal": "stock-approver", "to": "warehouse", "team": "stock-approvers",
                                  "ends_at": ends, "reason": "Holiday."})

    mails = told()
    expected = ["owner", "stock-approver", "warehouse"] if by_admin else ["warehouse"]
    assert sorted(address for address, _, _ in mails) == [f"{name}@example.com" for name in expected]
    for _, subject, text in mails:
        assert subject.startswith("A right to sign at Waybill")
        assert "signs for Helena Brandt as one of stock-approvers" in text
        assert "Revoke it on the page Delegations" in text


def test_another_address_is_told_to_the_old_one(world: World, admin: Visitor, letters: Any, told: Any) -> None:
    """Who did it, when, and what to do; a link that went to the old address holds no more. A first address takes none
    away, and other changes are nobody's alarm."""
    saves(admin, "sales", email="anna@example.com")
    saves(admin, "sales", display_name="Anna Lindqvist-Berg")
    assert told() == []
    stranger = Visitor(world.app)
    stranger.sends("/forgot", {**stranger.goes("/forgot").form(), "name": "sales"})
    [link] = letters()

    saves(admin, "sales", email="thief@example.com")

    [(to, subject, text)] = told()
    assert to == "anna@example.com"
    assert subject.startswith("Your e-mail address at Waybill of")
    assert "23 November 2026, 08:00 UTC by Tomas Ibarra" in text
    assert "Tell an administrator at once" in text
    assert "thief" not in text
    assert Visitor(world.app).goes(link).status == 404


def test_owners_learn_that_an_approvers_account_was_changed(world: World, admin: Visitor, told: Any) -> None:
    """Whoever reads an approver's mails can set a password and sign in their place; also of a first address. What is
    changed for somebody who signs nothing does not concern them."""
    saves(admin, "owner", email="dana@example.com")
    saves(admin, "sales", email="anna@example.com")
    assert told() == []

    saves(admin, "stock-approver-2", email="ravi@example.com")
    with_second_factor(world, "stock-approver-2")
    page = admin.goes("/people/stock-approver-2")
    admin.sends("/people/stock-approver-2/second-factor", page.form("/second-factor"))
    visitor(world, "owner")

    mails = [mail for mail in told() if mail[0] == "dana@example.com"]
    assert [" ".join(text.split()).count("signs as one of stock-approvers") for _, _, text in mails] == [1, 1]
    assert "The e-mail address of Ravi Menon" in mails[0][2]
    assert "The second factor of Ravi Menon" in mails[1][2]
    assert all(subject.startswith("An approver’s account at Waybill of") for _, subject, _ in mails)
    assert all("by Tomas Ibarra" in text for _, _, text in mails)


def test_a_new_password_and_a_lost_factor_are_told(world: World, admin: Visitor, letters: Any, told: Any) -> None:
    """Whoever did it; an invitation is no alarm."""
    adds(admin)
    [invitation] = letters()
    nora = Visitor(world.app)
    nora.sends(invitation, {**nora.goes(invitation).form(), "password": "demo", "again": "demo"})
    assert told() == []

    nora.sends("/forgot", {**nora.goes("/forgot").form(), "name": "nora"})
    reset = letters()[-1]
    nora.sends(reset, {**nora.goes(reset).form(), "password": "demo", "again": "demo"})
    with_second_factor(world, "nora")
    admin.sends("/people/nora/second-factor", admin.goes("/people/nora").form("/second-factor"))
    visitor(world, "nora")

    (_, changed, how), (to, taken, by) = told()
    assert to == "nora@example.com"
    assert changed.endswith("was changed")
    assert "with a link that was sent to this address" in how
    assert taken.endswith("was taken away")
    assert "by Tomas Ibarra" in by


def test_what_somebody_changes_on_the_own_account_is_told(world: World, admin: Visitor, told: Any) -> None:
    """A thief at an unlocked screen is seen so, too."""
    saves(admin, "sales", email="anna@example.com")
    phone, _ = with_second_factor(world, "sales")
    anna = Visitor(world.app)
    anna.signs_in("sales")
    code = anna.goes("/sign-in/code").form()
    anna.sends("/sign-in/code", {**code, "code": phone.next_code()})
    page = anna.goes("/account")

    anna.sends("/account/second-factor/off",
               {**page.form("/second-factor/off"), "password": "demo", "code": phone.next_code()})
    anna.sends("/account/password",
               {**page.form("/account/password"), "password": "demo", "new_password": "x", "new_password_again": "x"})

    (to, taken, _), (_, changed, by) = told()
    assert to == "anna@example.com"
    assert (taken.split()[-2:], changed.split()[-1]) == (["taken", "away"], "changed")
    assert "by Anna Lindqvist" in by


def test_a_notice_that_cannot_be_sent_is_a_line_of_the_journal(
    world: World, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change holds all the same."""
    saves(admin, "sales", email="anna@example.com")

    def broken(_: object) -> None:
        raise TryAgain("The mail server did not answer.")

    monkeypatch.setattr(services(world).ports.mail, "send", broken)

    saves(admin, "sales", email="")
    services(world).errands.wait()

    [line] = journal(world, "notice_not_sent")
    assert (line.actor, line.subject, line.detail["reason"]) == ("admin", "sales", "The mail server did not answer.")
    assert "could not tell Anna Lindqvist by mail what was changed" in admin.goes("/journal").text


def test_an_administrator_ends_sessions_and_takes_a_lost_factor_away(world: World, admin: Visitor) -> None:
    """Both are lines of the journal; the password alone is asked for then."""
    mei = visitor(world, "warehouse")
    with_second_factor(world, "warehouse")
    page = admin.goes("/people/warehouse")

    out = admin.sends("/people/warehouse/sign-out", page.form("/sign-out"))
    off = admin.sends("/people/warehouse/second-factor", page.form("/second-factor"))

    assert "Signed out everywhere." in out.text
    assert "The second factor was taken away." in off.text
    assert mei.goes("/inbox").heading == "Sign in"
    assert Visitor(world.app).signs_in("warehouse").heading == "Inbox"
    for kind in ("session_revoked", "second_factor_off"):
        assert [(line.actor, line.subject) for line in journal(world, kind)] == [("admin", "warehouse")]
    assert "Tomas Ibarra took the second factor of Mei Tan away" in admin.goes("/journal").text


def test_other_teams_hold_at_once_and_tasks_go_back(world: World, admin: Visitor) -> None:
    """The person is signed out, and what they had of a team they left is the team's again; the history says so."""
    order = world.place()
    world.work()
    [task] = [t for t in world.engine.order_tasks(order) if t.state == "open"]
    assert world.of("stock-approver").post(f"/tasks/{task.id}/claim").status_code == 200
    helena = visitor(world, "stock-approver")

    saves(admin, "stock-approver", teams=["finance"])

    assert helena.goes("/inbox").heading == "Sign in"
    [task] = [t for t in world.engine.order_tasks(order) if t.state == "open"]
    assert task.assignee is None
    event = world.engine.history(order)[-1]
    assert (event.kind, event.actor, event.detail["was"]) == ("released", "admin", "stock-approver")
    told = visitor(world, "owner").goes(f"/orders/{order}").text
    assert "gave the task back to its team, taken back from Helena Brandt" in told
    assert "Helena Brandt is of other teams now." in told
    [line] = journal(world, "user_changed")
    assert (line.before, line.after) == ({"teams": ["stock-approvers"]}, {"teams": ["finance"]})


def test_who_left_is_out_at_once_and_not_deleted(world: World, admin: Visitor) -> None:
    """Deactivated, they are signed out and cannot sign in; their name stays."""
    anna = visitor(world, "sales")
    token = world.of("sales")

    saves(admin, "sales", active=[None])

    assert anna.goes("/inbox").heading == "Sign in"
    assert Visitor(world.app).signs_in("sales").status == 422
    assert token.get("/orders").status_code == 401
    assert "Anna Lindqvist" in admin.goes("/people").text


def test_nobody_changes_their_own_rights(world: World, admin: Visitor) -> None:
    """A second administrator does; a form that was made by hand is refused too, and nothing of it is kept."""
    page = saves(admin, "admin", teams=["admin", "owner"], display_name="T.")
    assert page.status == 422
    assert "another administrator" in page.text
    page = saves(admin, "admin", active=[None])
    assert page.status == 422
    with world.database.read() as session:
        user = session.get_one(User, "admin")
        assert (user.teams, user.active, user.display_name) == (["admin"], True, "Tomas Ibarra")
    assert journal(world, "user_changed") == []


def test_the_last_administrator_stays(world: World) -> None:
    """Not even the command line takes the last one away."""
    with pytest.raises(AccountError, match="last administrator"), world.database.write() as session:
        Administration(world.engine, session, SYSTEM).change("admin", teams=["owner"])


def test_owners_read_and_operators_see_nothing(world: World) -> None:
    """The owner sees people and journal and changes nothing; an operator sees only the own page."""
    owner, sales = visitor(world, "owner"), visitor(world, "sales")

    assert owner.goes("/people/sales").status == owner.goes("/journal").status == 200
    assert not owner.goes("/people/sales").find("//button[text()='Save']")
    assert (sales.goes("/people").status, sales.goes("/people/owner").status) == (403, 404)
    assert sales.goes("/people/sales").status == 200


def test_a_team_is_added_used_and_retired(world: World, admin: Visitor) -> None:
    """A new team may be in diagrams at once; it is retired only when nobody is of it."""
    assert "night" not in world.engine.working_teams()  # type: ignore[operator]
    form = admin.goes("/people/teams").form("/people/teams")
    admin.sends("/people/teams", {**form, "key": "night", "title": "Night shift", "roles": ["operator"]})
    assert world.engine.working_teams()["night"] is True  # type: ignore[index]
    saves(admin, "sales", teams=["sales", "night"])

    def retire() -> Page:
        sent = admin.goes("/people/teams/night").form("/night")
        sent.pop("active")
        return admin.sends("/people/teams/night", sent)

    assert "People are of this team: Anna Lindqvist." in retire().text
    saves(admin, "sales", teams=["sales"])
    assert retire().status == 200
    assert "night" not in world.engine.working_teams()  # type: ignore[operator]
    assert [line.kind for line in world.engine.journal(subject="team:night").items] == ["team_changed", "team_added"]


def test_a_shipped_team_gets_another_title_and_nothing_else(world: World, admin: Visitor) -> None:
    """The nine teams that come with Waybill can be renamed, and that is all."""
    form = admin.goes("/people/teams/sales").form("/sales")
    admin.sends("/people/teams/sales", {**form, "title": "Order desk"})

    assert "Order desk" in admin.goes("/people").text
    with pytest.raises(AccountError, match="comes with Waybill"), world.database.write() as session:
        Administration(world.engine, session, SYSTEM).change_team("sales", active=False)


def test_away_is_shown_and_gives_tasks_back(world: World) -> None:
    """Somebody says themselves that they are away; their tasks go back, and they are there again when they say so."""
    order = world.place()
    world.work()
    [task] = [t for t in world.engine.order_tasks(order) if t.state == "open"]
    world.of("stock-approver").post(f"/tasks/{task.id}/claim")
    helena = visitor(world, "stock-approver")
    form = helena.goes("/people/stock-approver").form("/away")
    day = (world.clock.now() + timedelta(days=9)).date().isoformat()

    page = helena.sends("/people/stock-approver/away", {**form, "do": "away", "until": day, "stand_in": "sales"})

    assert "away until" in page.text
    assert "Anna Lindqvist stands in" in page.text
    assert [t.assignee for t in world.engine.order_tasks(order) if t.state == "open"] == [None]
    assert "away until" in visitor(world, "owner").goes("/people").text
    helena.sends("/people/stock-approver/away", {**form, "do": "back"})
    assert [line.after["from"] is None for line in journal(world, "away")] == [True, False]


@pytest.mark.parametrize(
    ("field", "typed", "says"),
    [
        ("since", "soon", "This is no date."), ("until", "2026-02-30", "This is no date."),
        ("until", "9999-12-31", "too far away"), ("since", "0001-01-01", "too far away"),
    ],
)  # fmt: skip
def test_a_day_that_is_none_is_said_at_its_field(world: World, field: str, typed: str, says: str) -> None:
    """Nothing is noted; what was typed stands there again."""
    sales = visitor(world, "sales")
    form = sales.goes("/people/sales").form("/away")

    page = sales.sends("/people/sales/away", {**form, "do": "away", field: typed})

    assert page.status == 422
    (said,) = page.find(f"//*[@id='{field}']/following-sibling::p[contains(@class, 'err')]")
    assert says in said.text_content()
    assert page.value(field) == typed
    assert journal(world, "away") == []


def test_the_journal_tells_it_in_sentences(world: World, admin: Visitor) -> None:
    """Old and new value stand beside who changed whom; by person; and older pages follow."""
    saves(admin, "sales", teams=["sales", "finance"])
    owner = visitor(world, "owner")

    page = owner.goes("/journal?person=sales")

    assert "Tomas Ibarra changed Anna Lindqvist" in page.text
    assert "teams: Sales → Finance, Sales" in page.text
    assert "Waybill added Anna Lindqvist" in page.text
    assert "Mei Tan" not in " ".join(cell.text_content() for cell in page.find("//tbody//tr"))


@pytest.fixture
def changed(each_world: World) -> World:
    assert "night" not in each_world.engine.working_teams()  # type: ignore[operator]
    with each_world.database.write() as session:
        office = Administration(each_world.engine, session, SYSTEM)
        office.add("zoe", "Zoe", ["sales"], email="zoe@example.com", password="demo")
        office.change("zoe", teams=["finance"], email="")
        office.add_team("night", "Night", ["operator"])
        office.change_team("night", title="Nights")
        office.change_team("sales", title="Order desk")
    return each_world


def test_changes_and_their_lines_hold_on_each_database(changed: World) -> None:
    """What is written reads the same on SQLite and PostgreSQL, and the journal's chain is whole."""
    kinds = [line.kind for line in changed.engine.journal(limit=5).items]
    assert kinds == ["team_changed", "team_changed", "team_added", "user_changed", "user_added"]
    assert changed.engine.verify_audit() == []
    assert changed.engine.working_teams()["night"] is True  # type: ignore[index]
