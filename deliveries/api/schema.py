"""How each view of the line is told in the API document: one name here per view."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    PolymorphicProxySerializer,
    extend_schema,
    extend_schema_view,
)

from deliveries import fields
from deliveries.api import shapes
from hookline.openapi import Fault, Optional, operation, parameter

REMOVED = {204: None}
PATTERN = "A topic or a pattern such as `orders.*` or `orders.#`."
ID_MISSING = operation("", "Refused: the path must name an id", {400: Fault})
TRACE = [
    parameter(name, str, "Kept with the event and sent along with each delivery.", location="header")
    for name in ("traceparent", "tracestate")
]


def limit(default: int, beyond: int) -> OpenApiParameter:
    meaning = f"How many items. Other numbers mean {beyond}, anything else {default}."
    return parameter("limit", {"type": "integer", "minimum": 1, "maximum": 1000}, meaning, default=default)


def only(name: str) -> OpenApiParameter:
    return parameter(name, OpenApiTypes.UUID, "Only what belongs to this one.")


def bound(name: str, meaning: str) -> OpenApiParameter:
    return parameter(name, OpenApiTypes.INT64, f"{meaning}, in milliseconds since 1970; 0 means no bound.")


# --- Events -------------------------------------------------------------------------------

events = extend_schema_view(
    get=operation(
        "list_events",
        "List events, oldest first",
        {200: shapes.EventPage},
        query=[
            limit(50, 50),
            parameter("cursor", str, "`next_cursor` of the page before."),
            parameter("after_id", OpenApiTypes.UUID, "Begins after this event; wins over `cursor`."),
            bound("from_ms", "Earliest `occurred_at`"),
            bound("to_ms", "Latest `occurred_at`"),
            parameter("topic", str, PATTERN),
        ],
    ),
    post=operation(
        "publish_event",
        "Publish an event",
        {201: shapes.PublishedEvent, 200: shapes.Repeat},
        body=shapes.NewEvent,
        query=TRACE,
        faults=[429],
        description="201 means that the event and its deliveries are stored for good. 200 means that its "
        "idempotency key was used within the last 24 hours; nothing was stored then.",
    ),
)
event_batch = extend_schema_view(
    post=operation(
        "publish_events",
        "Publish up to 1,000 events",
        {201: shapes.BatchResult},
        body=shapes.NewEvents,
        query=TRACE,
        faults=[429],
        description="All are stored in one transaction. One that is refused spoils no other.",
    )
)
event = extend_schema_view(get=operation("get_event", "Read an event", {200: shapes.Event}))
event_fates = extend_schema_view(
    get=operation(
        "explain_event",
        "Tell why endpoints got an event, or why not",
        {200: shapes.FateList},
        query=[
            only("endpoint_id"),
            limit(50, 50),
            parameter("cursor", OpenApiTypes.UUID, "`next_cursor` of the page before."),
        ],
        description="One item for each subscription of each endpoint: delivered, on its way and waiting for "
        "what, given up, or not sent, with the segment of the topic or the clause of the filter that did "
        "not match. Endpoints that the event was sent to come first. The limit is of endpoints.",
    )
)

# --- Endpoints and subscriptions ----------------------------------------------------------

endpoints = extend_schema_view(
    get=operation("list_endpoints", "List endpoints", {200: shapes.EndpointList}),
    post=operation(
        "create_endpoint", "Create an endpoint", {201: shapes.Endpoint}, body=fields.EndpointFields
    ),
    patch=ID_MISSING,
    delete=ID_MISSING,
)
endpoint = extend_schema_view(
    get=operation("get_endpoint", "Read an endpoint", {200: shapes.Endpoint}),
    patch=operation(
        "update_endpoint",
        "Change an endpoint",
        {200: shapes.Endpoint},
        body=fields.EndpointFields,
        description="Fields that are left out stay; null puts one back to its default. Deliveries that "
        "already wait follow the change too.",
    ),
    delete=operation(
        "delete_endpoint",
        "Delete an endpoint",
        REMOVED,
        description="Its subscriptions go too, and what still waits becomes dead letters.",
    ),
)
secret_rotation = extend_schema_view(
    post=operation(
        "rotate_endpoint_secret",
        "Make a new secret",
        {200: shapes.NewSecret},
        body=Optional(fields.RotationFields),
        description="Until the overlap ends, deliveries carry the signatures of both secrets.",
    )
)
endpoint_test = extend_schema_view(
    post=operation(
        "test_endpoint",
        "Send a test event",
        {201: shapes.TestSent},
        faults=[409, 429],
        description="An event on topic `hookline.test` for this endpoint alone, whatever it subscribes to. "
        "One that is disabled answers 409.",
    )
)
subscriptions = extend_schema_view(
    get=operation(
        "list_subscriptions",
        "List subscriptions",
        {200: shapes.SubscriptionList},
        query=[only("endpoint_id")],
    ),
    post=operation(
        "create_subscription",
        "Create a subscription",
        {201: shapes.Subscription},
        body=fields.SubscriptionFields,
        faults=[404],
        description="It holds for the very next event.",
    ),
    delete=ID_MISSING,
)
subscription = extend_schema_view(
    get=operation("get_subscription", "Read a subscription", {200: shapes.Subscription}),
    delete=operation(
        "delete_subscription",
        "Delete a subscription",
        REMOVED,
        description="Deliveries that it has caused already are still made.",
    ),
)

# --- Deliveries ---------------------------------------------------------------------------

deliveries = extend_schema_view(
    get=operation(
        "list_deliveries",
        "List delivery attempts, oldest first",
        {200: shapes.DeliveryList},
        query=[
            limit(50, 100),
            only("event_id"),
            only("endpoint_id"),
            only("job_id"),
            parameter("status", str, "`failed` means `failure`.", enum=["success", "failure", "failed"]),
        ],
    )
)
delivery = extend_schema_view(
    get=operation("get_delivery", "Read a delivery attempt", {200: shapes.Delivery})
)
dead_letters = extend_schema_view(
    get=operation(
        "list_dead_letters",
        "List dead letters, newest first",
        {200: shapes.DeadLetterList},
        query=[only("endpoint_id")],
    ),
    delete=ID_MISSING,
)
dead_letter = extend_schema_view(
    get=operation("get_dead_letter", "Read a dead letter", {200: shapes.DeadLetter}),
    delete=operation("delete_dead_letter", "Delete a dead letter for good", REMOVED),
)
requeue = extend_schema_view(
    post=operation(
        "requeue_dead_letter",
        "Deliver a dead letter after all",
        {200: shapes.Ok},
        description="Its job is due at once, with as many attempts as a new one.",
    )
)
replays = extend_schema_view(
    get=operation("list_replays", "List the latest replays", {200: shapes.ReplayList}),
    post=operation(
        "replay_events",
        "Deliver past events again",
        {200: PolymorphicProxySerializer("ReplayOrPreview", [shapes.Replay, shapes.Preview], None)},
        body=fields.ReplayFields,
        faults=[404, 409],
        description="The events are those of `event_id` or `event_ids`, or else the first ones that the "
        "other fields select. Each is matched against the subscriptions of today. An event whose payload "
        "was removed is not delivered: its result has an `error`, and alone it is refused with 409.",
    ),
)
replay = extend_schema_view(get=operation("get_replay", "Read a replay", {200: shapes.Replay}))

# --- The development inbox ----------------------------------------------------------------

INBOX = "Answers 404 where `HL_DEV_INBOX` is off."
TOKEN = [
    parameter("token", str, "The inbox. A key cannot be given in the query here."),
    parameter("endpoint_id", str, "An older name of `token`."),
]
NEWEST = parameter(
    "limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "Only so many, the newest; all if not given."
)
MESSAGES = {200: shapes.InboxMessageList}

inbox = extend_schema_view(
    get=operation(
        "list_inbox",
        "List what arrived, oldest first",
        MESSAGES,
        query=[*TOKEN, NEWEST],
        faults=[404],
        description=INBOX,
    ),
    post=operation("create_inbox", "Make an inbox", {201: shapes.NewInbox}, faults=[404], description=INBOX),
)
inbox_messages = extend_schema_view(
    get=operation(
        "list_inbox_messages",
        "List what arrived, oldest first",
        MESSAGES,
        query=[*TOKEN, NEWEST],
        faults=[404],
        description=INBOX,
    )
)
inbox_message = extend_schema_view(
    get=operation(
        "get_inbox_message",
        "Read what arrived",
        {200: shapes.InboxMessage},
        query=TOKEN,
        description=INBOX,
    )
)
inbox_receive = extend_schema_view(
    post=operation(
        "receive_in_inbox",
        "Take a delivery",
        {200: shapes.Ok},
        body=Optional(OpenApiTypes.ANY),
        description=f"Any body will do, of any content type. {INBOX}",
    )
)
inbox_page = extend_schema_view(
    get=operation(
        "open_inbox_page",
        "Open the inbox in a browser",
        {(200, "text/html"): str},
        query=TOKEN[:1],
        faults=[404],
        description=INBOX,
    )
)

# --- Administration -----------------------------------------------------------------------

stats = extend_schema_view(
    get=operation("get_stats", "Count what waits and what is under way", {200: shapes.Stats})
)
compact = extend_schema_view(post=operation("compact", "Remove old events soon", {202: shapes.Done}))
pause_claims = extend_schema_view(
    post=operation("pause_deliveries", "Hold all deliveries of all tenants", {200: shapes.Paused})
)
resume_claims = extend_schema_view(post=operation("resume_deliveries", "Deliver again", {200: shapes.Paused}))
rotate_secrets = extend_schema_view(
    post=operation(
        "reencrypt_secrets",
        "Encrypt all endpoint secrets with the current master key",
        {200: shapes.Done},
        faults=[409],
        description="Refused with 409 if some are encrypted with a key that the server was not given; all "
        "others are encrypted anew even then.",
    )
)
audit = extend_schema_view(
    get=operation(
        "list_audit_entries",
        "List who changed what, newest first",
        {200: shapes.AuditEntryList},
        query=[limit(100, 100), parameter("tenant_id", str, "Only this tenant's.")],
    )
)
stream = extend_schema_view(
    get=operation(
        "stream",
        "Listen to events and delivery results",
        {(200, "text/event-stream"): str},
        query=[parameter("topic", str, "A topic pattern; everything by default.")],
        faults=[503],
        description=(
            "Server-Sent Events, named by their topic. Results come under `deliveries.status`. With the "
            "header `Last-Event-ID`, up to 200 events that followed that one come first."
        ),
    )
)
uploads = extend_schema(summary="Not built yet", request=None, responses={501: shapes.NotBuilt})
