"""A store as full as one of a busy week, in either store: rows of every kind and every state, spread over
tenants, endpoints and days as they are in life."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from deliveries import endpoints, traffic
from deliveries.models import Attempt, DeadLetter, Endpoint, Event, Job, Lane, Traffic
from hookline.database import is_postgres, many, to_text, write
from hookline.ids import first_uuid7
from hookline.times import milliseconds
from tenants.models import Tenant

BY = "bench"
TENANTS, ENDPOINTS_EACH = 50, 10
AGE = timedelta(days=7)
PAYLOAD = '{"order":42,"total":"19.90","note":"' + "x" * 160 + '"}'
TOPICS = ("order.created", "order.paid", "order.shipped", "invoice.sent", "stock.low")
AT_ONCE = 20_000
# Of the jobs: given up, waiting for another attempt, not tried yet; the others succeeded.
DEAD, RETRYING, WAITING = 0.02, 0.01, 0.005
ERRORS = ((503, "http_5xx"), (0, "timeout"), (429, "http_4xx"))

Values = tuple[Any, ...]


def fill(events: int, moment: datetime) -> None:
    """So many events with a job each, twice as many attempts, and the sums of the charts."""
    dice = random.Random(1)
    targets = _targets()
    for start in range(0, events, AT_ONCE):
        made = [
            _happened(dice, targets, moment, number, events)
            for number in range(start, min(start + AT_ONCE, events))
        ]
        _write([row for rows in made for row in rows])
    _write(list(_sums(dice, targets, moment)))
    _look_at_what_is_there()


def _targets() -> list[Endpoint]:
    made = []
    for number in range(TENANTS):
        tenant, _ = Tenant.objects.get_or_create(
            id=f"tenant-{number:02}", defaults={"name": f"Customer {number}"}
        )
        for place in range(ENDPOINTS_EACH):
            values = {"name": f"Receiver {number}-{place}", "url": f"http://127.0.0.1:9/{number}/{place}"}
            made.append(endpoints.create(tenant.id, values, {}, BY))
            endpoints.subscribe(made[-1], {"topic_pattern": "#"}, {}, BY)
    return made


Row = tuple[type, Values]


def _happened(
    dice: random.Random, targets: Sequence[Endpoint], moment: datetime, number: int, events: int
) -> list[Row]:
    """One event, evenly after the other; the first tenants have most of them."""
    at = moment - AGE * (1 - number / events)
    endpoint = targets[min(int(dice.expovariate(8 / len(targets))), len(targets) - 1)]
    tenant, event_id, job_id = endpoint.tenant_id, _id(dice, at), _id(dice, at)
    topic = "rare.topic" if number == events // 3 else dice.choice(TOPICS)
    key = f"key-{number}" if number % 10 == 0 else None
    status, attempts = _fate(dice, is_recent=number > events * 0.95)
    finished = at + timedelta(seconds=2) if status in ("succeeded", "dead") else None
    due = at if finished else moment + timedelta(minutes=dice.randint(1, 600))
    rows: list[Row] = [
        (Event, (event_id, tenant, topic, PAYLOAD, None, key, milliseconds(at), at, None)),
        (
            Job,
            (
                job_id,
                tenant,
                event_id,
                endpoint.id,
                None,
                None,
                status,
                attempts,
                0,
                0,
                due,
                None,
                None,
                at,
                finished,
            ),
        ),
    ]
    if status == "dead":
        reason = dice.choice(("http_401", "http_404", "max_attempts_exceeded"))
        rows.append((DeadLetter, (job_id, tenant, event_id, endpoint.id, reason, attempts, finished)))
    for n in range(1, attempts + 1):
        is_good = status == "succeeded" and n == attempts
        code, error = (200, None) if is_good else dice.choice(ERRORS)
        word = "success" if is_good else "failure"
        rows.append((Attempt, (
            _id(dice, at), job_id, tenant, event_id, endpoint.id, n, word, code, error, "", at,
            int(dice.lognormvariate(3.5, 1)), "127.0.0.1", "[]", b"ok",
        )))  # fmt: skip
    return rows


def _fate(dice: random.Random, *, is_recent: bool) -> tuple[str, int]:
    """Two attempts on average. What is old is finished."""
    chance = dice.random()
    if chance < DEAD:
        return "dead", 4
    if is_recent and chance < DEAD + 20 * RETRYING:
        return "pending", 2
    if is_recent and chance < DEAD + 20 * (RETRYING + WAITING):
        return "pending", 0
    return "succeeded", dice.choice((1, 2, 3))


def _sums(dice: random.Random, targets: Sequence[Endpoint], moment: datetime) -> Iterator[Row]:
    """Of three days by the hour, and of the last by the minute."""
    tenants = sorted({traffic.of_tenant(target.tenant_id) for target in targets})
    wholes = [traffic.EVERYTHING, *tenants]
    hour = moment.replace(minute=0, second=0, microsecond=0)
    took = [
        f"{traffic.TOOK}{traffic.bucket_of(each)}"
        for each in (1, 2, 4, 8, 16, 30, 60, 90, 120, 250, 500, 2000)
    ]
    names = [traffic.PUBLISHED, traffic.DELIVERED, traffic.FAILED, traffic.DEAD]
    for scope in wholes:
        for minutes in range(60):
            for name in (*names, *took):
                yield (
                    Traffic,
                    (
                        scope,
                        60,
                        moment.replace(second=0, microsecond=0) - timedelta(minutes=minutes),
                        name,
                        dice.randint(1, 999),
                    ),
                )
    for hours in range(72):
        at = hour - timedelta(hours=hours)
        for scope in wholes:
            yield from ((Traffic, (scope, 3600, at, name, dice.randint(1, 999))) for name in (*names, *took))
        for target in targets:
            yield from (
                (Traffic, (traffic.of_endpoint(target.id), 3600, at, name, dice.randint(1, 99)))
                for name in names[1:]
            )


def _id(dice: random.Random, at: datetime) -> UUID:
    return UUID(int=first_uuid7(at).int | dice.getrandbits(62))


def _write(rows: Sequence[Row]) -> None:
    for model in (Event, Job, Attempt, DeadLetter, Traffic):
        values = [values for kind, values in rows if kind is model]
        if values:
            (_copy if is_postgres() else _insert)(model, values)


def _columns(model: Any) -> list[str]:
    return [field.column for field in model._meta.concrete_fields]


def _copy(model: Any, rows: Sequence[Values]) -> None:
    """COPY."""
    columns = ", ".join(_columns(model))
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {model._meta.db_table} ({columns}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)


def _insert(model: Any, rows: Sequence[Values]) -> None:
    columns = _columns(model)
    places = ", ".join(["%s"] * len(columns))
    statement = f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) VALUES ({places})"
    with write():
        many(statement, [tuple(map(_as_sqlite, row)) for row in rows])


def _as_sqlite(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.hex
    return to_text(value) if isinstance(value, datetime) else value


def _look_at_what_is_there() -> None:
    """As the pump and autovacuum would have by now."""
    waiting = Job.objects.filter(status=Job.Status.PENDING).values("endpoint_id")
    later = datetime.now(UTC) + timedelta(minutes=1)
    Lane.objects.filter(endpoint_id__in=waiting).update(state=Lane.State.WAITING, wake_at=later)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if is_postgres() else "PRAGMA optimize")
