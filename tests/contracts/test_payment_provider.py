"""What Waybill relies on in every payment provider. A new provider is one more entry of `PROVIDERS`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.contract import Refused, TryAgain
from handlers.payments.bank import BankTransfers
from handlers.payments.embedded import AUTHORISATION_LASTS, EmbeddedProvider, Fault
from handlers.payments.port import PaymentProvider, Receipt, WrongRequest


class MovingClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


def embedded(folder: Path, clock: MovingClock | None = None) -> EmbeddedProvider:
    return EmbeddedProvider(folder / "provider.sqlite", clock or MovingClock(), sleep=lambda seconds: None)


PROVIDERS: dict[str, Callable[[Path, MovingClock], PaymentProvider]] = {"embedded": embedded}


@pytest.fixture
def moving() -> MovingClock:
    """The provider's clock."""
    return MovingClock()


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest, tmp_path: Path, moving: MovingClock) -> PaymentProvider:
    return PROVIDERS[request.param](tmp_path, moving)


@pytest.fixture
def bank_and_provider(tmp_path: Path) -> tuple[BankTransfers, EmbeddedProvider]:
    provider = embedded(tmp_path)
    return BankTransfers(provider), provider


def authorise(provider: PaymentProvider, key: str = "a", amount: int = 1000, token: str | None = None) -> Receipt:
    return provider.authorise(key, order="O-1", method="credit_card", token=token, amount=amount, currency="USD")


def capture(provider: PaymentProvider, authorisation: str, key: str = "c", amount: int = 1000) -> Receipt:
    return provider.capture(key, order="O-1", authorisation=authorisation, amount=amount, currency="USD")


def refund(provider: PaymentProvider, captured: str, key: str = "r", amount: int = 1000) -> Receipt:
    return provider.refund(key, order="O-1", capture=captured, amount=amount, currency="USD")


# --- every provider --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["credit_card", "paypal"])
def test_money_is_authorised_captured_and_paid_back(provider: PaymentProvider, method: str) -> None:
    """An amount that is authorised can be captured, and what is captured can be paid back in parts."""
    held = provider.authorise("a", order="O-1", method=method, token=None, amount=1000, currency="USD")
    taken = capture(provider, held.reference)

    first, second = (refund(provider, taken.reference, key, amount) for key, amount in (("r1", 300), ("r2", 700)))

    assert (held.amount, taken.amount, first.amount, second.amount) == (1000, 1000, 300, 700)
    assert taken.currency == "USD"
    assert len({held.reference, taken.reference, first.reference, second.reference}) == 4


def test_the_same_key_gets_the_same_answer(provider: PaymentProvider) -> None:
    """Whatever is asked again with its key is answered as the first time and done once."""
    held = authorise(provider)
    taken = capture(provider, held.reference)
    back = refund(provider, taken.reference, amount=600)

    assert authorise(provider) == held
    assert capture(provider, held.reference) == taken
    assert refund(provider, taken.reference, amount=600) == back
    assert refund(provider, taken.reference, key="r2", amount=400).amount == 400
    with pytest.raises(Refused):
        refund(provider, taken.reference, key="r3", amount=1)


def test_a_refusal_is_repeated_under_its_key_and_may_pass_under_a_new_one(provider: PaymentProvider) -> None:
    """A declined payment stays declined when the question is repeated; a new attempt is a new question."""
    for _ in range(2):
        with pytest.raises(Refused) as refusal:
            authorise(provider, token="tok_declined_once")
        assert refusal.value.code == "payment_declined"

    assert authorise(provider, key="a2", token="tok_declined_once").amount == 1000


def test_a_key_cannot_be_used_for_something_else(provider: PaymentProvider) -> None:
    """The same key with another request is our mistake and moves nothing."""
    held = authorise(provider)

    with pytest.raises(WrongRequest):
        authorise(provider, amount=1001)
    with pytest.raises(WrongRequest):
        capture(provider, held.reference, key="a")


def test_what_was_done_under_a_key_is_found_at_any_age(provider: PaymentProvider, moving: MovingClock) -> None:
    """Our own reference leads to every movement, long after its key was forgotten, and to nothing else."""
    held = authorise(provider)
    taken = capture(provider, held.reference)
    back = refund(provider, taken.reference, amount=600)
    free = authorise(provider, key="a2")
    freed = provider.void("v", order="O-1", authorisation=free.reference)
    with pytest.raises(Refused):
        authorise(provider, key="no", token="tok_declined")

    moving.time += timedelta(days=90)

    assert [provider.find(key) for key in ("a", "c", "r", "v")] == [held, taken, back, freed]
    assert provider.find("no") is None
    assert provider.find("never asked") is None


