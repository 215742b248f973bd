"""/v1/tenants and /v1/apikeys: who may come in, and how a tenant goes."""

from typing import Any

import pytest
from django.conf import settings

from deliveries import purge
from deliveries.models import Endpoint, Event, Job
from tenants.models import ApiKey, AuditEntry, Tenant
from tests.api import Api, api_of
from tests.factories import deliver, make_endpoint, make_subscription, publish
from tests.receiver import Receiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)

UNKNOWN = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def owner() -> Api:
    """Whoever runs the installation."""
    return Api(settings.HL_ADMIN_KEY)


@pytest.fixture
def api(acme: Tenant) -> Api:
    return api_of(acme)


def works(token: str) -> bool:
    status = Api(token).get("/v1/events").status
    assert status in (200, 401)
    return status == 200


# --- Keys of one's own --------------------------------------------------------------------


def test_a_key_is_shown_once_and_then_never(api: Api) -> None:
    made = api.post("/v1/apikeys", {"name": "ci", "scopes": ["events.read"]})
    assert made.status == 201
    key = made.json
    assert (key["id"], key["key"]) == (key["key_id"], key["token"])
    assert (key["name"], key["tenant_id"], key["scopes"]) == ("ci", "acme", ["events.read"])
    assert key["key"].startswith("hl_live_")
    assert works(key["key"])

    listed = api.get("/v1/apikeys").json["items"]
    assert key["id"] in [item["key_id"] for item in listed]
    assert key["key"] not in api.get("/v1/apikeys").body.decode()
    assert bytes(ApiKey.objects.get(id=key["id"]).digest) == ApiKey.digest_of(key["key"])


@pytest.mark.parametrize(
    ("body", "scopes"),
    [(b"", ["*"]), ({}, ["*"]), ({"scopes": "events.read"}, ["*"]), ({"scopes": []}, [])],
)
def test_what_is_left_out_of_a_new_key_has_a_default(api: Api, body: Any, scopes: list[str]) -> None:
    made = api.post("/v1/apikeys", body).json
    assert (made["name"], made["scopes"]) == ("default", scopes)


def test_a_revoked_key_ends_at_once(api: Api, globex: Tenant) -> None:
    key = api.post("/v1/apikeys").json
    assert api_of(globex).delete(f"/v1/apikeys/{key['id']}").status in (403, 404)
    assert works(key["key"])
    assert api.delete(f"/v1/apikeys/{key['id']}").status == 204
    assert not works(key["key"])
    assert api.delete(f"/v1/apikeys/{key['id']}").fault == (404, "not_found", "Key not found")
    assert api.delete("/v1/apikeys").status == 400


# --- Tenants ------------------------------------------------------------------------------


def test_a_tenant_is_made_with_a_key_of_its_own(owner: Api) -> None:
    made = owner.post("/v1/tenants", {"id": "initech", "name": "Initech"})
    assert made.status == 201
    document = made.json
    assert (document["id"], document["tenant_id"]) == ("initech", "initech")
    assert (document["name"], document["status"]) == ("Initech", "active")
    assert Api(document["api_key"]).get("/v1/events").headers["x-tenant-id"] == "initech"
    assert owner.post("/v1/tenants", {"id": "initech"}).status == 409
    assert "initech" in [item["id"] for item in owner.get("/v1/tenants").json["items"]]


def test_a_repeated_request_makes_one_tenant(owner: Api) -> None:
    first, again = (owner.post("/v1/tenants", {"name": "x"}, idempotency_key="k") for _ in range(2))
    assert (first.status, again.status) == (201, 200)
    assert first.json["id"] == again.json["id"]


def test_statistics_tell_what_a_tenant_has(owner: Api, acme: Tenant, receiver: Receiver) -> None:
    make_subscription(make_endpoint(acme, receiver.url("/hook")))
    receiver.reply("/hook", Reply(404), Reply(200))
    for _ in range(2):
        publish(acme, {"topic": "a"})
    deliver()
    publish(acme, {"topic": "a"})
    stats = owner.get("/v1/tenants/acme/stats").json
    expected = {"queue_depth": 1, "in_flight": 0, "dlq_count": 1, "event_count": 3, "endpoint_count": 1}
    assert stats.items() >= expected.items()
    assert owner.get("/v1/tenants/nobody/stats").status == 404


