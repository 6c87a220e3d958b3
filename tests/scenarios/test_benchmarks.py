"""The benchmarks run on the shipped diagram as it is today."""

from __future__ import annotations

import pytest

from benchmarks import __main__ as bench
from benchmarks import changing, inbox, throughput


@pytest.mark.slow
def test_the_tables_are_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A change of the diagram that the stock run cannot follow is noticed here, not on the day of measuring."""
    monkeypatch.setattr(bench, "COMMANDS", 1)
    monkeypatch.setattr(bench, "ORDERS", 1)
    monkeypatch.setattr(changing, "LIVE", 12)
    monkeypatch.setattr(changing, "MOVED", 6)
    monkeypatch.setattr(inbox, "TASKS", 300)
    monkeypatch.setattr(inbox, "TIMES", 1)
    monkeypatch.setattr(throughput, "ORDERS", 1)
    monkeypatch.setattr(throughput, "RUNS", 1)
    monkeypatch.setattr(throughput, "WORKERS", (1, 2))

    bench.main()

    printed = capsys.readouterr().out
    for row in ("stock engine, in memory", "Waybill, answers recorded", "Waybill, the whole shop"):
        assert printed.count(row) == 2
    assert "1 commit " in printed
    assert "6 moved" in printed
    assert "the inbox, one team" in printed
    assert "jobs a second" in printed or "no PostgreSQL answers" in printed
