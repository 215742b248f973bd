"""The console's lists and pages: they show rows, press the same verbs as the API, and run nothing."""

import re
from html import unescape

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from deliveries.models import Attempt, DeadLetter, Endpoint, Event, Job
from hookline import roles
from tenants.models import ApiKey, AuditEntry, Tenant
from tests.factories import publish
from tests.queueing import bury, make_target, take

pytestmark = pytest.mark.django_db

MARKUP = '<script>alert("1")</script>'
EVENT = {"topic": MARKUP, "payload": {"text": MARKUP}}


@pytest.fixture
def letter(acme: Tenant) -> DeadLetter:
    """Of a job that failed once, with markup wherever a stranger can put some."""
    Endpoint.objects.filter(id=make_target(acme, name=MARKUP).id).update(description=MARKUP)
    publish(acme, EVENT)
    bury(take())
    Attempt.objects.update(response_body=MARKUP.encode(), error_detail=MARKUP, response_headers="[]")
    return DeadLetter.objects.get()


def url(model: type, page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_{page}", args=args)  # type: ignore[attr-defined]


def links(page: str) -> dict[str, str]:
    """Where a list's neighbours are, by `prev` and `next`."""
    found = re.findall(r'<a href="([^"]*)" rel="(\w+)"', page)
    return {name: unescape(place) for place, name in found}


REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_every_list_and_every_page_of_it_opens(ada: Client, letter: DeadLetter, model: type) -> None:
    rows = list(model._default_manager.all())  # type: ignore[attr-defined]
    listed = ada.get(url(model, "changelist"))
    assert listed.status_code == 200
    for row in rows:
        page = ada.get(url(model, "change", row.pk))
        assert page.status_code == 200
        assert MARKUP not in listed.text + page.text


def test_what_a_stranger_wrote_is_shown_as_text(ada: Client, letter: DeadLetter) -> None:
    escaped = "&lt;script&gt;alert"
    attempt = Attempt.objects.get()
    for model, id in ((Event, letter.event_id), (Job, letter.job_id), (Attempt, attempt.id)):
        assert escaped in ada.get(url(model, "change", id)).text


def test_no_secret_is_on_any_page(ada: Client, acme: Tenant) -> None:
    endpoint = make_target(acme)
    endpoint.secret, endpoint.headers = "a very secret secret", {"authorization": "Bearer of-the-receiver"}
    endpoint.save()
    page = ada.get(url(Endpoint, "change", endpoint.id)).text
    assert "secret secret" not in page
    assert "of-the-receiver" not in page
    assert bytes(endpoint.secret_box or b"").hex() not in page


@pytest.mark.parametrize("page", ["add", "delete"])
def test_nothing_is_edited_by_hand(ada: Client, letter: DeadLetter, page: str) -> None:
    arguments = [letter.job_id] if page == "delete" else []
    assert ada.get(url(Job, page, *arguments)).status_code == 403
    assert ada.post(url(Job, "change", letter.job_id), {"status": "pending"}).status_code == 403
    assert Job.objects.get().status == "dead"


def press(client: Client, model: type, action: str, *ids: object) -> int:
    chosen = {"action": action, "_selected_action": [str(id) for id in ids]}
    return client.post(url(model, "changelist"), chosen).status_code


def test_a_dead_letter_is_sent_again_and_the_log_says_by_whom(ada: Client, letter: DeadLetter) -> None:
    assert press(ada, DeadLetter, "requeue", letter.job_id) == 302
    assert Job.objects.get().status == "pending"
    entry = AuditEntry.objects.get(action="dlq.requeued")
    assert (entry.actor, entry.tenant_id) == ("operator ada", "acme")


def test_an_endpoint_is_disabled_and_enabled(ada: Client, acme: Tenant) -> None:
    endpoint = make_target(acme)
    for action, is_enabled in (("disable", False), ("enable", True)):
        assert press(ada, Endpoint, action, endpoint.id) == 302
        endpoint.refresh_from_db()
        assert endpoint.is_enabled == is_enabled


def test_a_key_is_revoked(ada: Client, acme: Tenant) -> None:
    key = ApiKey.objects.create(tenant=acme, prefix="hl_live_x", digest=b"0" * 32, created_by="test")
    assert press(ada, ApiKey, "revoke", key.id) == 302
    key.refresh_from_db()
    assert key.revoked_at


@pytest.mark.parametrize(
    ("role", "status", "sees_users"),
    [("viewer", "dead", 403), ("operator", "pending", 403), ("administrator", "pending", 200)],
)
def test_a_role_says_who_may_press_what(letter: DeadLetter, role: str, status: str, sees_users: int) -> None:
    person = User.objects.create_user("bob", is_staff=True)
    roles.keep()
    person.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(person)
    assert client.get(url(DeadLetter, "changelist")).status_code == 200
    assert client.get(url(User, "changelist")).status_code == sees_users
    press(client, DeadLetter, "requeue", letter.job_id)
    assert Job.objects.get().status == status


def test_the_console_is_only_for_people_who_logged_in(letter: DeadLetter) -> None:
    answer = Client().get(url(Job, "changelist"))
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/console/login/")


def test_a_list_asks_the_same_few_questions_however_long_it_is(
    ada: Client, acme: Tenant, django_assert_max_num_queries: object
) -> None:
    make_target(acme)
    for _ in range(30):
        publish(acme, EVENT)
    for model in (Event, Job, Attempt, DeadLetter, Endpoint):
        with django_assert_max_num_queries(7):  # type: ignore[operator]
            assert ada.get(url(model, "changelist")).status_code == 200


def test_no_list_counts_rows_or_skips_any(ada: Client, acme: Tenant) -> None:
    make_target(acme)
    for _ in range(60):
        publish(acme, EVENT)
    with CaptureQueriesContext(connection) as asked:
        page = ada.get(url(Job, "changelist"))
        ada.get(url(Job, "changelist") + links(page.text)["next"])
    told = " ".join(query["sql"] for query in asked.captured_queries)
    assert "COUNT(" not in told
    assert "OFFSET" not in told


def test_who_manages_people_cannot_make_or_change_a_superuser() -> None:
    roles.keep()
    chief = User.objects.create_superuser("chief")
    person = User.objects.create_user("bob", is_staff=True)
    person.groups.set(Group.objects.filter(name="administrator"))
    client = Client()
    client.force_login(person)
    given = {"username": "bob", "is_active": "on", "is_staff": "on", "is_superuser": "on",
             "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}  # fmt: skip
    assert client.post(url(User, "change", person.id), given).status_code == 302
    person.refresh_from_db()
    assert (person.is_staff, person.is_superuser) == (True, False)
    assert client.post(url(User, "change", chief.id), given).status_code == 403
    assert client.post(f"/console/auth/user/{chief.id}/password/", {}).status_code == 403
    assert client.post(url(Group, "change", Group.objects.get(name="viewer").id), {}).status_code == 403


def test_who_manages_people_adds_one_with_a_role_who_can_log_in() -> None:
    roles.keep()
    person = User.objects.create_user("bob", is_staff=True)
    person.groups.set(Group.objects.filter(name="administrator"))
    client = Client()
    client.force_login(person)
    viewer = Group.objects.get(name="viewer")
    password = "a passphrase for nobody else"
    given = {"username": "cleo", "password1": password, "password2": password, "groups": [viewer.id],
             "is_superuser": "on", "usable_password": "true"}  # fmt: skip
    assert client.post("/console/auth/user/add/", given).status_code == 302
    added = User.objects.get(username="cleo")
    assert (added.is_staff, added.is_superuser, list(added.groups.all())) == (True, False, [viewer])
    newcomer = Client()
    assert newcomer.login(username="cleo", password=password)
    assert newcomer.get("/console/").status_code == 200
    people = client.get("/console/auth/user/").text
    assert "cleo" in people
    assert "viewer" in people
