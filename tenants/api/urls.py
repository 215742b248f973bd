"""The routes of tenants and keys, below /v1/."""

from django.urls import path

from tenants.api import keys, tenants

urlpatterns = [
    path("apikeys", keys.ApiKeys.as_view()),
    path("apikeys/<key_id>", keys.ApiKeyDetail.as_view()),
    path("tenants", tenants.Tenants.as_view()),
    path("tenants/<tenant_id>", tenants.TenantDetail.as_view()),
    path("tenants/<tenant_id>/stats", tenants.TenantStats.as_view()),
    path("tenants/<tenant_id>/api-keys", tenants.TenantKeys.as_view()),
    path("tenants/<tenant_id>/api-keys/<key_id>", tenants.TenantKeyDetail.as_view()),
    path("tenants/<tenant_id>/rotate-key", tenants.KeyRotation.as_view()),
]
