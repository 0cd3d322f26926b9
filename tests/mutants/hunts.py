"""Where each mutant is looked for: worlds whose faults bring it out, and what the judge must say.

Run as a script in a copy of the tree, with the name of a mutant: it prints the violation as JSON, or null.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bot.simulation.faults import Fault, Script
from bot.simulation.run import simulate

SECONDS = 3_600.0
ALWAYS = range(100_000)
NEVER_FOUND: Script = {
    (Fault.UNSEEN, ""): ALWAYS,
    (Fault.NEWS_LOST, ""): ALWAYS,
    (Fault.AMBIGUOUS, "order"): ALWAYS,
}
"""No order is heard of before it is believed that it cannot arrive any more."""


class Hunt(NamedTuple):
    """`code`: what the judge must say. A `script` replaces the faults of the seeds; `strikes` come on top.

    `seeds`: from the first that brings it out, where that comes late; where it no longer does others may.
    """

    code: str
    seeds: Sequence[int] = range(20)
    script: Script | None = None
    strikes: Mapping[Fault, Sequence[float]] = {}


def every(seconds: int) -> Sequence[float]:
    """Times of strikes."""
    return range(seconds, int(SECONDS), seconds)


HUNTS = {
    "add-instead-of-max": Hunt("I11"),
    "contradiction-gate-removed": Hunt("I9", strikes={Fault.APART: every(120)}),
    "failed-commit-ignored": Hunt("I8", script={(Fault.COMMIT_FAILED, ""): range(7, 60, 9)}),
    "halt-ignored": Hunt("I9", strikes={Fault.HALTED: every(150)}),
    "id-used-again": Hunt("I4"),
    "minutes-by-the-clock": Hunt("I10", seeds=(11, 33)),
    "not-found-is-failed": Hunt("I2", seeds=range(24, 60)),
    "position-check-removed": Hunt("I2", script=NEVER_FOUND),
    "redrawn-after-restart": Hunt("I14"),
    "reduce-only-dropped": Hunt("I1"),
    "replaced-before-cancelled": Hunt("I13"),
    "resend-on-unknown": Hunt("I4"),
    "rests-unseen": Hunt("I2", script=NEVER_FOUND),
    "rounded-past-the-target": Hunt("I1"),
    "send-before-journal": Hunt("I5", script={(Fault.COMMIT_FAILED, ""): range(7, 60, 9)}),
    "silent-feed-gate-removed": Hunt("I9", strikes={Fault.FEED_GAP: every(7)}),
    "stale-mark-gate-removed": Hunt("I9", strikes={Fault.FROZEN_PRICE: every(60)}),
    "target-in-log": Hunt("I12"),
    "timeout-is-failed": Hunt("I2"),
    "trades-booked-twice": Hunt("I7"),
}


def hunt(name: str, seeds: Sequence[int] | None = None) -> tuple[int, str, str] | None:
    """Seed, code and text of the first violation of the kind that is looked for; None if there is none."""
    wanted = HUNTS[name]
    for seed in seeds or wanted.seeds:
        violation = simulate(seed, SECONDS, script=wanted.script, strikes=wanted.strikes).violation
        if violation is not None and violation.code == wanted.code:
            return seed, violation.code, violation.text
    return None


if __name__ == "__main__":
    sys.stdout.write(json.dumps(hunt(sys.argv[1])))
