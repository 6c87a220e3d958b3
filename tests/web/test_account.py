"""My account: password, sessions, second factor, and the second step of signing in."""

from __future__ import annotations

from argon2 import PasswordHasher

from tests.web.api_world import World
from tests.web.second_factor import Phone, with_second_factor
from tests.web.visitor import Page, Visitor, visitor
from web import accounts
from web.accounts import passwords
from web.services import KEY

NEW = "three blue herons"


def kinds(world: World, name: str) -> list[str]:
    """What the journal tells of a person since there is an account, newest first."""
    *since, added = [line.kind for line in world.engine.journal(subject=name).items]
    assert added == "user_added"
    return since


def sends(who: Visitor, action: str, /, **fields: object) -> Page:
    """Fills one of the account's forms."""
    form = who.goes("/account").form(action)
    return who.sends(action, {**form, "password": "demo", **fields})


# --- password --------------------------------------------------------------------------------------------------------


def test_a_new_password_ends_the_other_sessions(each_world: World) -> None:
    """This one goes on; the old password opens nothing, and the journal has it without the password."""
    who, elsewhere = visitor(each_world, "sales"), visitor(each_world, "sales")

    page = sends(who, "/account/password", new_password=NEW, new_password_again=NEW)

    assert "Your password is changed. Your other session has ended." in page.text
    assert who.goes("/inbox").heading == "Inbox"
    assert elsewhere.goes("/inbox").heading == "Sign in"
    assert Visitor(each_world.app).signs_in("sales").status == 422
    assert Visitor(each_world.app).signs_in("sales", NEW).heading == "Inbox"
    assert kinds(each_world, "sales") == ["password_changed"]
    assert NEW not in str(each_world.engine.journal(subject="sales").items)


def test_a_new_password_needs_the_old_one(world: World) -> None:
    """And both of the new ones the same."""
    who = visitor(world, "sales")

    wrong = sends(who, "/account/password", new_password=NEW, new_password_again=NEW, password="guess")
    mistyped = sends(who, "/account/password", new_password=NEW, new_password_again=NEW + "!")

    assert "This is not your password." in wrong.text
    assert "The two are not the same." in mistyped.text
    assert Visitor(world.app).signs_in("sales").heading == "Inbox"
    assert kinds(world, "sales") == []


def test_guessing_the_password_on_the_account_is_stopped(world: World) -> None:
    """After five wrong ones the person waits, also with the right one; a colleague does not."""
    who, colleague = visitor(world, "sales"), visitor(world, "finance")
    for guess in range(5):
        wrong = sends(who, "/account/password", new_password=NEW, new_password_again=NEW, password=f"guess {guess}")
        assert wrong.status == 422

    refused = sends(who, "/account/password", new_password=NEW, new_password_again=NEW)

    assert refused.status == 429
    assert "Too many wrong tries." in refused.text
    assert "is changed" in sends(colleague, "/account/password", new_password=NEW, new_password_again=NEW).text


def test_weak_passwords_are_refused() -> None:
    """Too short, the user name, and what everybody tries; the demo is public anyway."""
    for weak in ("elevenchars", "long-user-name", "Password1234", "aaaaaaaaaaaaaa", "with\x07bell-in-it", "x" * 201):
        assert accounts.password_fault(weak, "long-user-name", demo=False), weak
    assert accounts.password_fault(NEW, "sales", demo=False) is None
    assert accounts.password_fault("demo", "sales", demo=True) is None


def test_passwords_are_hashed_anew_when_the_settings_changed(world: World) -> None:
    """At the sign-in, where the password is known."""
    with world.database.write() as session:
        accounts.find_user(session, "sales").password_hash = PasswordHasher(time_cost=1, memory_cost=1024).hash("demo")

    assert visitor(world, "sales").goes("/inbox").heading == "Inbox"

    with world.database.read() as session:
        assert not passwords.hasher.check_needs_rehash(accounts.find_user(session, "sales").password_hash)
    assert Visitor(world.app).signs_in("sales").heading == "Inbox"


# --- sessions --------------------------------------------------------------------------------------------------------


def test_the_account_lists_the_sessions_and_ends_one(each_world: World) -> None:
    """By browser and address; the one that is ended is refused, the one at hand goes on."""
    who, phone = visitor(each_world, "sales"), Visitor(each_world.app)
    phone.client.environ_base |= {
        "REMOTE_ADDR": "192.0.2.9", "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140 Safari/537",
    }
    phone.signs_in("sales")

    page = who.goes("/account")
    assert "Chrome on Linux" in page.text
    assert "192.0.2.9" in page.text
    ended = who.sends("/account/sessions/end", page.form("/account/sessions/end"))

    assert "The session has ended." in ended.text
    assert phone.goes("/inbox").heading == "Sign in"
    assert who.goes("/inbox").heading == "Inbox"
    assert kinds(each_world, "sales") == ["session_revoked"]


