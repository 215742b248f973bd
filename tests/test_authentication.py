"""Who is asking: which key is found first, and which keys are no keys any more."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.conf import LazySettings
from django.db import connection
from django.utils import timezone

from hookline.database import now
from tenants import authentication, keys
from tenants.authentication import caller_of
from tenants.models import ApiKey, Tenant
from tests.api import Api, api_of, operator

pytestmark = pytest.mark.django_db

UNAUTHORIZED = {"error": "unauthorized", "code": "AUTH_REQUIRED"}


def test_the_keys_of_the_environment_come_before_stored_ones(acme: Tenant, settings: LazySettings) -> None:
    for token in (settings.HL_ADMIN_KEY, settings.HL_API_KEY):
        ApiKey.objects.create(tenant=acme, digest=ApiKey.digest_of(token), scopes=["events.read"])

    admin, full = caller_of(settings.HL_ADMIN_KEY), caller_of(settings.HL_API_KEY)

    assert admin
    assert full
    assert (admin.tenant_id, admin.scopes, admin.key_id) == (settings.HL_TENANT_ID, ("admin", "*"), None)
    assert (full.tenant_id, full.scopes, full.key_id) == (settings.HL_TENANT_ID, ("*",), None)


def test_of_two_equal_keys_the_admin_key_is_found(settings: LazySettings) -> None:
    settings.HL_ADMIN_KEY = settings.HL_API_KEY = "the same for both"

    caller = caller_of("the same for both")

    assert caller
    assert caller.scopes == ("admin", "*")


def test_a_key_that_is_not_set_lets_nobody_in(settings: LazySettings) -> None:
    settings.HL_ADMIN_KEY = settings.HL_API_KEY = ""

    assert caller_of("") is None
    assert Api("").get("/v1/events").json == UNAUTHORIZED


def test_both_keys_of_the_environment_reach_everything(settings: LazySettings) -> None:
    for token in (settings.HL_ADMIN_KEY, settings.HL_API_KEY):
        answers = [Api(token).get(path) for path in ("/v1/events", "/v1/tenants", "/v1/admin/stats")]
        assert [answer.status for answer in answers] == [200] * 3
        assert {answer.headers["x-tenant-id"] for answer in answers} == {settings.HL_TENANT_ID}


def test_a_wrong_key_takes_as_long_to_refuse_as_a_nearly_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return genuine(one, other)

    genuine = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", compare)

    assert Api("the-a").get("/v1/events").status == 401
    assert compared == [b"the-admin-key-of-the-tests", b"the-api-key-of-the-tests"]


def test_a_stored_key_is_the_digest_of_its_token(acme: Tenant) -> None:
    key, token = keys.issue(acme.id, "orders", ["events.read"], "self", "the tests")

    assert bytes(key.digest) == hashlib.sha256(token.encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM api_keys")
        assert token not in repr(cursor.fetchall())
    caller = caller_of(token)
    assert caller
    assert (caller.tenant_id, caller.scopes, caller.key_id) == ("acme", ("events.read",), key.id)
    assert Api(token).get("/v1/events").headers["x-tenant-id"] == "acme"


@pytest.mark.parametrize(
    "spoil",
    [
        str.upper,
        str.swapcase,
        lambda token: token[:-1],
        lambda token: token[8:],
        lambda token: token + "x",
        lambda token: token + "\xff",
        lambda token: " " + token,
        lambda token: token * 1000,
    ],
)
def test_a_token_counts_in_every_character(acme: Tenant, spoil: Callable[[str], str]) -> None:
    token = keys.issue(acme.id, "orders", ["*"], "self", "the tests")[1]

    assert Api(token).get("/v1/events").status == 200
    assert Api(spoil(token)).get("/v1/events").json == UNAUTHORIZED


def test_a_key_ends_when_it_is_revoked_or_has_expired(acme: Tenant) -> None:
    revoked, revoked_token = keys.issue(acme.id, "revoked", ["*"], "self", "the tests")
    expiring, expiring_token = keys.issue(acme.id, "expiring", ["*"], "self", "the tests")

    ApiKey.objects.filter(id=expiring.id).update(expires_at=now() + timedelta(minutes=1))
    assert [Api(token).get("/v1/events").status for token in (revoked_token, expiring_token)] == [200, 200]

    keys.revoke(revoked, "the tests")
    ApiKey.objects.filter(id=expiring.id).update(expires_at=now() - timedelta(milliseconds=1))
    for token in (revoked_token, expiring_token):
        assert Api(token).get("/v1/events").json == UNAUTHORIZED
        assert Api("").get(f"/v1/events?token={token}").json == UNAUTHORIZED


def test_a_revoked_key_is_refused_by_the_very_next_request(acme: Tenant) -> None:
    api, other = api_of(acme), api_of(acme)
    mine = api.get("/v1/apikeys").json["items"][0]["id"]

    assert other.delete(f"/v1/apikeys/{mine}").status == 204
    assert api.get("/v1/apikeys").json == UNAUTHORIZED


def test_a_rotated_key_works_until_the_overlap_ends(acme: Tenant) -> None:
    old = api_of(acme, "events.read")
    key = ApiKey.objects.get(tenant=acme)

    rotated = operator().post("/v1/tenants/acme/rotate-key", {"key_id": str(key.id), "overlap_seconds": 60})
    new = Api(rotated.json["token"])

    assert [api.get("/v1/events").status for api in (old, new)] == [200, 200]
    assert new.post("/v1/events", {"topic": "a"}).json["required_scope"] == "events.publish"
    ApiKey.objects.filter(id=key.id).update(expires_at=timezone.now())
    assert old.get("/v1/events").json == UNAUTHORIZED
    assert new.get("/v1/events").status == 200


def test_the_keys_of_a_deleted_tenant_end_with_it(acme: Tenant, globex: Tenant) -> None:
    theirs, others = api_of(acme), api_of(globex)

    assert operator().delete("/v1/tenants/acme").status == 204
    assert theirs.get("/v1/events").json == UNAUTHORIZED
    assert others.get("/v1/events").status == 200


def test_the_last_use_of_a_key_is_noted_at_most_once_a_minute(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = api_of(acme)

    def used_at() -> datetime | None:
        return ApiKey.objects.get(tenant=acme).last_used_at

    assert used_at() is None
    api.get("/v1/events")
    first = used_at()
    assert first is not None
    api.get("/v1/events")
    assert used_at() == first

    monkeypatch.setattr(authentication, "TOUCH_SECONDS", 0.0)
    api.get("/v1/events")
    later = used_at()
    assert later is not None
    assert later > first


def test_a_refused_key_is_not_noted_as_used(acme: Tenant) -> None:
    api, key = api_of(acme), ApiKey.objects.get(tenant=acme)
    keys.revoke(key, "the tests")

    api.get("/v1/events")

    key.refresh_from_db()
    assert key.last_used_at is None
