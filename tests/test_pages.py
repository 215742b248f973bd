"""The pages for people, in a real browser under their own policy: /docs and the development inbox."""

import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Visits
from tests.live import LiveApi, LiveServer

pytestmark = pytest.mark.embedded

INBOX = "/v1/dev/inbox/ui"
MARKUP = '<img src=x onerror="document.title=1"><script>document.title = "owned"</script><b>bold</b>'
HOSTILE_TOPIC = '"><img src="http://example.com/x">'


@pytest.fixture(scope="module")
def acme(live: LiveServer) -> LiveApi:
    return live.tenant()


def enter(page: Page, key: str) -> None:
    page.goto(INBOX)
    page.get_by_label("API key").fill(key)


def make_inbox(page: Page, key: str) -> str:
    """What the page says to use as an endpoint's URL."""
    enter(page, key)
    page.get_by_role("button", name="New inbox").click()
    expect(page.locator("#url")).not_to_be_empty()
    return page.locator("#url").inner_text()


def test_the_docs_show_every_operation_and_can_try_one(
    live: LiveServer, acme: LiveApi, visit: Visits
) -> None:
    page = visit(live.port).page
    page.goto("/docs")

    expect(page.locator(".opblock").first).to_be_visible()
    document = live.api("").get("/openapi.yaml").body.decode()
    assert page.locator(".opblock").count() == document.count("operationId:")

    page.get_by_role("button", name="Authorize").click()
    page.locator(".auth-container input").first.fill(acme.token)
    page.get_by_role("button", name="Apply credentials").first.click()
    page.get_by_role("button", name="Close").first.click()
    operation = page.locator(".opblock", has_text="/v1/events").first
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("20")


def test_an_endpoint_on_a_new_inbox_shows_its_deliveries_on_the_page(
    live: LiveServer, acme: LiveApi, visit: Visits
) -> None:
    page = visit(live.port).page
    url = make_inbox(page, acme.token)
    expect(page.locator("#state")).to_contain_text("Nothing has arrived yet")
    assert url.startswith(f"http://127.0.0.1:{live.port}/v1/dev/inbox/receive/")

    endpoint = acme.post("/v1/endpoints", {"url": url}).json["id"]
    acme.post("/v1/subscriptions", {"endpoint_id": endpoint, "topic_pattern": "orders.#"})
    for number in (1, 2):
        acme.post("/v1/events", {"topic": f"orders.{number}", "payload": {"number": number}})

    expect(page.locator("#messages li")).to_have_count(2)
    expect(page.locator("#messages .topic")).to_contain_text(["orders.", "orders."])
    expect(page.locator("#messages .body").first).to_contain_text('"payload": {\n')
    page.get_by_text("Headers").first.click()
    expect(page.locator("#messages .headers").first).to_contain_text("x-hl-event-id: ")


def test_messages_come_newest_first_and_stay_as_the_reader_left_them(
    live: LiveServer, acme: LiveApi, visit: Visits
) -> None:
    page = visit(live.port).page
    path = make_inbox(page, acme.token).partition(str(live.port))[2]
    live.api("").post(path, b"one")
    expect(page.locator("#messages .body")).to_have_text(["one"])
    page.get_by_text("Headers").click()

    live.api("").post(path, b"two")
    expect(page.locator("#messages .body")).to_have_text(["two", "one"])
    assert page.locator("#messages details").last.get_attribute("open") is not None


def test_a_body_with_markup_stays_text(live: LiveServer, acme: LiveApi, visit: Visits) -> None:
    page = visit(live.port).page
    path = make_inbox(page, acme.token).partition(str(live.port))[2]
    live.api("").post(path, MARKUP.encode(), x_hl_topic=HOSTILE_TOPIC, x_other=MARKUP)
    live.api("").post(path, {MARKUP: [MARKUP]})
    page.get_by_role("button", name="Refresh").click()

    expect(page.locator("#messages li")).to_have_count(2)
    assert page.locator("#messages .body").last.inner_text() == MARKUP
    assert page.locator("#messages .topic").last.inner_text() == HOSTILE_TOPIC
    expect(page.locator("#messages .headers").last).to_contain_text(f"x-other: {MARKUP}")
    assert page.locator("#messages :is(img, script, b)").count() == 0
    assert page.title() == "HookLine inbox"


