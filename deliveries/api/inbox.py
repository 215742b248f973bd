"""/v1/dev/inbox: the development inbox."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse
from django.template.loader import render_to_string
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries import inbox
from deliveries.api import schema
from deliveries.api.pages import limit_of
from deliveries.models import InboxMessage
from hookline.api import PublicResource, Resource
from hookline.errors import NotFound
from hookline.times import milliseconds

TOKEN_LENGTH = 100
RECEIVE_PATH = "/v1/dev/inbox/receive/"
OFF = "The development inbox is off; HL_DEV_INBOX=true turns it on"


class InboxSwitch(Resource):
    """Answers 404 where the installation has no development inbox."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not settings.HL_DEV_INBOX:
            raise NotFound(OFF)


@schema.inbox_messages
class InboxMessages(InboxSwitch):
    def get(self, request: Request) -> Response:
        newest = _messages(request).order_by("-id")[: limit_of(request.GET, inbox.KEPT, inbox.KEPT)]
        items = [present(message) for message in reversed(newest)]
        return Response({"items": items, "count": len(items)})


@schema.inbox
class Inbox(InboxMessages):
    def post(self, request: Request) -> Response:
        token = inbox.new_token()
        return Response(
            {"token": token, "receive_url": _base_url(request) + RECEIVE_PATH + token}, status=201
        )


@schema.inbox_message
class InboxMessageDetail(InboxSwitch):
    def get(self, request: Request, message_id: str) -> Response:
        is_id = message_id.isdecimal() and len(message_id) < 19
        message = _messages(request).filter(id=int(message_id)).first() if is_id else None
        if message is None:
            raise NotFound("Message not found")
        return Response(present(message))


@schema.inbox_receive
class InboxReceive(InboxSwitch, PublicResource):
    """Takes whatever is posted, without a key, as a receiver would."""

    def post(self, request: Request, token: str) -> Response:
        if len(token) > TOKEN_LENGTH:
            raise NotFound("No inbox can have this name")
        inbox.receive(token, self.body(), request.headers)
        return Response({"ok": True})


@schema.inbox_page
class InboxPage(InboxSwitch, PublicResource):
    """Asks for a key and shows the messages. The page itself holds no data."""

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(render_to_string("inbox/index.html"))


def present(message: InboxMessage) -> dict[str, Any]:
    return {
        "id": str(message.id),
        "token": message.token,
        "body": bytes(message.body).decode(errors="replace"),
        "headers": message.headers,
        "received_at": milliseconds(message.received_at),
    }


def _messages(request: Request) -> QuerySet[InboxMessage]:
    """The messages of the inbox that the query names; its tokens are known to whoever made them."""
    token = request.GET.get("token") or request.GET.get("endpoint_id") or ""
    return InboxMessage.objects.filter(token=token)


def _base_url(request: Request) -> str:
    scheme = "https" if request.headers.get("X-Forwarded-Proto") == "https" else "http"
    return f"{scheme}://{request.get_host()}"
