"""/v1/endpoints: what may be said about an endpoint, and what is said back."""

import json
from typing import Any

import pytest

from deliveries.models import Endpoint, Job, Lane, Subscription
from deliveries.models.endpoints import PayloadFormat
from tenants.models import AuditEntry, Tenant
from tests.api import Answer, Api, api_of, operator
from tests.factories import NO_ID

pytestmark = pytest.mark.django_db

URL = "https://hooks.example/in"
SECRET = "a secret that nothing shows again"
ENDPOINTS = "/v1/endpoints"
NOT_FOUND = (404, "not_found", "Endpoint not found")
ID_REQUIRED = (400, "validation_error", "endpoint id required")


@pytest.fixture
def api(acme: Tenant) -> Api:
    return api_of(acme)


def create(api: Api, **fields: Any) -> dict[str, Any]:
    answer = api.post(ENDPOINTS, {"url": URL, **fields})
    assert answer.status == 201
    return dict(answer.json)


def path_of(endpoint: dict[str, Any]) -> str:
    return f"{ENDPOINTS}/{endpoint['id']}"


def invalid(sentence: str) -> tuple[int, str, str]:
    return 400, "validation_error", sentence


def test_an_endpoint_with_only_a_url_is_shown_with_all_that_applies_to_it(api: Api) -> None:
    endpoint = create(api)
    assert endpoint == {
        "id": endpoint["endpoint_id"],
        "endpoint_id": str(Endpoint.objects.get().id),
        "tenant_id": "acme",
        "url": URL,
        "enabled": True,
        "timeout_ms": 30_000,
        "max_in_flight": 10,
        "rate_limit_rps": 100,
        "headers": {},
        "payload_format": "envelope",
        "created_at": endpoint["created_at"],
    }
    assert isinstance(endpoint["created_at"], int)
    assert api.get(path_of(endpoint)).json == endpoint
    assert api.get(ENDPOINTS).json == {"items": [endpoint], "count": 1, "ok": True}


def test_an_endpoint_with_everything_is_shown_as_it_was_sent(api: Api) -> None:
    given = {
        "name": "Orders",
        "description": "Where orders go ✓",
        "enabled": False,
        "timeout_ms": 1,
        "max_in_flight": 10_000,
        "rate_limit_rps": 0,
        "headers": {"Authorization": "Bearer x", "X-Shop": "Zürich"},
        "max_retries": 1000,
        "retry_schedule": [0, 1, 2.5, 604_800],
        "payload_format": "standard",
        "team": {"lead": "Ada", "size": 3},
    }
    endpoint = create(api, **given)
    assert {name: endpoint[name] for name in given} == given
    assert endpoint["disabled_reason"].startswith("Disabled by key ")


def test_endpoints_are_listed_in_the_order_of_creation_and_each_tenant_sees_its_own(
    api: Api, globex: Tenant
) -> None:
    theirs = create(api_of(globex))
    mine = [create(api, name=name) for name in ("first", "second", "third")]
    assert api.get(ENDPOINTS).json["items"] == mine
    assert api_of(globex).get(ENDPOINTS).json["items"] == [theirs]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["", "/secret/rotate"])
def test_another_tenants_endpoint_is_not_found(api: Api, globex: Tenant, method: str, path: str) -> None:
    endpoint = create(api, name="mine")
    stranger = api_of(globex)
    method = "POST" if path else method
    assert stranger.call(method, path_of(endpoint) + path, {"name": "stolen"}).fault == NOT_FOUND
    assert api.get(path_of(endpoint)).json == endpoint


@pytest.mark.parametrize("endpoint_id", [NO_ID, "no-uuid", "0" * 32, "{}", "ä" * 300])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_unknown_endpoint_is_not_found(api: Api, endpoint_id: str, method: str) -> None:
    assert api.call(method, f"{ENDPOINTS}/{endpoint_id}", {}).fault == NOT_FOUND


@pytest.mark.parametrize(("method", "path"), [("PUT", ""), ("POST", "/1"), ("PUT", "/1"), ("HEAD", "")])
def test_other_methods_are_not_allowed(api: Api, method: str, path: str) -> None:
    assert api.call(method, ENDPOINTS + path).status == 405


