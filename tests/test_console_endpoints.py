"""Endpoints in the console: made, changed, tried and switched by the same verbs as the API's."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from deliveries import endpoints
from deliveries.models import Endpoint, Event, Job, Lane, Traffic
from deliveries.sending import signatures
from deliveries.traffic import DELIVERED, FAILED, of_endpoint
from hookline.database import now
from hookline.errors import Conflict
from hookline.heartbeat import Heartbeat
from hookline.ids import uuid7
from tenants.models import AuditEntry, Tenant
from tests.console import in_role, place, text_of
from tests.factories import BY, make_endpoint, make_subscription
from tests.queueing import URL, bury, fail, give, make_target, take

pytestmark = pytest.mark.django_db

NEW = {
    "tenant": "acme",
    "name": "Shop",
    "url": "https://shop.example/hooks?a=1",
    "description": "",
    "max_in_flight": "5",
    "rate_limit_rps": "0",
    "timeout_ms": "1500",
    "retry_schedule": "5s 2m",
    "max_retries": "",
    "payload_format": "standard",
    "headers": "Authorization: Bearer of-the-shop\nX-Team: a: b\n",
}


@pytest.fixture
def operator(tenants: dict[str, Tenant]) -> Client:
    Heartbeat("worker").beat()
    return in_role("operator")


def made(client: Client, **fields: str) -> tuple[Endpoint | None, str]:
    """The endpoint, if one was made, and what the page then says."""
    answer = client.post(place("endpoint_new"), NEW | {"once": str(uuid7())} | fields, follow=True)
    assert answer.status_code == 200
    return Endpoint.objects.first(), text_of(answer.text)


def changed(client: Client, endpoint: Endpoint, **fields: Any) -> str:
    answer = client.post(place("endpoint_edit", endpoint.id), NEW | fields, follow=True)
    endpoint.refresh_from_db()
    return text_of(answer.text)


def page(client: Client, endpoint: Endpoint) -> str:
    return text_of(client.get(place("deliveries_endpoint_change", endpoint.id)).text)


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("number").values_list("action", flat=True))


# --- Made and changed -----------------------------------------------------------------------


def test_an_endpoint_is_made_as_the_form_says(operator: Client) -> None:
    endpoint, told = made(operator)
    assert endpoint
    assert "Subscribe it to something next." in told
    assert (endpoint.tenant_id, endpoint.name, endpoint.url) == ("acme", "Shop", NEW["url"])
    assert (endpoint.max_in_flight, endpoint.rate_limit_rps, endpoint.timeout_ms) == (5, 0, 1500)
    assert (endpoint.retry_schedule, endpoint.max_retries) == ([5, 120], None)
    assert endpoint.payload_format == "standard"
    assert endpoint.headers == {"Authorization": "Bearer of-the-shop", "X-Team": "a: b"}
    assert endpoint.secret == ""
    assert Lane.objects.filter(endpoint_id=endpoint.id).exists()
    entry = AuditEntry.objects.get(action="endpoint.created")
    assert entry.actor == "operator the operator"
    assert "of-the-shop" not in entry.metadata


def test_a_secret_is_shown_on_the_page_that_made_it_and_on_no_other(operator: Client) -> None:
    answer = operator.post(place("endpoint_new"), NEW | {"is_signed": "on", "once": str(uuid7())})
    endpoint = Endpoint.objects.get()
    assert endpoint.secret.startswith("whsec_")
    assert endpoint.secret in answer.text
    assert "no-store" in answer["Cache-Control"]
    for where in (
        place("deliveries_endpoint_change", endpoint.id),
        place("endpoint_edit", endpoint.id),
        place("deliveries_endpoint_changelist"),
        place("endpoint_new"),
    ):
        assert endpoint.secret not in operator.get(where).text
    kept = str(dict(operator.session)) + "".join(AuditEntry.objects.values_list("metadata", flat=True))
    assert endpoint.secret not in kept


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("url", "", "It must be given."),
        ("url", "ftp://x", "It must start with http(s)://."),
        ("url", "https://ada:pass@x.example", "It must not hold user:password@"),
        ("max_in_flight", "0", "It must be integer from 1 to 10000."),
        ("max_in_flight", "ten", "It must be integer from 1 to 10000."),
        ("timeout_ms", "-1", "It must be integer from 1 to 300000."),
        ("timeout_ms", "٣", "It must be integer from 1 to 300000."),
        ("rate_limit_rps", "9" * 30, "It must be integer from 0 to 1000000."),
        ("max_retries", "0", "It must be integer from 1 to 1000."),
        ("retry_schedule", "soon", "It must be delays such as 30, 30s, 5m or 2h."),
        ("payload_format", "xml", "Select a valid choice."),
        ("headers", "Host: elsewhere", "It must not set 'Host'"),
        ("headers", "no colon", "It must have names of letters, digits and hyphens."),
        ("tenant", "nobody", "There is no such tenant."),
    ],
)
def test_what_cannot_be_is_told_beside_its_field_and_nothing_is_made(
    operator: Client, field: str, text: str, told: str
) -> None:
    endpoint, said = made(operator, **{field: text})
    assert endpoint is None
    assert told in said
    assert actions() == []


def test_what_is_changed_is_changed_and_the_rest_stays_as_it_is(operator: Client, acme: Tenant) -> None:
    endpoint, _ = made(operator)
    assert endpoint
    told = changed(operator, endpoint, max_in_flight="7", keep=["Authorization", "X-Team"], headers="")
    assert "Changed, for the next delivery on." in told
    assert endpoint.max_in_flight == 7
    assert endpoint.headers == {"Authorization": "Bearer of-the-shop", "X-Team": "a: b"}
    assert AuditEntry.objects.get(action="endpoint.updated").metadata == '{"fields":["max_in_flight"]}'
    told = changed(operator, endpoint, max_in_flight="7", keep=["Authorization", "X-Team"], headers="")
    assert "Nothing was changed." in told
    assert actions().count("endpoint.updated") == 1


def test_headers_are_kept_replaced_or_removed_and_never_shown(operator: Client, acme: Tenant) -> None:
    endpoint, _ = made(operator)
    assert endpoint
    form = operator.get(place("endpoint_edit", endpoint.id)).text
    assert "Authorization" in form
    assert "of-the-shop" not in form
    assert "Authorization: *** X-Team: ***" in page(operator, endpoint)
    changed(operator, endpoint, keep=["Authorization"], headers="authorization: other\nX-New: 1")
    assert endpoint.headers == {"authorization": "other", "X-New": "1"}
    changed(operator, endpoint, keep=[], headers="")
    assert endpoint.headers == {}


def test_an_endpoint_whose_headers_no_key_opens_is_shown_and_not_overwritten(
    operator: Client, acme: Tenant
) -> None:
    endpoint = make_endpoint(acme, URL)
    Endpoint.objects.update(headers_box=b"\x01\x00\x07" + b"x" * 40)
    assert "encrypted with a key that is not in HL_MASTER_KEY" in page(operator, endpoint)
    assert "encrypted with a key that is not in HL_MASTER_KEY: add" in changed(operator, endpoint)
    assert actions().count("endpoint.updated") == 0


# --- What can be done with one ----------------------------------------------------------------


def test_a_test_event_leads_to_the_page_that_shows_it_arrive(operator: Client, acme: Tenant) -> None:
    endpoint = make_endpoint(acme, URL)
    answer = operator.post(place("endpoint_test", endpoint.id))
    job = Job.objects.get()
    assert answer["Location"] == place("deliveries_job_change", job.id)
    assert Event.objects.get().topic == "hookline.test"
    assert actions()[-1] == "endpoint.tested"


def test_where_no_test_event_can_be_sent_the_page_says_why(operator: Client, acme: Tenant) -> None:
    endpoint = make_endpoint(acme, URL, enabled=False)
    answer = operator.post(place("endpoint_test", endpoint.id), follow=True)
    assert "It is disabled: enable it first." in text_of(answer.text)
    assert 'disabled title="It is disabled: enable it first."' in answer.text
    acme.max_queue_depth = 0
    acme.save()
    operator.post(place("endpoint_switch", endpoint.id), {"enabled": "true"})
    answer = operator.post(place("endpoint_test", endpoint.id), follow=True)
    assert "Queue depth exceeded" in text_of(answer.text)
    assert Job.objects.count() == 0


def test_an_endpoint_is_disabled_and_enabled_with_the_reason(operator: Client, acme: Tenant) -> None:
    endpoint = make_endpoint(acme, URL)
    operator.post(place("endpoint_switch", endpoint.id), {"enabled": "false"})
    assert "Disabled by operator the operator." in page(operator, endpoint)
    assert "Disabled by operator the operator." in text_of(
        operator.get(place("deliveries_endpoint_changelist")).text
    )
    operator.post(place("endpoint_switch", endpoint.id), {"enabled": "true"})
    endpoint.refresh_from_db()
    assert endpoint.is_enabled


def rotated(client: Client, endpoint: Endpoint, **fields: str) -> str:
    where = place("endpoint_rotate", endpoint.id)
    answer = client.post(where, {"seen": str(endpoint.updated_at), **fields})
    assert "no-store" in answer["Cache-Control"]
    endpoint.refresh_from_db()
    return answer.text


@pytest.mark.parametrize("hours", [24, 0, 168])
def test_a_secret_is_rotated_with_an_overlap_and_shown_once(
    operator: Client, acme: Tenant, hours: int
) -> None:
    endpoint = make_endpoint(acme, URL, secret="the old secret")
    assert "the old secret" not in operator.get(place("endpoint_rotate", endpoint.id)).text
    shown = rotated(operator, endpoint, overlap=str(hours))
    assert endpoint.secret.startswith(signatures.WHSEC)
    assert endpoint.secret in shown
    assert endpoint.old_secret_until
    assert abs(endpoint.old_secret_until - now() - timedelta(hours=hours)) < timedelta(minutes=1)
    assert endpoint.secret not in page(operator, endpoint)
    assert actions()[-1] == "endpoint.secret_rotated"


def test_a_first_secret_needs_no_overlap(operator: Client, acme: Tenant) -> None:
    endpoint = make_endpoint(acme, URL)
    assert "overlap" not in operator.get(place("endpoint_rotate", endpoint.id)).text.partition("<main")[2]
    shown = rotated(operator, endpoint)
    assert endpoint.secret
    assert endpoint.secret in shown


@pytest.mark.parametrize("chosen", ["7", "", "x", "9" * 400])
def test_an_overlap_that_is_not_offered_rotates_nothing(operator: Client, acme: Tenant, chosen: str) -> None:
    endpoint = make_endpoint(acme, URL, secret="the old secret")
    rotated(operator, endpoint, overlap=chosen)
    assert endpoint.secret == "the old secret"


def test_a_form_that_is_sent_again_does_nothing_again(operator: Client, acme: Tenant) -> None:
    endpoint = make_endpoint(acme, URL, secret="the old secret")
    sent = {"seen": str(endpoint.updated_at), "overlap": "24"}
    for _ in range(2):
        answer = operator.post(place("endpoint_rotate", endpoint.id), sent)
    assert "The endpoint was changed since. Load the page again." in answer.text
    endpoint.refresh_from_db()
    assert endpoint.secrets()[1] == "the old secret"

    form = NEW | {"once": str(uuid7())}
    for _ in range(2):
        answer = operator.post(place("endpoint_new"), form)
    assert answer["Location"] == place("deliveries_endpoint_change", form["once"])
    assert Endpoint.objects.filter(name="Shop").count() == 1


def test_of_two_who_rotate_at_once_the_second_is_told_to_look_again(acme: Tenant) -> None:
    seen = make_endpoint(acme, URL, secret="the old secret")
    endpoints.rotate_secret(seen.id, timedelta(hours=1), BY, seen)
    with pytest.raises(Conflict, match="Look at it again"):
        endpoints.rotate_secret(seen.id, timedelta(hours=1), BY, seen)
    assert Endpoint.objects.get().secrets()[1] == "the old secret"


def test_only_an_administrator_deletes_an_endpoint(operator: Client, acme: Tenant) -> None:
    endpoint = make_target(acme)
    assert operator.post(place("endpoint_delete", endpoint.id)).status_code == 403
    administrator = in_role("administrator")
    told = administrator.post(place("endpoint_delete", endpoint.id), follow=True)
    assert "Deleted. What it had waiting becomes dead letters." in text_of(told.text)
    assert not Endpoint.objects.exists()
    assert administrator.post(place("endpoint_delete", endpoint.id)).status_code == 404


# --- How it is doing ------------------------------------------------------------------------


def test_an_endpoint_says_what_the_next_of_its_jobs_waits_for(operator: Client, acme: Tenant) -> None:
    endpoint = make_target(acme, max_in_flight=1)
    give(endpoint, 3)
    assert "3 jobs" in page(operator, endpoint)
    take()
    told = page(operator, endpoint)
    assert "1 of 1" in told
    assert "Waits for one of the 1 requests under way, which are all that its endpoint takes." in told


def test_an_endpoint_that_only_fails_says_since_when_and_how_much_it_gave_up(
    operator: Client, acme: Tenant
) -> None:
    endpoint = make_target(acme)
    give(endpoint, 2)
    bury(take(1))
    fail(take(1), retry_in=60)
    told = page(operator, endpoint)
    assert "Nothing has succeeded since" in told
    assert "1 dead letter " in told
    assert "Waits for attempt 2." in told


def test_the_list_shows_how_each_endpoint_is_doing(operator: Client, acme: Tenant) -> None:
    endpoint = make_target(acme, name="Shop")
    make_endpoint(acme, URL, name="Idle")
    hour = now().replace(minute=0, second=0, microsecond=0)
    for name, value in ((DELIVERED, 995), (FAILED, 5)):
        Traffic.objects.create(scope=of_endpoint(endpoint.id), seconds=3600, at=hour, name=name, value=value)
    give(endpoint, 1)
    fail(take(), retry_in=3600)
    listed = operator.get(place("deliveries_endpoint_changelist")).text
    assert "995 delivered and 5 failed in 24 hours" in listed
    assert "99.5 %" in text_of(listed)
    assert "has only failed for" in text_of(listed)


def test_a_list_without_endpoints_says_what_to_do(operator: Client, acme: Tenant) -> None:
    told = text_of(operator.get(place("deliveries_endpoint_changelist")).text)
    assert "Make one with the button above" in told
    endpoint = make_endpoint(acme, URL)
    assert "None, so that no event reaches it. Subscribe it" in page(operator, endpoint)
    make_subscription(endpoint, "orders.#", {"eq": "topic", "value": "a"})
    assert 'orders.# {"eq": "topic", "value": "a"}' in page(operator, endpoint)
