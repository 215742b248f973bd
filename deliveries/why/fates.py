"""What became of an event at every subscription of every endpoint of its tenant.

Asked for some endpoints at a time, in a number of queries that does not depend on how many.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from deliveries import documents, pausing, stats
from deliveries.models import Attempt, DeadLetter, Endpoint, Event, Job, Lane, Subscription
from deliveries.rules.values import Document
from deliveries.why.matching import Match, match
from deliveries.why.waiting import Case, Line, Outcome, State, state_of
from hookline.database import now

MOST_JOBS = 2000
# Of one endpoint, beside those that the event has jobs for.
MOST_SUBSCRIPTIONS = 20
NO_SUBSCRIPTION = State(Outcome.NOT_SENT, "It has no subscription, so that no event reaches it.")
SUBSCRIBED_LATER = "It matches, but was subscribed after the event came. A replay sends it."
PASSED_OVER = "It matches, but no job was made for it when the event came. A replay sends it."
UNKNOWN = "Its topic matches. What its filter said cannot be told any more, since the payload was removed."

Route = tuple[UUID, UUID | None]


@dataclass(frozen=True, slots=True)
class Fate:
    """At one subscription of one endpoint. `job` is the newest of `jobs`: replays make further ones.

    `endpoint` is None if it was deleted, and `subscription` if it is forgotten, if there is none, or
    if the job was made for the endpoint alone. `match` is how the event would fare today, and
    `is_repeatable` whether a replay would make a job.
    """

    endpoint_id: UUID
    endpoint: Endpoint | None
    subscription: Subscription | None
    state: State
    match: Match | None = None
    job: Job | None = None
    jobs: int = 0
    is_repeatable: bool = False


def at(event: Event, endpoint_ids: Collection[UUID]) -> list[Fate]:
    """The event's fates at these endpoints, in their order."""
    facts = _Facts(event, endpoint_ids)
    return [fate for id in dict.fromkeys(endpoint_ids) for fate in facts.fates(id)]


def of_job(job: Job) -> State:
    """What becomes of one job, whose event may be gone; without what its latest attempt came to."""
    endpoint = Endpoint.objects.filter(id=job.endpoint_id).first()
    lane = Lane.objects.filter(endpoint_id=job.endpoint_id).first()
    letter = DeadLetter.objects.filter(job_id=job.id).first()
    return state_of(Case(job, endpoint, lane, None, letter), _line())


def of_queue(endpoint: Endpoint) -> tuple[Job, State] | None:
    """The job that is next in line for an endpoint and what it waits for; None if none waits."""
    waiting = Job.objects.filter(
        tenant_id=endpoint.tenant_id, endpoint_id=endpoint.id, status=Job.Status.PENDING
    )
    job = waiting.order_by("next_attempt_at").first()
    return (job, of_job(job)) if job else None


def page(event: Event, after: UUID | None, most: int) -> tuple[list[Fate], UUID | None]:
    """The fates at some endpoints at a time, and the endpoint to ask for the next ones after: first at
    those that the event has jobs for, then at the others of its tenant, each in the order of their ids."""
    reached, others = _reached(event), passed_over(event).values_list("id", flat=True)
    if after is None:
        ids = list(reached[: most + 1])
    elif reached.filter(endpoint_id=after).exists():
        ids = list(reached.filter(endpoint_id__gt=after)[: most + 1])
    else:
        ids, others = [], others.filter(id__gt=after)
    ids += others[: most + 1 - len(ids)]
    return at(event, ids[:most]), ids[most - 1] if len(ids) > most else None


def _reached(event: Event) -> "QuerySet[Job, UUID]":
    jobs = Job.objects.filter(event_id=event.id, tenant_id=event.tenant_id)
    return jobs.order_by("endpoint_id").values_list("endpoint_id", flat=True).distinct()


def passed_over(event: Event) -> "QuerySet[Endpoint]":
    """The tenant's endpoints that the event has no job for."""
    jobs = Job.objects.filter(event_id=event.id)
    others = Endpoint.objects.exclude(id__in=jobs.values("endpoint_id"))
    return others.filter(tenant_id=event.tenant_id).order_by("id")


