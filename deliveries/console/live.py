"""What happens, as it happens: for an operator who watches."""

import queue
import time
from collections.abc import Iterator
from uuid import UUID

from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from deliveries import news, stream
from deliveries.models import Endpoint
from deliveries.news import Attempted, News
from deliveries.rules import topics
from deliveries.stream import Stream, hub
from hookline.console.pages import page, show
from hookline.ids import parse_uuid
from tenants.models import Tenant

MOST_UNREAD = 200
MOST_TENANTS = MOST_NAMES = 500
# Then the browser comes again, and is asked again who it is.
LONGEST_SECONDS = 900.0
WHAT = {
    "": "everything",
    "events": "events",
    "attempts": "attempts",
    "failed": "failed attempts",
}


class Watch(Stream):
    """What an operator asked to see, of one tenant or of all. Who falls behind misses something, and
    sees what is new rather than what is old."""

    def __init__(self, tenant_id: str, pattern: str, what: str) -> None:
        super().__init__(tenant_id, pattern)
        self.what = what
        self.unread = queue.Queue(MOST_UNREAD)
        self.until = time.monotonic() + LONGEST_SECONDS

    def wants(self, told: News) -> bool:
        is_attempt = isinstance(told, Attempted)
        if self.what == "failed" and (not isinstance(told, Attempted) or told.is_success):
            return False
        if self.what in ("events", "attempts") and is_attempt != (self.what == "attempts"):
            return False
        topic = told.event_topic if isinstance(told, Attempted) else told.topic
        return topics.matches(self.pattern, topic)

    def offer(self, told: News) -> None:
        if self.unread.full():
            self.unread.get_nowait()
        self.unread.put_nowait(told.summary)

    def frames(self) -> Iterator[bytes]:
        for frame in super().frames():
            yield frame
            if time.monotonic() > self.until:
                return


@page("live/", name="live", look="deliveries.view_event")
def live(request: HttpRequest) -> HttpResponse:
    """The page; its script listens to the stream below."""
    tenant_id, pattern, what = _asked(request)
    endpoints = Endpoint.objects.filter(**{"tenant_id": tenant_id} if tenant_id else {}).order_by("-id")
    return show(
        request,
        "console/live.html",
        "Live",
        tenant_id=tenant_id,
        tenants=Tenant.objects.order_by("id").values_list("id", "name")[:MOST_TENANTS],
        topic="" if pattern == "#" else pattern,
        what=what,
        kinds=WHAT.items(),
        names={str(endpoint.id): str(endpoint) for endpoint in endpoints[:MOST_NAMES]},
    )


@page("live/stream/", name="live_stream", look="deliveries.view_event")
def watch(request: HttpRequest) -> HttpResponseBase:
    opened = Watch(*_asked(request))
    if not hub.open(opened):
        return HttpResponse("Too many streams are open here.", status=503, headers={"Retry-After": "5"})
    frames = _frames(opened, request.headers.get("Last-Event-ID") or request.GET.get("last", ""))
    next(frames)  # from here on, closing it closes the stream
    return StreamingHttpResponse(
        frames, content_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


def _frames(opened: Watch, last: str) -> Iterator[bytes]:
    try:
        missed = _missed(opened, parse_uuid(last))
        yield b""
        connection.close()  # a stream asks nothing of the store itself
        yield stream.HEARTBEAT
        yield from missed
        yield from opened.frames()
    finally:
        hub.close(opened)


def _missed(opened: Watch, last_id: UUID) -> list[bytes]:
    """Nothing, if the event is none of ours."""
    is_known = news.is_known(opened.tenant_id, last_id)
    later = news.later(opened.tenant_id, last_id) if is_known else []
    return [told.summary for told in later if opened.wants(told)]


def _asked(request: HttpRequest) -> tuple[str, str, str]:
    tenant_id = request.GET.get("tenant", "").replace("\0", "")
    what = request.GET.get("what", "")
    return tenant_id, request.GET.get("topic", "").strip() or "#", what if what in WHAT else ""
