"""The audit log is a chain: whoever changes an entry afterwards is found out."""

from collections.abc import Callable

import pytest
from django.core.management import call_command

from tenants import audit
from tenants.models import AuditEntry, Tenant

pytestmark = pytest.mark.django_db

Damage = Callable[[], object]


@pytest.fixture(autouse=True)
def entries(acme: Tenant, globex: Tenant) -> None:
    for number in range(4):
        for tenant in (acme, globex):
            audit.record(tenant.id, "the tests", "test.done", number, detail=number)


def test_an_untouched_log_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("verify_audit")
    assert capsys.readouterr().out == "Every entry follows from the one before it.\n"


@pytest.mark.parametrize(
    ("damage", "number"),
    [
        (lambda: AuditEntry.objects.filter(tenant_id="acme", number=2).update(actor="somebody else"), 2),
        (lambda: AuditEntry.objects.filter(tenant_id="acme", number=3).update(metadata="{}"), 3),
        (lambda: AuditEntry.objects.filter(tenant_id="acme", number=2).delete(), 3),
        (lambda: AuditEntry.objects.filter(tenant_id="acme", number=1).delete(), 2),
    ],
    ids=["another actor", "other metadata", "one taken out", "the first taken out"],
)
def test_the_first_entry_that_does_not_follow_is_named(
    damage: Damage, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    damage()
    with pytest.raises(SystemExit) as ended:
        call_command("verify_audit")
    assert ended.value.code == 1
    told = capsys.readouterr().out
    assert told.startswith(f"Tenant acme: entry {number} (test.done")
    assert "globex" not in told
