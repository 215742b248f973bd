"""`tenant` and `apikey`: the same verbs as the API's, from a shell."""

import io
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import call_command

from deliveries.models import Endpoint, Event, Job
from hookline.database import now
from tenants.models import ApiKey, AuditEntry, Tenant
from tests.api import Api, api_of
from tests.commands import refused, said, told
from tests.factories import make_endpoint, make_subscription, publish
from tests.live import ROOT

pytestmark = pytest.mark.django_db

UNKNOWN = "00000000-0000-7000-8000-000000000000"
Captured = pytest.CaptureFixture[str]


def works(token: str) -> bool:
    return Api(token).get("/v1/endpoints").status == 200


# --- Tenants ------------------------------------------------------------------------------


def test_a_tenant_is_made_with_a_key_that_works_and_the_log_says_by_whom() -> None:
    [made] = told("tenant", "create", "--id", "initech", "--name", "Initech\x1b[2J")

    assert (made["tenant_id"], made["name"], made["status"]) == ("initech", "Initech[2J", "active")
    assert works(made["api_key"])
    entry = AuditEntry.objects.get(action="tenant.created", tenant_id="initech")
    assert entry.actor.startswith("shell user ")


def test_an_id_is_made_up_where_none_is_given() -> None:
    text = said("tenant", "create")

    tenant = Tenant.objects.get(name="unnamed")
    assert text.startswith(f"Tenant {tenant.id}. Its key, shown this once: hl_live_")


@pytest.mark.parametrize(
    ("id", "sentence"),
    [("acme", "Tenant already exists\n"), ("a b", "Invalid field 'id': must be 1 to 200 letters")],
)
def test_an_id_that_is_taken_or_no_id_is_refused(id: str, sentence: str, capsys: Captured) -> None:
    before = Tenant.objects.count()

    assert refused(capsys, "tenant", "create", "--id", id).startswith(sentence)

    assert Tenant.objects.count() == before


def test_deleted_tenants_are_listed_when_asked_for(acme: Tenant) -> None:
    Tenant.objects.filter(id="globex").update(status=Tenant.Status.DELETED)

    assert {tenant["tenant_id"] for tenant in told("tenant", "list")} == {"default", "acme"}
    assert {tenant["tenant_id"] for tenant in told("tenant", "list", "--all")} == {
        "default",
        "acme",
        "globex",
    }
    assert [line.split()[:2] for line in said("tenant", "list").splitlines()][-1] == ["acme", "active"]


def test_a_tenant_gets_a_limit_of_its_own_and_loses_it(acme: Tenant) -> None:
    for text, limit in (("5000", 5000), ("default", None)):
        [changed] = told("tenant", "update", "acme", "--max-queue-depth", text, "--name", "ACME")
        acme.refresh_from_db()
        assert (acme.name, acme.max_queue_depth, changed["max_queue_depth"]) == ("ACME", limit, limit)


def test_a_change_of_nothing_is_refused(acme: Tenant, capsys: Captured) -> None:
    assert refused(capsys, "tenant", "update", "acme").startswith("Say what to change: ")
    assert refused(capsys, "tenant", "update", "nobody", "--name", "x").startswith("Tenant not found")
    assert not AuditEntry.objects.filter(action="tenant.updated").exists()


def test_a_purge_takes_all_of_one_tenant(acme: Tenant, globex: Tenant) -> None:
    token = api_of(acme).token
    for tenant in (acme, globex):
        make_subscription(make_endpoint(tenant, "https://example.com"))
        publish(tenant, {"topic": "a"})

    assert told("tenant", "purge", "acme", "--yes") == [{"tenant_id": "acme", "status": "deleted"}]

    assert not works(token)
    for model in (Event, Job, Endpoint):
        assert set(model.objects.values_list("tenant_id", flat=True)) == {"globex"}
    acme.refresh_from_db()
    assert acme.purged_at
    assert told("tenant", "purge", "acme", "--yes")  # again, as after an interruption


