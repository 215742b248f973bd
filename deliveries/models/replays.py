"""What was sent again, for whom and with what result."""

from django.db import models
from django.utils import timezone

from hookline.database import JsonText
from hookline.ids import uuid7
from tenants.models import Tenant


class Replay(models.Model):
    """One request to deliver past events again, with the jobs it made."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE)
    request = JsonText()
    results = JsonText(default="[]")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "replays"
        indexes = [models.Index(fields=["tenant", "id"], name="replays_of_tenant")]

    def __str__(self) -> str:
        return str(self.id)
