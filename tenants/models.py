"""Who may come in: tenants, their API keys, and the record of what was done."""

import hashlib
import secrets

from django.db import models
from django.db.models import Q
from django.utils import timezone

from hookline.database import JsonText
from hookline.ids import uuid7

TOKEN_PREFIX = "hl_live_"  # noqa: S105 - no secret: every token begins so


class Tenant(models.Model):
    """A customer space. Deleted ones stay as a name until their id is used again."""

    class Status(models.TextChoices):
        ACTIVE = "active", "active"
        DELETED = "deleted", "deleted"

    id = models.CharField(max_length=200, primary_key=True)
    name = models.CharField(max_length=200, default="unnamed")
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    # Grows with every change of a subscription, so that a process knows when its copy of the
    # tenant's subscriptions is old.
    routes_version = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    # Pending jobs before 429; null: HL_MAX_QUEUE_DEPTH.
    max_queue_depth = models.IntegerField(null=True, blank=True)
    # When the last of a deleted tenant's data was gone; only then may its id be used again.
    purged_at = models.DateTimeField(null=True, blank=True)
    # The Idempotency-Key header of the request that made it.
    created_with = models.CharField(max_length=255, null=True, unique=True)

    class Meta:
        db_table = "tenants"

    def __str__(self) -> str:
        return self.id


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> "ApiKeyQuerySet":
        unexpired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        return self.filter(unexpired, revoked_at=None)


class ApiKey(models.Model):
    """The SHA-256 of a token. The token itself is shown once and kept nowhere.

    256 random bits need no slow hash (OWASP ASVS 6.5.2).
    """

    id = models.UUIDField(primary_key=True, default=uuid7)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=200, default="default")
    prefix = models.CharField(max_length=20)
    digest = models.BinaryField(max_length=32, unique=True)
    scopes = models.JSONField(default=list)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        db_table = "api_keys"
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @staticmethod
    def new_token() -> str:
        return TOKEN_PREFIX + secrets.token_urlsafe(32)

    @staticmethod
    def digest_of(token: str) -> bytes:
        return hashlib.sha256(token.encode()).digest()


class AuditEntry(models.Model):
    """Who did what. Only ever added to; each entry's hash covers the one before it."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    tenant_id = models.CharField(max_length=200)
    number = models.BigIntegerField()
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=200, blank=True)
    metadata = JsonText(default="{}")
    at = models.DateTimeField()
    hash = models.CharField(max_length=64)

    class Meta:
        db_table = "audit"
        verbose_name_plural = "audit entries"
        constraints = [
            # Newest first for one tenant, and no two entries with one place in the chain.
            models.UniqueConstraint(fields=["tenant_id", "number"], name="audit_chain")
        ]
        # The console's list, newest first: of a tenant, by somebody, of a kind, about a thing.
        indexes = [
            models.Index(fields=["tenant_id", "id"], name="audit_of_tenant"),
            models.Index(fields=["actor", "id"], name="audit_by_actor"),
            models.Index(fields=["action", "id"], name="audit_of_action"),
            models.Index(fields=["target", "id"], name="audit_of_target"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"
