"""How much went through, by time, for charts."""

from django.db import models
from django.db.models import Q


class Traffic(models.Model):
    """One sum of one stretch of time. Charts read these and never the rows that were counted.

    `scope` is empty for the whole installation, `t:` with a tenant's id, or `e:` with an endpoint's.
    """

    MINUTE, HOUR = 60, 3600

    pk = models.CompositePrimaryKey("scope", "seconds", "at", "name")
    scope = models.TextField()
    seconds = models.IntegerField(help_text="how long the stretch is")
    at = models.DateTimeField(help_text="when it began")
    name = models.CharField(max_length=20)
    value = models.BigIntegerField(default=0)

    class Meta:
        db_table = "traffic"
        indexes = [
            # Retention.
            models.Index(fields=["seconds", "at"], name="traffic_age"),
            # The endpoints that failed most.
            models.Index(fields=["at"], condition=Q(name="failed", seconds=3600), name="traffic_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.at} {self.name}: {self.value}"
