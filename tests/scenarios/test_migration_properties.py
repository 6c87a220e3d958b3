"""Whatever small change, and wherever an order stands: it moves and goes on to its end, or it is told what stops it."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import CannotDeploy
from tests.scenarios.conftest import SQLITE_ONLY
from tests.scenarios.redrawing import Redrawn
from tests.scenarios.shop import Shop
from tests.scenarios.test_migration import KEY, deploys, kept, moves

AFTER = ["receive_order", "generate_invoice", "prepare_shipment", "package_products", "notify_shipment", "close_order",
         "archive_order", "release_stock", "remind_payment", "credit_exception"]
"""Elements that one flow leaves: a task can be put in after them."""
EVENTS = ["restock_overdue", "reservation_expired", "transfer_reminder", "transfer_expired", "pickup_late", "picked_up"]
TASKS = ["prepare_shipment", "package_products", "confirm_pickup", "prepare_next", "handle_exception"]
FORMS = ["package_products.json", "prepare_shipment.json", "prepare_next.json", "confirm_pickup.json"]

changes = st.one_of(
    st.tuples(st.just("puts in"), st.sampled_from(AFTER)),
    st.tuples(st.just("takes out"), st.sampled_from(EVENTS)),
    st.tuples(st.just("renames"), st.sampled_from([*EVENTS, *TASKS])),
    st.tuples(st.just("hurries"), st.sampled_from(TASKS)),
    st.tuples(st.just("asks more"), st.sampled_from(FORMS)),
)


def redrawn(change: tuple[str, str]) -> Redrawn:
    what, where = change
    match what:
        case "puts in":
            return Redrawn().puts_in("gift_wrap", after=where)
        case "takes out":
            return Redrawn().takes_out(where)
        case "renames":
            return Redrawn().renames(where, f"other_{where}")
        case "hurries":
            return Redrawn().sets(where, due="PT30M")
    return Redrawn().asks_for(where, "gift", "Gift")


@SQLITE_ONLY
@settings(max_examples=10, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(change=changes, steps=st.lists(st.integers(0, 12), min_size=2, max_size=3),
       method=st.sampled_from(["credit_card", "bank_transfer"]))
def test_an_order_that_may_move_keeps_all_and_ends(
    shop: Shop, change: tuple[str, str], steps: list[int], method: str
) -> None:
    """Tasks, drafts, due times, variables and history are as before; what the impact said is what happens."""
    orders = [shop.places_order(payment_method=method) for _ in steps]
    for order, many in zip(orders, steps, strict=True):
        for _ in range(many):
            if order.status == "open":
                order.usual()
    live = [order for order in orders if order.status == "open"]
    try:
        version = deploys(shop, redrawn(change))
    except CannotDeploy:
        return  # the checks refuse it, so nobody could move there
    before = {order.number: kept(order) for order in live}
    impact = shop.engine.impact(KEY, version)

    results = dict(zip([o.number for o in live], moves(shop, version, *live), strict=True)) if live else {}

    cannot = {number for group in impact.groups if group.kind == "cannot" for number in group.orders}
    here = {order.number for order in live}
    assert cannot & here == {number for number, (state, _) in results.items() if state == "refused"}
    for order in live:
        now = kept(order)
        if results[order.number][0] == "moved":
            gone = {key for key, _ in before[order.number]["timers"]} - {key for key, _ in now["timers"]}
            assert all(change[1] in key for key in gone), "a timer goes only with its event"
        assert {**now, "timers": 0} == {**before[order.number], "timers": 0}
        order.goes_to_its_end()
        assert order.status == "closed"
        assert not order.incidents()
        assert shop.engine.verify_audit(order.number) == []


def test_the_changes_are_really_deployed(shop: Shop) -> None:
    """Most of the changes above pass the checks; else the test above would test little."""
    fit = 0
    for change in [("puts in", "package_products"), ("takes out", "pickup_late"), ("renames", "pickup_late"),
                   ("hurries", "package_products"), ("asks more", "package_products.json")]:
        fit += not any(f.severity == "error" for f in shop.engine.check(redrawn(change).bundle))
    assert fit == 5