class _Facts:
    """The rows that bear upon an event at some endpoints, each table read once or twice."""

    def __init__(self, event: Event, endpoint_ids: Collection[UUID]) -> None:
        self.event = event
        self.document = Document(lambda: documents.fields_of(event))
        self.line = _line()
        ours = Endpoint.objects.filter(tenant_id=event.tenant_id)
        self.endpoints = ours.in_bulk(list(endpoint_ids))
        jobs = _latest_jobs(event, endpoint_ids)
        self.jobs: dict[Route, Job] = {(job.endpoint_id, job.subscription_id): job for job in jobs}
        self.states = {case.job.id: state_of(case, self.line) for case in _cases(jobs, self.endpoints)}
        self.subscriptions: defaultdict[UUID, dict[UUID, Subscription]] = defaultdict(dict)
        for subscription in _subscriptions(event, endpoint_ids, jobs):
            self.subscriptions[subscription.endpoint_id][subscription.id] = subscription

    def fates(self, endpoint_id: UUID) -> Iterator[Fate]:
        """First where there is a job, and then where there is none."""
        endpoint, subscriptions = self.endpoints.get(endpoint_id), self.subscriptions[endpoint_id]
        sent = [job for route, job in self.jobs.items() if route[0] == endpoint_id]
        for job in sent:
            subscription = subscriptions.get(job.subscription_id) if job.subscription_id else None
            n: int = job.n  # type: ignore[attr-defined]
            yield self._fate(endpoint_id, subscription, self.states[job.id], job, n)
        for subscription in subscriptions.values():
            if (endpoint_id, subscription.id) not in self.jobs:
                yield self._fate(endpoint_id, subscription, self._not_sent(subscription))
        if endpoint and not sent and not subscriptions:
            yield Fate(endpoint_id, endpoint, None, NO_SUBSCRIPTION)

    def _fate(
        self,
        endpoint_id: UUID,
        subscription: Subscription | None,
        state: State,
        job: Job | None = None,
        jobs: int = 0,
    ) -> Fate:
        endpoint = self.endpoints.get(endpoint_id)
        if subscription is None:
            return Fate(endpoint_id, endpoint, None, state, None, job, jobs)
        found = self._match(subscription)
        is_repeatable = found.holds and not subscription.deleted_at and not self.event.payload_removed
        return Fate(endpoint_id, endpoint, subscription, state, found, job, jobs, is_repeatable)

    def _match(self, subscription: Subscription) -> Match:
        filter = None if self.event.payload_removed else subscription.filter
        return match(subscription.topic_pattern, filter, self.event.topic, self.document)

    def _not_sent(self, subscription: Subscription) -> State:
        found = self._match(subscription)
        if not found.holds:
            return State(Outcome.NOT_SENT, found.sentence)
        if subscription.filter and self.event.payload_removed:
            return State(Outcome.NOT_SENT, UNKNOWN)
        is_later = subscription.created_at >= self.event.created_at
        return State(Outcome.NOT_SENT, SUBSCRIBED_LATER if is_later else PASSED_OVER)


def _line() -> Line:
    has_workers = any(process.delivers for process in stats.processes())
    return Line(now(), pausing.is_paused(), has_workers)


def _latest_jobs(event: Event, endpoint_ids: Collection[UUID]) -> list[Job]:
    """The newest job of the event for each route to these endpoints, with `n`, how many there are."""
    route = [F("endpoint_id"), F("subscription_id")]
    jobs = Job.objects.filter(event_id=event.id, tenant_id=event.tenant_id, endpoint_id__in=endpoint_ids)
    placed = jobs.annotate(
        place=Window(RowNumber(), partition_by=route, order_by=F("id").desc()),
        n=Window(Count("id"), partition_by=route),
    )
    return list(placed.filter(place=1).order_by("-id")[:MOST_JOBS])


def _subscriptions(
    event: Event, endpoint_ids: Collection[UUID], jobs: Iterable[Job]
) -> Iterator[Subscription]:
    """Those of the jobs, and of each endpoint the first that were there when the event came or came
    since."""
    all_columns = Subscription.objects.defer("transform", "extra")
    yield from all_columns.in_bulk({job.subscription_id for job in jobs if job.subscription_id}).values()
    was_there = Q(deleted_at=None) | Q(deleted_at__gt=event.created_at)
    found = all_columns.filter(was_there, tenant_id=event.tenant_id, endpoint_id__in=endpoint_ids)
    place = Window(RowNumber(), partition_by=F("endpoint_id"), order_by=F("id").asc())
    yield from found.annotate(place=place).filter(place__lte=MOST_SUBSCRIPTIONS).order_by("id")


def _cases(jobs: Collection[Job], endpoints: dict[UUID, Endpoint]) -> Iterator[Case]:
    ids = [job.id for job in jobs]
    lanes = Lane.objects.in_bulk({job.endpoint_id for job in jobs})
    letters = DeadLetter.objects.in_bulk(ids)
    latest = Attempt.objects.filter(job_id__in=ids, attempt_n=F("job__attempt_count"))
    attempts = {attempt.job_id: attempt for attempt in latest.defer("response_body", "response_headers")}
    for job in jobs:
        endpoint, lane = endpoints.get(job.endpoint_id), lanes.get(job.endpoint_id)
        yield Case(job, endpoint, lane, attempts.get(job.id), letters.get(job.id))
