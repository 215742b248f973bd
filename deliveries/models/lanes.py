"""What the queue keeps about each endpoint, so that a claim touches only those it can serve."""

from django.db import models
from django.db.models import Q


class Lane(models.Model):
    """One row per endpoint: may it be served now, and how much?

    Derived from jobs, which are the truth; `queue.repair` rebuilds it. It outlives its endpoint
    until the waiting jobs have been dead-lettered.
    """

    class State(models.IntegerChoices):
        IDLE = 0, "idle"  # no job waits; a bell wakes it
        READY = 1, "ready"
        WAITING = 2, "waiting for a later job"  # until wake_at
        LIMITED = 3, "rate limited"  # until wake_at
        FULL = 4, "full"  # the next settle wakes it
        OFF = 5, "off"  # enabling the endpoint wakes it
        FRESH = 6, "fresh"  # was idle and got work: served before the ready ones, once

    endpoint_id = models.UUIDField(primary_key=True)
    tenant_id = models.CharField(max_length=200)
    state = models.SmallIntegerField(choices=State, default=State.IDLE)
    wake_at = models.DateTimeField(null=True)
    served_at = models.DateTimeField()
    # Changes only in the transaction that changes jobs.status to or from running.
    in_flight = models.IntegerField(default=0)
    tokens = models.FloatField(default=0)
    refilled_at = models.DateTimeField()
    # How many may run while the endpoint recovers from failures; null: as many as its limit.
    ramp = models.IntegerField(null=True)
    # Since when attempts have failed without a success among them.
    failing_since = models.DateTimeField(null=True)
    # Whether one job may start although the endpoint is off, to see whether it is back.
    is_probing = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "lanes"
        indexes = [
            # The next tenants with work, and each one's least recently served endpoints.
            models.Index(fields=["tenant_id", "served_at"], condition=Q(state=1), name="lanes_ready"),
            models.Index(fields=["tenant_id", "served_at"], condition=Q(state=6), name="lanes_fresh"),
            # Whose time has come.
            models.Index(fields=["wake_at"], condition=Q(state__in=[2, 3]), name="lanes_wake"),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint_id}: {self.get_state_display()}"


class Bell(models.Model):
    """Says that an endpoint got work. Publishers only insert bells and so never wait for a lane;
    workers read each once and delete it."""

    id = models.BigAutoField(primary_key=True)
    endpoint_id = models.UUIDField()

    class Meta:
        db_table = "bells"

    def __str__(self) -> str:
        return str(self.endpoint_id)
