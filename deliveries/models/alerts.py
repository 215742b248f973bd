"""What an operator should know: what is amiss, and what is still to be told of it."""

from django.db import models
from django.db.models import Q

from hookline.database import JsonText
from hookline.ids import uuid7


class Alert(models.Model):
    """Something amiss, from the moment it was seen until it was over. One row for each thing that can be,
    for all processes together, so that everything is told once."""

    class Kind(models.TextChoices):
        ENDPOINT_FAILING = "endpoint_failing", "an endpoint fails, and will be disabled"
        ENDPOINT_DISABLED = "endpoint_disabled", "an endpoint was disabled"
        DELIVERIES_LATE = "deliveries_late", "deliveries are late"
        DEAD_LETTERS = "dead_letters", "dead letters gather"
        NO_WORKER = "no_worker", "no worker is alive"
        LEASES_LOST = "leases_lost", "workers stand still or die"

    # What it is about, such as `endpoint/<id>`.
    key = models.CharField(max_length=80, primary_key=True)
    kind = models.CharField(max_length=20, choices=Kind)
    is_firing = models.BooleanField(default=True)
    # How bad: when it gets worse, it is told again.
    level = models.IntegerField(default=1)
    since = models.DateTimeField()
    text = models.TextField(help_text="as it was last told")
    # It counts as over when it has not been seen for a while.
    seen_at = models.DateTimeField()
    told_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "alerts"
        indexes = [models.Index(fields=["kind"], condition=Q(is_firing=True), name="alerts_firing")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {'firing' if self.is_firing else 'over'}"


class Notice(models.Model):
    """What is still to be told over one channel. Made in the transaction that changes the alerts, and
    removed when it was told."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    channel = models.CharField(max_length=10)
    document = JsonText(help_text="the alerts that it tells of")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    try_count = models.IntegerField(default=0)
    # Why it was not taken, without any address.
    error = models.TextField(default="")

    class Meta:
        db_table = "notices"

    def __str__(self) -> str:
        return f"{self.channel}, {self.created_at:%Y-%m-%d %H:%M}"