def test_a_change_and_a_deletion_without_an_id_say_so(api: Api) -> None:
    assert api.patch(ENDPOINTS, {"name": "x"}).fault == ID_REQUIRED
    assert api.delete(ENDPOINTS).fault == ID_REQUIRED


# --- What is refused ----------------------------------------------------------------------


@pytest.mark.parametrize("document", [{}, {"url": None}, {"url": ""}, {"name": "no url"}])
def test_a_url_is_required(api: Api, document: dict[str, Any]) -> None:
    assert api.post(ENDPOINTS, document).fault == invalid("Missing field: url")


ENCODE = "must not hold spaces, control characters or backslashes; percent-encode them"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (5, "must be string"),
        (True, "must be string"),
        (["https://a.example/"], "must be string"),
        ("ftp://a.example/", "must start with http(s)://"),
        ("a.example", "must start with http(s)://"),
        ("https://user:secret@a.example/", "must not hold user:password@; send credentials with headers"),
        ("https:///path", "must name a host, as in https://example.com/hooks"),
        ("https://a.example:99999/", "must be a URL such as https://example.com/hooks"),
        ("https://a.example/a b", ENCODE),
        ("https://a.example/\r\nx: y", ENCODE),
        ("https://a.example/\0", "must not hold NUL or half of a surrogate pair"),
    ],
)  # fmt: skip
def test_a_url_that_can_never_be_delivered_to_is_refused(api: Api, url: object, sentence: str) -> None:
    endpoint = create(api)
    expected = invalid(f"Invalid field 'url': {sentence}")
    assert api.post(ENDPOINTS, {"url": url}).fault == expected
    assert api.patch(path_of(endpoint), {"url": url}).fault == expected
    assert api.get(ENDPOINTS).json["items"] == [endpoint]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:1/x",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "https://a.example:65535/hooks?token=1&x=%20#part",
        "http://[2001:db8::1]:8080/",
        "https://bücher.example/straße",
        "HTTPS://UPPER.EXAMPLE/",
    ],
)
def test_only_the_form_of_a_url_is_judged_and_it_is_kept_as_it_was_sent(api: Api, url: str) -> None:
    assert create(api, url=url)["url"] == url


