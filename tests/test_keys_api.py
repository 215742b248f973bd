"""/v1/apikeys: the keys of one's own tenant."""

import hashlib
from typing import Any
from uuid import uuid4

import pytest

from hookline.database import now
from hookline.times import milliseconds
from tenants.models import ApiKey, AuditEntry, Tenant
from tests.api import Api, api_of, operator

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = "/v1/apikeys"


@pytest.fixture
def api(acme: Tenant) -> Api:
    return api_of(acme)


def test_a_key_is_shown_once_and_works_at_once(api: Api) -> None:
    answer = api.post(KEYS, {"name": "ci", "scopes": ["events.read"]})
    made = answer.json
    assert answer.status == 201
    assert made["key"] == made["token"]
    assert made["key"].startswith("hl_live_")
    assert made["id"] == made["key_id"]
    assert (made["name"], made["tenant_id"], made["scopes"]) == ("ci", "acme", ["events.read"])
    assert Api(made["key"]).get("/v1/events").status == 200
    assert Api(made["key"]).get("/v1/endpoints").json["required_scope"] == "endpoints.read"
    assert made["key"] not in api.get(KEYS).body.decode()
    assert ApiKey.objects.get(id=made["id"]).digest == hashlib.sha256(made["key"].encode()).digest()


def test_a_key_may_end_by_itself(api: Api) -> None:
    soon = milliseconds(now()) + 60_000
    made = api.post(KEYS, {"expires_at": soon}).json
    assert made["expires_at"] == soon
    [listed] = [item for item in api.get(KEYS).json["items"] if item["id"] == made["id"]]
    assert listed["expires_at"] == soon
    assert Api(made["key"]).get("/v1/events").status == 200

    ApiKey.objects.filter(id=made["id"]).update(expires_at=now())

    assert Api(made["key"]).get("/v1/events").status == 401
    assert api.post(KEYS).json["expires_at"] is None


@pytest.mark.parametrize("end", [0, -1, "tomorrow", 1.5e15, True, 10**18])
def test_an_end_that_makes_no_sense_makes_no_key(api: Api, end: Any) -> None:
    before = ApiKey.objects.count()
    assert api.post(KEYS, {"expires_at": end}).fault == (
        400,
        "validation_error",
        "Invalid field 'expires_at': must be a time to come, in milliseconds since 1970",
    )
    assert ApiKey.objects.count() == before


@pytest.mark.parametrize("body", [b"", b"{}", b"garbage", b"[]", b'{"name": 1, "scopes": "events"}'])
def test_a_key_needs_no_body_and_gets_all_scopes(api: Api, body: bytes) -> None:
    made = api.post(KEYS, body).json
    assert (made["name"], made["scopes"]) == ("default", ["*"])


def test_a_key_without_scopes_opens_nothing(api: Api) -> None:
    made = api.post(KEYS, {"scopes": []}).json
    assert made["scopes"] == []
    assert Api(made["key"]).get("/v1/events").status == 403


def test_keys_are_listed_for_their_own_tenant(api: Api, globex: Tenant) -> None:
    api_of(globex)
    made = api.post(KEYS, {"name": "ci"}).json
    items: list[dict[str, Any]] = api.get(KEYS).json["items"]
    assert {item["tenant_id"] for item in items} == {"acme"}
    (item,) = [item for item in items if item["id"] == made["id"]]
    assert (item["name"], item["created_by"]) == ("ci", "self")
    assert (item["key_id"], item["created_at"]) == (made["id"], made["created_at"])
    assert made["key"].startswith(item["prefix"])


def test_a_revoked_key_ends_at_once(api: Api) -> None:
    made = api.post(KEYS).json
    answer = api.delete(f"{KEYS}/{made['id']}")
    assert (answer.status, answer.body) == (204, b"")
    assert Api(made["key"]).get("/v1/events").status == 401
    assert made["id"] not in {item["id"] for item in api.get(KEYS).json["items"]}
    assert api.delete(f"{KEYS}/{made['id']}").fault == (404, "not_found", "Key not found")
    actions = AuditEntry.objects.filter(target=made["id"]).order_by("number")
    assert [entry.action for entry in actions] == ["apikey.created", "apikey.revoked"]


def test_a_key_of_another_tenant_stays(api: Api, globex: Tenant) -> None:
    theirs = api_of(globex)
    key = ApiKey.objects.get(tenant=globex)
    assert api.delete(f"{KEYS}/{key.id}").fault[:2] == (403, "forbidden")
    assert theirs.get("/v1/events").status == 200


def test_a_key_that_is_not_there_is_not_found(api: Api) -> None:
    for id in (uuid4(), "nonsense"):
        assert api.delete(f"{KEYS}/{id}").fault == (404, "not_found", "Key not found")
    assert api.delete(KEYS).fault[:2] == (400, "validation_error")
    assert api.patch(f"{KEYS}/{uuid4()}").status == 405


def test_only_an_administrator_names_another_tenant(api: Api, globex: Tenant) -> None:
    mine = api.post(KEYS, {"tenant_id": "globex"}).json
    theirs = operator().post(KEYS, {"tenant_id": "globex"}).json
    assert (mine["tenant_id"], theirs["tenant_id"]) == ("acme", "globex")
    assert api.get(f"{KEYS}?tenant_id=globex").json["items"][0]["tenant_id"] == "acme"
    (item,) = operator().get(f"{KEYS}?tenant_id=globex").json["items"]
    assert item["id"] == theirs["id"]
    assert operator().get(f"{KEYS}?tenant_id=nobody").status == 404


def test_a_tenants_key_makes_none_that_reaches_all_tenants(api: Api) -> None:
    refused = api.post(KEYS, {"scopes": ["events.read", "admin"]})
    assert (refused.status, refused.json["required_scope"]) == (403, "admin")
    assert ApiKey.objects.count() == 1


def test_a_key_for_events_manages_no_keys(acme: Tenant) -> None:
    assert api_of(acme, "events.manage").post(KEYS).json["required_scope"] == "admin"
