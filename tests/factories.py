"""How tests make things and make things happen: through the same doors as the API."""

import json
import threading
from datetime import UTC, datetime
from typing import Any

from deliveries import documents, endpoints, intake, pump, routing
from deliveries.intake import Accepted, Repeat
from deliveries.models import Endpoint, Job, Lane, Subscription
from hookline import database
from tenants.models import Tenant

BY = "the tests"
# An id of nothing, the same in every process, so that tests have the same names in all of them.
NO_ID = "6f1c2f0e-3c0b-4b7e-9d3a-0f4c5d2b8a17"
IDLE_SECONDS = 0.05
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def make_endpoint(tenant: Tenant, url: str, **fields: Any) -> Endpoint:
    """An endpoint with its lane. `fields` are columns, and `enabled`, `secret` and `headers`."""
    return endpoints.create(tenant.id, {"url": url, **fields}, {}, BY)


def make_subscription(
    endpoint: Endpoint, pattern: str = "#", filter: Any = None, transform: Any = None
) -> Subscription:
    rules = {"filter": filter, "transform": transform}
    texts = {name: json.dumps(rule) for name, rule in rules.items() if rule is not None}
    return endpoints.subscribe(endpoint, {"topic_pattern": pattern, **texts}, {}, BY)


def publish(tenant: Tenant, document: dict[str, Any] | bytes) -> Accepted | Repeat:
    """Publishes one event, given as the body of a request or as what to make it of."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    tenant.refresh_from_db()
    routes = routing.routes_of(tenant.id, tenant.routes_version)
    return intake.publish(tenant.id, routes, [documents.draft(documents.read(body), {})])[0]


def deliver() -> None:
    """Runs the pump until nothing that could be delivered now is left."""
    while True:
        pump.run(threading.Event(), linger_seconds=IDLE_SECONDS)
        if not deliverable():
            return


def deliverable() -> bool:
    """Whether there are jobs that a pump would take or has taken."""
    jobs = Job.objects.filter(endpoint__is_enabled=True)
    due = jobs.filter(status=Job.Status.PENDING, next_attempt_at__lte=database.now())
    return due.exists() or jobs.filter(status=Job.Status.RUNNING).exists()


def let_time_pass() -> None:
    """Makes every job that waits for its next attempt due."""
    Job.objects.filter(status=Job.Status.PENDING).update(next_attempt_at=LONG_AGO)
    Lane.objects.filter(state=Lane.State.WAITING).update(wake_at=LONG_AGO)
