"""Tenants, keys and the audit log in the console: the API's verbs, and a token shown once."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from deliveries import stats
from deliveries.models import Event
from hookline.database import now
from hookline.ids import uuid7
from hookline.models import Process
from tenants import audit, keys
from tenants.console import audit as audit_console
from tenants.console import tenants as tenants_console
from tenants.models import ApiKey, AuditEntry, Tenant
from tests.api import Api, api_of
from tests.browser import Visits
from tests.console import MARKUP, in_role, place, text_of
from tests.factories import publish
from tests.live import LiveServer
from tests.queueing import make_target
from tests.servers import ENVIRONMENT

AWKWARD = "shop_2B:1@x.y+z"


@pytest.fixture
def ada(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


def sent(client: Client, page: str, **fields: Any) -> HttpResponse:
    return client.post(page, {"once": str(uuid7()), **fields})  # type: ignore[return-value]


def token_on(answer: Any) -> str:
    [token] = set(re.findall(r"hl_live_[\w-]{43}", answer.content.decode()))
    return str(token)


def works(token: str) -> bool:
    return Api(token).get("/v1/endpoints").status == 200


# --- Tenants ------------------------------------------------------------------------------


def test_a_tenant_is_made_and_its_key_is_on_the_answer_alone(
    ada: Client, caplog: pytest.LogCaptureFixture
) -> None:
    answer = sent(ada, place("tenant_new"), id=AWKWARD, name=MARKUP)

    token = token_on(answer)
    assert "no-store" in answer["Cache-Control"]
    assert works(token)
    assert MARKUP not in answer.content.decode()
    assert Tenant.objects.get(id=AWKWARD).name == MARKUP
    assert AuditEntry.objects.get(tenant_id=AWKWARD, action="tenant.created").actor == "operator ada"
    kept = [session.get_decoded() for session in Session.objects.all()]
    assert token not in f"{kept} {caplog.text} {ada.cookies}"
    found = re.findall(r'href="([^"]*tenants/tenant/[^"]+)"', answer.content.decode())
    page = ada.get(found[-1])
    assert (page.status_code, token in page.text, MARKUP in page.text) == (200, False, False)
    assert token[: keys.SHOWN] in page.text


def test_a_form_that_is_sent_again_makes_nothing_more(ada: Client, acme: Tenant) -> None:
    for page, given in (
        ("tenant_new", {"name": "twice"}),
        ("apikey_new", {"tenant": "acme", "scopes": ["*"], "ends": "never"}),
    ):
        once = str(uuid7())
        first, again = (ada.post(place(page), {"once": once, **given}) for _ in range(2))
        assert works(token_on(first))
        assert "hl_live_" not in again.text
        assert "already" in again.text
    assert Tenant.objects.filter(name="twice").count() == 1
    assert ApiKey.objects.filter(tenant=acme).count() == 1


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"id": "acme"}, "Tenant already exists."),
        ({"id": "a b"}, "Must be 1 to 200 letters, digits or"),
        ({"once": "never"}, "Load the page again."),
    ],
)
def test_what_makes_no_tenant_says_why(ada: Client, acme: Tenant, fields: Any, told: str) -> None:
    before = Tenant.objects.count()
    answer = sent(ada, place("tenant_new"), **fields)
    assert told in answer.content.decode()
    assert Tenant.objects.count() == before


def test_a_tenants_page_tells_what_it_has_and_takes_a_limit(ada: Client, acme: Tenant) -> None:
    make_target(acme)
    publish(acme, {"topic": "a"})
    page = place("tenants_tenant_change", "acme")
    assert re.search(r"<dt>Jobs that wait</dt><dd>1</dd>", ada.get(page).text)

    assert sent(ada, place("tenant_settings", "acme"), name="ACME", max_queue_depth="1").status_code == 302

    assert "1, a limit of its own" in ada.get(page).text
    assert api_of(acme).post("/v1/events", {"topic": "a"}).status == 429
    entry = AuditEntry.objects.get(action="tenant.updated")
    assert (entry.actor, entry.metadata) == ("operator ada", '{"name":"ACME","max_queue_depth":1}')
    sent(ada, place("tenant_settings", "acme"), name="ACME", max_queue_depth="")
    assert api_of(acme).post("/v1/events", {"topic": "a"}).status == 201
    sent(ada, place("tenant_settings", "acme"), name="", max_queue_depth="-1")
    acme.refresh_from_db()
    assert (acme.name, acme.max_queue_depth) == ("ACME", None)


def test_a_tenant_goes_when_its_id_is_typed(ada: Client, acme: Tenant, globex: Tenant) -> None:
    token = api_of(acme).token
    make_target(acme)
    publish(acme, {"topic": "a"})
    page = place("tenant_purge", "acme")
    assert "Type its id" in ada.get(page).text

    assert "That is not its id. Nothing was deleted." in sent(ada, page, typed="globex").content.decode()
    assert works(token)
    assert sent(ada, page, typed="acme").status_code == 302

    assert not works(token)
    assert not Event.objects.filter(tenant=acme).exists()
    assert ada.get(page).status_code == 404
    assert "Delete…" not in ada.get(place("tenants_tenant_change", "acme")).text


def test_the_installations_own_tenant_stays(ada: Client) -> None:
    own = settings.HL_TENANT_ID
    assert "Delete…" not in ada.get(place("tenants_tenant_change", own)).text
    answer = ada.post(place("tenant_purge", own), {"typed": own}, follow=True)
    assert "cannot be deleted" in answer.text
    assert Tenant.objects.get(id=own).status == "active"


# --- Keys ---------------------------------------------------------------------------------


def test_a_key_is_issued_with_scopes_and_an_end(ada: Client, acme: Tenant) -> None:
    answer = sent(
        ada,
        place("apikey_new"),
        tenant="acme",
        name="ci",
        scopes=["events.publish", "events.read"],
        ends="30",
    )

    token = token_on(answer)
    key = ApiKey.objects.get(tenant=acme)
    assert (key.name, key.scopes, key.created_by) == ("ci", ["events.publish", "events.read"], "console")
    assert key.expires_at
    assert timedelta(days=29) < key.expires_at - now() < timedelta(days=31)
    assert Api(token).get("/v1/events").status == 200
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(
    "fields",
    [{"tenant": "nobody"}, {"scopes": []}, {"scopes": ["events.reed"]}, {"ends": "sometime"}, {"tenant": ""}],
)
def test_what_makes_no_key_says_why(ada: Client, acme: Tenant, fields: Any) -> None:
    given = {"tenant": "acme", "name": "", "scopes": ["*"], "ends": "never"}
    answer = sent(ada, place("apikey_new"), **given | fields)
    assert 'role="alert"' in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_a_key_is_replaced_and_works_until_the_overlap_ends(ada: Client, acme: Tenant) -> None:
    old, token = keys.issue("acme", "ci", ["endpoints.read"], "self", "the tests")
    page = place("apikey_replace", old.id)
    new = token_on(sent(ada, page, overlap="3600"))
    assert (works(token), works(new)) == (True, True)
    newest = token_on(sent(ada, page, overlap="0"))
    assert (works(token), works(newest)) == (False, True)
    assert ada.get(page).status_code == 404


def test_a_key_is_revoked_from_its_own_page_and_from_its_tenants(ada: Client, acme: Tenant) -> None:
    for back, leads_to in (("", "apikey"), ("tenant", "tenant/acme")):
        key, token = keys.issue("acme", MARKUP, ["*"], "self", "the tests")
        for page in (place("tenants_apikey_change", key.id), place("tenants_tenant_change", "acme")):
            shown = ada.get(page).text
            assert place("apikey_revoke", key.id) in shown
            assert MARKUP not in shown

        answer = ada.post(place("apikey_revoke", key.id), {"back": back})

        assert (answer.status_code, leads_to in answer["Location"]) == (302, True)
        assert not works(token)
    assert ada.post(place("apikey_revoke", uuid4())).status_code == 404


def test_a_list_of_keys_tells_their_state(ada: Client, acme: Tenant) -> None:
    for number, name in enumerate(("active", "revoked", "expired")):
        ends = now() - timedelta(hours=1) if name == "expired" else None
        key, _ = keys.issue("acme", f"key {number}", ["*"], "self", "the tests", ends)
        if name == "revoked":
            keys.revoke(key, "the tests")
    listed = ada.get(place("tenants_apikey_changelist")).text
    assert set(re.findall(r'class="status (\w+)"', listed)) == {"active", "revoked", "expired"}


# --- Who may ------------------------------------------------------------------------------


@pytest.mark.django_db
def test_viewers_look_operators_change_and_administrators_make_and_delete(acme: Tenant) -> None:
    key, _ = keys.issue("acme", "ci", ["*"], "self", "the tests")
    presses = {
        place("tenant_settings", "acme"): {"name": "x"},
        place("apikey_revoke", key.id): {},
        place("tenant_new"): {},
        place("apikey_new"): {},
        place("tenant_purge", "acme"): {"typed": "acme"},
    }
    clients = {role: in_role(role) for role in ("viewer", "operator", "administrator")}
    refused = {
        role: [client.post(page, fields).status_code == 403 for page, fields in presses.items()]
        for role, client in clients.items()
    }
    assert refused == {
        "viewer": [True] * 5,
        "operator": [False, False, True, True, True],
        "administrator": [False] * 5,
    }
    shown = clients["viewer"].get(place("tenants_tenant_change", "globex")).text
    assert not re.search("New key|Delete…|Save", shown)


# --- The audit log ------------------------------------------------------------------------


@pytest.fixture
def entries(acme: Tenant, globex: Tenant) -> None:
    for number in range(6):
        for tenant in (acme, globex):
            audit.record(tenant.id, f"actor {number % 2}", "test.done", MARKUP, number=number)


def test_the_log_is_narrowed_by_tenant_actor_and_action(ada: Client, entries: None) -> None:
    page = place("tenants_auditentry_changelist")
    listed = ada.get(page, {"tenant_id": "acme", "actor": "actor 1", "action": "test.done"}).text
    assert len(re.findall(r"<tr>", listed)) - 1 == 3
    assert "globex" not in listed
    assert MARKUP not in listed
    assert MARKUP in text_of(listed)


Damage = Callable[[], object]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda: None, "Entries 1 to 6 of tenant acme follow from one another."),
        (
            lambda: AuditEntry.objects.filter(tenant_id="acme", number=3).update(actor="nobody"),
            "Tenant acme: entry 3 (test.done, ",
        ),
    ],
)
def test_a_chain_is_verified_from_its_page(ada: Client, entries: None, damage: Damage, told: str) -> None:
    damage()
    answer = ada.post(place("audit_verify"), {"tenant": "acme"}, follow=True)
    assert told in answer.text
    assert (
        "There is no entry of tenant nobody"
        in ada.post(place("audit_verify"), {"tenant": "nobody"}, follow=True).text
    )


def test_of_a_long_chain_the_newest_are_verified(
    ada: Client, entries: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_console, "MOST_VERIFIED", 2)
    for number, told in ((2, "Entries 5 to 6 of tenant acme follow"), (5, "entry 5 (test.done, ")):
        AuditEntry.objects.filter(tenant_id="acme", number=number).update(actor="nobody")
        assert told in ada.post(place("audit_verify"), {"tenant": "acme"}, follow=True).text


@pytest.mark.parametrize(
    ("narrowing", "index"),
    [
        ({"tenant_id": "acme"}, "audit_of_tenant"),
        ({"actor": "actor 1"}, "audit_by_actor"),
        ({"action": "test.done"}, "audit_of_action"),
        ({"target": "x"}, "audit_of_target"),
    ],
)
def test_each_narrowing_of_the_log_has_an_index(entries: None, narrowing: Any, index: str) -> None:
    moment = now()
    others = [
        AuditEntry(tenant_id="other", number=n, actor="other", action="other", target="other", at=moment)
        for n in range(3000)
    ]
    AuditEntry.objects.bulk_create(others)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE audit")

    plan = AuditEntry.objects.filter(**narrowing).order_by("-id")[:50].explain()
    assert index in plan


# --- Processes ----------------------------------------------------------------------------


def test_a_process_that_went_silent_is_told_from_one_that_is_alive(ada: Client) -> None:
    for kind, seconds in (("worker", 0), ("serve", 60)):
        Process.objects.create(
            id=uuid7(), kind=kind, host="h", pid=1, version="3", started_at=now(),
            seen_at=now() - timedelta(seconds=seconds),
        )  # fmt: skip
    listed = ada.get(place("hookline_process_changelist")).text
    assert re.findall(r'class="status (\w+)"', listed) == ["alive", "silent"]


# --- Bounds -------------------------------------------------------------------------------


def test_a_page_asks_the_same_few_questions_however_much_there_is(
    ada: Client, acme: Tenant, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        keys.issue("acme", f"key {number}", ["*"], "self", "the tests")
    pages = {
        place("tenants_tenant_changelist"): 6,
        place("tenants_tenant_change", "acme"): 12,
        place("tenant_purge", "acme"): 10,
        place("tenants_apikey_changelist"): 7,
        place("tenants_auditentry_changelist"): 6,
    }
    for page, most in pages.items():
        with django_assert_max_num_queries(most):
            assert ada.get(page).status_code == 200


def test_what_a_tenant_has_is_counted_no_further_than_anybody_reads(
    ada: Client, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (stats, tenants_console):
        monkeypatch.setattr(module, "MOST_COUNTED", 3)
    for _ in range(5):
        keys.issue("acme", "ci", ["*"], "self", "the tests")
    assert "<dt>Keys</dt><dd>3 or more</dd>" in ada.get(place("tenants_tenant_change", "acme")).text


# --- In a browser -------------------------------------------------------------------------


def test_a_tenant_is_made_used_and_deleted_in_a_browser(live: LiveServer, visit: Visits) -> None:
    at = visit(live.port)
    page = at.page
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("/console/tenants/new/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", ENVIRONMENT["HL_CONSOLE_PASS"])
    page.click("[type=submit]")
    page.fill("main [name=id]", "in-a-browser")
    page.fill("main [name=name]", MARKUP)
    page.click("text=Make the tenant")
    first = page.inner_text(".copied code")
    assert live.api(first).get("/v1/events").status == 200

    page.click("text=I have it")
    page.click("text=New key")
    page.check("input[value='events.read']")
    page.click("text=Issue the key")
    second = page.inner_text(".copied code")
    page.click("text=I have it")
    page.click("tr:has-text('events.read') >> text=Revoke")
    page.wait_for_selector("text=is revoked and answers 401")
    assert live.api(second).get("/v1/events").status == 401

    page.click("text=Delete…")
    page.fill("[name=typed]", "in-a-browser")
    page.click("text=Delete the tenant and all it has")
    page.wait_for_selector("text=It is deleted.")
    assert live.api(first).get("/v1/events").status == 401