def test_all_other_sessions_end_at_once(world: World) -> None:
    """For when something was lost."""
    who, others = visitor(world, "sales"), [visitor(world, "sales") for _ in range(3)]

    who.sends("/account/sessions/end-others", who.goes("/account").form("/account/sessions/end-others"))

    assert [other.goes("/inbox").heading for other in others] == ["Sign in"] * 3
    assert who.goes("/inbox").heading == "Inbox"


def test_nobody_ends_the_session_of_another(world: World) -> None:
    """Its number alone is not enough."""
    who, other = visitor(world, "sales"), visitor(world, "finance")
    visitor(world, "sales")
    with world.database.read() as session:
        [theirs] = accounts.sessions_of(session, "finance", world.wall_clock.now())

    who.sends("/account/sessions/end", {**who.goes("/account").form("/account/sessions/end"), "session": theirs.hash})

    assert other.goes("/inbox").heading == "Inbox"


def test_an_idle_session_ends(world: World) -> None:
    """Twelve hours after it was used last; the shop's clock has no say in it."""
    who = visitor(world, "sales")
    world.clock.advance(days=30)
    world.wall_clock.advance(hours=11)
    assert who.goes("/inbox").heading == "Inbox"

    world.wall_clock.advance(hours=11)
    assert who.goes("/inbox").heading == "Inbox"

    world.wall_clock.advance(hours=12, seconds=1)
    assert who.goes("/inbox").heading == "Sign in"


def test_a_session_ends_after_a_week_however_much_it_is_used(world: World) -> None:
    """Then the person signs in again."""
    who = visitor(world, "sales")
    for _ in range(20):
        world.wall_clock.advance(hours=8)
        assert who.goes("/inbox").heading == "Inbox"

    world.wall_clock.advance(hours=9)
    assert who.goes("/inbox").heading == "Sign in"


def test_a_session_costs_one_statement_and_no_write(each_world: World) -> None:
    """When it was used last is written every few minutes."""
    who = visitor(each_world, "sales")

    def writes() -> list[str]:
        with each_world.statements() as seen:
            who.client.get("/api/v1/inventory")
        assert sum("sign_in" in statement for statement in seen if statement.startswith("SELECT")) == 1
        return [statement for statement in seen if statement.split()[0] in ("UPDATE", "INSERT", "DELETE")]

    assert writes() == []
    each_world.wall_clock.advance(minutes=6)
    assert len(writes()) == 1
    assert writes() == []


def test_old_sessions_are_forgotten(each_world: World) -> None:
    """A month after they were used last, when somebody signs in."""
    visitor(each_world, "sales")
    each_world.wall_clock.advance(days=31)

    visitor(each_world, "finance")

    with each_world.database.read() as session:
        assert [row.user for row in session.query(accounts.SignIn)] == ["finance"]


def test_somebody_who_may_no_longer_sign_in_is_out_at_once(world: World) -> None:
    """Session and token alike."""
    who, token = visitor(world, "sales"), world.of("sales")
    with world.database.write() as session:
        accounts.find_user(session, "sales").active = False

    assert who.goes("/inbox").heading == "Sign in"
    assert token.get("/orders").status_code == 401


# --- second factor ---------------------------------------------------------------------------------------------------


def turns_on(world: World, who: Visitor, **fields: str) -> tuple[Page, Phone]:
    """Shows the key to a phone and confirms it."""
    page = who.goes("/account/second-factor")
    phone = Phone(world, "".join(page.find("//*[contains(@class, 'secret')]")[0].text_content().split()))
    sent = {**page.form("/account/second-factor"), "code": phone.code(), "password": "demo", **fields}
    return who.sends("/account/second-factor", sent), phone


def test_a_second_factor_is_set_up_in_two_steps(each_world: World) -> None:
    """Shown as picture and text, confirmed by code and password; then the recovery codes, once."""
    who = visitor(each_world, "sales")
    assert who.goes("/account/second-factor").find("//svg")

    page, _ = turns_on(each_world, who)

    assert page.heading == "Your second factor is on"
    assert len({item.text for item in page.find("//ul[@class='codes']/li")}) == 10
    assert "10 of your recovery codes are left" in who.goes("/account").text
    assert kinds(each_world, "sales") == ["second_factor_on"]


def test_an_unconfirmed_second_factor_asks_for_nothing(world: World) -> None:
    """A wrong code or password leaves it off, and the key stays the same."""
    who = visitor(world, "sales")
    _, phone = turns_on(world, who, code="000000")
    _, same = turns_on(world, who, password="wrong")

    assert phone.code() == same.code()
    assert Visitor(world.app).signs_in("sales").heading == "Inbox"
    assert kinds(world, "sales") == []


