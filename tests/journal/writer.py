"""Appends, for tests that kill: a process that prints each step's number once the step is durable."""

import sys
from decimal import Decimal
from pathlib import Path

from bot.core.records import Sampled
from bot.journal.journal import Identity
from bot.journal.sqlite import open_journal

RECORDS_PER_STEP = 3


def main() -> None:
    """Append steps of three records until killed."""
    with open_journal(Path(sys.argv[1]), Identity("paper", "binanceusdm@paper"), None, 0) as journal:
        step = sum(1 for _ in journal.read("BTCUP")) // RECORDS_PER_STEP
        while True:
            record = Sampled(step, Decimal("60000.1"), None)
            journal.append("BTCUP", [record] * RECORDS_PER_STEP, step)
            sys.stdout.write(f"{step}\n")
            sys.stdout.flush()
            step += 1


if __name__ == "__main__":
    main()