LAID_OUT = {
    "not JSON: {": "not JSON: {",
    "": "",
    '{"a":1,"a":12345678901234567890.0}': '{\n  "a": 1,\n  "a": 12345678901234567890.0\n}',
    "[ ] ": "[]",
    '{"a, \\"b\\": {": [null,true, -0]}': '{\n  "a, \\"b\\": {": [\n    null,\n    true,\n    -0\n  ]\n}',
    '"\\u0000\\ud800"': '"\\u0000\\ud800"',
}


def test_a_json_body_is_laid_out_and_otherwise_as_it_came(
    live: LiveServer, acme: LiveApi, visit: Visits
) -> None:
    page = visit(live.port).page
    path = make_inbox(page, acme.token).partition(str(live.port))[2]
    for body in LAID_OUT:
        live.api("").post(path, body.encode())
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator("#messages li")).to_have_count(len(LAID_OUT))
    assert page.locator("#messages .body").all_text_contents() == list(reversed(LAID_OUT.values()))


def test_a_body_nested_without_end_does_not_hang_the_page(
    live: LiveServer, acme: LiveApi, visit: Visits
) -> None:
    page = visit(live.port).page
    path = make_inbox(page, acme.token).partition(str(live.port))[2]
    live.api("").post(path, b"[" * 20_000 + b"1" + b"]" * 20_000)
    live.api("").post(path, json.dumps("x" * 400_000).encode())
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator("#messages li")).to_have_count(2)


def test_the_key_is_kept_for_the_tab_only_and_never_in_an_address(
    live: LiveServer, acme: LiveApi, visit: Visits
) -> None:
    tab = visit(live.port)
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    make_inbox(tab.page, acme.token)
    tab.page.reload()
    expect(tab.page.get_by_label("API key")).to_have_value(acme.token)
    expect(tab.page.locator("#state")).to_contain_text("Nothing has arrived yet")
    assert not any(acme.token in url for url in asked)

    other = tab.open()
    other.goto(INBOX)
    expect(other.get_by_label("API key")).to_have_value("")
    assert tab.context.cookies() == []


def test_an_inbox_can_be_named_in_the_address(live: LiveServer, acme: LiveApi, visit: Visits) -> None:
    token = acme.post("/v1/dev/inbox").json["token"]
    live.api("").post(f"/v1/dev/inbox/receive/{token}", b"hello")
    page = visit(live.port).page
    page.goto(f"{INBOX}?token={token}")
    expect(page.get_by_label("Inbox", exact=True)).to_have_value(token)
    page.get_by_label("API key").fill(acme.token)
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator("#messages .body")).to_have_text("hello")


def test_a_wrong_key_is_told_and_can_be_mended(live: LiveServer, acme: LiveApi, visit: Visits) -> None:
    tab = visit(live.port)
    enter(tab.page, "wrong")
    tab.page.get_by_role("button", name="New inbox").click()
    expect(tab.page.locator("#state")).to_have_text("This API key is not known here. Check it and try again.")
    [told] = tab.told()
    assert "401" in told

    make_inbox(tab.page, acme.token)
    expect(tab.page.locator("#state")).to_contain_text("Nothing has arrived yet")


@pytest.mark.parametrize("path", ["/docs", INBOX])
def test_a_page_allows_no_script_of_its_own_text_and_no_frame_around_it(live: LiveServer, path: str) -> None:
    answer = live.api("").get(path)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert "script-src" not in policy
    assert "unsafe-eval" not in str(policy)
    assert ("unsafe-inline" in str(policy)) == (path == "/docs"), (
        "Swagger UI writes styles, nothing else does"
    )
    assert b"http://" not in answer.body
    assert b"https://" not in answer.body


def test_the_inbox_page_is_not_there_where_the_inbox_is_off(live: LiveServer) -> None:
    off = LiveServer(HL_DEV_INBOX="false")
    try:
        assert off.api("").get(INBOX).fault[:2] == (404, "not_found")
    finally:
        off.close()
