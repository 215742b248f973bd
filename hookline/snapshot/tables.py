"""Which tables a snapshot holds, and what their values are in either store and in the file."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db.models import Field, Model

from deliveries.models import (
    Alert,
    Attempt,
    Bell,
    DeadLetter,
    Endpoint,
    Event,
    IdempotencyKey,
    InboxMessage,
    Job,
    Lane,
    Notice,
    Replay,
    Run,
    Subscription,
    Traffic,
)
from hookline.database import to_text
from hookline.models import Chore, Counter, Login, Process, Switch
from tenants.models import ApiKey, AuditEntry, Tenant

# Every model is in one of these two lists. Those that others refer to come first.
HELD: tuple[type[Model], ...] = (
    User,
    Group,
    User.groups.through,
    Tenant,
    ApiKey,
    AuditEntry,
    Switch,
    Counter,
    Endpoint,
    Subscription,
    Lane,
    Bell,
    Event,
    IdempotencyKey,
    Job,
    Attempt,
    DeadLetter,
    Replay,
    Run,
    Traffic,
    InboxMessage,
)
LEFT_OUT: dict[type[Model], str] = {
    Process: "speaks of the processes that run now",
    Chore: "speaks of the processes that run now",
    Alert: "is seen anew where it still holds",
    Notice: "speaks of what is seen anew",
    Login: "holds off a guesser of passwords for some minutes",
    Session: "people log in again",
    LogEntry: "the audit log is the record",
    ContentType: "made by migrations, with other numbers",
    Permission: "made by migrations, with other numbers",
    Group.permissions.through: "given to the roles at every start",
    User.user_permissions.through: "the console gives rights by role",
}

Convert = Callable[[Any], Any]


def as_it_is(value: Any) -> Any:
    return value


def _sorted_json(value: Any) -> str:
    """PostgreSQL's jsonb changes the order of keys and the space between them; so do we."""
    return json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True)


def _moment(value: str | datetime) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _id(value: str | UUID) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


# What a store gives, to what is written into the file. The texts of SQLite say nothing of their type.
FROM_STORE: dict[str, Convert] = {
    "BinaryField": bytes,
    "BooleanField": bool,
    "DateTimeField": _moment,
    "FloatField": float,
    "JSONField": _sorted_json,
    "UUIDField": _id,
}
FROM_FILE: dict[str, Convert] = {
    "BinaryField": base64.b64decode,
    "DateTimeField": datetime.fromisoformat,
    "UUIDField": UUID,
}
TO_SQLITE: dict[str, Convert] = {"DateTimeField": to_text, "UUIDField": lambda id: id.hex}


@dataclass(frozen=True)
class Column:
    name: str
    from_store: Convert
    from_file: Convert
    to_sqlite: Convert


class Table:
    """A table with its columns, in the order of the file."""

    def __init__(self, model: type[Model]) -> None:
        self.name = model._meta.db_table
        self.columns = [_column(field) for field in model._meta.concrete_fields]
        self.names = [column.name for column in self.columns]
        self.has_serial = model._meta.auto_field is not None

    def encode(self, row: tuple[Any, ...]) -> bytes:
        """A row of a store as a line of the file, the same from both stores."""
        columns = zip(self.columns, row, strict=True)
        return msgspec.json.encode([None if v is None else column.from_store(v) for column, v in columns])

    def decode(self, values: list[Any]) -> list[Any]:
        """A row of the file as PostgreSQL takes it."""
        columns = zip(self.columns, values, strict=True)
        return [None if v is None else column.from_file(v) for column, v in columns]

    def decode_for_sqlite(self, values: list[Any]) -> list[Any]:
        columns = zip(self.columns, self.decode(values), strict=True)
        return [None if v is None else column.to_sqlite(v) for column, v in columns]


def _column(field: "Field[Any, Any]") -> Column:
    kept_as = field
    while kept_as.remote_field:
        kept_as = kept_as.target_field  # type: ignore[attr-defined]
    kind = kept_as.get_internal_type()
    assert field.column
    return Column(
        field.column,
        FROM_STORE.get(kind, as_it_is),
        FROM_FILE.get(kind, as_it_is),
        TO_SQLITE.get(kind, as_it_is),
    )


def all_tables() -> list[Table]:
    return [Table(model) for model in HELD]
