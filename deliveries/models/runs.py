"""Bulk work that goes on in the background: what was asked for, and how far it has come.

waiting ──claim──► running ──last step──► done
   ▲  │              │  │
   │  └────pause─────┤  └──steps go wrong──► failed ──resume──┐
   │                 └──────► paused ──────────────resume─────┤
   └──────────────────────────────────────────────────────────┘
cancelled can come from all but done
"""

from datetime import datetime

from django.db import models
from django.db.models import Q

from hookline.database import JsonText
from hookline.ids import uuid7
from tenants.models import Tenant


class RunQuerySet(models.QuerySet["Run"]):
    def active(self) -> "RunQuerySet":
        return self.filter(state__in=Run.ACTIVE)

    def due(self, moment: datetime) -> "RunQuerySet":
        """Those whose next step may be taken now, and that no worker is at."""
        is_free = Q(lease_until=None) | Q(lease_until__lte=moment)
        return self.active().filter(is_free, due_at__lte=moment)

    def open(self) -> "RunQuerySet":
        """Those that somebody may still press a button of."""
        return self.exclude(state__in=Run.OVER)

    def over(self) -> "RunQuerySet":
        return self.filter(state__in=Run.OVER)


class Run(models.Model):
    """A verb for many rows. Workers carry it out in small steps, each one transaction."""

    class Verb(models.TextChoices):
        REQUEUE = "requeue", "requeue dead letters"
        DISCARD = "discard", "discard dead letters"
        REPLAY = "replay", "replay events"

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"  # for a worker to take the first step, or the next one
        RUNNING = "running", "running"
        PAUSED = "paused", "paused"
        DONE = "done", "done"
        CANCELLED = "cancelled", "cancelled"
        FAILED = "failed", "failed"  # its steps went wrong several times in a row

    ACTIVE = (State.WAITING, State.RUNNING)
    OVER = (State.DONE, State.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Null: of all tenants, which only an operator may ask for.
    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.CASCADE, db_index=False)
    verb = models.CharField(max_length=10, choices=Verb)
    selection = JsonText()
    asked_by = models.CharField(max_length=200)
    rate = models.IntegerField(help_text="deliveries a second at most; letters, where they are discarded")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    # What the preview found: how many letters or events there are to do, or at least so many.
    total = models.IntegerField()
    is_exact = models.BooleanField()
    preview = JsonText(default="{}")
    done_count = models.IntegerField(default=0)
    skipped_count = models.IntegerField(
        default=0, help_text="events that nobody was to get, or nothing is left of"
    )
    job_count = models.IntegerField(default=0, help_text="deliveries that it made or made due")
    # Where it goes on; null before the first step.
    place = JsonText(null=True)
    # Grows with what was done, by the rate.
    due_at = models.DateTimeField()
    held_because = models.TextField(default="")
    claim_id = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    fault_count = models.SmallIntegerField(default=0, help_text="steps that went wrong in a row")
    last_error = models.TextField(default="")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        db_table = "runs"
        indexes = [
            # The next step that a worker can take.
            models.Index(fields=["due_at"], condition=Q(state__in=["waiting", "running"]), name="runs_due"),
            # The latest of a tenant.
            models.Index(fields=["tenant", "id"], name="runs_of_tenant"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["done", "cancelled"], finished_at__isnull=False)
                | (~Q(state__in=["done", "cancelled"]) & Q(finished_at=None)),
                name="runs_finished_when_over",
            )
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.id}"

    @property
    def is_over(self) -> bool:
        return self.state in self.OVER

    @property
    def left(self) -> int | None:
        """How many are left, where that is known."""
        return max(0, self.total - self.done_count) if self.is_exact else None
