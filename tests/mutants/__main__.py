"""`python -m tests.mutants [how many] [first]`: plays mutants of the shipped processes; exit 1 when one goes wrong."""

from __future__ import annotations

import sys
import time
from collections import Counter

from tests.mutants.changes import mutant
from tests.mutants.orders import installed
from tests.mutants.verdict import judge


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    kinds: Counter[str] = Counter()
    began = time.monotonic()
    with installed() as install:
        for seed in range(first, first + count):
            verdict = judge(mutant(seed), install)
            kinds[verdict.kind] += 1
            print(verdict, flush=True)
    counted = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    print(f"{count} mutants in {time.monotonic() - began:.0f} s: {counted}.")
    sys.exit(1 if kinds["wrong"] else 0)


if __name__ == "__main__":
    main()