def test_a_purge_asks_for_the_id(acme: Tenant, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("acme\n"))
    assert refused(capsys, "tenant", "purge", "acme").startswith("This cannot be undone: say --yes")

    terminal, typed = os.openpty()
    with os.fdopen(typed) as keyboard:
        monkeypatch.setattr(sys, "stdin", keyboard)
        os.write(terminal, b"globex\n")
        assert "That is not its id; nothing was deleted." in refused(capsys, "tenant", "purge", "acme")
        assert Tenant.objects.filter(id="acme", status="active").exists()
        os.write(terminal, b"acme\n")
        call_command("tenant", "purge", "acme")
    os.close(terminal)
    assert Tenant.objects.filter(id="acme", status="deleted").exists()


@pytest.mark.parametrize(
    ("tenant", "sentence"),
    [("nobody", "Tenant not found\n"), (settings.HL_TENANT_ID, "This is the installation's own tenant")],
)
def test_what_cannot_be_purged_is_refused(tenant: str, sentence: str, capsys: Captured) -> None:
    assert refused(capsys, "tenant", "purge", tenant, "--yes").startswith(sentence)


# --- Keys ---------------------------------------------------------------------------------


def test_a_key_is_issued_with_scopes_and_an_end(acme: Tenant) -> None:
    line = ["apikey", "create", "--tenant", "acme", "--name", "ci", "--scope", "endpoints:read"]
    [made] = told(*line, "--scope", "events.publish", "--expires-in", "90d")

    key = ApiKey.objects.get(id=made["key_id"])
    assert (key.name, key.scopes) == ("ci", ["endpoints:read", "events.publish"])
    assert key.expires_at
    assert abs(key.expires_at - now() - timedelta(days=90)) < timedelta(minutes=1)
    assert works(made["key"])
    assert Api(made["key"]).get("/v1/dlq").status == 403


def test_keys_are_listed_without_their_tokens_and_revoked(acme: Tenant) -> None:
    token = api_of(acme).token
    [key] = told("apikey", "list", "--tenant", "acme")
    assert token not in said("apikey", "list", "--tenant", "acme") + str(key)
    assert token.startswith(key["prefix"])

    told("apikey", "revoke", key["key_id"])

    assert not works(token)
    assert told("apikey", "list", "--tenant", "acme") == []
    assert AuditEntry.objects.get(action="apikey.revoked").actor.startswith("shell user ")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("create --tenant nobody", "Tenant not found"),
        ("create --tenant acme --scope event.read", "Scope 'event.read' grants nothing. There are admin, "),
        (f"revoke {UNKNOWN}", "Key not found"),
        ("revoke everything", "Key not found"),
    ],
)
def test_what_makes_no_sense_changes_nothing(line: str, sentence: str, capsys: Captured) -> None:
    assert refused(capsys, "apikey", *line.split()).startswith(sentence)
    assert not ApiKey.objects.filter(tenant_id="acme").exists()


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("tenant", "the following arguments are required: verb"),
        ("tenant rename acme", "invalid choice: 'rename'"),
        ("apikey create --expires-in soon", "write a duration such as 90s, 15m, 12h or 30d, not 'soon'"),
        ("tenant update acme --max-queue-depth many", "write a whole number, or default, not 'many'"),
        ("apikey revoke", "the following arguments are required: key"),
    ],
)
def test_a_line_that_is_not_understood_ends_with_status_2(line: str, sentence: str) -> None:
    command = [sys.executable, "manage.py", *line.split()]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert sentence in ended.stderr


@pytest.mark.embedded
def test_a_store_that_was_never_made_is_said_in_one_sentence(tmp_path: object) -> None:
    command = [sys.executable, "manage.py", "tenant", "list"]
    given = os.environ | {"HL_DATA_DIR": str(tmp_path)}
    ended = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert ended.stderr.startswith("hookline: The store refused: no such table: tenants.")
    assert ended.stderr.count("\n") == 1