def test_signing_in_asks_for_the_code_and_gives_no_session_before(world: World) -> None:
    """The password alone opens nothing; after the code the person is where they wanted to be."""
    phone, _ = with_second_factor(world, "sales")
    who = Visitor(world.app)

    page = who.signs_in("sales", next="/stock")
    assert page.heading == "Your code"
    assert who.goes("/inbox").heading == "Sign in"
    assert who.client.get("/api/v1/orders").status_code == 401

    form = page.form()
    assert "not a code of now" in who.sends("/sign-in/code", form, code="000000").text
    assert who.sends("/sign-in/code", form, code=phone.code()).heading == "Stock"


def test_a_code_that_signed_in_signs_nothing_more(world: World) -> None:
    """Nor does it sign in elsewhere."""
    phone, _ = with_second_factor(world, "sales")
    first, second = Visitor(world.app), Visitor(world.app)
    used = phone.code()
    first.sends("/sign-in/code", first.signs_in("sales").form(), code=used)
    page = second.signs_in("sales")

    assert second.sends("/sign-in/code", page.form(), code=used).status == 422
    assert first.goes("/inbox").heading == "Inbox"


def test_the_code_that_turned_it_on_signs_nobody_in(world: World) -> None:
    """It was used, so whoever looked over the shoulder has nothing of it."""
    _, phone = turns_on(world, visitor(world, "sales"))
    other = Visitor(world.app)

    page = other.sends("/sign-in/code", other.signs_in("sales").form(), code=phone.code())

    assert (page.status, page.heading) == (422, "Your code")


def test_a_recovery_code_is_the_persons_own(world: World) -> None:
    """A colleague's sheet of paper opens no other account."""
    _, codes = with_second_factor(world, "finance")
    with_second_factor(world, "sales")
    who = Visitor(world.app)

    assert who.sends("/sign-in/code", who.signs_in("sales").form(), code=codes[0]).status == 422


def test_a_recovery_code_signs_in_once(world: World) -> None:
    """As it was typed off a sheet of paper."""
    _, codes = with_second_factor(world, "sales")
    for expected in ("Inbox", "Your code"):
        who = Visitor(world.app)
        typed = codes[0].upper().replace("-", " ")
        assert who.sends("/sign-in/code", who.signs_in("sales").form(), code=typed).heading == expected


def test_the_second_step_does_not_wait_for_long(world: World) -> None:
    """Five minutes after the password, and not after a new password, the person starts again."""
    phone, _ = with_second_factor(world, "sales")
    slow, other = Visitor(world.app), Visitor(world.app)
    page = slow.signs_in("sales")
    world.wall_clock.advance(minutes=5, seconds=1)
    assert slow.sends("/sign-in/code", page.form(), code=phone.code()).heading == "Sign in"

    page = other.signs_in("sales")
    with world.database.write() as session:
        accounts.set_password(accounts.find_user(session, "sales"), NEW)
    assert other.sends("/sign-in/code", page.form(), code=phone.next_code()).heading == "Sign in"


def test_guessing_the_code_of_a_sign_in_is_stopped(world: World) -> None:
    """After five wrong ones also the right one waits."""
    phone, _ = with_second_factor(world, "sales")
    who = Visitor(world.app)
    form = who.signs_in("sales").form()
    for _ in range(5):
        who.sends("/sign-in/code", form, code="000000")

    assert who.sends("/sign-in/code", form, code=phone.code()).status == 429


def test_taking_the_second_factor_off_needs_password_and_code(world: World) -> None:
    """Then the password alone signs in."""
    who = visitor(world, "sales")
    phone, _ = with_second_factor(world, "sales")

    assert "Enter the code" in sends(who, "/account/second-factor/off", code="").text
    assert "This is not your password" in sends(who, "/account/second-factor/off", password="x", code="1").text
    assert "is off" in sends(who, "/account/second-factor/off", code=phone.code()).text

    assert Visitor(world.app).signs_in("sales").heading == "Inbox"
    assert kinds(world, "sales") == ["second_factor_off"]


def test_another_secret_key_makes_the_app_useless_and_says_so(world: World) -> None:
    """The recovery codes still work, and an administrator can take the second factor away."""
    phone, codes = with_second_factor(world, "sales")
    services = world.app.extensions[KEY]
    object.__setattr__(services, "settings", services.settings.model_copy(update={"secret_key": "another key " * 3}))
    who = Visitor(world.app)
    form = who.signs_in("sales").form()

    assert "secret key of this installation has changed" in who.sends("/sign-in/code", form, code=phone.code()).text
    assert who.sends("/sign-in/code", form, code=codes[1]).heading == "Inbox"

    with world.database.write() as session:
        assert accounts.remove_second_factor(session, "sales")
    assert Visitor(world.app).signs_in("sales").heading == "Inbox"
