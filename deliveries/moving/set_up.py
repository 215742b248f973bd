"""Keys, endpoints and subscriptions: the rows that become of their documents. Each function raises
Invalid for what cannot be one, and returns None for what is left out."""

import binascii
import json
from uuid import UUID

from deliveries import documents, endpoints
from deliveries.api.endpoints import HIDDEN, split
from deliveries.api.subscriptions import read
from deliveries.fields import EndpointFields
from deliveries.models import Endpoint, Subscription
from deliveries.moving.items import Item
from deliveries.moving.target import Target
from hookline.errors import Invalid
from hookline.keyring import CannotOpen
from tenants.models import ApiKey

SECRET_MISSING = "Imported without its secret or its headers: set them, then enable it."  # noqa: S105
# What only our own files say of an endpoint, and what the older server said by mistake.
NOT_ECHOED = {"sealed", "old_secret_until", "deleted_at", "cmd"}
DIGEST_BYTES = 32


def key_of(item: Item, target: Target) -> ApiKey | None:
    if "sha256" not in item.fields:
        target.leave_out(item, "a list names keys and does not hold them; issue a new one")
        return None
    scopes = item.value("scopes")
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise Invalid("Invalid field 'scopes': must be a list of texts")
    return ApiKey(
        id=item.id("key_id", "id"),
        tenant_id=target.tenant_id,
        name=item.text("name", "default", most=200),
        prefix=item.text("prefix", most=20),
        digest=_digest(item),
        scopes=scopes,
        created_by=item.text("created_by", "import", most=200),
        created_at=item.moment("created_at") or target.now,
        expires_at=item.moment("expires_at"),
    )


def endpoint_of(item: Item, target: Target) -> Endpoint:
    """One whose secret did not come along is disabled, rather than sent to unsigned."""
    known, unknown = split(_echoed(item))
    values = EndpointFields.read(known)
    is_hidden = HIDDEN in (values["secret"], *values["headers"].values())
    hidden = {"secret": "", "headers": {}} if is_hidden else {}
    id = item.id("id", "endpoint_id")
    endpoint = endpoints.drafted(target.tenant_id, values | hidden, unknown, target.by, id)
    endpoint.created_at = item.moment("created_at") or target.now
    endpoint.updated_at = item.moment("updated_at")
    if not endpoint.is_enabled:
        endpoint.disabled_reason = item.text("disabled_reason", endpoint.disabled_reason)
    if "sealed" in item.fields:
        _unseal(endpoint, item, target)
    elif is_hidden:
        endpoint.disable(SECRET_MISSING, target.now)
    target.endpoint_ids.add(id)
    return endpoint


def subscription_of(item: Item, target: Target) -> Subscription | None:
    """The older server let subscriptions outlive their endpoints."""
    values, unknown = read(_echoed(item))
    endpoint_id = item.id("endpoint_id")
    if endpoint_id not in target.endpoint_ids:
        target.leave_out(item, "its endpoint is not there")
        return None
    return Subscription(
        id=item.id("id", "subscription_id"),
        tenant_id=target.tenant_id,
        extra=documents.encode(unknown).decode() if unknown else None,
        created_at=item.moment("created_at") or target.now,
        deleted_at=item.moment("deleted_at"),
        **values | {"endpoint_id": endpoint_id},
    )


def _echoed(item: Item) -> documents.Fields:
    return {name: raw for name, raw in item.fields.items() if name not in NOT_ECHOED}


def _digest(item: Item) -> bytes:
    try:
        digest = bytes.fromhex(item.text("sha256"))
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_BYTES:
        raise Invalid("Invalid field 'sha256': must be 64 hexadecimal digits")
    return digest


def _unseal(endpoint: Endpoint, item: Item, target: Target) -> None:
    texts = _opened(endpoint.id, item, target)
    if old := texts.get("old_secret"):
        endpoint.secret = old
        endpoint.rotate_secret(texts["secret"], item.moment("old_secret_until") or target.now)
    elif secret := texts.get("secret"):
        endpoint.secret = secret
    if headers := texts.get("headers"):
        endpoint.headers = json.loads(headers)


def _opened(id: UUID, item: Item, target: Target) -> dict[str, str]:
    assert target.box  # a file with sealed secrets is not taken in without a passphrase
    try:
        return {name: target.box.open(text, f"{id}/{name}") for name, text in item.value("sealed").items()}
    except (CannotOpen, binascii.Error, AttributeError, TypeError):
        raise Invalid("Invalid field 'sealed': the passphrase does not open it") from None
