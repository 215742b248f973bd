"""Every page of the console, in a real browser: none complains, asks another host, or takes what strangers
wrote for markup; and none asks the store more the more there is."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from playwright.sync_api import Page, expect

from deliveries.models import Attempt, Endpoint, Event, Job, Subscription
from hookline.console.pages import pages
from hookline.console.rows import Rows
from tenants.models import ApiKey, Tenant
from tests.browser import Visit, Visits
from tests.console import log_in
from tests.factories import make_subscription, publish
from tests.live import LiveApi, LiveServer
from tests.queueing import bury, fail, make_target, take
from tests.receiver import Receiver, Reply

# What a page would run, fetch or lay out if any of it were taken for markup, wherever it stands.
HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    "'\"><b data-owned>bold</b><svg/onload=document.title='owned'>{{7*7}}${7*7}</pre></textarea></title>"
    "<form action=//example.com><input name=owned>\\u003cscript\\u003e javascript:alert(1) \u202e"
)
# What it would have made, and how it reads.
OWNED = (
    "[data-owned], [name=owned], img[src=x], svg[onload], form[action*=example], script:not([src], [type])"
)
SHOWN = "document.title='owned'"
# The same length and no meaning, to compare with.
HARMLESS = re.sub(r"[<>\"'&{}$\\/=]", "x", HOSTILE)
# Beyond so many of one kind, pages say nothing new.
OF_EACH_KIND, NARROWED = 2, 1
# Whatever leads out of what is looked at.
LEAVES = ("/console/logout", "/console/jsi18n", "/stream/")


def strange(api: LiveApi, receiver: Receiver, text: str) -> None:
    """Writes the text wherever one can be written, over the API."""
    headers = {"X-Own": re.sub(r"[^\x20-\x7e]", "", text), "Content-Type": "text/html"}
    receiver.reply("/refuses", Reply(400, headers, text.encode()))
    receiver.reply("/fails", Reply(503, headers, text.encode()))
    for path in ("/well", "/refuses", "/fails"):
        url = f"{receiver.url(path)}?{text.replace(' ', '%20').replace(chr(92), '')}"
        fields = {"url": url, "name": text, "description": text, "headers": {"x-own": "y"}}
        made = api.post("/v1/endpoints", fields)
        assert made.status == 201, made.body
        rules = {"topic_pattern": "#", "description": text,
                 "filter": {"neq": f"payload.{text}", "value": text},
                 "transform": [{"op": "add_field", "field": text, "value": text}]}  # fmt: skip
        assert api.post("/v1/subscriptions", {"endpoint_id": made.json["id"], **rules}).status == 201
    unmatched = {"topic_pattern": text, "filter": {"eq": "payload.text", "value": text}}
    api.post("/v1/subscriptions", {"endpoint_id": made.json["id"], **unmatched})
    document = {"topic": text, "payload": {"text": text, text: [text]}, "idempotency_key": text, text: text}
    event = api.post("/v1/events", document)
    assert event.status == 201, event.body
    path = f"/v1/deliveries?event_id={event.json['id']}"
    while len(api.get(path).json["items"]) < 3:
        pass
    api.post("/v1/replay", {"event_ids": [event.json["id"], text]})


def kind(place: str) -> str:
    """Its address without ids: pages of one kind look the same."""
    parts = urlsplit(place)
    path = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|/\d+/|/tenant-[^/]*/", "*", parts.path)
    return path + "?" + ",".join(sorted(re.findall(r"(\w+)=", parts.query)))


def links(page: Page) -> list[str]:
    found = page.eval_on_selector_all("a[href]:not([download])", "links => links.map(link => link.href)")
    places = [place.partition("#")[0] for place in found if "/console/" in place]
    return [place for place in places if not any(word in place for word in LEAVES)]


def crawl(tab: Visit) -> Iterator[str]:
    """Goes wherever a link leads, to a few pages of each kind, and gives each address."""
    waiting, kinds = ["/console/"], dict[str, int]()
    seen = set(waiting)
    while waiting:
        place = waiting.pop(0)
        tab.page.goto(place)
        yield place
        for link in links(tab.page):
            most = NARROWED if "?" in link else OF_EACH_KIND
            if link not in seen and kinds.get(kind(link), 0) < most:
                kinds[kind(link)] = kinds.get(kind(link), 0) + 1
                seen.add(link)
                waiting.append(link)


@pytest.mark.embedded
@pytest.mark.timeout(600)
def test_no_page_complains_asks_others_or_takes_strange_words_for_markup(
    live: LiveServer, receiver: Receiver, visit: Visits
) -> None:
    strange(live.tenant(), receiver, HOSTILE)
    tab = visit(live.port)
    log_in(tab.page)
    page, shown, seen = tab.page, 0, set[str]()
    for place in crawl(tab):
        seen.add(kind(place))
        assert page.title() != "owned", place
        assert page.locator(OWNED).count() == 0, place
        assert tab.told() == [], place
        shown += SHOWN in page.locator("main").inner_text()
    assert shown > 8, "the words are shown, as text"
    assert len(seen) > 40, sorted(seen)


class Skeleton(HTMLParser):
    """The elements of a page and their attributes, without any text or value."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.parts: list[tuple[str, tuple[str, ...]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.parts.append((tag, tuple(name for name, _ in attributes)))