WHOLE = "must be integer from {} to {}"
TEXTS = "must be an object of names and texts"
SCHEDULE = "must be 1 to 100 delays of at most 7 days"
DELAYS = "must be delays such as 30, 30s, 5m or 2h"
FORMATS = "must be envelope, event, standard"


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", 5, "must be string"),
        ("name", "\0", "must not hold NUL or half of a surrogate pair"),
        ("description", ["x"], "must be string"),
        ("description", "\ud83d", "must not hold NUL or half of a surrogate pair"),
        ("secret", 5, "must be string"),
        ("secret", {"value": SECRET}, "must be string"),
        ("enabled", "true", "must be true or false"),
        ("enabled", 1, "must be true or false"),
        ("enabled", "", "must be true or false"),
        ("timeout_ms", 0, WHOLE.format(1, 300_000)),
        ("timeout_ms", 300_001, WHOLE.format(1, 300_000)),
        ("timeout_ms", "5000", WHOLE.format(1, 300_000)),
        ("timeout_ms", 5000.0, WHOLE.format(1, 300_000)),
        ("timeout_ms", True, WHOLE.format(1, 300_000)),
        ("max_in_flight", 0, WHOLE.format(1, 10_000)),
        ("max_in_flight", 10_001, WHOLE.format(1, 10_000)),
        ("max_in_flight", "10", WHOLE.format(1, 10_000)),
        ("rate_limit_rps", -1, WHOLE.format(0, 1_000_000)),
        ("rate_limit_rps", 0.5, WHOLE.format(0, 1_000_000)),
        ("rate_limit_rps", 10**30, WHOLE.format(0, 1_000_000)),
        ("max_retries", 0, WHOLE.format(1, 1000)),
        ("max_retries", -1, WHOLE.format(1, 1000)),
        ("max_retries", "3", WHOLE.format(1, 1000)),
        ("retry_schedule", [], SCHEDULE),
        ("retry_schedule", [1] * 101, SCHEDULE),
        ("retry_schedule", ["8d"], SCHEDULE),
        ("retry_schedule", [10**400], SCHEDULE),
        ("retry_schedule", [-1], DELAYS),
        ("retry_schedule", [True], DELAYS),
        ("retry_schedule", "soon", DELAYS),
        ("retry_schedule", {"first": 1}, DELAYS),
        ("payload_format", "xml", FORMATS),
        ("payload_format", "", FORMATS),
        ("payload_format", ["event"], FORMATS),
        ("headers", "x: y", TEXTS),
        ("headers", [["x", "y"]], TEXTS),
        ("headers", {"Host": "x"}, "must not set 'Host', which HookLine or the connection sets"),
        ("headers", {"X-HL-Topic": "x"}, "must not set 'X-HL-Topic', which HookLine or the connection sets"),
        ("headers", {"a b": "x"}, "must have names of letters, digits and hyphens"),
        ("headers", {"x": 5}, "must give 'x' a text without control characters, at most 4096 long"),
        ("headers", {"x": "a\r\nb: c"}, "must give 'x' a text without control characters, at most 4096 long"),
        ("headers", {f"x-{n}": "" for n in range(51)}, "must not be more than 50"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_a_sentence_and_changes_nothing(
    api: Api, field: str, value: object, sentence: str
) -> None:
    endpoint = create(api)
    expected = invalid(f"Invalid field '{field}': {sentence}")
    assert api.post(ENDPOINTS, {"url": URL, field: value}).fault == expected
    assert api.patch(path_of(endpoint), {"name": "x", field: value}).fault == expected
    assert api.get(ENDPOINTS).json["items"] == [endpoint]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ([30, "5m", "1h 2h", 0.5], [30, 300, 3600, 7200, 0.5]),
        ("5s, 30s 2m", [5, 30, 120]),
        (60, [60]),
        ("7d", [604_800]),
    ],
)
def test_a_retry_schedule_is_given_in_words_or_numbers_and_shown_in_seconds(
    api: Api, given: object, shown: list[float]
) -> None:
    endpoint = create(api, retry_schedule=given)
    assert json.dumps(endpoint["retry_schedule"]) == json.dumps(shown)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b'{"url":}', "invalid_json"),
        (b"[]", "invalid_json"),
        (b"null", "invalid_json"),
        (b'"https://a.example/"', "invalid_json"),
        (b'{"url":"\xff"}', "invalid_json"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(api: Api, body: bytes, code: str) -> None:
    endpoint = create(api)
    for answer in (api.post(ENDPOINTS, body), api.patch(path_of(endpoint), body)):
        assert (answer.status, answer.json["error"]) == (400, code)


# --- Secrets ------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [None, ""])
def test_an_endpoint_without_secret_is_unsigned(api: Api, secret: str | None) -> None:
    endpoint = create(api, secret=secret)
    assert "secret" not in endpoint
    assert Endpoint.objects.get().secret == ""


def test_a_secret_is_never_shown_again(api: Api) -> None:
    answers = [api.post(ENDPOINTS, {"url": URL, "secret": SECRET})]
    path = path_of(answers[0].json)
    answers += [
        api.get(path),
        api.get(ENDPOINTS),
        api.patch(path, {"secret": SECRET}),
        api.patch(path, {"secret": SECRET, "timeout_ms": 0}),
        api.patch(path, {"secret": [SECRET]}),
        api.post(ENDPOINTS, {"url": "ftp://x", "secret": SECRET}),
        api.post(path + "/secret/rotate", {"overlap_seconds": -1, "secret": SECRET}),
        api.delete(path),
        operator().get("/v1/admin/audit"),
    ]
    assert [answer.status for answer in answers] == [201, 200, 200, 200, 400, 400, 400, 400, 204, 200]
    assert [answer for answer in answers if SECRET.encode() in answer.body] == []
    assert [answers[n].json["secret"] for n in (0, 1, 3)] == ["***"] * 3
    assert answers[2].json["items"][0]["secret"] == "***"


def test_a_secret_and_headers_are_encrypted_in_the_store(api: Api) -> None:
    create(api, secret=SECRET, headers={"Authorization": SECRET})
    stored = Endpoint.objects.values_list().get()
    assert SECRET.encode() not in b" ".join(bytes(v) for v in stored if isinstance(v, bytes | memoryview))
    assert SECRET not in " ".join(str(value) for value in stored)
    assert Endpoint.objects.get().secret == SECRET


def test_a_document_that_was_read_can_be_sent_back(api: Api) -> None:
    created = create(
        api, secret=SECRET, headers={"x": "y"}, retry_schedule=[5, 0.5], team="blue", enabled=False
    )
    changed = api.patch(path_of(created), created).json
    assert changed.pop("updated_at")
    assert changed == created
    assert Endpoint.objects.get().secret == SECRET


def test_the_stars_of_a_secret_are_not_taken_for_one(api: Api) -> None:
    sentence = "Invalid field 'secret': *** only stands for a secret; send the secret itself"
    assert api.post(ENDPOINTS, {"url": URL, "secret": "***"}).fault == invalid(sentence)


@pytest.mark.parametrize("secret", [None, ""])
def test_a_secret_can_be_taken_away_with_one_that_is_being_replaced(api: Api, secret: str | None) -> None:
    path = path_of(create(api, secret=SECRET))
    api.post(path + "/secret/rotate")
    assert "secret" not in api.patch(path, {"secret": secret}).json
    endpoint = Endpoint.objects.get()
    assert (endpoint.secret_box, endpoint.old_secret_box, endpoint.old_secret_until) == (None, None, None)


def test_rotation_makes_a_secret_and_shows_it_once(api: Api) -> None:
    endpoint = create(api)
    rotated = api.post(path_of(endpoint) + "/secret/rotate").json
    assert rotated == {"id": endpoint["id"], "secret": rotated["secret"], "overlap_seconds": 86_400}
    assert rotated["secret"].startswith("whsec_")
    assert api.get(path_of(endpoint)).json["secret"] == "***"
    assert api.post(path_of(endpoint) + "/secret/rotate").json["secret"] != rotated["secret"]
    assert rotated["secret"] not in str(list(AuditEntry.objects.values_list()))


@pytest.mark.parametrize("overlap", [-1, 30 * 86_400 + 1, "60", 1.5, True])
def test_an_overlap_is_whole_seconds_up_to_thirty_days(api: Api, overlap: object) -> None:
    path = path_of(create(api, secret=SECRET)) + "/secret/rotate"
    expected = invalid("Invalid field 'overlap_seconds': must be integer from 0 to 2592000")
    assert api.post(path, {"overlap_seconds": overlap}).fault == expected
    assert Endpoint.objects.get().secret == SECRET


@pytest.mark.parametrize("body", [b"", b"garbage", b"[]", b"null", b"{}", b'{"overlap_seconds":null}'])
def test_rotation_asks_for_no_body(api: Api, body: bytes) -> None:
    answer = api.post(path_of(create(api)) + "/secret/rotate", body)
    assert (answer.status, answer.json["overlap_seconds"]) == (200, 86_400)


# --- Changes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "default"),
    [
        ("name", "Orders", None),
        ("description", "text", None),
        ("secret", SECRET, None),
        ("enabled", False, True),
        ("timeout_ms", 5, 30_000),
        ("max_in_flight", 5, 10),
        ("rate_limit_rps", 5, 100),
        ("headers", {"x": "y"}, {}),
        ("max_retries", 5, None),
        ("retry_schedule", [5], None),
        ("payload_format", PayloadFormat.EVENT, "envelope"),
    ],
)
def test_null_puts_a_field_back_to_its_default(api: Api, field: str, value: object, default: object) -> None:
    endpoint = create(api, **{field: value})
    changed = api.patch(path_of(endpoint), {field: None}).json
    assert changed.get(field) == default
    assert "disabled_reason" not in changed


