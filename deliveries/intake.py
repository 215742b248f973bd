"""Publishes events: matches them and writes them with their jobs, all or nothing.

A return means committed. Events that several threads publish at the same time are one commit.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain, groupby
from operator import itemgetter
from uuid import UUID

from msgspec import Struct

from deliveries import documents
from deliveries.documents import Draft, Stored
from deliveries.models import IdempotencyKey
from deliveries.queue.enqueue import NewJob, enqueue
from deliveries.routing import Routes
from deliveries.rules.values import Document
from hookline import failpoints
from hookline.ids import uuid7
from hookline.times import milliseconds
from hookline.together import Together

# A large batch is a commit of its own: nobody else is to wait for it.
MOST_TOGETHER = 50

# A tenant and one of its idempotency keys.
Key = tuple[str, str]


class Accepted(Struct, frozen=True):
    """A draft that became an event, with the jobs it made."""

    event: Stored
    jobs: list[NewJob]

    @property
    def key(self) -> Key | None:
        key = self.event.idempotency_key
        return None if key is None else (self.event.tenant_id, key)


class Repeat(Struct, frozen=True):
    """A draft whose idempotency key already stood for this event."""

    event_id: UUID


Publication = Sequence[Accepted]
Result = Accepted | Repeat


def publish(tenant_id: str, routes: Routes, drafts: Sequence[Draft]) -> list[Result]:
    """Stores the drafts in one transaction. The results stand in the order of the drafts."""
    publication = [_accepted(_stored(tenant_id, draft), routes) for draft in drafts]
    return _at_once.do(publication) if len(drafts) <= MOST_TOGETHER else _store([publication])[0]


def original_of(tenant_id: str, key: str) -> UUID | None:
    """The event that this idempotency key stands for, if it still lives."""
    mine = IdempotencyKey.objects.alive().filter(tenant_id=tenant_id, key=key)
    return mine.values_list("event_id", flat=True).first()


def match(event: Stored, routes: Routes) -> list[NewJob]:
    """A new job for each subscription that the event matches."""
    document = Document(lambda: documents.fields_of(event))
    return [
        NewJob(uuid7(), event.tenant_id, event.id, route.endpoint_id, route.subscription_id)
        for route in routes.match(event.topic, document)
    ]


def _stored(tenant_id: str, draft: Draft) -> Stored:
    now = datetime.now(UTC)
    occurred_at = milliseconds(now) if draft.occurred_at is None else draft.occurred_at
    return Stored(
        uuid7(), tenant_id, draft.topic, draft.payload, draft.extra, draft.idempotency_key, occurred_at, now
    )


def _accepted(event: Stored, routes: Routes) -> Accepted:
    return Accepted(event, match(event, routes))


def _store(publications: Sequence[Publication]) -> list[list[Result]]:
    """Writes what several publishers bring. The first to use a key has it."""
    firsts: dict[Key, UUID] = {}
    for accepted in chain(*publications):
        if accepted.key:
            firsts.setdefault(accepted.key, accepted.event.id)
    new = [one for one in chain(*publications) if not one.key or firsts[one.key] == one.event.id]
    failpoints.reach("publish_before_commit")
    repeated = enqueue([one.event for one in new], [job for one in new for job in one.jobs])
    failpoints.reach("publish_after_commit")
    owners = firsts | _owners(key for key, event_id in firsts.items() if event_id in repeated)
    return [[_result(one, owners) for one in publication] for publication in publications]


_at_once: Together[Publication, list[Result]] = Together(_store, MOST_TOGETHER)


def _owners(keys: Iterable[Key]) -> dict[Key, UUID]:
    """The events that these keys stand for."""
    owners: dict[Key, UUID] = {}
    for tenant_id, ours in groupby(sorted(keys), key=itemgetter(0)):
        found = IdempotencyKey.objects.filter(tenant_id=tenant_id, key__in=[key for _, key in ours])
        owners |= {(tenant_id, key): event_id for key, event_id in found.values_list("key", "event_id")}
    return owners


def _result(accepted: Accepted, owners: dict[Key, UUID]) -> Result:
    owner = owners[accepted.key] if accepted.key else accepted.event.id
    return accepted if owner == accepted.event.id else Repeat(owner)