def fill(tenant: Tenant, text: str) -> None:
    """Rows of every kind, with the text in all that strangers, customers or colleagues may set."""
    Tenant.objects.filter(id=tenant.id).update(name=text[:200])
    target = make_target(tenant, name=text, description=text)
    Endpoint.objects.filter(id=target.id).update(disabled_reason=text)
    Subscription.objects.filter(endpoint=target).update(description=text)
    make_subscription(target, text, {"eq": text, "value": text}, [{"op": text, "field": text}])
    publish(tenant, {"topic": text, "payload": {text: text}, "idempotency_key": text, text: text})
    bury([job for job in take() if job.tenant_id == tenant.id], reason=text[:100])
    Attempt.objects.filter(tenant=tenant).update(
        error_detail=text,
        response_body=text.encode(),
        response_headers=f'[["x","{len(text)}"]]',
        address=text,
    )
    ApiKey.objects.create(
        tenant=tenant, name=text[:200], prefix=text[:20], digest=text[:31].encode(), created_by=text[:200]
    )


MODELS = [Event, Job, Attempt, Endpoint, Subscription, ApiKey]


@pytest.mark.django_db
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_strange_words_leave_a_page_built_as_harmless_ones_do(
    ada: Client, acme: Tenant, globex: Tenant, model: type
) -> None:
    fill(acme, HARMLESS)
    fill(globex, HOSTILE)
    name = f"admin:{model._meta.label_lower.replace('.', '_')}"  # type: ignore[attr-defined]
    rows = {row.tenant_id: row for row in model._default_manager.all()}  # type: ignore[attr-defined]
    built = [
        Skeleton(ada.get(reverse(f"{name}_change", args=[rows[id].pk])).text).parts
        for id in ("acme", "globex")
    ]
    assert built[0] == built[1]
    lists = [
        Skeleton(ada.get(reverse(f"{name}_changelist"), {"tenant_id": id}).text).parts
        for id in ("acme", "globex")
    ]
    assert lists[0] == lists[1]


# What a list or page may ask the store, with its session, its user and their permissions.
MOST_QUERIES = 24


def places() -> list[str]:
    lists = [
        reverse(f"admin:{rows.opts.app_label}_{rows.opts.model_name}_changelist")
        for rows in admin.site._registry.values()
        if isinstance(rows, Rows)
    ]
    single = [
        page.name for page in pages if page.look and "<" not in page.route and page.name != "live_stream"
    ]
    return sorted({*lists, *(reverse(f"admin:{name}") for name in single)})


@pytest.mark.django_db
@pytest.mark.parametrize("place", places())
def test_a_page_asks_the_same_few_questions_however_much_there_is(
    ada: Client, acme: Tenant, place: str
) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert ada.get(place).status_code == 200
        return len(queries)

    def grow(number: int) -> None:
        for _ in range(number):
            make_target(acme)
        for _ in range(3):
            publish(acme, {"topic": "order"})
        jobs = take()
        fail(jobs[::3], retry_in=60)
        bury(jobs[1::3])

    grow(3)
    few = asked()
    grow(8)
    assert asked() <= few <= MOST_QUERIES


def test_keys_walk_mark_open_and_find(live: LiveServer, visit: Visits) -> None:
    api = live.tenant()
    for number in range(3):
        api.post("/v1/events", {"topic": f"keys.{number}"})
    page = visit(live.port).page
    log_in(page)
    page.goto("/console/deliveries/event/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("#result_list tbody tr").first).to_have_class(re.compile("is-here"))
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("keys.2")
    page.keyboard.press("g")
    page.keyboard.press("n")
    expect(page.locator("h1")).to_have_text("Endpoints")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).not_to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("keys/?j")
    expect(page.locator(".find input")).to_have_value("keys/?j")


def test_what_is_copied_is_whole_on_plain_http_too(live: LiveServer, visit: Visits) -> None:
    event = live.tenant().post("/v1/events", {"topic": "copied"}).json["id"]
    page = visit(live.port).page
    page.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
        "document.execCommand = () => { window.copied = document.activeElement.value; return true; };"
    )
    log_in(page)
    page.goto("/console/deliveries/event/?topic=copied")
    page.locator(f'[data-copy="{event}"]').first.click()
    assert page.evaluate("window.copied") == event


def test_the_overview_refreshes_itself_and_rests_while_it_is_switched_off(
    live: LiveServer, visit: Visits
) -> None:
    page = visit(live.port).page
    log_in(page)
    page.wait_for_load_state()
    switch = page.locator("[data-refresh-switch]")
    expect(switch).to_have_text(re.compile("Live"))
    switch.click()
    expect(switch).to_have_text(re.compile("Paused"))
    with page.expect_response(lambda answer: "figures=1" in answer.url):
        switch.click()
    expect(switch).to_have_text(re.compile("Live"))
    expect(page.locator("#figures .tile").first).to_be_visible()


def test_a_phone_has_the_menu_behind_a_button_and_nothing_beside_the_screen(
    live: LiveServer, visit: Visits
) -> None:
    page = visit(live.port).page
    page.set_viewport_size({"width": 390, "height": 844})
    log_in_on_a_phone(page)
    for place in (
        "/console/",
        "/console/deliveries/event/",
        "/console/deliveries/endpoint/",
        "/console/live/",
    ):
        page.goto(place)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, place
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Attempts").click()
    expect(page.locator("h1")).to_have_text("Attempts")


def log_in_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    log_in(page)
    page.set_viewport_size({"width": 390, "height": 844})
