"""The obligation to deliver, the tries, and what was given up.

pending ──claim──► running ──2xx──────────────► succeeded
   ▲                  │
   ├──retry, release──┤
   ├──lease expired───┤
   │                  └──refused, spent, lost─► dead + one row in dlq
   └────────────────────requeue──────────────────┘
"""

from django.db import models
from django.db.models import F, Q

from deliveries.models.endpoints import Endpoint, Subscription
from deliveries.models.events import Event
from hookline.database import JsonText
from hookline.ids import uuid7
from tenants.models import Tenant


class Unconstrained(models.ForeignKey):  # type: ignore[type-arg]
    """A link that the ORM can follow and the database does not check (see Event)."""

    def __init__(self, to: type[models.Model] | str, **options: object) -> None:
        defaults = {"on_delete": models.DO_NOTHING, "db_constraint": False, "db_index": False}
        super().__init__(to, **(defaults | options))  # type: ignore[arg-type]


class Job(models.Model):
    """One event for one subscription. Only deliveries.queue changes its status."""

    class Status(models.TextChoices):
        PENDING = "pending", "pending"  # due at next_attempt_at; "retrying" if it has attempts
        RUNNING = "running", "running"  # owned through claim_id until lease_until
        SUCCEEDED = "succeeded", "succeeded"
        DEAD = "dead", "dead"  # has a dlq row

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = Unconstrained(Tenant)
    event = Unconstrained(Event, related_name="jobs")
    endpoint = Unconstrained(Endpoint, related_name="jobs")
    subscription = Unconstrained(Subscription, null=True)
    replay_id = models.UUIDField(null=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    attempt_count = models.IntegerField(default=0)
    # Attempts made before the last requeue: they do not count against the budget.
    forgiven_count = models.IntegerField(default=0)
    lost_count = models.SmallIntegerField(default=0, help_text="leases lost in a row")
    next_attempt_at = models.DateTimeField()
    claim_id = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "jobs"
        indexes = [
            # The claim: the next due job of one endpoint. Also the queue depth by tenant.
            models.Index(
                fields=["tenant", "endpoint", "next_attempt_at"],
                condition=Q(status="pending"),
                name="jobs_due",
            ),
            # Rescue of expired leases; how many run, by endpoint.
            models.Index(fields=["lease_until"], condition=Q(status="running"), name="jobs_running"),
            # The jobs of an event: its page, retention.
            models.Index(fields=["event"], name="jobs_of_event"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["pending", "running"], finished_at=None)
                | Q(status__in=["succeeded", "dead"], finished_at__isnull=False),
                name="jobs_finished_when_final",
            ),
            models.CheckConstraint(
                condition=Q(status="running", claim_id__isnull=False, lease_until__isnull=False)
                | (~Q(status="running") & Q(claim_id=None, lease_until=None)),
                name="jobs_claimed_when_running",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Attempt(models.Model):
    """One HTTP try of a job, never changed."""

    class Status(models.TextChoices):
        SUCCESS = "success", "success"
        FAILURE = "failure", "failure"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = Unconstrained(Job, related_name="attempts")
    tenant = Unconstrained(Tenant)
    event = Unconstrained(Event)
    endpoint = Unconstrained(Endpoint)
    attempt_n = models.IntegerField()
    status = models.CharField(max_length=10, choices=Status)
    http_status = models.IntegerField(default=0, help_text="0 when no answer came")
    error = models.CharField(max_length=20, null=True)
    error_detail = models.TextField(default="")
    started_at = models.DateTimeField()
    duration_ms = models.IntegerField()
    address = models.TextField(default="", help_text="the address dialled")
    response_headers = JsonText(null=True)
    response_body = models.BinaryField(null=True)

    class Meta:
        db_table = "attempts"
        indexes = [
            # The history of a job, and through jobs_of_event that of an event.
            models.Index(fields=["job"], name="attempts_of_job"),
            models.Index(fields=["tenant", "id"], name="attempts_of_tenant"),
            models.Index(fields=["endpoint", "id"], name="attempts_of_endpoint"),
            # Latency of the last minutes.
            models.Index(fields=["started_at", "duration_ms"], name="attempts_started"),
            # Failed deliveries of the last hour.
            models.Index(fields=["started_at"], condition=Q(status="failure"), name="attempts_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id} #{self.attempt_n}: {self.status}"


class DeadLetter(models.Model):
    """Why a job was given up. Goes when the job is requeued or the letter is deleted."""

    job = models.OneToOneField(
        Job, on_delete=models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="dead_letter"
    )
    tenant = Unconstrained(Tenant)
    event = Unconstrained(Event)
    endpoint = Unconstrained(Endpoint)
    reason = models.CharField(max_length=100)
    attempt_count = models.IntegerField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "dlq"
        indexes = [
            # Newest first: of all, of a tenant or of one endpoint.
            models.Index(F("created_at").desc(), F("job").desc(), name="dlq_newest"),
            models.Index("tenant", F("created_at").desc(), name="dlq_of_tenant"),
            models.Index("endpoint", F("created_at").desc(), name="dlq_of_endpoint"),
            # Whether an event has one: replay of what failed, retention.
            models.Index(fields=["event"], name="dlq_of_event"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}: {self.reason}"
