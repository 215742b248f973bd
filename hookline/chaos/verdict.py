"""What became of every event, from three sources: the producer's books, the receiver's log, the store."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any
from uuid import UUID

from hookline.chaos.fleet import Fleet
from hookline.chaos.producer import Books

# A lease is never shorter than the endpoint's timeout_ms and 15 s; the targets have 4 s.
LEAST_LEASE_SECONDS = 19.0
RECOVERY_SECONDS = 6.0

LOST_LEASES = "SELECT count(*) FROM attempts WHERE error = 'lease_lost'"
RETRIED = "SELECT count(*) FROM attempts WHERE status = 'failure' AND error <> 'lease_lost'"
TWICE = "SELECT count(*) - count(DISTINCT idempotency_key) FROM events"
OPEN = "SELECT count(*) FROM jobs WHERE status IN ('pending', 'running')"
WRONG = """
SELECT count(*) FROM jobs WHERE status = 'succeeded' AND
  (SELECT count(*) FROM attempts a WHERE a.job_id = jobs.id AND a.status = 'success') <> 1
"""


@dataclass
class Verdict:
    """`forgotten` are events that are stored no more, `twice` those that were stored again under the same
    key, `forged` requests whose signature does not hold. `duplicates` are requests beyond the first of an
    event; `bound` is how many there may be. `recovery_seconds` is the longest time from a claim that died
    with its worker until the job was there again for others: the lease, and what the sweep was late."""

    scenario: str
    events: int
    kills: Counter[str]
    faults: int
    refused: Mapping[int, int]
    lost: list[str]
    forgotten: int
    twice: int
    forged: int
    duplicates: int
    retried: int
    bound: int
    dead: int
    open: int
    wrong: int
    lost_leases: int
    late_answers: int
    recovery_seconds: float
    recovery_limit: float
    drained: bool
    publish_p99_ms: float
    notes: dict[str, Any] = field(default_factory=dict)
    # What is lost and doubled was promised by nobody, and is only counted.
    is_only_counted: bool = False

    def faults_found(self) -> list[str]:
        """What was promised and did not hold, in words."""
        found = {
            f"{len(self.lost)} events lost": bool(self.lost) and not self.is_only_counted,
            f"{self.forgotten} events are stored no more": self.forgotten > 0 and not self.is_only_counted,
            f"{self.twice} events stored twice": self.twice > 0,
            f"{self.forged} requests were not signed by us": self.forged > 0,
            f"{self.duplicates} duplicates where {self.bound} may be": self.duplicates > self.bound
            and not self.is_only_counted,
            f"{self.open} jobs were never ended": self.open > 0,
            f"{self.wrong} jobs succeeded without exactly one successful attempt": self.wrong > 0,
            f"{self.dead} jobs were given up": self.dead > 0,
            f"recovery took {self.recovery_seconds:.1f} s": self.recovery_seconds > self.recovery_limit,
            "nothing was published": self.events == 0,
        }
        return [sentence for sentence, holds in found.items() if holds]


def wait_for_the_end(fleet: Fleet, books: Books, arrived: Any, seconds: float) -> bool:
    """Until every event that was answered with 201 has arrived and no job is open."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not _count(fleet, OPEN) and set(books.acked) <= set(arrived()):
            return True
        time.sleep(0.25)
    return False


def judge(
    scenario: str, fleet: Fleet, books: Books, arrived: Mapping[str, list[float]], *, faults: int,
    spare: int, drained: bool, lease_seconds: float, overdue: float, forged: int,
) -> Verdict:  # fmt: skip
    """What is sent again after a failure counts as retried: on a busy machine some answers come late.
    `spare` is what a fault may double beyond the leases that were seen to be lost, and `overdue`
    how long the latest of these stayed after its end."""
    lost_leases, retried = _count(fleet, LOST_LEASES), _count(fleet, RETRIED)
    lease = max(lease_seconds, LEAST_LEASE_SECONDS)
    return Verdict(
        scenario=scenario,
        events=len(books.acked),
        kills=fleet.all_kills(),
        faults=faults,
        refused=dict(books.refused),
        lost=sorted(set(books.acked) - set(arrived)),
        forgotten=len(set(books.acked) - _stored(fleet)),
        twice=_count(fleet, TWICE),
        forged=forged,
        duplicates=sum(map(len, arrived.values())) - len(arrived),
        retried=retried,
        bound=lost_leases + retried + spare,
        dead=_count(fleet, "SELECT count(*) FROM dlq"),
        open=_count(fleet, OPEN),
        wrong=_count(fleet, WRONG),
        lost_leases=lost_leases,
        late_answers=fleet.said("had lost its lease"),
        recovery_seconds=round(lease + overdue, 1) if lost_leases else 0.0,
        recovery_limit=lease + RECOVERY_SECONDS,
        drained=drained,
        publish_p99_ms=p99(books.milliseconds),
    )


def _stored(fleet: Fleet) -> set[str]:
    return {str(UUID(str(row[0]))) for row in fleet.rows("SELECT id FROM events")}


def p99(milliseconds: list[float]) -> float:
    return round(quantiles(milliseconds, n=100)[98], 1) if len(milliseconds) > 1 else 0.0


def table(verdicts: list[Verdict]) -> str:
    head = ["scenario", "events", "kills", "faults", "lost", "duplicates", "bound", "recovery s", "verdict"]
    body = [
        [v.scenario, v.events, v.kills.total(), v.faults, len(v.lost), v.duplicates, v.bound,
         v.recovery_seconds, "; ".join(v.faults_found()) or "holds"]
        for v in verdicts
    ]  # fmt: skip
    lines = [head, *([str(cell) for cell in line] for line in body)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _count(fleet: Fleet, sql: str) -> int:
    return int(fleet.rows(sql)[0][0])