def test_a_key_is_remembered_for_its_window_only(provider: PaymentProvider, moving: MovingClock) -> None:
    """Within the window it is one payment; after it the same request takes the money once more, and is found first."""
    held = authorise(provider)
    moving.time += provider.key_window - timedelta(seconds=1)
    assert authorise(provider) == held

    moving.time += timedelta(seconds=1)
    again = authorise(provider)

    assert again.reference != held.reference
    assert authorise(provider) == again
    assert provider.find("a") == held


def test_no_more_is_captured_than_was_authorised(provider: PaymentProvider) -> None:
    """Captures of one authorisation add up to at most its amount."""
    held = authorise(provider)
    capture(provider, held.reference, "c1", 600)

    with pytest.raises(Refused) as refusal:
        capture(provider, held.reference, "c2", 401)

    assert refusal.value.code == "payment_declined"
    assert capture(provider, held.reference, "c3", 400).amount == 400


def test_no_more_is_paid_back_than_was_captured(provider: PaymentProvider) -> None:
    """Refunds of one capture add up to at most its amount."""
    taken = capture(provider, authorise(provider).reference)
    refund(provider, taken.reference, "r1", 999)

    with pytest.raises(Refused) as refusal:
        refund(provider, taken.reference, "r2", 2)

    assert refusal.value.code == "refund_refused"


def test_a_void_frees_the_amount_for_good(provider: PaymentProvider) -> None:
    """What was voided cannot be captured; voiding it again changes nothing."""
    held = authorise(provider)
    freed = provider.void("v", order="O-1", authorisation=held.reference)

    assert provider.void("v2", order="O-1", authorisation=held.reference) == freed
    with pytest.raises(Refused) as refusal:
        capture(provider, held.reference)
    assert refusal.value.code == "payment_declined"


def test_what_was_captured_cannot_be_voided(provider: PaymentProvider) -> None:
    """After the capture only a refund gives the money back; a provider says so in place of freeing it twice."""
    held = authorise(provider)
    capture(provider, held.reference)

    with pytest.raises(Refused) as refusal:
        provider.void("v", order="O-1", authorisation=held.reference)

    assert refusal.value.code == "refund_refused"


@pytest.mark.parametrize("amount", [0, -5])
def test_an_amount_is_more_than_nothing(provider: PaymentProvider, amount: int) -> None:
    """Nothing, or less, is never asked for."""
    with pytest.raises(WrongRequest):
        authorise(provider, amount=amount)


def test_references_belong_to_their_order_and_kind(provider: PaymentProvider) -> None:
    """An unknown reference, another order's or one of another kind is our mistake."""
    held = authorise(provider)
    taken = capture(provider, held.reference)

    with pytest.raises(WrongRequest):
        provider.capture("c2", order="O-2", authorisation=held.reference, amount=1, currency="USD")
    with pytest.raises(WrongRequest):
        refund(provider, held.reference)
    with pytest.raises(WrongRequest):
        capture(provider, taken.reference, "c3")
    with pytest.raises(WrongRequest):
        provider.capture("c4", order="O-1", authorisation=held.reference, amount=1, currency="EUR")


def test_a_transfer_the_provider_never_saw_can_be_paid_back(provider: PaymentProvider) -> None:
    """Bank transfers are reported by the bank under its own reference; the refund names that."""
    assert refund(provider, "E2E-2026-77", "r1", 400).amount == 400
    assert refund(provider, "E2E-2026-77", "r2", 600).amount == 600
    assert refund(provider, "E2E-2026-77", "r1", 400).amount == 400


# --- the embedded provider's own promises ----------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["tok_declined", "tok_insufficient_funds", "tok_expired"])
def test_declines_come_on_demand(tmp_path: Path, token: str) -> None:
    """These tokens are always declined, and nothing is booked."""
    provider = embedded(tmp_path)

    with pytest.raises(Refused, match="declined"):
        authorise(provider, token=token)

    assert provider.statement() == []


