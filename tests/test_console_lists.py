"""Lists of the console: pages by key, filters in the address, one box that finds any id."""

import re
from html import unescape
from uuid import UUID

import pytest
from django.test import Client

from deliveries.models import Attempt, DeadLetter, Endpoint, Event, Job
from hookline.console import keyset
from tenants.models import Tenant
from tests.factories import publish
from tests.queueing import bury, give, make_target, succeed, take

pytestmark = pytest.mark.django_db

EVENTS = "/console/deliveries/event/"
JOBS = "/console/deliveries/job/"
LETTERS = "/console/deliveries/deadletter/"
PAGE = 50


@pytest.fixture
def letters(acme: Tenant) -> list[UUID]:
    """Dead letters for more than two pages, oldest first, some given up at the same moment."""
    make_target(acme)
    for number in range(2 * PAGE + 10):
        publish(acme, {"topic": f"order.{number % 2}"})
    bury(take())
    return list(DeadLetter.objects.order_by("created_at", "job_id").values_list("job_id", flat=True))


def neighbours(page: str) -> dict[str, str]:
    found = re.findall(r'<a href="([^"]*)" rel="(\w+)"', page)
    return {name: unescape(place) for place, name in found}


def shown(page: str) -> list[str]:
    return re.findall(r'name="_selected_action" value="([^"]+)"', page) or re.findall(
        r'data-copy="([0-9a-f-]{36})"', page
    )


@pytest.mark.parametrize("place", [LETTERS, JOBS, EVENTS])
def test_pages_show_every_row_once_there_and_back(ada: Client, letters: list[UUID], place: str) -> None:
    text = ada.get(place).text
    pages = [shown(text)]
    while following := neighbours(text).get("next"):
        text = ada.get(place + following).text
        pages.append(shown(text))
    everything = [id for page in pages for id in page]
    assert [len(page) for page in pages] == [PAGE, PAGE, 10]
    assert len(set(everything)) == len(everything) == len(letters)
    back = neighbours(text)["prev"]
    assert shown(ada.get(place + back).text) == pages[1]
    first = neighbours(ada.get(place + back).text)["prev"]
    text = ada.get(place + first).text
    assert shown(text) == pages[0]
    assert "prev" not in neighbours(text)


def test_the_newest_row_is_first(ada: Client, letters: list[UUID]) -> None:
    assert shown(ada.get(LETTERS).text)[0] == str(letters[-1])


def test_a_page_by_a_key_that_is_none_is_the_first(ada: Client, letters: list[UUID]) -> None:
    first = shown(ada.get(LETTERS).text)
    for key in ("nonsense", "2026-01-01", "2026-01-01T00:00:00~x", "~~~"):
        assert shown(ada.get(LETTERS, {"after": key}).text) == first


def test_filters_stand_in_the_address_and_hold_on_the_next_page(ada: Client, letters: list[UUID]) -> None:
    first = ada.get(EVENTS, {"topic": "order.1"}).text
    assert len(shown(first)) == PAGE
    last = ada.get(EVENTS + neighbours(first)["next"]).text
    assert len(shown(last)) == 5
    wanted = Event.objects.filter(topic="order.1").values_list("id", flat=True)
    assert {*shown(first), *shown(last)} == set(map(str, wanted))


def test_a_filter_without_an_index_looks_through_so_many_rows_and_offers_to_look_on(
    ada: Client, letters: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "AT_ONCE", 40)
    monkeypatch.setattr(keyset, "PATIENCE_SECONDS", 0)
    oldest = Event.objects.order_by("id").first()
    assert oldest
    Event.objects.filter(id=oldest.id).update(topic="rare")
    text, looks = ada.get(EVENTS, {"topic": "rare"}).text, 1
    while not shown(text):
        assert "None among the" in text
        assert "Look further back" in text
        text, looks = ada.get(EVENTS + neighbours(text)["next"]).text, looks + 1
    assert shown(text) == [str(oldest.id)]
    assert looks == 3


def test_there_is_time_to_look_at_more_rows_than_are_read_at_once(
    ada: Client, letters: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "AT_ONCE", 7)
    first = ada.get(EVENTS, {"topic": "order.1"}).text
    assert len(shown(first)) == PAGE
    assert len(shown(ada.get(EVENTS + neighbours(first)["next"]).text)) == 5
    back = ada.get(EVENTS + neighbours(ada.get(EVENTS + neighbours(first)["next"]).text)["prev"])
    assert shown(back.text) == shown(first)


