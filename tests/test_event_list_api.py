"""GET /v1/events: pages of a tenant's events, oldest first, and what may choose among them."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.conf import LazySettings

from deliveries.api import event_pages
from tenants.models import Tenant
from tests.api import Api, api_of
from tests.factories import NO_ID, publish

EVENTS = "/v1/events"
NOT_FOUND = (404, "not_found", "Event not found")


@pytest.fixture
def api(acme: Tenant, globex: Tenant) -> Api:
    publish(globex, {"topic": "orders.1"})
    return api_of(acme)


def make(api: Api, count: int, **fields: Any) -> list[str]:
    events = [{"topic": f"orders.{number}", **fields} for number in range(count)]
    return [item["id"] for item in api.post(f"{EVENTS}/batch", {"events": events}).json["items"]]


def listed(api: Api, query: str = "") -> list[str]:
    answer = api.get(EVENTS + query)
    assert answer.status == 200
    assert answer.json["count"] == len(answer.json["items"])
    return [item["id"] for item in answer.json["items"]]


def paged(api: Api, query: str) -> list[list[str]]:
    """All pages, as a client follows them."""
    pages, cursor = [], ""
    while True:
        page = api.get(f"{EVENTS}?{query}{cursor}").json
        pages.append([item["id"] for item in page["items"]])
        assert page.get("cursor") == page.get("next_cursor")
        if "next_cursor" not in page:
            return pages
        cursor = f"&cursor={page['next_cursor']}"


def cut(ids: Sequence[str], *sizes: int) -> list[list[str]]:
    rest = iter(ids)
    return [[next(rest) for _ in range(size)] for size in sizes]


@pytest.mark.django_db
def test_an_empty_list_is_one(api: Api) -> None:
    assert api.get(EVENTS).json == {"items": [], "count": 0}


@pytest.mark.django_db
def test_events_are_shown_as_they_were_published_without_their_jobs(api: Api) -> None:
    published = [
        api.post(EVENTS, {"topic": topic, "payload": [topic], "team": 1, "idempotency_key": topic}).json
        for topic in ("a", "b")
    ]
    for event in published:
        assert event.pop("job_ids") == []
        assert api.get(f"{EVENTS}/{event['id']}").json == event
    assert api.get(EVENTS).json == {"items": published, "count": 2}


@pytest.mark.django_db
def test_pages_follow_each_other_without_a_gap_or_a_repeat(api: Api) -> None:
    ids = make(api, 7)
    assert paged(api, "limit=3") == cut(ids, 3, 3, 1)
    assert paged(api, "limit=7") == [ids], "there is no cursor where nothing follows"
    assert paged(api, "limit=1") == [[each] for each in ids]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("limit", "size"),
    [("", 50), ("limit=1", 1), ("limit=60", 60), ("limit=1000", 61), ("limit=1001", 50), ("limit=0", 50),
     ("limit=-1", 50), ("limit=ten", 50), ("limit=", 50), ("limit=1.5", 50), ("limit=" + "9" * 400, 50),
     ("offset=5", 50)],
)  # fmt: skip
def test_a_limit_is_1_to_1000_and_50_otherwise(api: Api, limit: str, size: int) -> None:
    ids = make(api, 61)
    assert listed(api, f"?{limit}") == ids[:size]


@pytest.mark.django_db
def test_a_page_may_begin_after_an_event_whatever_the_cursor(api: Api) -> None:
    ids = make(api, 4)
    assert listed(api, f"?after_id={ids[1]}") == ids[2:]
    assert listed(api, f"?after_id={ids[1]}&cursor={ids[3]}") == ids[2:]
    assert listed(api, f"?after_id={ids[3]}") == []


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["cursor", "after_id"])
@pytest.mark.parametrize("position", ["", "nonsense", "0:1149", NO_ID, "%F0%9F%98%80", "x" * 1000])
def test_a_position_that_is_unknown_is_the_beginning(api: Api, name: str, position: str) -> None:
    ids = make(api, 2)
    assert listed(api, f"?{name}={position}") == ids


@pytest.mark.django_db
def test_the_position_of_another_tenant_is_unknown(api: Api, globex: Tenant) -> None:
    ids = make(api, 2)
    [theirs] = listed(api_of(globex))
    last = make(api_of(globex), 1)[0]
    for position in (theirs, last):
        assert listed(api, f"?cursor={position}") == ids
        assert listed(api, f"?after_id={position}") == ids


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "expected"),
    [("from_ms=20", [20, 30]), ("to_ms=20", [-10, 10, 20]), ("from_ms=11&to_ms=29", [20]),
     ("from_ms=0", None),
     ("to_ms=0", None), ("to_ms=-1", [-10]), ("from_ms=30&to_ms=10", []), ("from_ms=soon", None),
     ("to_ms=", None),
     ("from_ms=%2B20", [20, 30]), ("from_ms=" + "9" * 40, []), ("to_ms=" + "9" * 40, None),
     ("to_ms=-" + "9" * 40, [])],
)  # fmt: skip
def test_times_are_bounds_on_when_it_occurred(api: Api, query: str, expected: list[int] | None) -> None:
    for moment in (30, 10, 20, -10):
        api.post(EVENTS, {"topic": "a", "occurred_at": moment})
    found = [item["occurred_at"] for item in api.get(f"{EVENTS}?{query}").json["items"]]
    assert sorted(found) == ([-10, 10, 20, 30] if expected is None else expected)
    order = [moment for moment in (30, 10, 20, -10) if moment in found]
    assert found == order, "as they were published, not as they occurred"


TOPICS = ["orders", "orders.created", "orders.created.v2", "Orders.created", "päivä.a b", "ord*", "a.*.b"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("orders", ["orders"]), ("orders.*", ["orders.created"]), ("orders.%23", TOPICS[:3]), ("%23", TOPICS),
     ("*.created", ["orders.created", "Orders.created"]), ("ord*", ["ord*"]), ("nothing", []), ("", TOPICS),
     ("p%C3%A4iv%C3%A4.a+b", ["päivä.a b"]), ("a.*.b", ["a.*.b"]), ("%23.created", TOPICS[1:2] + TOPICS[3:4]),
     ("ord%25", []), ("order_", [])],
)  # fmt: skip
def test_a_topic_may_be_a_pattern(api: Api, pattern: str, expected: list[str]) -> None:
    for topic in TOPICS:
        api.post(EVENTS, {"topic": topic})
    assert [item["topic"] for item in api.get(f"{EVENTS}?topic={pattern}").json["items"]] == expected


@pytest.mark.django_db
def test_all_that_chooses_can_be_said_at_once_and_is_paged(api: Api) -> None:
    make(api, 5, occurred_at=5)
    wanted = make(api, 5, occurred_at=7)
    make(api, 5, occurred_at=9)
    api.post(EVENTS, {"topic": "other", "occurred_at": 7})
    query = "topic=orders.*&from_ms=6&to_ms=8&limit=2"
    assert paged(api, query) == cut(wanted, 2, 2, 1)


@pytest.mark.django_db
def test_a_pattern_that_few_events_match_is_paged_through_many(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_pages, "LOOKED_AT_ONCE", 3)
    monkeypatch.setattr(event_pages, "MOST_LOOKED_AT", 10)
    ids = make(api, 35)
    pages = paged(api, "topic=*.30")
    assert [each for page in pages for each in page] == [ids[30]]
    assert len(pages) > 1, "a page ends early rather than look through everything"


@pytest.mark.django_db
def test_a_page_of_large_events_ends_early_and_the_next_goes_on(
    api: Api, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_pages, "PAGE_BYTES", 2500)
    ids = make(api, 7, payload="x" * 1000)
    assert paged(api, "limit=7") == cut(ids, 3, 3, 1)


@pytest.mark.django_db
@pytest.mark.parametrize("event_id", [NO_ID, "nonsense", "0", "%F0%9F%98%80", "x" * 500])
def test_an_event_that_is_not_there_is_not_found(api: Api, event_id: str) -> None:
    assert api.get(f"{EVENTS}/{event_id}").fault == NOT_FOUND


@pytest.mark.django_db
def test_another_tenants_event_is_not_found(api: Api, globex: Tenant) -> None:
    [theirs] = listed(api_of(globex))
    assert api.get(f"{EVENTS}/{theirs}").fault == NOT_FOUND
