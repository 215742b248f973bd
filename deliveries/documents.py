"""The event document: what a producer sent and what clients and receivers read, byte for byte."""

import re
from collections.abc import Mapping
from datetime import datetime
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Any
from uuid import UUID

from msgspec import Struct

from hookline import jsontext
from hookline.errors import Invalid, InvalidJson
from hookline.times import EPOCH, MILLISECOND, milliseconds

if TYPE_CHECKING:
    from deliveries.models import Event

Fields = dict[str, bytes]

SET_BY_SERVER = {"id", "event_id", "tenant_id", "created_at"}
OWN_COLUMN = {"topic", "payload", "occurred_at", "idempotency_key"}
NOT_EXTRA = SET_BY_SERVER | OWN_COLUMN
LEAST_INT64, MOST_INT64 = -(2**63), 2**63 - 1
LONGEST_KEY = 1000

# Why an event cannot be delivered again, by what removed its payload.
REMOVED = {
    "retention": "The event's payload was removed by retention, so it cannot be delivered again.",
    "expunged": "The event's payload was expunged, so it cannot be delivered again.",
}

_unstorable = re.compile("[\0\ud800-\udfff]")


class Draft(Struct, frozen=True):
    """An event as it was sent, before it has an id."""

    topic: str
    payload: str | None
    extra: str | None
    occurred_at: int | None
    idempotency_key: str | None


class Stored(Struct, frozen=True):
    """An event as it is kept; `payload` and `extra` are JSON text."""

    id: UUID
    tenant_id: str
    topic: str
    payload: str | None
    extra: str | None
    idempotency_key: str | None
    occurred_at: int
    created_at: datetime
    payload_removed: str | None = None


# The columns it is made of.
STORED = Stored.__struct_fields__


def stored_of(document: bytes) -> Stored:
    """The event again, from its document as our own server tells it."""
    fields = jsontext.fields(document)
    own = {name: jsontext.parse(raw) for name, raw in fields.items() if name in NOT_EXTRA - {"payload"}}
    extra = {name: raw for name, raw in fields.items() if name not in NOT_EXTRA}
    return Stored(
        UUID(own["id"]),
        own["tenant_id"],
        own["topic"],
        fields["payload"].decode() if "payload" in fields else None,
        encode(extra).decode() if extra else None,
        own.get("idempotency_key"),
        own["occurred_at"],
        EPOCH + MILLISECOND * own["created_at"],
    )


def read(body: bytes) -> Fields:
    """The fields of an event as sent. Raises InvalidJson."""
    try:
        return jsontext.fields(body)
    except jsontext.BadJson as fault:
        raise InvalidJson(str(fault)) from None


def idempotency_key(fields: Fields) -> str | None:
    """The key, of which any text will do, also an empty one. Raises Invalid."""
    key = _text(fields, "idempotency_key")
    if key is not None and len(key.encode()) > LONGEST_KEY:
        raise Invalid(f"Invalid field 'idempotency_key': must not be longer than {LONGEST_KEY} bytes")
    return key


def draft(fields: Fields, trace: Mapping[str, str]) -> Draft:
    """The event to store. Raises Invalid."""
    if not (topic := _text(fields, "topic")):
        raise Invalid("Missing field: topic")
    rest = {name: raw for name, raw in fields.items() if name not in NOT_EXTRA}
    if trace:
        rest["_trace"] = encode({name: quoted(text).encode() for name, text in trace.items()})
    return Draft(
        topic=topic,
        payload=fields["payload"].decode() if "payload" in fields else None,
        extra=encode(rest).decode() if rest else None,
        occurred_at=_milliseconds(fields),
        idempotency_key=idempotency_key(fields),
    )


def fields_of(event: "Stored | Event") -> Fields:
    """The document's fields, each as JSON text."""
    event_id = b'"%b"' % str(event.id).encode()
    fields = {
        "id": event_id,
        "event_id": event_id,
        "tenant_id": quoted(event.tenant_id).encode(),
        "topic": quoted(event.topic).encode(),
    }
    if event.payload is not None:
        fields["payload"] = event.payload.encode()
    fields["occurred_at"] = b"%d" % event.occurred_at
    fields["created_at"] = b"%d" % milliseconds(event.created_at)
    if event.idempotency_key is not None:
        fields["idempotency_key"] = quoted(event.idempotency_key).encode()
    if event.payload_removed is not None:
        fields["payload_removed"] = quoted(event.payload_removed).encode()
    return fields | jsontext.fields(event.extra.encode()) if event.extra else fields


def document_of(event: "Stored | Event") -> bytes:
    """The document. In one step, unless it has fields of the producer's own or no payload."""
    if event.extra or event.payload is None or event.payload_removed is not None:
        return encode(fields_of(event))
    event_id, key = str(event.id).encode(), event.idempotency_key
    return (
        b'{"id":"%b","event_id":"%b","tenant_id":%b,"topic":%b,"payload":%b,"occurred_at":%d,"created_at":%d%b}'
    ) % (
        event_id,
        event_id,
        quoted(event.tenant_id).encode(),
        quoted(event.topic).encode(),
        event.payload.encode(),
        event.occurred_at,
        milliseconds(event.created_at),
        b"" if key is None else b',"idempotency_key":%b' % quoted(key).encode(),
    )


def encode(fields: Mapping[str, bytes]) -> bytes:
    return b"{%b}" % b",".join([(LABELS.get(name) or _label(name)) + raw for name, raw in fields.items()])


def _label(name: str) -> bytes:
    return b"%b:" % quoted(name).encode()


# Of the fields that nearly every event has.
LABELS = {name: _label(name) for name in SET_BY_SERVER | OWN_COLUMN}


def _text(fields: Fields, name: str) -> str | None:
    """A string field, or None where it is absent or null. Raises Invalid for other types and
    for text that no database holds."""
    value = jsontext.parse(fields[name]) if name in fields else None
    if value is None:
        return None
    if not isinstance(value, str):
        raise Invalid(f"Invalid field '{name}': must be string")
    if _unstorable.search(value):
        raise Invalid(f"Invalid field '{name}': must not hold NUL or half of a surrogate pair")
    return value


def _milliseconds(fields: Fields) -> int | None:
    value: Any = jsontext.parse(fields["occurred_at"]) if "occurred_at" in fields else None
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise Invalid("Invalid field 'occurred_at': must be integer milliseconds since 1970")
    if not LEAST_INT64 <= value <= MOST_INT64:
        raise Invalid("Invalid field 'occurred_at': must fit in 64 bits")
    return value
