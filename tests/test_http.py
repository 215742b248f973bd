"""The conventions of HTTP, over real sockets: what is asked first, and what is never looked at."""

import json
from contextlib import closing

import pytest

from tests.live import LiveApi, LiveServer

EVENT = {"topic": "orders.created"}
NO_ID = "00000000-0000-7000-8000-000000000000"
UNAUTHORIZED = {"error": "unauthorized", "code": "AUTH_REQUIRED"}


@pytest.fixture(scope="module")
def acme(live: LiveServer) -> LiveApi:
    return live.tenant()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "BREW"])
@pytest.mark.parametrize(
    "path",
    """
    / /v1 /v1/ /v2/events /V1/events /v1/Events //v1/events /v1//events /v1/nothing /v1/events/a/b
    /v1/ws /v1/presence /v1/billing/plans /v1/admin/nothing /%2e%2e/v1/events /%ff
    """.split(),
)
def test_an_unknown_path_is_not_found_before_a_key_is_asked_for(
    live: LiveServer, acme: LiveApi, method: str, path: str
) -> None:
    for api in (live.api(""), live.api("unknown"), acme):
        answer = api.call(method, path)
        assert answer.fault == (404, "not_found", "No such path")
        assert answer.headers["content-type"] == "application/json"


def test_a_browser_that_is_given_no_path_is_led_to_the_console(live: LiveServer) -> None:
    answer = live.api("").get("/", accept="text/html,application/xhtml+xml,*/*;q=0.8")

    assert (answer.status, answer.headers["location"]) == (302, "/console/")


def test_a_wrong_method_is_told_only_after_the_key_and_its_scope(live: LiveServer, acme: LiveApi) -> None:
    assert live.api("").call("PATCH", "/v1/events").json == UNAUTHORIZED
    refused = live.tenant("events.read").call("PATCH", "/v1/endpoints")
    assert (refused.status, refused.json["required_scope"]) == (403, "endpoints.write")
    assert live.tenant("events.read").call("PUT", "/v1/tenants").status == 403

    answer = acme.call("PATCH", "/v1/events")
    assert answer.fault == (405, "method_not_allowed", 'Method "PATCH" not allowed.')
    assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/v1/events", f"/v1/events/{NO_ID}", "/v1/dlq", "/v1/endpoints/"])
def test_no_other_method_is_answered(acme: LiveApi, method: str, path: str) -> None:
    answer = acme.call(method, path)

    assert answer.status == 405
    assert answer.headers["x-tenant-id"]
    assert not any(name.lower().startswith("access-control-") for name in answer.headers)
    assert answer.body == b"" if method == "HEAD" else answer.json["error"] == "method_not_allowed"


def test_a_trailing_slash_changes_nothing(acme: LiveApi, live: LiveServer) -> None:
    published = acme.post("/v1/events/", EVENT)
    assert published.status == 201
    assert acme.get(f"/v1/events/{published.json['id']}/").json["id"] == published.json["id"]
    assert acme.get("/v1/events/?limit=1").json["count"] == 1
    assert acme.post("/v1/events/batch/", {"events": [EVENT]}).status == 201

    endpoint = acme.post("/v1/endpoints/", {"url": "https://example.com/"})
    path = f"/v1/endpoints/{endpoint.json['id']}/"
    assert acme.patch(path, {"name": "orders"}).json["name"] == "orders"
    assert acme.delete(path).status == 204
    # Of the path, scopes see what routes see.
    assert live.tenant("events.read").post("/v1/events/", EVENT).status == 403


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain",
        "",
        "garbage",
        ";;;=",
        "multipart/form-data",
        "multipart/form-data; boundary=topic",
        "application/json; charset=utf-16",
        "text/plain; charset=hex",
        "text/plain; charset=nonsense",
        "a/b; charset=\xe9",
        "a/b; c*=nonsense''d",
        "a" * 5000,
    ],
)
def test_the_content_type_of_a_request_is_never_looked_at(acme: LiveApi, content_type: str) -> None:
    published = acme.post("/v1/events", EVENT, content_type=content_type)
    assert published.status == 201
    assert acme.post("/v1/events", b"topic=a", content_type=content_type).json["error"] == "invalid_json"
    listed = acme.get("/v1/events?topic=orders.%2A&limit=1", content_type=content_type)
    assert listed.json["count"] == 1


def test_a_request_without_a_content_type_is_read(acme: LiveApi) -> None:
    assert acme.post("/v1/events", EVENT).json["topic"] == "orders.created"  # http.client sends none


@pytest.mark.parametrize(
    "accept", ["text/event-stream", "*/*", "text/html", "application/xml;q=1", "nonsense", ""]
)
def test_what_a_client_would_accept_is_never_looked_at(acme: LiveApi, accept: str) -> None:
    answer = acme.get("/v1/events?format=html", accept=accept)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"


def test_json_goes_out_without_a_charset_whatever_the_status(live: LiveServer, acme: LiveApi) -> None:
    answers = [
        acme.get("/v1/events"),
        acme.get("/v1/dlq"),
        acme.post("/v1/events", EVENT),
        acme.post("/v1/events", b"{"),
        live.api("").get("/v1/events"),
        live.tenant("events.read").post("/v1/events", EVENT),
        acme.get(f"/v1/events/{NO_ID}"),
        acme.call("PUT", "/v1/events"),
        acme.post("/v1/events", b" " * 600_000),
        acme.get("/nowhere"),
        live.api("").get("/healthz"),
        live.api("").get("/readyz"),
    ]
    statuses = [answer.status for answer in answers]
    assert statuses == [200, 200, 201, 400, 401, 403, 404, 405, 413, 404, 200, 200]
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}


