"""Takes in a tenant's documents, in one transaction: all of them, or none and a list of what is wrong.

What is there already, under the same id, stays as it is, so that the same source may be given twice.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby, islice
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.models import Model

from deliveries import routing
from deliveries.models import Attempt, DeadLetter, Endpoint, Event, IdempotencyKey, Job, Subscription
from deliveries.moving import past, set_up
from deliveries.moving.guessing import Guesses
from deliveries.moving.items import Item
from deliveries.moving.sealed import Box
from deliveries.moving.source import BadSource, Source
from deliveries.moving.target import Target
from deliveries.queue import lanes
from hookline.database import now, write
from hookline.errors import Invalid
from hookline.progress import Progress
from tenants import audit
from tenants.models import ApiKey, Tenant

AT_ONCE = 500

ROWS: Mapping[str, tuple[type[Model], Callable[[Item, Target], Model | None]]] = {
    "apikeys": (ApiKey, set_up.key_of),
    "endpoints": (Endpoint, set_up.endpoint_of),
    "subscriptions": (Subscription, set_up.subscription_of),
    "events": (Event, past.event_of),
    "jobs": (Job, past.job_of),
    "deliveries": (Attempt, past.attempt_of),
    "dlq": (DeadLetter, past.letter_of),
}


class NotTakenIn(Exception):
    """Nothing was changed. Each of the faults names what is wrong, and where."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(faults[0])
        self.faults = faults


class TrialIsOver(Exception):
    """Undoes what a trial did."""


def take_in(
    source: Source, tenant: Tenant, box: Box | None, by: str, progress: Progress, *, is_trial: bool = False
) -> "Taking":
    """Raises BadSource and NotTakenIn."""
    taking = Taking(source, tenant.id, box, by, progress)
    try:
        with write():
            taking.run()
            if is_trial:
                raise TrialIsOver
    except TrialIsOver:
        pass
    except IntegrityError as fault:
        raise NotTakenIn([f"The store refused: {' '.join(str(fault).split())}"]) from None
    return taking


class Taking:
    """`taken` and `there` count by kind what is new, and what was there already; `disabled` are endpoints
    whose secrets did not come along."""

    def __init__(self, source: Source, tenant_id: str, box: Box | None, by: str, progress: Progress) -> None:
        self.source, self.progress = source, progress
        here = Endpoint.objects.filter(tenant_id=tenant_id).values_list("id", flat=True)
        self.target = Target(tenant_id, by, now(), box, set(here))
        self.guesses = None if source.has_jobs else Guesses(self.target)
        self.taken: Counter[str] = Counter()
        self.there: Counter[str] = Counter()
        self.faults: list[str] = []
        self.disabled: list[UUID] = []
        self.new_jobs: set[UUID] = set()
        self.owed: set[lanes.Place] = set()

    def run(self) -> None:
        for kind, items in groupby(self.source.items(), lambda item: item.kind):
            self._take_kind(kind, items)
        if self.guesses:
            self._store_guesses(self.guesses)
        if self.faults:
            raise NotTakenIn(self.faults)
        routing.changed(self.target.tenant_id)
        lanes.ring(self.owed)
        audit.record(self.target.tenant_id, self.target.by, "tenant.imported", **self.taken)

    def _take_kind(self, kind: str, items: Iterator[Item]) -> None:
        seen = 0
        while some := list(islice(items, AT_ONCE)):
            if kind not in ROWS:
                raise BadSource(f"{some[0].place} is of no kind that is known here: {kind}.")
            rows = {item.place: row for item in some if (row := self._row(kind, item))}
            self._take(kind, rows)
            seen += len(some)
            self.progress(kind, seen, 0)
        self.progress(kind, seen, 1)

    def _row(self, kind: str, item: Item) -> Any:
        try:
            return ROWS[kind][1](item, self.target)
        except Invalid as fault:
            self.faults.append(f"{item.place}: {fault.detail}.")
            return None

    def _take(self, kind: str, rows: Mapping[str, Any]) -> None:
        match kind:
            case "dlq" if self.guesses:  # stored with their jobs
                for letter in rows.values():
                    self.guesses.add_letter(letter)
                return
            case "dlq":  # an old one may have been sent again since
                rows = {place: letter for place, letter in rows.items() if letter.job_id in self.new_jobs}
            case "deliveries" if self.guesses:
                for attempt in rows.values():
                    self.guesses.add_attempt(attempt)
        self._store(kind, rows)

    def _store(self, kind: str, rows: Mapping[str, Any]) -> list[Any]:
        """Those that were not there."""
        model, ids = ROWS[kind][0], [row.pk for row in rows.values()]
        owners = dict(model._default_manager.filter(pk__in=ids).values_list("pk", "tenant_id"))
        for place, row in rows.items():
            if owners.get(row.pk, self.target.tenant_id) != self.target.tenant_id:
                self.faults.append(f"{place}: its id is in use by another tenant.")
        new = list({row.pk: row for row in rows.values() if row.pk not in owners}.values())
        if not self.faults:
            model._default_manager.bulk_create(new)
            self._follow(kind, new)
        self.taken[kind] += len(new)
        self.there[kind] += len(rows) - len(new)
        return new

    def _follow(self, kind: str, new: list[Any]) -> None:
        match kind:
            case "endpoints":
                lanes.open_lanes(new)
                self.disabled += [one.id for one in new if one.disabled_reason == set_up.SECRET_MISSING]
            case "events":
                self._keep_keys(new)
            case "jobs":
                self.new_jobs |= {job.id for job in new}
                owed = [job.endpoint_id for job in new if job.status == Job.Status.PENDING]
                self.owed |= {(endpoint_id, self.target.tenant_id) for endpoint_id in owed}

    def _keep_keys(self, events: Iterable[Event]) -> None:
        """A producer that repeats itself after the move is still noticed."""
        young = [event for event in events if event.created_at > self.target.now - IdempotencyKey.LIVES]
        keys = [
            IdempotencyKey(
                tenant_id=event.tenant_id,
                key=event.idempotency_key,
                event_id=event.id,
                created_at=event.created_at,
            )
            for event in young
            if event.idempotency_key is not None
        ]
        IdempotencyKey.objects.bulk_create(keys, ignore_conflicts=True)

    def _store_guesses(self, guesses: Guesses) -> None:
        jobs = guesses.jobs()
        while some := list(islice(jobs, AT_ONCE)):
            new = self._store("jobs", {f"job {job.id}": job for job in some})
            letters = filter(None, map(guesses.letter_of, new))
            self._store("dlq", {f"job {letter.job_id}": letter for letter in letters})
