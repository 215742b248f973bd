"""Where deliveries go, and what is sent there."""

import json
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from deliveries.models.lanes import Lane
from hookline import keyring
from hookline.database import JsonText
from hookline.ids import uuid7
from tenants.models import Tenant


class PayloadFormat(models.TextChoices):
    ENVELOPE = "envelope", "envelope with the event inside"
    EVENT = "event", "the event alone"
    STANDARD = "standard", "Standard Webhooks: type, timestamp, data"


class DisabledFor(models.TextChoices):
    """Why HookLine itself turned an endpoint off; blank if a person did, or it is on."""

    GONE = "gone", "it answered 410 Gone"
    FAILURES = "failures", "it failed for long"  # is tried now and then, and comes back by itself


class EndpointQuerySet(models.QuerySet["Endpoint"]):
    def with_health(self) -> "EndpointQuerySet":
        """Each with `lane_fails_since`: what its lane says of it now."""
        lane = Lane.objects.filter(endpoint_id=models.OuterRef("id"))
        return self.annotate(lane_fails_since=models.Subquery(lane.values("failing_since")))


class Endpoint(models.Model):
    """A customer's URL, with its secret, limits and health."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE)
    url = models.TextField()
    name = models.TextField(default="", blank=True)
    description = models.TextField(default="", blank=True)
    is_enabled = models.BooleanField("enabled", db_column="enabled", default=True)
    disabled_reason = models.TextField(default="", blank=True)
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_for = models.CharField(
        max_length=10, choices=DisabledFor, default="", db_default="", editable=False
    )
    # Of one that is disabled for failures: since when it had failed, and when to try it again.
    failing_since = models.DateTimeField(null=True, editable=False)
    probe_at = models.DateTimeField(null=True, editable=False)
    timeout_ms = models.IntegerField(default=30_000)
    max_in_flight = models.IntegerField(default=10)
    rate_limit_rps = models.IntegerField(default=100, help_text="0 means no limit")
    max_retries = models.IntegerField(null=True, blank=True, help_text="attempts at most")
    retry_schedule = models.JSONField(null=True, blank=True, help_text="delays in seconds")
    payload_format = models.CharField(max_length=10, choices=PayloadFormat, default=PayloadFormat.ENVELOPE)
    secret_box = models.BinaryField(null=True, editable=False)
    old_secret_box = models.BinaryField(null=True, editable=False)
    old_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    headers_box = models.BinaryField(null=True, editable=False)
    # The fields of the client's document that we do not know, to be echoed.
    extra = JsonText(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(null=True, editable=False)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        db_table = "endpoints"
        indexes = [
            models.Index(fields=["tenant", "id"], name="endpoints_of_tenant"),
            # Those that we turned off: to be tried again, to be told of.
            models.Index(fields=["disabled_for"], condition=~Q(disabled_for=""), name="endpoints_turned_off"),
        ]

    def __str__(self) -> str:
        return self.name or self.url

    def enable(self) -> None:
        self.is_enabled = True
        self.disabled_reason = self.disabled_for = ""
        self.disabled_at = self.failing_since = self.probe_at = None

    def disable(self, reason: str, moment: datetime, disabled_for: str = "") -> None:
        """Its deliveries are held from now on; none is lost."""
        self.is_enabled = False
        self.disabled_reason, self.disabled_for = reason, disabled_for
        self.disabled_at, self.failing_since, self.probe_at = moment, None, None

    @property
    def secret(self) -> str:
        return self._unsealed("secret", self.secret_box)

    @secret.setter
    def secret(self, text: str) -> None:
        self.secret_box = self._sealed("secret", text)

    @property
    def headers(self) -> dict[str, str]:
        text = self._unsealed("headers", self.headers_box)
        return json.loads(text) if text else {}

    @headers.setter
    def headers(self, headers: dict[str, str]) -> None:
        self.headers_box = self._sealed("headers", json.dumps(headers) if headers else "")

    def secrets(self) -> list[str]:
        """The current secret, then the one being replaced; that one signs until `old_secret_until`."""
        boxes = [box for box in (self.secret_box, self.old_secret_box) if box]
        return [self._unsealed("secret", box) for box in boxes]

    def rotate_secret(self, text: str, until: datetime) -> None:
        """Signs with `text` from now on, and with the old secret too until then."""
        self.old_secret_box, self.old_secret_until = self.secret_box, until
        self.secret = text

    def forget_old_secret(self) -> None:
        """Ends an overlap: only the current secret signs."""
        self.old_secret_box = self.old_secret_until = None

    def reseal(self) -> None:
        """Encrypts all secrets with the current key."""
        old = self._unsealed("secret", self.old_secret_box)
        self.secret, self.headers = self.secret, self.headers
        self.old_secret_box = self._sealed("secret", old)

    def _context(self, column: str) -> str:
        return f"endpoints/{self.id}/{column}"

    def _sealed(self, column: str, text: str) -> bytes | None:
        return keyring.seal(text, self._context(column), settings.HL_MASTER_KEY) if text else None

    def _unsealed(self, column: str, box: bytes | memoryview | None) -> str:
        return keyring.unseal(bytes(box), self._context(column), settings.HL_MASTER_KEY) if box else ""


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def active(self) -> "SubscriptionQuerySet":
        return self.filter(deleted_at=None)


class Subscription(models.Model):
    """An endpoint's wish for events: a topic pattern, a filter and a transform.

    A deleted one stays until its jobs are gone, because their transform may remove what the
    receiver must not see.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="subscriptions")
    topic_pattern = models.TextField()
    filter = JsonText(null=True, blank=True)
    transform = JsonText(null=True, blank=True)
    description = models.TextField(default="", blank=True)
    extra = JsonText(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        db_table = "subscriptions"
        indexes = [
            # All routes of a tenant, when a process reads them anew.
            models.Index(fields=["tenant", "id"], condition=Q(deleted_at=None), name="subscriptions_active")
        ]

    def __str__(self) -> str:
        return f"{self.topic_pattern} → {self.endpoint_id}"
