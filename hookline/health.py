"""What machines ask about the installation: is it up, can it work, how is it doing."""

import logging
from typing import Any

from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from psycopg_pool import ConnectionPool

from hookline import metrics
from hookline.database import is_postgres, retried, rows

logger = logging.getLogger(__name__)

PROBE_SECONDS = 1.0
HAS_TABLES = "SELECT 1 FROM switches LIMIT 1"


@csrf_exempt
def healthz(request: HttpRequest) -> HttpResponse:
    """Whether this process answers. It asks nobody else, so that a database that is away does
    not have every web process restarted."""
    return JsonResponse({"status": "ok"})


@csrf_exempt
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether requests can be served: the store answers and has its tables."""
    try:
        retried(_ask_store)
    except Error as fault:
        return _unavailable(fault)
    return JsonResponse({"status": "ready"})


@csrf_exempt
def prometheus(request: HttpRequest) -> HttpResponse:
    try:
        text = metrics.text()
    except metrics.Busy:
        return JsonResponse({"status": "unavailable", "reason": "too many at a time"}, status=503)
    except Error as fault:
        return _unavailable(fault)
    return HttpResponse(text, content_type="text/plain; version=0.0.4; charset=utf-8")


def _ask_store() -> None:
    """Whoever probes does not wait as long as a request may for a connection."""
    if not is_postgres():
        rows(HAS_TABLES)
        return
    pool: ConnectionPool[Any] = connection.pool  # type: ignore[attr-defined]
    with connection.wrap_database_errors, pool.connection(PROBE_SECONDS) as pooled:
        pooled.execute(HAS_TABLES)


def _unavailable(fault: Error) -> HttpResponse:
    logger.warning("The store could not be reached: %s", fault)
    connection.close()
    return JsonResponse({"status": "unavailable", "reason": "store unreachable"}, status=503)