def test_a_url_cannot_be_taken_away(api: Api) -> None:
    path = path_of(create(api))
    for url in (None, ""):
        assert api.patch(path, {"url": url}).fault == invalid("Missing field: url")


def test_a_change_leaves_what_it_does_not_name(api: Api) -> None:
    before = create(
        api, name="Orders", secret=SECRET, headers={"x": "y"}, timeout_ms=5, team="blue", note=None
    )
    after = api.patch(path_of(before), {"description": "new", "note": {"a": 1}, "more": [1.0]}).json
    assert after.pop("updated_at") >= before["created_at"]
    assert after == before | {"description": "new", "note": {"a": 1}, "more": [1.0]}
    assert api.get(path_of(before)).json == after | {
        "updated_at": api.get(path_of(before)).json["updated_at"]
    }


def test_headers_are_replaced_as_a_whole(api: Api) -> None:
    path = path_of(create(api, headers={"a": "1", "b": "2"}))
    assert api.patch(path, {"headers": {"c": "3"}}).json["headers"] == {"c": "3"}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_the_server_sets_cannot_be_set(api: Api, method: str) -> None:
    endpoint = create(api)
    claims = {
        "id": "mine", "endpoint_id": "mine", "tenant_id": "globex", "created_at": 1, "updated_at": 1,
        "disabled_reason": "hacked",
    }  # fmt: skip
    path = ENDPOINTS if method == "POST" else path_of(endpoint)
    answer = api.call(method, path, claims | {"url": URL})
    assert answer.status in (200, 201)
    assert {name for name, value in claims.items() if answer.json.get(name) == value} == set()
    assert answer.json["tenant_id"] == "acme"


