"""The development inbox: a receiver to try deliveries on."""

from django.db import models
from django.utils import timezone


class InboxMessage(models.Model):
    """A request that arrived at an inbox, as it came."""

    id = models.BigAutoField(primary_key=True)
    token = models.CharField(max_length=100)
    body = models.BinaryField()
    headers = models.JSONField()
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "inbox_messages"
        indexes = [models.Index(fields=["token", "id"], name="inbox_messages_of_token")]

    def __str__(self) -> str:
        return f"{self.token} {self.id}"
