"""Passwords: how they are kept, and which are refused."""

from __future__ import annotations

from argon2 import PasswordHasher
from sqlalchemy.orm import Session

from web.accounts.tables import User
from web.texts import _

SHORTEST = 12
"""Characters of a password that somebody chooses on a page, outside the demo."""
SHORTEST_GIVEN = 8
"""Characters of one that is given on the server's command line, where scripts have always given as few."""
LONGEST = 200

# 19 MiB and two passes: the smallest setting that is still recommended, so that a burst of sign-ins fits the memory
hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

_TRIED_FIRST = """
00000000 11111111 12341234 12345678 123456789 1234567890 11223344 abcd1234 abcdefgh admin123 administrator1 changeme
football iloveyou letmein1 passw0rd password password1 qwerty12 qwerty123 qwertyui sunshine trustno1 welcome1
000000000000 111111111111 112233445566 121212121212 123123123123 123412341234 123456123456 123456789012
1234567890123 12345678901234 123456789123 123456789abc 123456789qwe 1q2w3e4r5t6y 1qaz2wsx3edc 1qazxsw23edc
abc123abc123 abcdefghijkl abcdefghijklmnopqrstuvwxyz abcd1234abcd administrator adminadminadmin changeme1234
changemechangeme correcthorsebatterystaple demodemodemo footballfootball iloveyou1234 iloveyouiloveyou
letmein12345 letmeinletmein logistics123 logistics1234 managermanager newpassword1 passw0rd1234 password0000
password1111 password1234 password12345 password123456 password2024 password2025 password2026 passwordpassword
pa55word1234 p@ssw0rd1234 qazwsxedcrfv qwerty123456 qwerty1234567 qwertyqwerty qwertyuiop12 qwertyuiop123
qwertyuiop[] qwertyuiopas qwertyuiopasdf secretsecret sunshine1234 trustno1trustno1 warehouse123 warehouse1234
waybill12345 waybillwaybill welcome12345 welcome123456 welcomewelcome zxcvbnm12345
"""
_COMMON = frozenset(_TRIED_FIRST.split())


def password_fault(password: str, name: str, *, demo: bool, shortest: int = SHORTEST) -> str | None:
    """Why this may not be the password of the person of that name, as a sentence; None when it may. In the demo, where
    passwords are public anyway, a short one will do."""
    if not password.isprintable():
        return _("The password has characters that cannot be typed. Choose another.")
    if len(password) > LONGEST:
        return _("The password has %(count)s characters; %(most)s is the most.", count=len(password), most=LONGEST)
    if demo:
        return None if password else _("The password is empty. Give one.")
    if len(password) < shortest:
        return _("The password has %(count)s characters; give %(least)s or more. Some words in a row will do.",
                 count=len(password), least=shortest)  # fmt: skip
    if password.lower() == name.lower():
        return _("The password is the user name. Choose another.")
    if password.lower() in _COMMON or len(set(password)) == 1:
        return _("This password is among the first that are tried. Choose another.")
    return None


def set_password(user: User, password: str) -> None:
    """Gives a person another password. Whoever calls has asked `password_fault`, ends the sessions and writes the
    journal."""
    user.password_hash = hasher.hash(password)


def is_outdated(session: Session, name: str) -> bool:
    """Whether the person's password was hashed by older settings than those of now."""
    user = session.get(User, name)
    return user is not None and hasher.check_needs_rehash(user.password_hash)


def keep_up_to_date(session: Session, name: str, password: str) -> None:
    """Hashes a password, which was just found right, by the settings of now."""
    user = session.get(User, name)
    if user is not None:
        set_password(user, password)
