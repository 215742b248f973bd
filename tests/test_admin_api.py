"""/v1/admin: pause, figures, compaction, rotation of secrets, and the log of who did what."""

import pytest
from django.conf import settings as installed
from pytest_django import Settings

from deliveries.models import Endpoint
from hookline.keyring import parse_keys
from tenants import audit
from tenants.models import AuditEntry, Tenant
from tests.api import Api, api_of
from tests.factories import deliver, make_endpoint, make_subscription, publish
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)

ADMIN = "/v1/admin"


@pytest.fixture
def owner() -> Api:
    return Api(installed.HL_ADMIN_KEY)


def test_a_pause_holds_every_delivery_until_it_ends(owner: Api, acme: Tenant, receiver: Receiver) -> None:
    make_subscription(make_endpoint(acme, receiver.url("/hook")))
    paused = owner.post(f"{ADMIN}/store/pause-claims")
    assert (paused.status, paused.json) == (200, {"ok": True, "paused": True})
    publish(acme, {"topic": "a"})
    assert owner.post(f"{ADMIN}/store/pause-claims").json["paused"] is True
    assert receiver.at("/hook") == []
    assert owner.post(f"{ADMIN}/store/resume-claims").json == {"ok": True, "paused": False}
    deliver()
    assert len(receiver.at("/hook")) == 1


def test_figures_are_those_of_the_callers_tenant(owner: Api, acme: Tenant, receiver: Receiver) -> None:
    make_subscription(make_endpoint(acme, receiver.url("/hook")))
    publish(acme, {"topic": "a"})
    assert owner.get(f"{ADMIN}/stats").json["queue"] == {"pending": 0, "inflight": 0}
    assert owner.get(f"{ADMIN}/stats").json["compaction"].keys() >= {"last_run_at", "duration_ms"}


def test_a_compaction_is_asked_for_and_not_waited_for(owner: Api) -> None:
    answer = owner.post(f"{ADMIN}/compact")
    assert (answer.status, answer.json["ok"]) == (202, True)


def test_secrets_are_encrypted_anew_and_still_sign(
    owner: Api, acme: Tenant, receiver: Receiver, settings: Settings
) -> None:
    endpoint = make_endpoint(acme, receiver.url("/hook"), secret="whsec_c2VjcmV0")
    make_subscription(endpoint)
    new, old = "1" * 64, "0" * 64
    settings.HL_MASTER_KEY = parse_keys(f"2:{new},1:{old}")
    assert owner.post(f"{ADMIN}/rotate-secrets").json["ok"] is True
    settings.HL_MASTER_KEY = parse_keys(f"2:{new}")
    assert Endpoint.objects.get(id=endpoint.id).secret == "whsec_c2VjcmV0"
    publish(acme, {"topic": "a"})
    deliver()
    assert "x-hl-signature" in receiver.at("/hook")[0].headers


def test_every_change_is_in_the_log_of_its_tenant(acme: Tenant, globex: Tenant, receiver: Receiver) -> None:
    api = api_of(acme)
    endpoint = api.post("/v1/endpoints", {"url": receiver.url("/hook")}).json["id"]
    api.patch(f"/v1/endpoints/{endpoint}", {"name": "x"})
    made = api.post("/v1/subscriptions", {"endpoint_id": endpoint, "topic_pattern": "#"}).json["id"]
    api.delete(f"/v1/subscriptions/{made}")
    api.delete(f"/v1/endpoints/{endpoint}")

    entries = AuditEntry.objects.filter(tenant_id="acme").order_by("number")
    actions = [entry.action for entry in entries if entry.target in (endpoint, made)]
    assert actions == [
        "endpoint.created",
        "endpoint.updated",
        "subscription.created",
        "subscription.deleted",
        "endpoint.deleted",
    ]
    assert not AuditEntry.objects.filter(tenant_id="globex", target=endpoint).exists()


def test_the_log_is_read_newest_first(owner: Api) -> None:
    tenant = Tenant.objects.get_or_create(id=installed.HL_TENANT_ID)[0]
    for number in range(3):
        audit.record(tenant.id, "the tests", "test.done", number)
    log = owner.get(f"{ADMIN}/audit?limit=2").json
    assert log["count"] == len(log["items"]) == 2
    assert log["items"][0]["action"] == "test.done"
    assert log["items"][0]["ts"] >= log["items"][1]["ts"]


@pytest.mark.parametrize("path", ["/stats", "/audit"])
def test_a_tenants_star_does_not_reach_the_installation(acme: Tenant, path: str) -> None:
    assert api_of(acme).get(ADMIN + path).status == 403
