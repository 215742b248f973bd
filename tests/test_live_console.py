"""The live page: what an operator sees of events and results as they happen."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from deliveries import news
from deliveries.console.live import MOST_UNREAD, Watch
from deliveries.models import Attempt
from deliveries.news import Attempted, News, Published, Tail
from hookline import database
from hookline.ids import first_uuid7
from tenants.models import Tenant
from tests.factories import publish
from tests.live import LiveServer
from tests.queueing import bury, make_target, succeed, take
from tests.servers import ENVIRONMENT
from tests.serving import BANNER, Serving

MARKUP = "<script>alert(1)</script>"


def told_of(tenant: Tenant | None, since: Any = None) -> list[News]:
    start = first_uuid7(since or database.now() - timedelta(minutes=1))
    return list(Tail(tenant.id if tenant else "", start).look())


@pytest.mark.django_db
def test_each_watch_sees_what_it_asked_for(acme: Tenant, globex: Tenant) -> None:
    for tenant, topic in ((acme, "order.paid"), (acme, "invoice"), (globex, "order.paid")):
        make_target(tenant)
        publish(tenant, {"topic": topic})
    bury(take(1))
    succeed(take())
    everything = told_of(None)
    mine = told_of(acme)

    def seen(told: list[News], pattern: str, what: str) -> int:
        watch = Watch("", pattern, what)
        return sum(watch.wants(one) for one in told)

    assert (seen(everything, "#", ""), seen(mine, "#", "")) == (7, 5)
    assert seen(everything, "#", "events") == 3
    assert seen(everything, "#", "attempts") == 4
    assert seen(everything, "#", "failed") == 1
    assert seen(everything, "order.*", "events") == 2
    assert seen(everything, "order.*", "attempts") + seen(everything, "invoice", "attempts") == 4


@pytest.mark.django_db
def test_a_slow_attempt_is_told_when_it_ends_and_once(acme: Tenant) -> None:
    make_target(acme)
    publish(acme, {"topic": "order"})
    [job] = take()
    tail = Tail("acme", first_uuid7(database.now()))
    tail.began -= timedelta(minutes=2)
    assert list(tail.look()) == []
    succeed([job])
    began = database.now() - timedelta(seconds=60)
    Attempt.objects.update(id=first_uuid7(began), started_at=began, duration_ms=60_000)
    looks = [list(tail.look()) for _ in range(3 * news.WIDE_EVERY)]
    assert [told.attempt.duration_ms for look in looks for told in look if isinstance(told, Attempted)] == [
        60_000
    ]


@pytest.mark.django_db
def test_a_look_tells_nothing_twice(acme: Tenant) -> None:
    make_target(acme)
    tail = Tail("acme", first_uuid7(database.now()))
    told: list[News] = []
    for number in range(3):
        publish(acme, {"topic": f"order.{number}"})
        succeed(take())
        told += [one for _ in range(news.WIDE_EVERY) for one in tail.look()]
    assert [one.topic for one in told if isinstance(one, Published)] == ["order.0", "order.1", "order.2"]
    assert len(told) == 6


@pytest.mark.django_db
def test_who_falls_behind_sees_what_is_new(acme: Tenant) -> None:
    publish(acme, {"topic": "order"})
    [told] = told_of(acme)
    watch = Watch("acme", "#", "")
    for _ in range(MOST_UNREAD + 5):
        watch.offer(told)
    assert watch.unread.qsize() == MOST_UNREAD
    assert not watch.is_behind


@pytest.mark.django_db
def test_a_large_payload_is_told_by_its_beginning(acme: Tenant) -> None:
    publish(acme, {"topic": "order", "payload": "x" * 100_000})
    [told] = told_of(acme)
    assert len(told.summary) < 1000
    assert b'"bytes": 100002' in told.summary


@pytest.mark.django_db
def test_the_page_holds_no_markup_of_strangers(acme: Tenant) -> None:
    make_target(acme, name=MARKUP)
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    text = client.get("/console/live/", {"tenant": "acme", "topic": MARKUP, "what": MARKUP}).text
    assert MARKUP not in text
    assert "\\u003Cscript\\u003E" in text


@pytest.mark.django_db
@pytest.mark.parametrize("place", ["/console/live/", "/console/live/stream/"])
def test_nobody_watches_without_a_login_and_a_role(acme: Tenant, place: str) -> None:
    assert Client().get(place).status_code == 302
    guest = Client()
    guest.force_login(User.objects.create_user("guest", is_staff=True))
    assert guest.get(place).status_code == 403


@contextmanager
def logged_in(live: LiveServer, **headers: str) -> Iterator[tuple[HTTPConnection, list[str], HTTPResponse]]:
    """A connection, the cookies that a browser would have kept, and the answer to the login."""
    with closing(HTTPConnection("127.0.0.1", live.port, timeout=30)) as connection:
        connection.request("GET", "/console/login/")
        page = connection.getresponse()
        page.read()
        cookie = str(page.headers["Set-Cookie"]).partition(";")[0]
        token = cookie.partition("=")[2]
        form = f"username=admin&password={ENVIRONMENT['HL_CONSOLE_PASS'].replace(' ', '+')}"
        headers |= {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/console/login/", f"{form}&csrfmiddlewaretoken={token}", headers)
        answer = connection.getresponse()
        answer.read()
        yield connection, answer.headers.get_all("Set-Cookie") or [], answer


@contextmanager
def watching(live: LiveServer, query: str) -> Iterator[HTTPResponse]:
    """A stream over a real socket, in a session that logged in like a browser."""
    with logged_in(live) as (connection, cookies, _):
        kept = "; ".join(text.partition(";")[0] for text in cookies)
        connection.request("GET", f"/console/live/stream/{query}", headers={"Cookie": kept})
        with connection.getresponse() as stream:
            assert (stream.status, stream.headers["Content-Type"]) == (200, "text/event-stream")
            assert stream.readline() == b":\n"
            yield stream


def following(stream: HTTPResponse) -> dict[str, Any]:
    while not (line := stream.readline()).startswith(b"data: "):
        assert line, "the stream ended"
    told: dict[str, Any] = json.loads(line[6:])
    return told


def test_an_operator_watches_all_tenants_and_comes_back_to_what_was_missed(live: LiveServer) -> None:
    one, other = live.tenant(), live.tenant()
    with watching(live, "?what=events&topic=watched.%23") as stream:
        first = one.post("/v1/events", {"topic": "watched.one", "payload": {"n": 1}}).json["id"]
        other.post("/v1/events", {"topic": "other"})
        other.post("/v1/events", {"topic": "watched.two"})
        told = [following(stream) for _ in range(2)]
    assert [each["topic"] for each in told] == ["watched.one", "watched.two"]
    assert (told[0]["event_id"], told[0]["payload"], told[0]["bytes"]) == (first, '{"n": 1}', 8)
    with watching(live, f"?topic=watched.%23&last={first}") as stream:
        assert following(stream)["topic"] == "watched.two"


def test_behind_a_proxy_that_ends_tls_one_logs_in_and_cookies_go_over_tls_only(
    serve: Callable[..., Serving],
) -> None:
    serving = serve(HL_PUBLIC_URL="https://hooks.example.com")
    serving.wait_for(BANNER)
    with logged_in(serving, Origin="https://hooks.example.com") as (_, cookies, answer):
        assert (answer.status, answer.headers["Location"]) == (302, "/console/")
        assert {cookie.partition("=")[0] for cookie in cookies} >= {"csrftoken", "sessionid"}
        assert all("; Secure" in cookie for cookie in cookies)
    with logged_in(serving, Origin="https://elsewhere.example.com") as (_, _, answer):
        assert answer.status == 403
