"""`make bench`: measures and prints the tables. CPU is process time, so what else the machine does hardly counts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks import changing, inbox, throughput
from benchmarks.meter import Cost
from benchmarks.ours import MEASURED, MID_ORDER, Bench, engine_alone, whole_shop
from benchmarks.stock import StockOrders
from engine import Bundle
from tests.scenarios.shop import PEOPLE

COMMANDS = 30
"""Orders on which the single command is measured."""
ORDERS = 10
"""Orders that are taken from start to end."""


def main() -> None:
    """Prints the tables: what a command, an order and a change cost, and what several workers manage."""
    with whole_shop() as shop:
        _record(shop)
        recording = shop.recording
        stock = _stock(shop)
        with engine_alone(recording) as alone:
            alone.order().goes_to_its_end()
            rows = [
                ("stock engine, in memory", *_stock_command(stock), *_stock_order(stock)),
                ("Waybill, answers recorded", *_command(alone), *_order(alone)),
                ("Waybill, the whole shop", *_command(shop), *_order(shop)),
            ]
    _print(rows)
    with whole_shop() as shop:
        Console(width=118).print(changing.table(changing.measure(shop)))
    _print_rates(throughput.measure())
    Console(width=118).print(inbox.table(inbox.measure()))


def _record(shop: Bench) -> None:
    order = shop.order().goes_to_its_end()
    assert order.status == "closed", order.where()
    shop.recording.variables = order.variables


def _stock(shop: Bench) -> StockOrders:
    """The stock run writes the same variables as ours, at the same tasks."""
    from app import BUNDLE

    recording, engine = shop.recording, shop.parts.engine
    with engine.reading() as session:
        diagram = engine.library.newest(session, "order_fulfillment").diagram("order_fulfillment")
    forms = {}
    for element in diagram.elements.values():
        if element.kind == "userTask":
            names = (element.id, element.properties.get("resultVariable", ""))
            forms[element.id] = {name: recording.variables[name] for name in names if name in recording.variables}
    return StockOrders(Bundle.from_folders(*BUNDLE), recording, forms)


Command = tuple[float, str, str]
Order = tuple[float, str]


def _stock_command(stock: StockOrders) -> Command:
    state = stock.dump(stock.to(MEASURED))
    after = stock.command(state)
    return _cpu(lambda: stock.command(state), COMMANDS), "–", f"{len(after.encode()):,} of JSON"


def _stock_order(stock: StockOrders) -> Order:
    commands = stock.whole()
    return _cpu(stock.whole, ORDERS), f"{commands} in memory"


def _command(bench: Bench) -> Command:
    """Load, complete step 9, advance to step 10, save."""
    for _ in range(COMMANDS):
        order = bench.order().goes_to(MEASURED)
        task = order.task(MEASURED)
        who = PEOPLE[task.team]
        form = bench.parts.engine.task(task.id, who).form["examples"][0]
        with bench.meter.measure("measured"):
            bench.parts.engine.complete(task.id, who, form)
        assert MID_ORDER in order.open_elements()
    costs: Sequence[Cost] = bench.meter.costs["measured"]
    commits = max(cost.commits for cost in costs)
    statements = max(cost.statements for cost in costs)
    state, variables = bench.stored(order.number)
    return (statistics.median(cost.cpu_ms for cost in costs), f"{statements} SQL, {commits} commit",
            f"{state:,} + {variables:,}")


def _order(bench: Bench) -> Order:
    spent, outside = [], []
    for _ in range(ORDERS):
        bench.meter.reset()
        bench.order().goes_to_its_end()
        spent.append(bench.meter.cpu_ms)
        outside.append(bench.meter.outside_ms)
    beside = f", {statistics.median(outside):.0f} ms outside" if statistics.median(outside) > 1 else ""
    most, name = bench.meter.most_statements()
    return statistics.median(spent), (f"{bench.meter.commits()} commits, {bench.meter.statements()} SQL, "
                                      f"at most {most} in one {name}{beside}")


def _cpu(work: Callable[[], object], times: int) -> float:
    """Median CPU milliseconds."""
    work()
    spent = []
    for _ in range(times):
        began = time.process_time()
        work()
        spent.append((time.process_time() - began) * 1000)
    return statistics.median(spent)


def _print(rows: Sequence[tuple[str, float, str, str, float, str]]) -> None:
    console = Console(width=118)
    first_command, first_order = rows[0][1], rows[0][4]
    command = Table(title=f"One command: load, complete step 9, advance, save (median of {COMMANDS})")
    for heading in ("", "CPU ms", "ratio", "database", "bytes of state (+ variables) then"):
        command.add_column(heading, justify="left" if heading in ("", "database") else "right")
    order = Table(title=f"One order, received to prepared for next (median of {ORDERS})")
    for heading in ("", "CPU ms", "ratio", "what it took"):
        order.add_column(heading, justify="right" if heading in ("CPU ms", "ratio") else "left")
    for name, command_ms, database, size, order_ms, took in rows:
        command.add_row(name, f"{command_ms:.2f}", f"{command_ms / first_command:.2f}", database, size)
        order.add_row(name, f"{order_ms:.1f}", f"{order_ms / first_order:.1f}", took)
    console.print(command, order)
    console.print(
        "Stock loads and saves nothing in its whole order; ours loads, saves and commits at every command. "
        "“Outside” is what external operations do outside a command (papers, mails, simulated companies); it is not "
        "in the CPU column."
    )


def _print_rates(rates: list[throughput.Rate] | str) -> None:
    if isinstance(rates, str):
        print(f"Worker processes on PostgreSQL: left out, {rates}.")
        return
    Console(width=118).print(throughput.table(rates))


if __name__ == "__main__":
    main()
