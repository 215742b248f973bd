"""How each view of tenants and keys is told in the API document: one name here per view."""

from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer, extend_schema_view

from hookline.openapi import Fault, NoScope, Optional, operation, parameter
from tenants.api import shapes

OTHER_TENANT = [parameter("tenant_id", str, "Another tenant; only for keys of the installation.")]
REMOVED = {
    204: None,
    403: OpenApiResponse(
        PolymorphicProxySerializer("Refusal", [NoScope, Fault], None),
        "The key lacks `required_scope`, or the key to revoke belongs to another tenant.",
    ),
}
ID_MISSING = operation("", "Refused: the path must name an id", {400: Fault})
ISSUED = {201: shapes.IssuedApiKey}

api_keys = extend_schema_view(
    get=operation("list_api_keys", "List keys", {200: shapes.ApiKeyList}, query=OTHER_TENANT, faults=[404]),
    post=operation("create_api_key", "Make a key", ISSUED, body=Optional(shapes.NewOwnApiKey), faults=[404]),
    delete=ID_MISSING,
)
api_key = extend_schema_view(
    delete=operation("revoke_api_key", "Revoke a key at once", REMOVED, query=OTHER_TENANT)
)

tenants = extend_schema_view(
    get=operation("list_tenants", "List tenants", {200: shapes.TenantList}),
    post=operation(
        "create_tenant",
        "Create a tenant with its first key",
        {201: shapes.CreatedTenant, 200: shapes.Tenant},
        body=Optional(shapes.NewTenant),
        query=[
            parameter(
                "Idempotency-Key",
                {"type": "string", "maxLength": 255},
                "Answers 200 with the tenant that a request with this key made in the last 24 hours.",
                location="header",
            )
        ],
        faults=[409],
    ),
)
tenant = extend_schema_view(
    get=operation("get_tenant", "Read a tenant", {200: shapes.Tenant}),
    patch=operation("change_tenant", "Change a tenant", {200: shapes.Tenant}, body=shapes.TenantChange),
    delete=operation(
        "delete_tenant",
        "Delete a tenant and all it has",
        {204: None},
        faults=[409],
        description="Its keys stop working at once.",
    ),
)
tenant_stats = extend_schema_view(
    get=operation("get_tenant_stats", "Count what a tenant has", {200: shapes.TenantStats})
)
tenant_keys = extend_schema_view(
    get=operation("list_tenant_keys", "List a tenant's keys", {200: shapes.TenantApiKeyList}),
    post=operation("create_tenant_key", "Make a key for a tenant", ISSUED, body=Optional(shapes.NewApiKey)),
    delete=ID_MISSING,
)
tenant_key = extend_schema_view(
    delete=operation("revoke_tenant_key", "Revoke a tenant's key at once", REMOVED)
)
key_rotation = extend_schema_view(
    post=operation(
        "rotate_tenant_key",
        "Replace a key",
        {200: shapes.RotatedKey},
        body=shapes.KeyRotation,
        description="The old key works until the overlap ends.",
    )
)
