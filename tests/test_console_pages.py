"""What holds for every page of the console: who may open it, who may press, what it says where it fails."""

import re
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, QueryDict
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from hookline import roles
from hookline.console.pages import Page, pages
from hookline.console.rows import Rows
from tenants.models import Tenant

pytestmark = pytest.mark.django_db


def in_group(role: str) -> User:
    person = User.objects.create_user(role or "guest", is_staff=True)
    roles.keep()
    person.groups.set(Group.objects.filter(name=role))
    return person


def in_role(role: str) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(in_group(role))
    return client


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True)


def addresses(patterns: list[URLPattern | URLResolver] | None = None, before: str = "/") -> Iterator[str]:
    """Every address of the console, with something made up where it takes an argument."""
    for one in get_resolver().url_patterns if patterns is None else patterns:
        place = before + _filled(one)
        if isinstance(one, URLResolver):
            yield from addresses(one.url_patterns, place)
        elif place.startswith("/console/"):
            yield place


def _filled(one: URLPattern | URLResolver) -> str:
    text = str(one.pattern).removeprefix("^").replace(r"(?P<url>.*)$", "x/")
    text = re.sub(r"\(\?P<app_label>.*\)/\$", "deliveries/", text)
    for name in one.pattern.converters:
        for kind in ("uuid", "path", "int", "str", "slug"):
            made_up = {"uuid": "00000000-0000-7000-8000-000000000000", "int": "1"}.get(kind, "x")
            text = text.replace(f"<{kind}:{name}>", made_up)
        text = text.replace(f"<{name}>", "x")
    return text


ADDRESSES = sorted(set(addresses()))
# It goes on for ever, and is tried over a real socket.
STREAM = "live_stream"
# A POST that only shows something.
LOOKS = ("deliveries.view_event", "deliveries.view_subscription", "tenants.view_auditentry")
ROWS = [rows for rows in admin.site._registry.values() if isinstance(rows, Rows)]
OPEN = ("/console/login/", "/console/jsi18n/")


def test_the_addresses_are_found() -> None:
    assert len(ADDRESSES) > 60
    assert not [place for place in ADDRESSES if any(sign in place for sign in "<(^$")]


@pytest.mark.parametrize("place", ADDRESSES)
def test_nobody_sees_or_presses_anything_without_a_login(client: Client, place: str) -> None:
    if place in OPEN:
        return
    seen = client.get(place)
    assert seen.status_code == 302, place
    assert seen["Location"].startswith("/console/login/") or place == "/console/logout/"
    assert client.post(place).status_code in (302, 403)


@pytest.mark.parametrize("place", ADDRESSES)
def test_no_form_is_believed_that_did_not_come_from_our_page(place: str) -> None:
    answer = in_role("administrator").post(place, {"action": "requeue"})
    assert answer.status_code == 403 or place == "/console/jsi18n/", place


@pytest.mark.parametrize("page", pages, ids=lambda page: page.name)
def test_a_page_opens_for_those_who_may_and_nobody_else(page: Page) -> None:
    place = next(place for place in ADDRESSES if place == f"/console/{_filled_route(page)}")
    assert in_role("").get(place).status_code in (403, 405)
    if page.look and page.name != STREAM:
        assert in_role("administrator").get(place).status_code in (200, 302, 404)


def _filled_route(page: Page) -> str:
    found = [one for one in get_resolver("hookline.urls").url_patterns if str(one.pattern) == "console/"]
    assert isinstance(found[0], URLResolver)
    pattern = next(one for one in found[0].url_patterns if getattr(one, "name", "") == page.name)
    return _filled(pattern)


@pytest.mark.parametrize(
    ("place", "status", "told"),
    [
        ("/console/nowhere/", 404, "There is no such page"),
        ("/console/deliveries/event/?payload__contains=x", 400, "This address makes no sense here"),
        ("/console/auth/user/", 403, "You may not do this"),
    ],
)
def test_a_page_that_cannot_be_shown_says_why(place: str, status: int, told: str) -> None:
    answer = in_role("viewer").get(place)
    assert (answer.status_code, answer["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert told in answer.text


def test_a_form_that_is_too_old_says_what_to_do(client: Client, acme: Tenant) -> None:
    answer = client.post("/console/login/", {"username": "ada", "password": "x"})
    assert answer.status_code == 403
    assert "load the page again" in answer.text


def test_other_addresses_still_answer_as_the_api_does(client: Client) -> None:
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_whoever_has_no_role_is_told_so_and_can_log_out() -> None:
    client = in_role("")
    answer = client.get("/console/")
    assert (answer.status_code, "Log out" in answer.text) == (403, True)
    [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', answer.text)
    assert client.post("/console/logout/", {"csrfmiddlewaretoken": token})["Location"] == "/console/login/"
    assert client.get("/console/")["Location"].startswith("/console/login/")


@pytest.mark.parametrize("page", [page for page in pages if page.press], ids=lambda page: page.name)
def test_a_viewer_presses_nothing(page: Page) -> None:
    viewer = Client()
    viewer.force_login(in_group("viewer"))
    answer = viewer.post(f"/console/{_filled_route(page)}")
    assert answer.status_code == 403 or page.press in LOOKS, page.press


@pytest.mark.parametrize("rows", ROWS, ids=lambda rows: rows.opts.label)
def test_a_viewer_is_offered_no_action_and_an_operator_each(rows: Rows) -> None:
    request = HttpRequest()
    request.GET, request.user = QueryDict(), in_group("viewer")
    assert rows.get_actions(request) == {}
    request.user = in_group("operator")
    assert set(rows.actions or ()) <= set(rows.get_actions(request))
