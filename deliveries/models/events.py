"""What producers sent."""

from datetime import timedelta

from django.db import models

from hookline.database import JsonText, now
from hookline.ids import uuid7
from tenants.models import Tenant


class Event(models.Model):
    """A topic and a payload, never changed, and at most forgotten. Rows on hot tables carry no database
    constraint to others: each would cost a look-up per row, and intake writes them together anyway."""

    class PayloadRemoved(models.TextChoices):
        RETENTION = "retention", "removed by retention"
        EXPUNGED = "expunged", "expunged"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    topic = models.TextField()
    payload = JsonText(null=True)
    # The document's other fields, as one JSON object.
    extra = JsonText(null=True)
    idempotency_key = models.TextField(null=True)
    occurred_at = models.BigIntegerField(help_text="milliseconds since 1970, as the producer gave it")
    created_at = models.DateTimeField()
    # Why payload and extra are no longer there; null as long as they are.
    payload_removed = models.CharField(max_length=10, choices=PayloadRemoved, null=True)

    class Meta:
        db_table = "events"
        indexes = [
            # Pages of one tenant, in the order of publication.
            models.Index(fields=["tenant", "id"], name="events_of_tenant"),
            # Time ranges of one tenant: from_ms and to_ms, replay.
            models.Index(fields=["tenant", "occurred_at"], name="events_occurred"),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.id}"


class IdempotencyKeyQuerySet(models.QuerySet["IdempotencyKey"]):
    def alive(self) -> "IdempotencyKeyQuerySet":
        return self.filter(created_at__gt=now() - IdempotencyKey.LIVES)


class IdempotencyKey(models.Model):
    """The event that a producer's key stands for while it lives. The primary key decides races."""

    LIVES = timedelta(hours=24)

    pk = models.CompositePrimaryKey("tenant_id", "key")
    tenant = models.ForeignKey(Tenant, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    key = models.TextField()
    event_id = models.UUIDField()
    created_at = models.DateTimeField()

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        db_table = "idempotency_keys"
        indexes = [models.Index(fields=["created_at"], name="idempotency_keys_age")]

    def __str__(self) -> str:
        return self.key
