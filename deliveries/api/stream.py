"""/v1/stream: Server-Sent Events."""

from collections.abc import Iterator

from django.db import connection
from django.http import StreamingHttpResponse
from rest_framework.request import Request

from deliveries import stream
from deliveries.api import schema
from deliveries.stream import Stream, hub
from hookline.api import Resource
from hookline.errors import Unavailable
from hookline.ids import parse_uuid

FULL = "Too many streams are open here; try again soon"


@schema.stream
class LiveEvents(Resource):
    def get(self, request: Request) -> StreamingHttpResponse:
        pattern = request.GET.get("topic") or "#"
        opened = Stream(self.tenant_id, pattern)
        if not hub.open(opened):
            raise Unavailable(FULL)
        frames = _frames(opened, request.headers.get("Last-Event-ID"))
        next(frames)  # from here on, closing it closes the stream
        answer = StreamingHttpResponse(frames, content_type="text/event-stream")
        answer["Cache-Control"] = "no-cache"
        return answer


def _frames(opened: Stream, last_id: str | None) -> Iterator[bytes]:
    try:
        missed = stream.caught_up(opened, parse_uuid(last_id)) if last_id else []
        yield b""
        connection.close()  # a stream lasts for hours and asks nothing of the store itself
        yield stream.HEARTBEAT
        yield from missed
        yield from opened.frames()
    finally:
        hub.close(opened)