def test_unknown_fields_are_echoed_as_they_were_spelled(api: Api) -> None:
    spelled = b'{"n":1.10,"e":1e400,"u":"\\u0000\\ud83d","o":{"b":1,"a":2,"b":3}}'
    answer = api.post(ENDPOINTS, b'{"url":"https://a.example/","custom":' + spelled + b"}")
    assert b'"custom":' + spelled in answer.body
    assert b'"custom":' + spelled in api.get(path_of(answer_fields(answer))).body


def answer_fields(answer: Answer) -> dict[str, Any]:
    """Of an answer that holds what Python's own JSON reader cannot keep."""
    return {"id": answer.body.split(b'"endpoint_id":"')[1][:36].decode()}


def test_why_an_endpoint_is_off_is_shown_until_it_is_on_again(api: Api) -> None:
    path = path_of(create(api))
    off = api.patch(path, {"enabled": False}).json
    assert off["disabled_reason"].startswith("Disabled by key ")
    Endpoint.objects.update(disabled_reason="The endpoint answered 410 Gone.")
    assert api.patch(path, off).json["disabled_reason"] == "The endpoint answered 410 Gone."
    assert "disabled_reason" not in api.patch(path, {"enabled": True}).json


def test_a_deleted_endpoint_is_gone_with_its_subscriptions_and_no_others(api: Api) -> None:
    doomed, other = create(api), create(api)
    for endpoint in (doomed, other):
        subscription = {"endpoint_id": endpoint["id"], "topic_pattern": "#"}
        assert api.post("/v1/subscriptions", subscription).status == 201
    answer = api.delete(path_of(doomed))
    assert (answer.status, answer.body) == (204, b"")
    assert api.get(path_of(doomed)).fault == api.delete(path_of(doomed)).fault == NOT_FOUND
    assert api.get(ENDPOINTS).json["items"] == [other]
    assert [item["endpoint_id"] for item in api.get("/v1/subscriptions").json["items"]] == [other["id"]]
    assert Subscription.objects.count() == 1
    assert Lane.objects.filter(endpoint_id=other["id"]).exists()


def test_the_log_keeps_a_url_without_its_query(api: Api) -> None:
    path = path_of(create(api, url=URL + "?token=" + "s3cret"))
    api.delete(path)
    entries = AuditEntry.objects.filter(action__startswith="endpoint.")
    assert {json.loads(entry.metadata)["url"] for entry in entries} == {URL}


def test_a_test_event_is_sent_to_one_endpoint_and_refused_by_one_that_is_off(api: Api) -> None:
    path = path_of(create(api))
    sent = api.post(f"{path}/test")
    job = Job.objects.get()
    assert (sent.status, sent.json) == (201, {"event_id": str(job.event_id), "job_id": str(job.id)})
    assert api.get(f"/v1/events/{job.event_id}").json["topic"] == "hookline.test"
    api.patch(path, {"enabled": False})
    assert api.post(f"{path}/test").fault == (409, "conflict", "It is disabled: enable it first.")
    assert Job.objects.count() == 1
