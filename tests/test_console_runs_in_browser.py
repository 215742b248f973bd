"""Bulk work as an operator does it, in a real browser: from the dead letters to the end of a run."""

import re

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.browser import Visits
from tests.live import LiveApi, LiveServer
from tests.receiver import Receiver, Reply
from tests.servers import ENVIRONMENT
from tests.test_run_takeover import eventually

LETTERS = 40
MARKUP = '<img src=x onerror="document.title=1">'


@pytest.fixture
def acme(live: LiveServer, receiver: Receiver) -> LiveApi:
    """A tenant with dead letters, whose receiver takes everything by now."""
    api = live.tenant()
    endpoint_id = api.post("/v1/endpoints", {"url": receiver.url("/hook"), "name": MARKUP}).json["id"]
    api.post("/v1/subscriptions", {"endpoint_id": endpoint_id, "topic_pattern": "#"})
    receiver.reply("/hook", Reply(404))
    api.post("/v1/events/batch", {"events": [{"topic": "a"}] * LETTERS})
    eventually(lambda: len(api.get("/v1/dlq").json["items"]) == LETTERS)
    receiver.reply("/hook", Reply(200))
    return api


def entered(visits: Visits, live: LiveServer) -> Page:
    page = visits(live.port).page
    page.goto("/console/login/?next=/console/dead-letters/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(ENVIRONMENT["HL_CONSOLE_PASS"])
    page.get_by_role("button", name="Log in").click()
    return page


def test_letters_are_sent_again_by_a_run_that_is_paused_and_resumed(
    live: LiveServer, acme: LiveApi, receiver: Receiver, visit: Visits
) -> None:
    page = entered(visit, live)
    tenant = acme.get("/v1/dlq").headers["x-tenant-id"]
    page.get_by_label("Tenant", exact=True).fill(tenant)
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("link", name=MARKUP)).to_be_visible()
    page.get_by_role("link", name="Send again…").click()

    expect(page.locator(".tile .figure").first).to_have_text(str(LETTERS))
    page.get_by_label("Deliveries a second, at most").fill("10")
    page.get_by_role("button", name="Send dead letters again").click()
    expect(page.get_by_text(re.compile(rf"[1-9]\d* of {LETTERS}"))).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("It is paused.")).to_be_visible()
    assert 0 < len(acme.get("/v1/dlq").json["items"]) < LETTERS

    page.get_by_role("button", name="Resume").click()
    # The page goes on by itself, and stops when there is nothing more to come.
    expect(page.get_by_text(f"{LETTERS} of {LETTERS}")).to_be_visible()
    expect(page.locator("[data-refresh-switch]")).to_have_count(0)
    expect(page.locator("progress")).to_have_attribute("value", "1.0000")
    assert acme.get("/v1/dlq").json["items"] == []
    eventually(lambda: len(receiver.at("/hook")) == 2 * LETTERS)


def test_letting_go_asks_first(live: LiveServer, acme: LiveApi, visit: Visits) -> None:
    page = entered(visit, live)
    page.goto(f"/console/dead-letters/?tenant={acme.get('/v1/dlq').headers['x-tenant-id']}")
    page.get_by_role("link", name="Let go…").click()
    asked: list[str] = []

    def say_no(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.once("dialog", say_no)
    page.get_by_role("button", name="Let dead letters go").click()
    assert asked[0].startswith(f"Let go of {LETTERS} dead letters?")
    assert len(acme.get("/v1/dlq").json["items"]) == LETTERS
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Let dead letters go").click()
    expect(page.get_by_text(f"{LETTERS} of {LETTERS}")).to_be_visible()
    assert acme.get("/v1/dlq").json["items"] == []


def test_what_a_late_endpoint_missed_is_replayed_on_a_phone(
    live: LiveServer, acme: LiveApi, receiver: Receiver, visit: Visits
) -> None:
    late = acme.post("/v1/endpoints", {"url": receiver.url("/late"), "name": "Late"}).json["id"]
    acme.post("/v1/subscriptions", {"endpoint_id": late, "topic_pattern": "#"})
    page = entered(visit, live)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/console/runs/new/replay/")
    page.get_by_role("textbox", name="Tenant").fill(acme.get("/v1/dlq").headers["x-tenant-id"])
    page.get_by_role("textbox", name="Endpoint").fill("Late")
    page.get_by_label("To whom").select_option("missed_only")
    page.get_by_role("button", name="See what it would do").click()
    expect(page.locator(".tile .figure").first).to_have_text(str(LETTERS))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Replay events").click()
    expect(page.get_by_text(f"{LETTERS} of {LETTERS}")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    eventually(lambda: len(receiver.at("/late")) == LETTERS)