def test_a_lost_reply_is_found_again_under_its_key(tmp_path: Path) -> None:
    """The capture is done though its reply is lost; asked again it answers, and the money moved once."""
    provider = embedded(tmp_path)
    held = authorise(provider, token="tok_lost_reply")

    with pytest.raises(TryAgain):
        capture(provider, held.reference)

    assert provider.balances() == {"O-1": 1000}
    assert capture(provider, held.reference).amount == 1000
    assert provider.balances() == {"O-1": 1000}


def test_every_call_can_lose_its_first_reply(tmp_path: Path) -> None:
    """With this token authorise, capture and refund each lose one reply and are done once."""
    provider = embedded(tmp_path)

    def twice(ask: Callable[[], Receipt]) -> Receipt:
        with pytest.raises(TryAgain):
            ask()
        return ask()

    held = twice(lambda: authorise(provider, token="tok_lost_reply_once_per_call"))
    taken = twice(lambda: capture(provider, held.reference))
    twice(lambda: refund(provider, taken.reference))

    assert [m.kind for m in provider.statement()] == ["authorise", "capture", "refund"]


def test_a_503_does_nothing(tmp_path: Path) -> None:
    """An unavailable provider has not done the work."""
    provider = embedded(tmp_path)

    with pytest.raises(TryAgain):
        authorise(provider, token="tok_unavailable_once")

    assert provider.statement() == []
    assert authorise(provider, token="tok_unavailable_once").amount == 1000


def test_slow_replies_take_their_time(tmp_path: Path) -> None:
    """A slow provider answers all the same; how long it takes is given from outside."""
    naps: list[float] = []
    provider = EmbeddedProvider(tmp_path / "p.sqlite", MovingClock(), sleep=naps.append)

    taken = capture(provider, authorise(provider, token="tok_slow").reference)

    assert taken.amount == 1000
    assert len(naps) == 2


def test_refunds_are_refused_on_demand(tmp_path: Path) -> None:
    """With this token the money is taken but never given back."""
    provider = embedded(tmp_path)
    taken = capture(provider, authorise(provider, token="tok_refund_refused").reference)

    with pytest.raises(Refused) as refusal:
        refund(provider, taken.reference)

    assert refusal.value.code == "refund_refused"
    assert provider.balances() == {"O-1": 1000}


def test_an_authorisation_does_not_last(tmp_path: Path) -> None:
    """After its days an authorisation can no longer be captured."""
    clock = MovingClock()
    provider = EmbeddedProvider(tmp_path / "p.sqlite", clock)
    held = authorise(provider)

    clock.time += AUTHORISATION_LASTS + timedelta(seconds=1)

    with pytest.raises(Refused, match="expired"):
        capture(provider, held.reference)


def test_the_hook_makes_bad_days(tmp_path: Path) -> None:
    """The demo decides request by request: away, reply lost, slow or refused."""
    faults: dict[str, list[Fault | None]] = {
        "authorise": [Fault.UNAVAILABLE, Fault.LOST_REPLY, Fault.SLOW],
        "capture": [Fault.REFUSED, None],
    }
    naps: list[float] = []
    provider = EmbeddedProvider(
        tmp_path / "p.sqlite", MovingClock(), faults=lambda method, key: faults[method].pop(0), sleep=naps.append
    )

    for _ in range(2):
        with pytest.raises(TryAgain):
            authorise(provider)
    held = authorise(provider)
    for _ in range(2):  # refused for good: the second time by its key, not by the hook
        with pytest.raises(Refused):
            capture(provider, held.reference)

    assert naps == [2.0]
    assert [m.kind for m in provider.statement()] == ["authorise"]


def test_books_of_an_earlier_version_are_read_on(tmp_path: Path) -> None:
    """Keys and references that were written before keys aged still count."""
    clock = MovingClock()
    held = authorise(embedded(tmp_path, clock))
    with closing(sqlite3.connect(tmp_path / "provider.sqlite")) as old:
        old.executescript("DROP INDEX movement_key; ALTER TABLE movement DROP COLUMN key;"
                          "ALTER TABLE request DROP COLUMN at")

    for _ in range(2):
        provider = embedded(tmp_path, clock)
        assert authorise(provider) == held
        assert provider.find("a") == held
    clock.time += provider.key_window
    assert authorise(provider) != held


def test_the_books_outlive_the_provider(tmp_path: Path) -> None:
    """Another process that opens the same file finds money and keys."""
    held = authorise(embedded(tmp_path))
    taken = capture(embedded(tmp_path), held.reference)

    assert capture(embedded(tmp_path), held.reference) == taken


