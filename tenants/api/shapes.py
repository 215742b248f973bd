"""The documents of tenants and keys as clients see them, for the API document."""

from typing import Any

from rest_framework import serializers

from hookline.openapi import Milliseconds, Shape, Text
from tenants.models import Tenant as TenantModel

Id = serializers.UUIDField
Number = serializers.IntegerField
Scopes = serializers.ListField

SHOWN_ONCE = "Shown this once."


class NewApiKey(Shape):
    name = Text(required=False, help_text="`default` if there is none.")
    scopes = Scopes(required=False, child=Text(), help_text="Such as `events.publish`; all if left out.")
    expires_at = Milliseconds(required=False, allow_null=True, help_text="Never if left out.")


class NewOwnApiKey(NewApiKey):
    tenant_id = Text(required=False, help_text="Another tenant; only for keys of the installation.")


class ApiKey(Shape):
    id = Id()
    key_id = Id(help_text="The same as `id`.")
    tenant_id = Text()
    name = Text()
    prefix = Text(help_text="How its token begins.")
    scopes = Scopes(child=Text())
    created_by = Text()
    created_at = Milliseconds()
    expires_at = Milliseconds(allow_null=True)


class IssuedApiKey(ApiKey):
    key = Text(help_text=SHOWN_ONCE)
    token = Text(help_text="The same as `key`.")
    note = Text()


class ApiKeyList(Shape):
    items = ApiKey(many=True)


class TenantApiKeyList(ApiKeyList):
    tenant_id = Text()


class KeyRotation(Shape):
    key_id = Id(help_text="The key to replace.")
    overlap_seconds = serializers.FloatField(
        required=False, min_value=0, max_value=30 * 86_400, default=3600, help_text="How long it still works."
    )


class RotatedKey(Shape):
    key_id = Id()
    token = Text(help_text=SHOWN_ONCE)
    old_key_id = Id()
    old_key_expires_at = Number(help_text="Seconds since 1970.")


class NewTenant(Shape):
    id = serializers.RegexField(
        r"^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,199}$", required=False, help_text="Made up if left out."
    )
    name = Text(required=False)


class QueueDepth(serializers.IntegerField):
    def __init__(self, **options: Any) -> None:
        told = "Pending jobs before 429; null for the installation's HL_MAX_QUEUE_DEPTH."
        super().__init__(min_value=0, max_value=2**31 - 1, allow_null=True, help_text=told, **options)


class TenantChange(Shape):
    name = Text(required=False)
    max_queue_depth = QueueDepth(required=False)


class Tenant(Shape):
    id = Text()
    tenant_id = Text(help_text="The same as `id`.")
    name = Text()
    status = serializers.ChoiceField(choices=TenantModel.Status.choices)
    max_queue_depth = QueueDepth()
    created_at = Milliseconds()


class CreatedTenant(Tenant):
    api_key = Text(help_text=f"The tenant's first key. {SHOWN_ONCE}")


class TenantList(Shape):
    items = Tenant(many=True)
    tenants = Tenant(many=True, help_text="The same as `items`.")
    count = Number()
    total = Number()


class TenantStats(Shape):
    tenant_id = Text()
    queue_depth = Number()
    in_flight = Number()
    dlq_count = Number()
    event_count = Number()
    endpoint_count = Number()
    subscription_count = Number()
    delivery_count = Number()
    api_keys = Number()
