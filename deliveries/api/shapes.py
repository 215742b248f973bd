"""The documents of the line as clients see them, for the API document. Views write them themselves."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from deliveries import models
from deliveries.models import Attempt
from deliveries.models.endpoints import PayloadFormat
from deliveries.why.waiting import Outcome
from hookline.openapi import Anything, Milliseconds, Open, Shape, Text

Id = serializers.UUIDField
Number = serializers.IntegerField

SECRET_HIDDEN = "Always `***` if there is one: a secret is only ever written."  # noqa: S105
KNOWN_ERRORS = "dns connect tls timeout blocked_address protocol redirect http_4xx http_5xx".split()


def many(shape: type[Shape]) -> Any:
    return shape(many=True)


# --- Events -------------------------------------------------------------------------------


class NewEvent(Open):
    """Fields that are not named here are kept too, delivered, and can be filtered by."""

    topic = serializers.CharField(help_text="Any text that is not empty. Dots part it into segments.")
    payload = Anything(required=False, help_text="Delivered byte for byte as it was sent.")
    data = Anything(  # type: ignore[assignment] # a serializer has a property of this name
        required=False, help_text="An older name of `payload`, kept under its own name."
    )
    idempotency_key = Text(
        required=False, allow_null=True, help_text="A repeat within 24 hours stores and delivers nothing."
    )
    occurred_at = Milliseconds(required=False, allow_null=True)


class Event(Open):
    id = Id()
    event_id = Id(help_text="The same as `id`.")
    tenant_id = Text()
    topic = Text()
    payload = Anything(required=False)
    occurred_at = Milliseconds()
    created_at = Milliseconds()
    idempotency_key = Text(required=False)
    payload_removed = Text(
        required=False,
        help_text="There only if the payload no longer is: `retention` or `expunged`. Other fields that the "
        "producer sent are gone with it, and the event cannot be delivered again.",
    )


class PublishedEvent(Event):
    job_ids = serializers.ListField(child=Id(), help_text="One for each subscription that matched.")


class Repeat(Shape):
    id = Id()
    event_id = Id()
    deduped = serializers.BooleanField(help_text="Always true.")


class EventPage(Shape):
    items = many(Event)
    count = Number()
    next_cursor = Text(required=False, help_text="Send it as `cursor` for the next page. Absent on the last.")
    cursor = Text(required=False, help_text="The same as `next_cursor`.")


class Clause(Shape):
    operator = Text(help_text="Such as `gte`. Empty for an object without an operator that is known.")
    path = Text(help_text="Where in the event it looks. Empty for an `and` or `or` with nothing in it.")
    wanted = Text(help_text="JSON, cut after 200 characters.")
    found = Text(allow_null=True, help_text="The same of what the event holds; null where it holds nothing.")


class Fate(Shape):
    endpoint_id = Id()
    subscription_id = Id(allow_null=True)
    topic_pattern = Text(allow_null=True)
    outcome = serializers.ChoiceField(choices=[str(outcome) for outcome in Outcome])
    detail = Text(help_text="Why, in sentences for people.")
    until = Milliseconds(allow_null=True, help_text="Until when it stays so, where that is known.")
    job_id = Id(allow_null=True, help_text="The newest job; null where none was made.")
    jobs = Number(help_text="How many there are. Replays make further ones.")
    matches = serializers.BooleanField(
        allow_null=True, help_text="Whether the event would match the subscription today."
    )
    clauses = many(Clause)


class FateList(Shape):
    items = many(Fate)
    count = Number()
    next_cursor = Text(required=False, help_text="Send it as `cursor` for the next page. Absent on the last.")


class NewEvents(Shape):
    events = serializers.ListField(child=NewEvent(), min_length=1, max_length=1000)


class Accepted(Shape):
    id = Id()
    event_id = Id()
    job_ids = serializers.ListField(child=Id())


class Rejected(Shape):
    error = Text()
    detail = Text()
    index = Number(help_text="Its place in the request, from 0.")


@extend_schema_field(PolymorphicProxySerializer("BatchItem", [Accepted, Repeat, Rejected], None))
class BatchItem(serializers.Field[Any, Any, Any, Any]):
    pass


class BatchResult(Shape):
    items = serializers.ListField(child=BatchItem(), help_text="In the order of the request.")
    count = Number()
    accepted = Number()
    deduped = Number()
    rejected = Number()


# --- Endpoints and subscriptions ----------------------------------------------------------


class Endpoint(Open):
    id = Id()
    endpoint_id = Id(help_text="The same as `id`.")
    tenant_id = Text()
    url = Text()
    enabled = serializers.BooleanField()
    timeout_ms = Number()
    max_in_flight = Number()
    rate_limit_rps = Number()
    headers = serializers.DictField(child=Text())
    payload_format = serializers.ChoiceField(choices=PayloadFormat.choices)
    created_at = Milliseconds()
    name = Text(required=False)
    description = Text(required=False)
    secret = Text(required=False, help_text=SECRET_HIDDEN)
    max_retries = Number(required=False)
    retry_schedule = serializers.ListField(
        required=False, child=serializers.FloatField(), help_text="Delays in seconds."
    )
    disabled_reason = Text(required=False)
    disabled_at = Milliseconds(required=False)
    failing_since = Milliseconds(
        required=False, help_text="Since when no attempt has succeeded. Absent else."
    )
    updated_at = Milliseconds(required=False)


class EndpointList(Shape):
    items = many(Endpoint)
    count = Number()
    ok = serializers.BooleanField()


class NewSecret(Shape):
    id = Id(help_text="The endpoint's.")
    secret = Text(help_text="Shown this once.")
    overlap_seconds = Number(help_text="How long the old secret signs beside the new one.")


class TestSent(Shape):
    event_id = Id()
    job_id = Id(help_text="Its attempts are at `/v1/deliveries?job_id=`.")


class Subscription(Open):
    id = Id()
    subscription_id = Id(help_text="The same as `id`.")
    tenant_id = Text()
    endpoint_id = Id()
    topic_pattern = Text()
    filter = Anything(required=False)
    transform = Anything(required=False)
    description = Text(required=False)
    created_at = Milliseconds()


class SubscriptionList(Shape):
    items = many(Subscription)
    count = Number()
    ok = serializers.BooleanField()


# --- Deliveries ---------------------------------------------------------------------------


class Delivery(Shape):
    attempt_id = Id()
    job_id = Id()
    event_id = Id()
    endpoint_id = Id()
    tenant_id = Text()
    attempt_n = Number(help_text="From 1 within a job.")
    status = serializers.ChoiceField(choices=Attempt.Status.choices)
    http_status = Number(help_text="0 if no answer came.")
    error = serializers.ChoiceField(choices=KNOWN_ERRORS, allow_null=True)
    error_detail = Text(help_text="A sentence for people, or nothing.")
    started_at = Milliseconds()
    duration_ms = Number()
    response_body = Text(required=False, help_text="Its first 4096 bytes.")


class DeliveryList(Shape):
    items = many(Delivery)
    count = Number()


class DeadLetter(Shape):
    id = Id(help_text="The same as `job_id`.")
    job_id = Id()
    event_id = Id()
    endpoint_id = Id()
    tenant_id = Text()
    reason = Text()
    attempt_count = Number()
    created_at = Milliseconds()
    failed_at = Milliseconds()


class DeadLetterList(Shape):
    items = many(DeadLetter)
    count = Number()
    ok = serializers.BooleanField()


class ReplayResult(Shape):
    event_id = Text()
    job_ids = serializers.ListField(required=False, child=Id())
    error = Text(required=False)


class Replay(Shape):
    replay_id = Id()
    replayed = Number(help_text="How many results there are.")
    scheduled = Number(help_text="How many of them have no error.")
    results = many(ReplayResult)


class EndpointShare(Shape):
    endpoint_id = Id()
    count = Number(help_text="Deliveries, or letters that are let go.")


class Preview(Shape):
    dry_run = serializers.BooleanField(help_text="Always true.")
    count = Number(help_text="Letters, or events that some endpoint gets again.")
    is_exact = serializers.BooleanField(help_text="False: there are at least so many.")
    deliveries = Number()
    oldest = Milliseconds(allow_null=True)
    newest = Milliseconds(allow_null=True, help_text="Null, too, where it is not exact.")
    by_endpoint = serializers.ListField(child=EndpointShare(), help_text="Those with most, up to 20.")


class ReplayList(Shape):
    items = many(Replay)


class Run(Shape):
    id = Id()
    tenant_id = Text()
    verb = serializers.ChoiceField(choices=models.Run.Verb.values)
    state = serializers.ChoiceField(choices=models.Run.State.values)
    selection = serializers.DictField(help_text="The fields that narrow it, as they were sent.")
    rate = Number(help_text="Deliveries a second at most, or letters that are let go.")
    total = Number(help_text="What there was to do at its start.")
    is_exact = serializers.BooleanField(help_text="False: `total` is at least so many.")
    done = Number(help_text="Letters, or events.")
    skipped = Number(help_text="Those that nothing was to be done with, or could be.")
    deliveries = Number(help_text="Those that were made, or made due.")
    held_because = Text(allow_null=True)
    last_error = Text(allow_null=True)
    asked_by = Text()
    created_at = Milliseconds()
    started_at = Milliseconds(allow_null=True)
    finished_at = Milliseconds(allow_null=True)


class RunList(Shape):
    items = many(Run)


# --- The development inbox ----------------------------------------------------------------


class NewInbox(Shape):
    token = Text()
    receive_url = Text(help_text="The `url` of an endpoint that is to deliver here.")


class InboxMessage(Shape):
    id = Text()
    token = Text()
    body = Text()
    headers = serializers.DictField(child=Text(), help_text="Names are in lower case.")
    received_at = Milliseconds()


class InboxMessageList(Shape):
    items = many(InboxMessage)
    count = Number()


# --- Administration -----------------------------------------------------------------------


class Ok(Shape):
    ok = serializers.BooleanField()


class Done(Ok):
    message = Text()


class Paused(Ok):
    paused = serializers.BooleanField()


class Queue(Shape):
    pending = Number()
    inflight = Number()


class Compaction(Shape):
    last_run_at = Milliseconds(help_text="0 if it never ran.")
    segments_deleted = Number(help_text="Events that were removed.")
    duration_ms = Number()


class Stats(Shape):
    queue = Queue()
    compaction = Compaction()


class AuditEntry(Shape):
    id = Id()
    tenant_id = Text()
    actor = Text()
    action = Text(help_text="Such as `endpoint.created`.")
    target = Text()
    metadata = serializers.DictField()
    ts = Milliseconds()


class AuditEntryList(Shape):
    items = many(AuditEntry)
    count = Number()


class NotBuilt(Shape):
    error = Text()
    message = Text(required=False)