def test_every_answer_to_a_known_key_names_its_tenant(live: LiveServer) -> None:
    reader = live.tenant("events.read")
    name = reader.get("/v1/events").headers["x-tenant-id"]
    assert name == f"tenant-{live.tenants}"
    for answer in (
        reader.get("/v1/events?limit=1", x_tenant_id="globex"),
        reader.get(f"/v1/events/{NO_ID}"),
        reader.post("/v1/events", EVENT),
        reader.call("PUT", "/v1/events"),
        reader.get("/v1/events?" + "&".join(["a=b"] * 2000)),
    ):
        assert answer.headers["x-tenant-id"] == name
    for answer in (live.api("").get("/v1/events"), reader.get("/nowhere")):
        assert "x-tenant-id" not in answer.headers


def test_a_deletion_is_answered_without_a_body(live: LiveServer, acme: LiveApi) -> None:
    endpoint = acme.post("/v1/endpoints", {"url": "https://example.com/"}).json
    head = f"DELETE /v1/endpoints/{endpoint['id']} HTTP/1.1\r\nHost: hookline\r\nConnection: close\r\n"

    said = live.say(f"{head}Authorization: Bearer {acme.token}\r\n\r\n".encode())

    head, body = said.lower().decode().split("\r\n\r\n")
    assert head.startswith("http/1.1 204 ")
    assert body == ""
    assert "transfer-encoding" not in head
    assert "content-length" not in head


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer {}", 200),
        ("Bearer {} ", 200),  # HTTP takes blanks off the end
        ("bearer {}", 401),
        ("BEARER {}", 401),
        ("Bearer  {}", 401),
        ("Bearer\t{}", 401),
        ("Bearer{}", 401),
        ("Bearer: {}", 401),
        ("Bearer {} x", 401),
        ("Bearer \xff{}", 401),
        ("Bearer", 401),
        ("Basic {}", 401),
        ("Token {}", 401),
        ("{}", 401),
        ("", 401),
    ],
)
def test_a_key_comes_after_the_word_bearer_and_one_space(
    live: LiveServer, acme: LiveApi, header: str, status: int
) -> None:
    answer = live.api("").get("/v1/events", authorization=header.format(acme.token))
    assert answer.status == status
    if status == 401:
        assert answer.json == UNAUTHORIZED
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_may_come_in_the_query_on_every_route(live: LiveServer, acme: LiveApi) -> None:
    nobody, query = live.api(""), f"?token={acme.token}"
    published = nobody.post(f"/v1/events{query}", EVENT)
    assert published.status == 201
    assert nobody.get(f"/v1/events/{published.json['id']}{query}&x=1").status == 200
    assert nobody.get(f"/v1/events{query}", authorization="Basic YTpi").status == 200
    assert nobody.get(f"/v1/events{query}", authorization="bearer x").status == 200
    # A Bearer header is the key, right or wrong.
    assert nobody.get(f"/v1/events{query}", authorization="Bearer x").json == UNAUTHORIZED
    assert nobody.get("/v1/events?token=").json == UNAUTHORIZED
    assert nobody.get("/v1/events?token=%00%FF%ED%A0%80").json == UNAUTHORIZED


def test_bodies_arrive_in_chunks_and_after_a_promise_to_continue(live: LiveServer, acme: LiveApi) -> None:
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer {acme.token}\r\n"
    )
    chunks = 'Transfer-Encoding: chunked\r\n\r\n9\r\n{"topic":\r\n4;x=y\r\n"a"}\r\n0\r\nTrailer: x\r\n\r\n'
    assert b" 201 " in live.say((head + chunks).encode()).splitlines()[0]
    expecting = 'Expect: 100-continue\r\nContent-Length: 13\r\n\r\n{"topic":"a"}'
    assert b" 201 " in live.say((head + expecting).encode())


def test_an_old_client_without_a_host_is_answered(live: LiveServer, acme: LiveApi) -> None:
    said = live.say(f"GET /v1/events?limit=1&token={acme.token} HTTP/1.0\r\n\r\n".encode())
    head, body = said.split(b"\r\n\r\n", 1)
    assert b" 200 " in head.splitlines()[0]
    assert json.loads(body)["items"]


@pytest.mark.parametrize("header", ["Content-Length: 20", "Transfer-Encoding: chunked"])
def test_a_connection_goes_on_after_an_error_and_after_a_body_nobody_read(
    live: LiveServer, acme: LiveApi, header: str
) -> None:
    """What is left of one request must not be taken for the next one."""
    body = "GET /smuggled HTTP/1" if "Length" in header else "14\r\nGET /smuggled HTTP/1\r\n0\r\n\r\n"
    keep = f"Host: h\r\nAuthorization: Bearer {acme.token}\r\n"
    first = f"PUT /v1/events HTTP/1.1\r\n{keep}{header}\r\n\r\n{body}"
    second = f"GET /v1/events?limit=1 HTTP/1.1\r\n{keep}Connection: close\r\n\r\n"

    said = live.say((first + second).encode())

    assert said.count(b"HTTP/1.1 405 ") == 1
    assert said.count(b"HTTP/1.1 200 ") == 1
    assert b"404" not in said.split(b"\r\n\r\n")[0]


@pytest.mark.embedded
def test_probes_answer_under_any_name_and_pages_under_their_own_without_a_word_in_the_log() -> None:
    with closing(LiveServer(HL_ALLOWED_HOSTS="hooks.example.com")) as named:
        probed = [
            named.api("").get(path, host="10.1.2.3:8080") for path in ("/healthz", "/readyz", "/metrics")
        ]
        page = named.api("").get("/console/login/", host="10.1.2.3:8080")

        assert [answer.status for answer in probed] == [200, 200, 200]
        assert page.status == 400
        assert "DisallowedHost" not in named.log.read_text()
