"""What a producer sent is what is kept, sent on and read back, byte for byte; what is wrong is said."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from deliveries import documents
from deliveries.intake import Accepted
from deliveries.models import Event
from hookline.errors import Invalid, InvalidJson
from tenants.models import Tenant
from tests.factories import publish

KEPT = [
    b'{"b":1,"a":2,"B":3}',
    b'{"a":1,"a":2,"a":1}',
    b"[-0,0,-0.0,0.0]",
    b"[1.0,1.10,100e-2,1E5,1e+05,1e400,-1e-400]",
    b"[9007199254740993,18446744073709551616," + b"9" * 5000 + b"]",
    rb'"\u0000"',
    rb'"\ud800"',
    rb'["\udc00\ud800","\uD83D\uDE00","\\ud800"]',
    rb'{"\ud800":1,"\u0000":2}',
    rb'"\/\u0041\u00e9\b"',
    '"é😀\u2028\x7f"'.encode(),
    b'{ "a" :\n[ 1 ,\t2 ] ,\r\n"b" : { } }',
    b"null",
    b"false",
    b'""',
    b"[]",
    b"[" * 127 + b"]" * 127,
    b'{"a":' * 127 + b"1" + b"}" * 127,
    b'[{"a":"]}"}]',
    b"[" + b'{"a":[1]},' * 500 + b"0]",
]


def stored(tenant: Tenant, body: bytes) -> Event:
    published = publish(tenant, body)
    assert isinstance(published, Accepted)
    return Event.objects.get(id=published.event.id)


@pytest.mark.django_db
@pytest.mark.parametrize("text", KEPT, ids=lambda text: text[:20].decode())
def test_a_payload_comes_back_byte_for_byte(acme: Tenant, text: bytes) -> None:
    event = stored(acme, b'{"topic":"a", "payload": ' + text + b" }")

    assert event.payload == text.decode()
    assert documents.fields_of(event)["payload"] == text


@pytest.mark.django_db
@pytest.mark.parametrize("text", KEPT, ids=lambda text: text[:20].decode())
def test_a_field_that_we_do_not_know_comes_back_byte_for_byte(acme: Tenant, text: bytes) -> None:
    event = stored(acme, b'{"note":' + text + b',"topic":"a","' + rb"\u00e9" + b'":1}')

    fields = documents.fields_of(event)
    assert fields["note"] == text
    assert fields["é"] == b"1"
    assert event.payload is None


json_values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
)


@given(json_values, some.booleans())
def test_whatever_is_json_is_read_as_it_stands(value: object, is_ascii: bool) -> None:
    text = (
        json.dumps(value, ensure_ascii=is_ascii).replace("Infinity", "1e999").encode(errors="surrogatepass")
    )
    body = b'{"payload":' + text + b',"topic":"a"}'
    try:
        body.decode()
    except UnicodeDecodeError:
        with pytest.raises(InvalidJson, match="not UTF-8"):
            documents.read(body)
    else:
        assert documents.read(body) == {"payload": text, "topic": b'"a"'}


@pytest.mark.django_db
def test_the_document_names_the_event_and_drops_what_only_we_say(acme: Tenant) -> None:
    body = {
        "id": "mine",
        "event_id": "mine",
        "tenant_id": "globex",
        "created_at": 1,
        "topic": "orders.created",
        "occurred_at": -1,
        "idempotency_key": "once",
        "source": "shop",
    }
    event = stored(acme, json.dumps(body).encode())

    document = json.loads(documents.document_of(event))
    assert document == {
        "id": str(event.id),
        "event_id": str(event.id),
        "tenant_id": "acme",
        "topic": "orders.created",
        "occurred_at": -1,
        "created_at": document["created_at"],
        "idempotency_key": "once",
        "source": "shop",
    }
    assert document["created_at"] > 1_700_000_000_000


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"idempotency_key": 'a"b'},
        {"payload": {"b": 1, "a": "é"}},
        {"payload": None, "idempotency_key": ""},
        {"payload": 1, "data": 2, "note": "\u2028"},
    ],
    ids=str,
)
@pytest.mark.django_db
def test_a_document_made_in_one_step_has_all_its_fields(acme: Tenant, fields: dict[str, object]) -> None:
    event = stored(acme, json.dumps(fields | {"topic": 'orders."ü"', "occurred_at": 7}).encode())

    document = documents.document_of(event)
    assert json.loads(document) == json.loads(documents.encode(documents.fields_of(event)))


def test_a_field_given_twice_counts_the_last_time() -> None:
    fields = documents.read(b'{"topic":"a","topic":"b","payload":1,"payload":[2]}')

    assert documents.draft(fields, {}).topic == "b"
    assert documents.draft(fields, {}).payload == "[2]"


@pytest.mark.django_db
def test_the_trace_of_the_request_is_kept_with_the_event(acme: Tenant) -> None:
    fields = documents.read(b'{"topic":"a","_trace":{"traceparent":"of the body"}}')

    assert documents.draft(fields, {}).extra == '{"_trace":{"traceparent":"of the body"}}'
    with_header = documents.draft(fields, {"traceparent": 'of "the" header'})
    assert json.loads(with_header.extra or "") == {"_trace": {"traceparent": 'of "the" header'}}


DEEP = 100_000

NOT_JSON = [
    (b"", r"\(byte 0\)"),
    (b"   ", r"\(byte 3\)"),
    (b"topic=orders.created", r"\(byte \d\)"),
    (b'{"topic":"a"', r"\(byte 12\)"),
    (b'{"topic":"a"}}', r"\(byte 14\)"),
    (b'{"topic":"a"} x', r"\(byte 15\)"),
    (b'{"topic":"a",}', r"\(byte 13\)"),
    (b"{'topic':'a'}", r"\(byte 1\)"),
    (b'{"topic":"a","payload":NaN}', r"\(byte 23\)"),
    (b'{"topic":"a","payload":-Infinity}', r"\(byte 24\)"),
    (b'{"topic":"a","payload":01}', r"\(byte 24\)"),
    (b'{"topic":"a\nb"}', r"\(byte 11\)"),
    (b'{"topic":"a","payload":"\x00"}', r"\(byte 24\)"),
    (b'{"topic":"a","payload":"\xff"}', r"UTF-8 \(byte 24\)"),
    (b'{"topic":"a","payload":"\xed\xa0\x80"}', r"UTF-8 \(byte 24\)"),
    (b'{"topic":"a","payload":"\xc0\x80"}', r"UTF-8 \(byte 24\)"),
    (rb'{"topic":"a","payload":"\x41"}', r"\(byte 25\)"),
    (rb'{"topic":"a","payload":"\ud80"}', r"\(byte 30\)"),
    (rb'{"topic":"a","payload":"\ud800",}', r"\(byte 32\)"),
    (b'\xef\xbb\xbf{"topic":"a"}', r"\(byte 0\)"),
    ('{"topic":"a"}'.encode("utf-16"), r"UTF-8 \(byte 0\)"),
    ('{"topic":"a"}'.encode("utf-16-le"), r"\(byte 1\)"),
    (b'{"payload":' + b"[" * 128 + b"]" * 128 + b"}", r"deeper than 128 levels"),
    (b'{"payload":' + b"[" * DEEP + b"]" * DEEP + b"}", r"deeper than 128 levels"),
    (b'{"payload":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}", r"deeper than 128 levels"),
    (b"[" * DEEP, r"deeper than 128 levels"),
    (b'{"' * DEEP, r"\(byte \d\)|deeper than 128 levels"),
]


@pytest.mark.parametrize(("body", "where"), NOT_JSON, ids=[repr(body[:40]) for body, _ in NOT_JSON])
def test_what_is_no_json_is_refused_with_its_position(body: bytes, where: str) -> None:
    with pytest.raises(InvalidJson, match=where):
        documents.read(body)


@pytest.mark.parametrize(
    "body", [b"[]", b'[{"topic":"a"}]', b'"topic"', b"1", b"1e400", b"null", rb'"\ud800"']
)
def test_json_that_is_no_object_is_refused_without_a_word(body: bytes) -> None:
    with pytest.raises(InvalidJson) as fault:
        documents.read(body)
    assert fault.value.detail == ""


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{}", "Missing field: topic"),
        (b'{"topic":""}', "Missing field: topic"),
        (b'{"topic":null}', "Missing field: topic"),
        (b'{"topic":1}', "Invalid field 'topic': must be string"),
        (b'{"topic":["a"]}', "Invalid field 'topic': must be string"),
        (rb'{"topic":"a\u0000"}', "Invalid field 'topic': must not hold NUL or half of a surrogate pair"),
        (rb'{"topic":"\ud800"}', "Invalid field 'topic': must not hold NUL or half of a surrogate pair"),
        (b'{"topic":"a","idempotency_key":7}', "Invalid field 'idempotency_key': must be string"),
        (
            b'{"topic":"a","occurred_at":"2026-01-01"}',
            "Invalid field 'occurred_at': must be integer milliseconds since 1970",
        ),
        (
            b'{"topic":"a","occurred_at":true}',
            "Invalid field 'occurred_at': must be integer milliseconds since 1970",
        ),
        (
            b'{"topic":"a","occurred_at":1.0}',
            "Invalid field 'occurred_at': must be integer milliseconds since 1970",
        ),
        (
            b'{"topic":"a","occurred_at":' + b"9" * 5000 + b"}",
            "Invalid field 'occurred_at': must be integer milliseconds since 1970",
        ),
        (
            b'{"topic":"a","occurred_at":9223372036854775808}',
            "Invalid field 'occurred_at': must fit in 64 bits",
        ),
        (
            b'{"topic":"a","occurred_at":-9223372036854775809}',
            "Invalid field 'occurred_at': must fit in 64 bits",
        ),
    ],
)
def test_a_field_that_cannot_be_stored_is_named(body: bytes, detail: str) -> None:
    with pytest.raises(Invalid) as fault:
        documents.draft(documents.read(body), {})
    assert fault.value.detail == detail


@pytest.mark.django_db
@pytest.mark.parametrize("moment", [0, -(2**63), 2**63 - 1, 1_767_225_600_000])
def test_every_time_of_64_bits_is_stored(acme: Tenant, moment: int) -> None:
    assert stored(acme, b'{"topic":"a","occurred_at":%d}' % moment).occurred_at == moment


@pytest.mark.django_db
def test_a_topic_of_any_characters_is_stored(acme: Tenant) -> None:
    topic = "a" * 5000 + ' é😀"\\\n\x7f'
    event = stored(acme, json.dumps({"topic": topic}).encode())

    assert event.topic == topic
    assert json.loads(documents.fields_of(event)["topic"]) == topic