def test_a_transfer_arrives_once_and_is_paid_back(bank_and_provider: tuple[BankTransfers, EmbeddedProvider]) -> None:
    """A customer's transfer has the bank's own reference, is in the books, and is refunded under it."""
    bank, provider = bank_and_provider
    came = [bank.receive("t1", order="O-1", amount=1000, currency="USD", payer="Ada Park") for _ in range(2)]

    assert came[0] == came[1]
    assert came[0].payload() == {
        "amount": 1000,
        "currency": "USD",
        "reference": came[0].reference,
        "payer": "Ada Park",
    }
    refund(provider, came[0].reference, amount=400)
    assert provider.balances() == {"O-1": 600}
    with pytest.raises(WrongRequest):
        bank.receive("t1", order="O-1", amount=999, currency="USD", payer="Ada Park")


def test_many_at_once_do_the_work_once(tmp_path: Path) -> None:
    """Threads that ask with one key get one answer; different keys never take more than there is."""
    provider = embedded(tmp_path)
    held = authorise(provider)

    with ThreadPoolExecutor(8) as pool:
        same = list(pool.map(lambda _: capture(provider, held.reference), range(24)))

    def try_refund(n: int) -> bool:
        try:
            refund(provider, same[0].reference, f"r{n}", 300)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        paid = list(pool.map(try_refund, range(12)))
    assert len(set(same)) == 1
    assert sum(paid) == 3
    assert provider.balances() == {"O-1": 100}


def _pay(folder: str) -> Receipt:
    provider = embedded(Path(folder))
    return capture(provider, authorise(provider).reference)


def test_processes_share_the_books(tmp_path: Path) -> None:
    """Several workers on one file do the same request once."""
    with get_context("spawn").Pool(2) as pool:
        receipts = pool.map(_pay, [str(tmp_path)] * 4)

    assert len(set(receipts)) == 1
    assert embedded(tmp_path).balances() == {"O-1": 1000}


REQUEST = st.tuples(
    st.sampled_from(["authorise", "capture", "void", "refund", "transfer"]),
    st.integers(0, 3),  # which earlier movement
    st.integers(1, 500),
    st.integers(0, 12),  # key
    st.sampled_from([None, Fault.LOST_REPLY, Fault.UNAVAILABLE, Fault.REFUSED]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(REQUEST, max_size=30))
def test_money_is_neither_made_nor_lost(requests: list[tuple[str, int, int, int, Fault | None]]) -> None:
    """Whatever is asked in whatever order, with repeated keys and bad days: the books always add up."""
    with TemporaryDirectory() as folder:
        provider = embedded(Path(folder))
        bank = BankTransfers(provider)
        references: dict[str, list[str]] = {"authorise": [], "capture": []}
        for method, which, amount, key, fault in requests:
            provider.faults = lambda _method, _key, fault=fault: fault
            of = references["authorise" if method in ("capture", "void") else "capture"]
            target = of[which % len(of)] if of else ""
            if method in ("capture", "void", "refund") and not target:
                continue
            try:
                if method == "authorise":
                    receipt = authorise(provider, f"k{key}", amount)
                    references["authorise"].append(receipt.reference)
                elif method == "capture":
                    references["capture"].append(capture(provider, target, f"k{key}", amount).reference)
                elif method == "void":
                    provider.void(f"k{key}", order="O-1", authorisation=target)
                elif method == "refund":
                    refund(provider, target, f"k{key}", amount)
                else:
                    transfer = bank.receive(f"k{key}", order="O-1", amount=amount, currency="USD", payer="A")
                    references["capture"].append(transfer.reference)
            except (Refused, TryAgain, WrongRequest):
                pass
        _adds_up(provider)
        assert len(provider.statement()) <= len({key for *_, key, _ in requests}), "a key moved money twice"


def _adds_up(provider: EmbeddedProvider) -> None:
    movements = provider.statement()
    by_reference = {m.reference: m for m in movements}
    built: dict[tuple[str, str], int] = {}
    for m in movements:
        if m.of is not None:
            built[m.kind, m.of] = built.get((m.kind, m.of), 0) + m.amount
    for (kind, of), amount in built.items():
        assert amount <= by_reference[of].amount, (kind, of)
        assert kind != "void" or ("capture", of) not in built
    assert all(held >= 0 for held in provider.balances().values())
