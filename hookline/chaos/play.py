"""One scenario from its beginning to its verdict."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from hookline import throwaway
from hookline.bench import stage
from hookline.chaos import receiver
from hookline.chaos.fleet import fleet
from hookline.chaos.leases import Watch
from hookline.chaos.producer import Producer
from hookline.chaos.scenarios import Run, Scenario
from hookline.chaos.verdict import Verdict, judge, wait_for_the_end

# A lease may be lost some times over, each time with a longer wait.
END_SECONDS = 120.0


def play(name: str, scenario: Scenario, kills: int, events: int, rate: float) -> Verdict:
    with (
        receiving() as (port, log),
        fleet(scenario.store, port, scenario.layout, scenario.clock, **scenario.variables) as (
            started,
            servers,
        ),
    ):
        watch = Watch(started)
        producer = Producer(started.port, stage.KEY, rate)
        kills, events = (max(1, round(number * scenario.share)) for number in (kills, events))
        run = Run(started, producer, servers, kills, events)
        try:
            scenario.play(run)
        finally:
            producer.stop()
        arrived = partial(receiver.arrivals, log)
        drained = wait_for_the_end(started, producer.books, arrived, END_SECONDS)
        verdict = judge(
            name, started, producer.books, arrived(), faults=run.faults, spare=scenario.spare,
            drained=drained, lease_seconds=scenario.lease_seconds, overdue=watch.end(),
            forged=receiver.forged(log),
        )  # fmt: skip
        verdict.notes, verdict.is_only_counted = run.notes, scenario.is_only_counted
        return verdict


@contextmanager
def receiving() -> Iterator[tuple[int, Path]]:
    with throwaway.Directory() as directory:
        log = directory.path / "arrivals"
        log.touch()
        taking = receiver.start(port := throwaway.free_port(), stage.KEY, log)
        try:
            yield port, log
        finally:
            taking.terminate()
            taking.wait()