def test_a_filter_with_an_index_finds_the_oldest_row_at_once(
    ada: Client, letters: list[UUID], globex: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "AT_ONCE", 40)
    monkeypatch.setattr(keyset, "PATIENCE_SECONDS", 0)
    oldest = Event.objects.order_by("id").first()
    assert oldest
    Event.objects.filter(id=oldest.id).update(tenant=globex)
    assert shown(ada.get(EVENTS, {"tenant_id": "globex"}).text) == [str(oldest.id)]


def test_a_named_view_is_marked_and_shows_its_rows(ada: Client, letters: list[UUID]) -> None:
    text = ada.get(JOBS + "?status=dead").text
    assert '<a href="?status=dead" aria-current="page">Dead</a>' in text
    assert len(shown(text)) == PAGE
    assert shown(ada.get(JOBS + "?status=running").text) == []
    assert len(shown(ada.get(JOBS + "?status=dead&since=1h").text)) == PAGE


@pytest.mark.parametrize("query", ["payload__contains=x", "secret_box=1", "nonsense=1"])
def test_a_list_is_narrowed_only_by_what_it_offers(ada: Client, letters: list[UUID], query: str) -> None:
    assert ada.get(f"{EVENTS}?{query}").status_code == 400


@pytest.mark.parametrize("query", ["since=soon", "tenant_id=", "topic=&tenant_id=acme", "e=1"])
def test_a_list_shows_something_whatever_a_filter_says(ada: Client, letters: list[UUID], query: str) -> None:
    assert len(shown(ada.get(f"{EVENTS}?{query}", follow=True).text)) == PAGE


def test_nothing_is_done_to_rows_that_were_not_marked(ada: Client, letters: list[UUID]) -> None:
    chosen = {"action": "requeue", "select_across": "1", "_selected_action": [str(letters[0])]}
    assert ada.post(LETTERS, chosen).status_code == 302
    assert DeadLetter.objects.count() == len(letters) - 1


def test_an_empty_list_says_what_to_do_next(ada: Client) -> None:
    assert "curl -X POST" in ada.get(EVENTS).text
    assert "Nothing matches" in ada.get(EVENTS, {"topic": "x"}).text


def found(client: Client, term: str) -> str:
    """Where the box in the top bar leads; the text of its page if it lists several or nothing."""
    answer = client.get("/console/search/", {"q": term})
    return answer["Location"] if answer.status_code == 302 else answer.text


def test_one_box_opens_the_page_of_any_id(ada: Client, acme: Tenant) -> None:
    endpoint = make_target(acme, name="Billing")
    publish(acme, {"topic": "order", "idempotency_key": "order-1"})
    bury(take())
    event, job, attempt = Event.objects.get(), Job.objects.get(), Attempt.objects.get()
    subscription = endpoint.subscriptions.get()
    for term, place in {
        str(event.id): f"event/{event.id}",
        f"  {event.id} ": f"event/{event.id}",
        "order-1": f"event/{event.id}",
        str(job.id): f"job/{job.id}",
        str(attempt.id): f"attempt/{attempt.id}",
        str(endpoint.id): f"endpoint/{endpoint.id}",
        endpoint.url: f"endpoint/{endpoint.id}",
        "Billing": f"endpoint/{endpoint.id}",
        str(subscription.id): f"subscription/{subscription.id}",
    }.items():
        assert found(ada, term) == f"/console/deliveries/{place}/change/"
    assert found(ada, "acme") == "/console/tenants/tenant/acme/change/"


def test_one_box_lists_by_kind_what_several_have_and_says_what_it_takes_where_none_has(
    ada: Client, acme: Tenant, globex: Tenant
) -> None:
    for tenant in (acme, globex):
        make_target(tenant, name="Billing")
    text = found(ada, "Billing")
    assert text.count(">Billing</a>") == 2
    for term in ("nothing like this", "0", "\0", "'; DROP TABLE events; --", "x" * 2000):
        assert "Nothing here is known as" in found(ada, term) or term == "\0"
    assert Endpoint.objects.count() == 2


def test_endpoints_in_trouble_are_one_view(ada: Client, acme: Tenant) -> None:
    well, fails, off = (make_target(acme, name=name) for name in ("well", "fails", "off"))
    for target in (well, fails):
        give(target)
    for job in take():
        (bury if job.endpoint_id == fails.id else succeed)([job])
    Endpoint.objects.filter(id=off.id).update(is_enabled=False)

    def listed(query: str) -> set[str]:
        return set(shown(ada.get(f"/console/deliveries/endpoint/?{query}").text))

    assert listed("health=trouble") == {str(fails.id), str(off.id)}
    assert listed("health=failing&tenant_id=acme") == {str(fails.id)}
    assert listed("health=nonsense") == listed("") == {str(target.id) for target in (well, fails, off)}