def test_a_purge_takes_everything_of_one_tenant_and_nothing_of_others(
    owner: Api, acme: Tenant, globex: Tenant, receiver: Receiver
) -> None:
    tokens = {tenant.id: api_of(tenant).token for tenant in (acme, globex)}
    for tenant in (acme, globex):
        make_subscription(make_endpoint(tenant, receiver.url("/hook")))
        publish(tenant, {"topic": "a"})

    assert owner.delete("/v1/tenants/acme").status == 204
    assert not works(tokens["acme"])
    purge.purge_all()
    for model in (Event, Job, Endpoint):
        assert set(model.objects.values_list("tenant_id", flat=True)) == {"globex"}
    assert works(tokens["globex"])
    assert owner.get("/v1/tenants/acme").json["status"] == "deleted"
    assert owner.delete("/v1/tenants/acme").status == 204
    assert owner.delete("/v1/tenants/nobody").status == 404
    assert owner.post("/v1/tenants", {"id": "acme"}).status == 201


def test_only_the_installation_manages_tenants(api: Api) -> None:
    assert api.get("/v1/tenants").status == 403
    assert api.post("/v1/tenants", {"id": "x"}).status == 403


def test_a_tenant_may_have_a_limit_of_its_own(owner: Api, api: Api, acme: Tenant, globex: Tenant) -> None:
    for tenant in (acme, globex):
        make_subscription(make_endpoint(tenant, "https://example.com"))
    changed = owner.patch("/v1/tenants/acme", {"name": "ACME", "max_queue_depth": 2})
    assert (changed.status, changed.json["name"], changed.json["max_queue_depth"]) == (200, "ACME", 2)

    statuses = [api.post("/v1/events", {"topic": "a"}).status for _ in range(3)]
    statuses.append(api.post("/v1/events/batch", {"events": [{"topic": "a"}]}).status)

    assert statuses == [201, 201, 429, 429]
    assert {api_of(globex).post("/v1/events", {"topic": "a"}).status for _ in range(3)} == {201}
    assert AuditEntry.objects.get(action="tenant.updated").metadata == '{"name":"ACME","max_queue_depth":2}'
    assert owner.patch("/v1/tenants/acme", {"max_queue_depth": None}).json["max_queue_depth"] is None
    assert api.post("/v1/events", {"topic": "a"}).status == 201


def test_the_installations_own_tenant_may_have_one_too(owner: Api) -> None:
    path = f"/v1/tenants/{settings.HL_TENANT_ID}"
    assert owner.patch(path, {"max_queue_depth": 0}).status == 200
    assert owner.post("/v1/events", {"topic": "a"}).status == 429


@pytest.mark.parametrize("limit", [-1, 2**31, "5", 1.5, True, [1]])
def test_a_limit_that_is_no_number_changes_nothing(owner: Api, acme: Tenant, limit: Any) -> None:
    answer = owner.patch("/v1/tenants/acme", {"name": "x", "max_queue_depth": limit})
    assert answer.fault == (
        400,
        "validation_error",
        "Invalid field 'max_queue_depth': must be a whole number from 0, or null",
    )
    acme.refresh_from_db()
    assert (acme.name, acme.max_queue_depth) == ("acme", None)


def test_a_change_of_nothing_is_no_change(owner: Api, acme: Tenant) -> None:
    assert owner.patch("/v1/tenants/acme", {"name": 1, "colour": "red"}).json["name"] == "acme"
    assert not AuditEntry.objects.filter(action="tenant.updated").exists()
    assert owner.patch("/v1/tenants/nobody", {"name": "x"}).status == 404


# --- Rotation -----------------------------------------------------------------------------


def test_a_rotated_key_works_until_its_overlap_ends(owner: Api, acme: Tenant) -> None:
    old = owner.post("/v1/tenants/acme/api-keys", {"scopes": ["events.read"]}).json
    path = "/v1/tenants/acme/rotate-key"
    new = owner.post(path, {"key_id": old["id"], "overlap_seconds": 60}).json
    assert new["old_key_id"] == old["id"]
    assert works(old["key"])
    assert works(new["token"])
    assert ApiKey.objects.get(id=new["key_id"]).scopes == ["events.read"]
    owner.post(path, {"key_id": old["id"], "overlap_seconds": 0})
    assert not works(old["key"])
    assert works(new["token"])


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("acme", {}, 400),
        ("acme", {"key_id": UNKNOWN}, 404),
        ("nobody", {"key_id": UNKNOWN}, 404),
    ],
)
def test_a_rotation_of_nothing_makes_no_key(owner: Api, path: str, body: Any, status: int) -> None:
    before = ApiKey.objects.count()
    assert owner.post(f"/v1/tenants/{path}/rotate-key", body).status == status
    assert ApiKey.objects.count() == before


def test_a_key_of_another_tenant_is_not_rotated(owner: Api, globex: Tenant) -> None:
    theirs = owner.post("/v1/tenants/globex/api-keys").json
    assert owner.post("/v1/tenants/acme/rotate-key", {"key_id": theirs["id"]}).status == 404
