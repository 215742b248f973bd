"""The console as an on-call operator uses it, in a real browser: find out why, mend it, see it arrive."""

import json
import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Visits
from tests.console import MARKUP, log_in
from tests.live import LiveApi, LiveServer
from tests.receiver import Receiver, Reply

EVENT = {"topic": "orders.paid", "payload": {"amount": 99, "currency": "CHF"}}
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def acme(live: LiveServer) -> LiveApi:
    return live.tenant()


def endpoint(api: LiveApi, url: str, pattern: str = "#", filter: object = None, **fields: object) -> str:
    made = str(api.post("/v1/endpoints", {"url": url, **fields}).json["id"])
    rules = {"endpoint_id": made, "topic_pattern": pattern, "filter": filter}
    assert api.post("/v1/subscriptions", rules).status == 201
    return made


def publish(api: LiveApi, document: object = EVENT) -> str:
    return str(api.post("/v1/events", document).json["id"])


def attempted(api: LiveApi, event: str, count: int = 1) -> None:
    """Waits until so many attempts of the event are on record."""
    while len(api.get(f"/v1/deliveries?event_id={event}").json["items"]) < count:
        time.sleep(0.05)


def open_event(page: Page, event: str) -> None:
    page.goto(f"/console/search/?q={event}")


def test_a_dead_job_is_understood_mended_and_seen_to_arrive(
    live: LiveServer, acme: LiveApi, visit: Visits, receiver: Receiver
) -> None:
    receiver.reply("/wrong", Reply(404, body=b"nothing here"))
    endpoint(acme, receiver.url("/wrong"), name="Shop")
    event = publish(acme)
    attempted(acme, event)
    page = visit(live.port).page
    log_in(page)

    open_event(page, event)
    why = page.locator(".results tbody tr", has_text="Shop")
    expect(why).to_contain_text("HTTP 404 is not tried again")
    expect(why).to_contain_text("check the path of the endpoint's URL")
    why.get_by_role("link", name="Shop").click()
    page.get_by_role("link", name="Change").click()
    page.get_by_label("URL", exact=True).fill(receiver.url("/right"))
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".messagelist")).to_contain_text("Changed, for the next delivery on.")

    open_event(page, event)
    page.locator(".results").get_by_role("link", name="job", exact=True).click()
    expect(page.locator("#latest")).to_contain_text("nothing here")
    page.keyboard.press("r")
    expect(page.locator(".messagelist")).to_contain_text("It is due now.")
    expect(page.locator("#life .step").last).to_contain_text("Delivered at attempt 2.")
    expect(page.locator("#tools")).to_contain_text("Send once more")
    assert receiver.wait_for("/right", 1)[0].json["attempt"] == 2


def test_a_test_event_is_followed_until_its_answer_is_there(
    live: LiveServer, acme: LiveApi, visit: Visits, receiver: Receiver
) -> None:
    receiver.reply("/slow", Reply(200, body=b'{"seen": true}', delay=2.5))
    made = endpoint(acme, receiver.url("/slow"), "nothing.of.this")
    page = visit(live.port).page
    log_in(page)
    page.goto(f"/console/deliveries/endpoint/{made}/change/")
    page.get_by_role("button", name="Send a test event").dblclick()
    expect(page.locator("#life .step").last).to_contain_text("waits for the answer")
    page.evaluate("window.isStillHere = true")
    expect(page.locator("#life .step").last).to_contain_text("Delivered at the first attempt.")
    expect(page.locator("#latest")).to_contain_text('"seen": true')
    assert page.evaluate("window.isStillHere"), "the page went on without being loaded anew"
    expect(page.locator("[data-follow]")).to_have_count(0)
    assert len(receiver.received) == 1, "however often a button is pressed"


def test_a_filter_is_tried_on_the_event_that_it_held_back_and_then_it_is_sent(
    live: LiveServer, acme: LiveApi, visit: Visits, receiver: Receiver
) -> None:
    endpoint(acme, receiver.url("/crm"), "orders.#", {"gte": "payload.amount", "value": 1000}, name="CRM")
    event = publish(acme)
    page = visit(live.port).page
    log_in(page)

    open_event(page, event)
    why = page.locator(".results tbody tr", has_text="CRM")
    expect(why).to_contain_text("payload.amount is 99, and at least 1000 is wanted.")
    why.get_by_role("link", name="Try").click()
    page.get_by_role("button", name="Try").click()
    expect(page.locator(".trial")).to_contain_text("It would not be sent")
    page.get_by_label("Filter").fill('{"gte": "payload.amount", "value": 50}')
    page.get_by_label("Transform").fill('{"op": "set_field", "field": "source", "value": "shop"}')
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    expect(page.locator(".trial")).to_contain_text("It would be sent")
    expect(page.locator(".trial pre")).to_contain_text('"source": "shop"')
    page.get_by_role("button", name="Subscribe CRM").click()
    expect(page.locator(".messagelist")).to_contain_text("Subscribed to orders.#.")

    open_event(page, event)
    late = page.locator(".results tbody tr", has_text="subscribed after the event came")
    late.get_by_role("button", name="Send").click()
    expect(page.locator("#life .step").last).to_contain_text("Delivered")
    [received] = receiver.wait_for("/crm", 1)
    assert received.json["event"]["source"] == "shop"


