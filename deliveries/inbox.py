"""The development inbox: somewhere to send deliveries while trying things out."""

from collections.abc import Mapping

from deliveries.models import InboxMessage
from hookline.ids import uuid7

KEPT = 5000


def new_token() -> str:
    return str(uuid7())


def receive(token: str, body: bytes, headers: Mapping[str, str]) -> InboxMessage:
    """Keeps a message, and lets the oldest of that inbox go once there are thousands."""
    lower = {name.lower(): value for name, value in headers.items()}
    message = InboxMessage.objects.create(token=token, body=body, headers=lower)
    oldest = InboxMessage.objects.filter(token=token).order_by("-id")[KEPT : KEPT + 1].first()
    if oldest:
        InboxMessage.objects.filter(token=token, id__lte=oldest.id).delete()
    return message
