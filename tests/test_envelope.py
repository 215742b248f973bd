"""The request that a receiver gets, down to the byte."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import standardwebhooks

from deliveries.documents import Stored
from deliveries.models import Endpoint
from deliveries.sending.envelope import seal
from deliveries.targets import target_of
from deliveries.work import ClaimedJob, Request
from hookline import __version__

EVENT_ID = UUID("0190b5a4-7c1e-7000-8000-0123456789ab")
JOB_ID = UUID("0190b5a4-7c1e-7000-8000-00000000aaaa")
ATTEMPT_ID = UUID("0190b5a4-7c1e-7000-8000-00000000bbbb")
NOW = datetime(2026, 2, 3, 4, 5, 6, 789_999, tzinfo=UTC)
NOW_MS = 1770091506789

PAYLOAD = r'{"n":1.50,"big":12345678901234567890123,"x":1,"x":2,"e":"\u00e9\/ü","half":"\ud83d", "s" : [ ]}'
EXTRA = (
    r'{"data":{"b":2,"a":1.0},"_trace":{"traceparent":"00-ab-cd-01","tracestate":"a=1"},"colour":"r\u0065d"}'
)
DOCUMENT = (
    f'{{"id":"{EVENT_ID}","event_id":"{EVENT_ID}","tenant_id":"acme","topic":"orders.paid","payload":{PAYLOAD},'
    f'"occurred_at":1700000000123,"created_at":1770000000000,"idempotency_key":"k-1",{EXTRA[1:]}'
)


def event(**fields: Any) -> Stored:
    given: dict[str, Any] = {
        "id": EVENT_ID,
        "tenant_id": "acme",
        "topic": "orders.paid",
        "payload": PAYLOAD,
        "extra": EXTRA,
        "idempotency_key": "k-1",
        "occurred_at": 1700000000123,
        "created_at": datetime(2026, 2, 2, 2, 40, tzinfo=UTC),
    }
    return Stored(**given | fields)


def endpoint(**fields: Any) -> Endpoint:
    return Endpoint(**{"url": "https://acme.example/hooks?key=1", "timeout_ms": 5000} | fields)


def sealed(stored: Stored, to: Endpoint, transform: str | None = None, attempts_before: int = 0) -> Request:
    job = ClaimedJob(
        id=JOB_ID,
        claim_id=JOB_ID,
        tenant_id="acme",
        event_id=stored.id,
        endpoint_id=to.id,
        attempt_count=attempts_before,
        forgiven_count=0,
        lost_count=0,
        lease_until=NOW,
        event=stored,
        target=target_of(to),
        transform=transform,
    )
    return seal(job, ATTEMPT_ID, NOW)


def headers_of(request: Request) -> dict[str, str]:
    pairs = [line.partition(": ")[::2] for line in request.headers]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_the_envelope_holds_the_event_byte_for_byte() -> None:
    request = sealed(event(), endpoint(), attempts_before=2)

    assert request.body.decode() == (
        f'{{"hookline_version":"1","job_id":"{JOB_ID}","event_id":"{EVENT_ID}","attempt_id":"{ATTEMPT_ID}",'
        f'"attempt":3,"event":{DOCUMENT}}}'
    )
    assert (request.url, request.timeout_ms) == ("https://acme.example/hooks?key=1", 5000)


def test_an_endpoint_may_choose_the_event_alone() -> None:
    assert sealed(event(), endpoint(payload_format="event")).body.decode() == DOCUMENT


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        ({}, PAYLOAD),
        ({"payload": None}, '{"b":2,"a":1.0}'),
        ({"payload": None, "extra": None}, "null"),
        ({"payload": "null"}, "null"),
        ({"payload": "0"}, "0"),
    ],
)
def test_an_endpoint_may_choose_the_shape_of_standard_webhooks(fields: dict[str, Any], data: str) -> None:
    body = sealed(event(**fields), endpoint(payload_format="standard")).body.decode()
    assert body == f'{{"type":"orders.paid","timestamp":"2023-11-14T22:13:20.123Z","data":{data}}}'


@pytest.mark.parametrize(
    ("occurred_at", "timestamp"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (253402300799999, "9999-12-31T23:59:59.999Z"),
        (253402300800000, "2026-02-02T02:40:00.000Z"),
        (2**63 - 1, "2026-02-02T02:40:00.000Z"),
        (-(2**63), "2026-02-02T02:40:00.000Z"),
    ],
)
def test_a_time_outside_the_calendar_becomes_that_of_the_publication(
    occurred_at: int, timestamp: str
) -> None:
    body = sealed(event(occurred_at=occurred_at), endpoint(payload_format="standard")).body
    assert json.loads(body)["timestamp"] == timestamp


def test_an_event_without_optional_fields_has_none_of_them() -> None:
    bare = event(payload=None, extra=None, idempotency_key=None)
    document = json.loads(sealed(bare, endpoint(payload_format="event")).body)
    assert list(document) == ["id", "event_id", "tenant_id", "topic", "occurred_at", "created_at"]


def test_a_transform_changes_the_body_and_no_header() -> None:
    transform = """[{"op":"set_field","field":"topic","value":"other"},{"op":"remove_field","field":"_trace"},
        {"op":"set_field","field":"id","value":1.0},{"op":"remove_field","field":"payload"}]"""
    plain, changed = sealed(event(), endpoint()), sealed(event(), endpoint(), transform)

    expected = DOCUMENT.replace(f'"id":"{EVENT_ID}"', '"id":1.0', 1).replace(f'"payload":{PAYLOAD},', "")
    expected = expected.replace('"orders.paid"', '"other"').replace(
        '"_trace":{"traceparent":"00-ab-cd-01","tracestate":"a=1"},', ""
    )
    assert changed.body.decode().endswith(f'"event":{expected}}}')
    assert changed.headers == plain.headers


def test_the_standard_shape_is_made_of_the_transformed_event() -> None:
    transform = """[{"op":"rename_field","from":"colour","to":"topic"},
        {"op":"remove_field","field":"payload"},{"op":"set_field","field":"data","value":[1.0]}]"""
    body = sealed(event(), endpoint(payload_format="standard"), transform).body
    assert body.endswith(rb',"data":[1.0]}')
    assert body.startswith(rb'{"type":"r\u0065d",')


def test_every_delivery_carries_these_headers() -> None:
    assert headers_of(sealed(event(), endpoint(), attempts_before=4)) == {
        "content-type": "application/json",
        "user-agent": f"HookLine/{__version__}",
        "x-hl-event-id": str(EVENT_ID),
        "x-hookline-event-id": str(EVENT_ID),
        "x-hl-topic": "orders.paid",
        "x-hl-delivery-id": str(ATTEMPT_ID),
        "x-hookline-delivery-id": str(ATTEMPT_ID),
        "x-hl-timestamp": str(NOW_MS),
        "x-hookline-timestamp": str(NOW_MS),
        "x-hookline-attempt": "5",
        "traceparent": "00-ab-cd-01",
        "tracestate": "a=1",
    }


@pytest.mark.parametrize("payload_format", ["envelope", "event", "standard"])
def test_a_secret_signs_the_body_in_both_ways(payload_format: str) -> None:
    signed = endpoint(payload_format=payload_format)
    signed.secret = "whsec_b2YgYWNtZQ=="

    request = sealed(event(), signed)

    headers = headers_of(request)
    expected = hmac.new(signed.secret.encode(), b"%d." % NOW_MS + request.body, hashlib.sha256).hexdigest()
    assert headers["x-hl-signature"] == f"v1={expected}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (str(EVENT_ID), str(NOW_MS // 1000))
    again = standardwebhooks.Webhook(signed.secret).sign(
        str(EVENT_ID), datetime.fromtimestamp(NOW_MS // 1000, UTC), request.body.decode()
    )
    assert headers["webhook-signature"] == again


def test_an_endpoint_without_a_secret_is_not_signed() -> None:
    names = headers_of(sealed(event(), endpoint())).keys()
    assert not {"x-hl-signature", "webhook-id", "webhook-timestamp", "webhook-signature"} & names


@pytest.mark.parametrize(("overlap_left", "signatures"), [(timedelta(seconds=1), 2), (timedelta(0), 1)])
def test_the_old_secret_signs_until_its_overlap_ends(overlap_left: timedelta, signatures: int) -> None:
    rotated = endpoint()
    rotated.secret = "the old one"
    rotated.rotate_secret("the new one", NOW + overlap_left)

    headers = headers_of(sealed(event(), rotated))

    assert len(headers["webhook-signature"].split(" ")) == signatures
    body = sealed(event(), rotated).body
    new = hmac.new(b"the new one", b"%d." % NOW_MS + body, hashlib.sha256).hexdigest()
    assert headers["x-hl-signature"] == f"v1={new}"


def test_an_endpoints_own_headers_come_last_as_they_were_given() -> None:
    with_headers = endpoint()
    with_headers.headers = {"Authorization": "Bearer x: y", "X-Empty": "", "x-place": "Zürich"}

    assert sealed(event(), with_headers).headers[-3:] == [
        "Authorization: Bearer x: y",
        "X-Empty: ",
        "x-place: Zürich",
    ]


@pytest.mark.parametrize(
    ("topic", "header"),
    [
        ("größe.✓", "größe.✓"),
        ("a b/c", "a b/c"),
        ("a\r\nx-evil: 1", "a??x-evil: 1"),
        ("a\tb\x00\x7f\x85\u2028\u200e\ud83d", "a?b??????"),
        ("*", "*"),
    ],
)
def test_what_cannot_stand_in_a_header_becomes_a_question_mark(topic: str, header: str) -> None:
    assert headers_of(sealed(event(topic=topic), endpoint()))["x-hl-topic"] == header


@pytest.mark.parametrize(
    "trace",
    [
        "null",
        "5",
        '"x"',
        "[]",
        "{}",
        '{"traceparent":5}',
        '{"traceparent":""}',
        '{"traceparent":null,"tracestate":["a"]}',
    ],
)
def test_a_trace_that_is_none_is_not_sent(trace: str) -> None:
    headers = headers_of(sealed(event(extra=f'{{"_trace":{trace}}}'), endpoint()))
    assert not {"traceparent", "tracestate"} & headers.keys()


def test_a_trace_cannot_add_headers_of_its_own() -> None:
    extra = r'{"_trace":{"traceparent":"00\r\nx-evil: 1","tracestate":"\u0000","other":"x"}}'
    headers = headers_of(sealed(event(extra=extra), endpoint()))
    assert (headers["traceparent"], headers["tracestate"]) == ("00??x-evil: 1", "?")
    assert "other" not in headers