def test_a_new_endpoint_gets_a_secret_that_is_seen_once(
    live: LiveServer, acme: LiveApi, visit: Visits, receiver: Receiver
) -> None:
    page = visit(live.port).page
    log_in(page)
    page.goto("/console/deliveries/endpoint/")
    page.keyboard.press("n")
    page.get_by_label("Tenant", exact=True).fill(f"tenant-{live.tenants}")
    page.get_by_label("URL", exact=True).fill("not a URL")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator(".field.wrong .fault")).to_contain_text("It must start with http(s)://.")
    page.get_by_label("URL", exact=True).fill(receiver.url("/new"))
    page.get_by_label("Add or replace headers").fill("Authorization: Bearer 123")
    page.get_by_role("button", name="Make it").click()
    secret = page.locator(".copied code").inner_text()
    assert secret.startswith("whsec_")
    page.get_by_role("link", name="I have it").click()
    expect(page.locator("#content")).to_contain_text("Authorization: ***")
    page.get_by_role("link", name="Rotate secret").click()
    page.get_by_label("The old one goes on signing for").select_option("a week")
    page.get_by_role("button", name="Make a new secret").click()
    assert page.locator(".copied code").inner_text() not in ("", secret)
    page.get_by_role("link", name="I have it").click()
    expect(page.locator("#content")).to_contain_text("the one before signs too until")


def test_what_a_page_offers_to_copy_is_copied(
    live: LiveServer, acme: LiveApi, visit: Visits, receiver: Receiver
) -> None:
    endpoint(acme, receiver.url("/ok"), secret="whsec_MTIzNDU2Nzg5MA==")
    event = publish(acme)
    attempted(acme, event)
    tab = visit(live.port)
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    log_in(tab.page)
    open_event(tab.page, event)
    tab.page.get_by_role("button", name="Copy", exact=True).last.click()
    read = "navigator.clipboard.readText()"
    assert json.loads(tab.page.evaluate(read)) == EVENT["payload"]
    tab.page.locator(".results").get_by_role("link", name="job", exact=True).click()
    tab.page.get_by_role("button", name="Copy as curl").click()
    copied = tab.page.evaluate(read)
    assert copied.startswith("body='{")
    assert "openssl dgst" in copied
    assert "whsec_" not in copied


def pages_of(api: LiveApi, event: str, made: str) -> list[str]:
    [job] = [item["job_id"] for item in api.get(f"/v1/events/{event}/why").json["items"] if item["job_id"]]
    attempt = api.get(f"/v1/deliveries?event_id={event}").json["items"][0]["attempt_id"]
    return [
        f"/console/deliveries/event/{event}/change/",
        f"/console/deliveries/job/{job}/change/",
        f"/console/deliveries/attempt/{attempt}/change/",
        f"/console/deliveries/endpoint/{made}/change/",
        f"/console/endpoints/{made}/edit/",
        f"/console/endpoints/{made}/rotate/",
        f"/console/subscriptions/try/?endpoint={made}&event={event}",
        "/console/endpoints/new/",
        "/console/deliveries/endpoint/",
    ]


def test_whatever_strangers_write_no_page_runs_or_fetches_it_nor_breaks_out_of_a_phone(
    live: LiveServer, acme: LiveApi, visit: Visits, receiver: Receiver
) -> None:
    long = "x" * 300
    receiver.reply("/hostile", Reply(500, {"x-markup": MARKUP}, MARKUP.encode()))
    made = endpoint(
        acme, receiver.url(f"/hostile?{long}"), "#", {"neq": MARKUP, "value": MARKUP}, name=MARKUP + long,
        description=MARKUP,
    )  # fmt: skip
    receiver.reply(f"/hostile?{long}", Reply(500, {"x-markup": MARKUP}, MARKUP.encode()))
    event = publish(acme, {"topic": MARKUP + long, "payload": {MARKUP: long}, "idempotency_key": MARKUP})
    attempted(acme, event)
    tab = visit(live.port)
    tab.context.on("dialog", lambda dialog: pytest.fail(dialog.message))
    log_in(tab.page)
    for place in pages_of(acme, event, made):
        tab.page.set_viewport_size({"width": 1280, "height": 900})
        tab.page.goto(place)
        assert tab.page.locator("main img[src=x], main script").count() == 0, place
        tab.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], place
