"""A tenant as lines of JSON: a head, a line for each document, and at the end how many there were.

Documents are those of the API, so that people can read the file, and what takes it in takes lists of an
older server too. Secrets, and values of custom headers, are `***` unless there is a passphrase.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from django.db.models import QuerySet
from msgspec.json import encode

from deliveries import documents
from deliveries.api import attempts, dlq, endpoints, subscriptions
from deliveries.models import Attempt, DeadLetter, Endpoint, Event, Job, Subscription
from deliveries.moving.sealed import Box
from hookline import __version__, jsontext
from hookline.database import now, one_moment
from hookline.files import new_file
from hookline.progress import Progress, watched
from hookline.times import milliseconds
from tenants.models import ApiKey, Tenant

FORMAT, VERSION = "hookline-tenant", 1
AT_ONCE = 500
HIDDEN = "***"

Present = Callable[[Any], bytes]


def write_out(tenant: Tenant, path: Path, box: Box | None, progress: Progress) -> dict[str, int]:
    """Returns how many documents of each kind were written, all of one moment."""
    counts = dict[str, int]()
    with one_moment(), new_file(path) as file:
        _write(file, _head(tenant, box))
        for kind, (rows, present) in _kinds(tenant.id, box).items():
            counts[kind] = rows.count()
            for row in watched(_in_order(rows), kind, counts[kind], progress):
                file.write(b'{"kind":"%b","document":%b}\n' % (kind.encode(), present(row)))
        _write(file, {"end": FORMAT, "counts": counts})
    return counts


def _kinds(tenant_id: str, box: Box | None) -> "Mapping[str, tuple[QuerySet[Any], Present]]":
    """In an order in which they can be taken in again."""
    ours = {"tenant_id": tenant_id}
    return {
        "apikeys": (ApiKey.objects.usable().filter(**ours), _key),
        "endpoints": (Endpoint.objects.filter(**ours), lambda endpoint: _endpoint(endpoint, box)),
        "subscriptions": (Subscription.objects.filter(**ours), _subscription),
        "events": (Event.objects.filter(**ours), lambda event: documents.encode(documents.fields_of(event))),
        "jobs": (Job.objects.filter(**ours), _job),
        "deliveries": (
            Attempt.objects.filter(**ours),
            lambda row: encode(attempts.present(row)),
        ),
        "dlq": (DeadLetter.objects.filter(**ours), lambda row: encode(dlq.present(row))),
    }


def _in_order(rows: "QuerySet[Any]") -> Iterator[Any]:
    """Some at a time: a cursor on the server would not do behind a pooler."""
    some = list(rows.order_by("pk")[:AT_ONCE])
    while some:
        yield from some
        some = list(rows.order_by("pk").filter(pk__gt=some[-1].pk)[:AT_ONCE])


def _head(tenant: Tenant, box: Box | None) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "hookline": __version__,
        "made_at": milliseconds(now()),
        "tenant_id": tenant.id,
        "salt": box.salt.hex() if box else None,
    }


def _write(file: BinaryIO, document: dict[str, Any]) -> None:
    file.write(encode(document) + b"\n")


def _key(key: ApiKey) -> bytes:
    """The digest of a token tells nothing of it."""
    return encode(
        {
            "key_id": key.id,
            "name": key.name,
            "prefix": key.prefix,
            "sha256": bytes(key.digest).hex(),
            "scopes": key.scopes,
            "created_by": key.created_by,
            "created_at": milliseconds(key.created_at),
            "expires_at": key.expires_at and milliseconds(key.expires_at),
        }
    )


def _endpoint(endpoint: Endpoint, box: Box | None) -> bytes:
    fields = jsontext.fields(endpoints.present(endpoint))
    fields["headers"] = encode(dict.fromkeys(endpoint.headers, HIDDEN))
    if box:
        texts = dict(zip(("secret", "old_secret"), endpoint.secrets(), strict=False))
        if endpoint.headers:
            texts["headers"] = encode(endpoint.headers).decode()
        boxes = {name: box.seal(text, f"{endpoint.id}/{name}") for name, text in texts.items()}
        fields["sealed"] = encode(boxes)
    if endpoint.old_secret_until:
        fields["old_secret_until"] = b"%d" % milliseconds(endpoint.old_secret_until)
    return documents.encode(fields)


def _subscription(subscription: Subscription) -> bytes:
    """Also a deleted one, whose transform jobs may still need."""
    fields = jsontext.fields(subscriptions.present(subscription))
    if subscription.deleted_at:
        fields["deleted_at"] = b"%d" % milliseconds(subscription.deleted_at)
    return documents.encode(fields)


def _job(job: Job) -> bytes:
    """One that a worker has at this moment is written as due: the worker is not of where it goes."""
    is_running = job.status == Job.Status.RUNNING
    return encode(
        {
            "job_id": job.id,
            "event_id": job.event_id,
            "endpoint_id": job.endpoint_id,
            "subscription_id": job.subscription_id,
            "replay_id": job.replay_id,
            "status": Job.Status.PENDING if is_running else job.status,
            "attempt_count": job.attempt_count,
            "forgiven_count": job.forgiven_count,
            "next_attempt_at": milliseconds(job.next_attempt_at),
            "created_at": milliseconds(job.created_at),
            "finished_at": job.finished_at and milliseconds(job.finished_at),
        }
    )
