"""What the installation keeps about itself."""

from django.db import models


class Switch(models.Model):
    """A decision that holds for every process, such as a pause of all deliveries."""

    CLAIMS_PAUSED = "claims_paused"

    name = models.CharField(max_length=50, primary_key=True)
    is_on = models.BooleanField(default=False)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "switches"
        verbose_name_plural = "switches"

    def __str__(self) -> str:
        return f"{self.name}: {'on' if self.is_on else 'off'}"


class Chore(models.Model):
    """Periodic work that one process does at a time: whoever moves `due_at` does it."""

    name = models.CharField(max_length=50, primary_key=True)
    due_at = models.DateTimeField()
    # While a process does it: until when no other may take it over.
    taken_until = models.DateTimeField(null=True)
    last_run_at = models.DateTimeField(null=True)
    duration_ms = models.IntegerField(default=0)
    done_count = models.BigIntegerField(default=0)
    # How far it came, for work that goes on from there.
    reached = models.UUIDField(null=True)

    class Meta:
        db_table = "chores"

    def __str__(self) -> str:
        return self.name


class Counter(models.Model):
    """One sample of a counter or histogram. Kept apart from the rows it counts, so that it
    never falls when they are removed."""

    pk = models.CompositePrimaryKey("name", "labels")
    name = models.CharField(max_length=60)
    labels = models.TextField()
    value = models.BigIntegerField(default=0)

    class Meta:
        db_table = "counters"

    def __str__(self) -> str:
        return f"{self.name}{self.labels} {self.value}"


class Process(models.Model):
    """A heartbeat: a process that serves or delivers, and how busy it said it was."""

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=20)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    version = models.CharField(max_length=20)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)
    in_flight = models.IntegerField(default=0)
    streams = models.IntegerField(default=0)

    class Meta:
        db_table = "processes"
        verbose_name_plural = "processes"

    def __str__(self) -> str:
        return f"{self.kind} {self.pid} on {self.host}"

    @property
    def delivers(self) -> bool:
        """Whether jobs wait for it."""
        return self.kind not in ("web", "streams")


class Login(models.Model):
    """How often a login failed lately, for one account, address or browser."""

    of = models.CharField(max_length=200, primary_key=True)
    failures = models.IntegerField(default=0)
    first_at = models.DateTimeField()
    locked_until = models.DateTimeField(null=True)

    class Meta:
        db_table = "logins"
        indexes = [models.Index(fields=["first_at"], name="logins_age")]

    def __str__(self) -> str:
        return f"{self.of}: {self.failures}"
