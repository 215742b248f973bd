"""A tenant goes to a file and comes back from it as it was; so do the lists of an older server."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings

from deliveries import purge, retention
from deliveries.models import Attempt, DeadLetter, Endpoint, Event, Job
from deliveries.moving.guessing import UNFINISHED
from tenants import keys, lifecycle
from tenants.models import ApiKey, AuditEntry, Tenant
from tests.api import Api, api_of
from tests.commands import refused, said, told
from tests.factories import BY, deliver, let_time_pass, publish
from tests.queueing import assert_consistent
from tests.receiver import Receiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "whsec_" + "A" * 44
KEPT = b'{"b":1.50,"a":"\\u0000","a":1e400}'
LISTED = ("endpoints", "subscriptions", "events", "deliveries", "dlq")
NOW = round(time.time() * 1000)

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def passphrase(tmp_path: Path) -> str:
    file = tmp_path / "passphrase"
    file.write_text("correct horse battery\n")
    return str(file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "acme.jsonl"


@pytest.fixture
def busy(acme: Tenant, receiver: Receiver) -> Api:
    """A tenant with deliveries made, waiting for a retry and given up."""
    receiver.reply("/away", Reply(503))
    receiver.reply("/refuses", Reply(400))
    api = api_of(acme)
    for path in ("/well", "/away", "/refuses"):
        endpoint = {"url": receiver.url(path), "secret": SECRET, "headers": {"x-own": "token"}, "team": "a"}
        made = api.post("/v1/endpoints", endpoint).json["id"]
        rules = {"filter": {"topic": {"$eq": "a.b"}}} if path == "/well" else {}
        api.post("/v1/subscriptions", {"endpoint_id": made, "topic_pattern": "a.*", **rules})
    api.post("/v1/events", b'{"topic":"a.b","idempotency_key":"k","also":1,"payload":%b}' % KEPT)
    deliver()
    return api


def lists_of(api: Api) -> dict[str, bytes]:
    """Without what a queue says of an endpoint at this moment."""
    told = {name: api.get(f"/v1/{name}").body for name in LISTED}
    return {name: re.sub(rb',"failing_since":\d+', b"", body) for name, body in told.items()}


def forget(tenant: Tenant) -> None:
    """As on another installation."""
    purge.delete_tenant(tenant, BY)
    lifecycle.create(tenant.id, "again", None, "self", BY)


def test_a_tenant_comes_back_as_it_was_and_goes_on(
    acme: Tenant, busy: Api, receiver: Receiver, file: Path, passphrase: str
) -> None:
    before, arrived = lists_of(busy), len(receiver.received)
    [written] = told("tenant", "export", "acme", "--dest", str(file), "--passphrase-file", passphrase)
    assert file.stat().st_mode & 0o777 == 0o600
    assert written["written"]["jobs"] == written["written"]["deliveries"] == 3
    assert all(text not in file.read_bytes() for text in (SECRET.encode(), b'"token"'))
    forget(acme)
    assert len(lists_of(api_of(acme))["endpoints"]) < len(before["endpoints"])

    [result] = told("tenant", "import", "--from", str(file), "--passphrase-file", passphrase)

    assert result["taken"] == {**written["written"], "apikeys": 1}
    assert lists_of(busy) == before  # by the key that it had
    assert Endpoint.objects.filter(is_enabled=True).count() == 3
    assert {endpoint.secret for endpoint in Endpoint.objects.all()} == {SECRET}
    deliver()
    assert len(receiver.received) == arrived
    let_time_pass()
    deliver()
    first, again = receiver.at("/away")
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert again.headers["x-own"] == "token"
    assert KEPT in again.body
    assert busy.post("/v1/events", {"topic": "a.b", "idempotency_key": "k"}).status == 200
    assert AuditEntry.objects.filter(tenant_id="acme", action="tenant.imported").count() == 1
    assert_consistent()


def test_what_is_there_already_stays_as_it_is(acme: Tenant, busy: Api, file: Path, passphrase: str) -> None:
    told("tenant", "export", "acme", "--dest", str(file), "--passphrase-file", passphrase)
    letter = busy.get("/v1/dlq").json["items"][0]["job_id"]
    busy.post(f"/v1/dlq/{letter}/requeue")
    before = lists_of(busy)

    [result] = told("tenant", "import", "--from", str(file), "--passphrase-file", passphrase)

    assert not any(result["taken"].values())
    assert result["there"]["events"] == 1
    assert lists_of(busy) == before
    assert_consistent()


def test_without_a_passphrase_endpoints_wait_for_their_secrets(acme: Tenant, busy: Api, file: Path) -> None:
    told("tenant", "export", "acme", "--dest", str(file))
    assert b"sealed" not in file.read_bytes()
    forget(acme)

    *notes, _ = told("tenant", "import", "--from", str(file))

    assert len(notes) == Endpoint.objects.filter(is_enabled=False).count() == 3
    *notes, _ = told("tenant", "import", "--from", str(file))
    assert notes == []
    [endpoint, *_] = busy.get("/v1/endpoints").json["items"]
    assert "set them, then enable it" in endpoint["disabled_reason"]
    assert "secret" not in endpoint


def test_a_passphrase_must_be_there_and_the_same(
    acme: Tenant, busy: Api, file: Path, passphrase: str, tmp_path: Path, capsys: Capsys
) -> None:
    told("tenant", "export", "acme", "--dest", str(file), "--passphrase-file", passphrase)
    forget(acme)
    other, short = tmp_path / "other", tmp_path / "short"
    other.write_text("another passphrase")
    short.write_text("short")

    given = ["tenant", "import", "--from", str(file)]
    assert "give --passphrase-file" in refused(capsys, *given)
    assert "does not open" in refused(capsys, *given, "--passphrase-file", str(other))
    assert "12 characters or more" in refused(capsys, *given, "--passphrase-file", str(short))
    assert "cannot be read" in refused(capsys, *given, "--passphrase-file", str(tmp_path / "none"))
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text[: text.rindex(b'{"end"')], "not written to its end"),
        (lambda text: text.replace(b'{"kind":"events"', b'{"kind":"event"'), "of no kind that is known"),
        (lambda text: b"\n".join(text.splitlines()[:2] + text.splitlines()[3:]), "lines are missing"),
        (lambda text: text.replace(b"hookline-tenant", b"other"), "not written by `tenant export`"),
        (lambda text: text.replace(b'"version":1', b'"version":2'), "another version"),
        (lambda text: text[:300], "no JSON object"),
        (lambda text: b"", "no JSON object"),
    ],
)
def test_a_file_that_is_damaged_changes_nothing(
    acme: Tenant, busy: Api, file: Path, capsys: Capsys, change: Callable[[bytes], bytes], sentence: str
) -> None:
    told("tenant", "export", "acme", "--dest", str(file))
    assert "exists already" in refused(capsys, "tenant", "export", "acme", "--dest", str(file))
    forget(acme)
    file.write_bytes(change(file.read_bytes()))

    assert sentence in refused(capsys, "tenant", "import", "--from", str(file))
    assert not Endpoint.objects.exists()


def test_ids_of_another_tenant_are_refused(
    acme: Tenant, globex: Tenant, busy: Api, file: Path, capsys: Capsys
) -> None:
    told("tenant", "export", "acme", "--dest", str(file))
    before = lists_of(busy)
    sentences = refused(capsys, "tenant", "import", "--from", str(file), "--tenant", "globex")
    assert "acme.jsonl, line 3: its id is in use by another tenant" in sentences
    assert lists_of(busy) == before
    assert not Endpoint.objects.filter(tenant=globex).exists()
    assert "Tenant not found" in refused(capsys, "tenant", "import", "--from", str(file), "--tenant", "none")
    assert "Tenant not found" in refused(capsys, "tenant", "export", "none", "--dest", str(file) + "2")


# --- Lists of an older server -------------------------------------------------------------


class Older:
    """Lists as `curl` wrote them."""

    def __init__(self, directory: Path, receiver: Receiver) -> None:
        self.directory = directory
        self.endpoint, self.event, self.job = str(uuid4()), str(uuid4()), str(uuid4())
        self.url = receiver.url("/hook")

    def write(self, name: str, *items: object) -> None:
        document = {"items": items, "ok": True}
        (self.directory / name).write_text(json.dumps(document))

    def write_all(self) -> None:
        owner = {"tenant_id": "default", "created_at": NOW}
        endpoint = {"id": self.endpoint, "endpoint_id": self.endpoint, "url": self.url, **owner}
        self.write("endpoints.json", endpoint | {"secret": SECRET, "team": "billing", "enabled": True})
        of = {"endpoint_id": self.endpoint, "topic_pattern": "#", "cmd": 7, **owner}
        hides = {"transform": [{"op": "remove_field", "field": "private"}]}
        self.write(
            "subscriptions.json",
            {"id": str(uuid4()), "note": "x", **of, **hides},
            {"id": str(uuid4()), **of, "endpoint_id": str(uuid4())},  # of an endpoint that was deleted
        )
        event = {"id": self.event, "event_id": self.event, "topic": "a", "occurred_at": NOW, **owner}
        self.write("events-1.json", event | {"payload": {"n": 1}, "private": True, "idempotency_key": "k"})
        self.write("events-2.json", {"id": str(uuid4()), "topic": "b", "data": [1], **owner})
        self.write(
            "deliveries.json",
            self.attempt(job_id=self.job, status="success", http_status=404),
            self.attempt(status="success", http_status=200),
            self.attempt(status="failure", error="timeout"),
            {"attempt_id": str(uuid4()), "event_id": self.event, "tenant_id": "default", "status": "read"},
        )
        letter = {"job_id": self.job, "event_id": self.event, "endpoint_id": self.endpoint}
        self.write("dlq.json", letter | {"reason": "http_404", "attempt_count": 1})
        self.write("apikeys.json", {"key_id": str(uuid4()), "name": "ci", "scopes": ["*"]})

    def attempt(self, **fields: object) -> dict[str, object]:
        ids = {"attempt_id": str(uuid4()), "job_id": str(uuid4()), "event_id": self.event}
        return {**ids, "endpoint_id": self.endpoint, "started_at": NOW, "duration_ms": 3, **fields}


@pytest.fixture
def older(tmp_path: Path, receiver: Receiver) -> Older:
    (tmp_path / "lists").mkdir()
    return Older(tmp_path / "lists", receiver)


def take_in(older: Older, *options: str) -> Any:
    return told("tenant", "import", "--from", str(older.directory), "--tenant", "acme", *options)


def test_lists_of_an_older_server_are_taken_in_with_their_ids(
    acme: Tenant, older: Older, receiver: Receiver
) -> None:
    older.write_all()
    *notes, result = take_in(older)

    assert result["taken"] == {
        "apikeys": 0, "endpoints": 1, "subscriptions": 1, "events": 2, "deliveries": 3, "jobs": 3, "dlq": 2,
    }  # fmt: skip
    assert [note["note"].partition(" is left out")[0] for note in notes] == [
        "apikeys.json, item 0", "subscriptions.json, item 1", "deliveries.json, item 3",
    ]  # fmt: skip
    api = api_of(acme)
    [endpoint] = api.get("/v1/endpoints").json["items"]
    assert (endpoint["id"], endpoint["team"], endpoint["created_at"]) == (older.endpoint, "billing", NOW)
    [subscription] = api.get("/v1/subscriptions").json["items"]
    assert subscription["note"] == "x"
    assert "cmd" not in subscription
    event = api.get(f"/v1/events/{older.event}").json
    assert (event["payload"], event["private"], event["created_at"]) == ({"n": 1}, True, NOW)
    told_of = {item["error"]: item["status"] for item in api.get("/v1/deliveries").json["items"]}
    assert told_of == {"http_4xx": "failure", None: "success", "timeout": "failure"}
    letters = {letter["reason"] for letter in api.get("/v1/dlq").json["items"]}
    assert letters == {"http_404", UNFINISHED}
    assert api.post("/v1/events", {"topic": "a", "idempotency_key": "k"}).json["event_id"] == older.event
    assert_consistent()


def test_what_was_given_up_is_sent_again_with_its_transform(
    acme: Tenant, older: Older, receiver: Receiver
) -> None:
    older.write_all()
    take_in(older)
    api = api_of(acme)
    for letter in api.get("/v1/dlq").json["items"]:
        assert api.post(f"/v1/dlq/{letter['job_id']}/requeue").status == 200
    deliver()

    assert len(receiver.received) == 2
    for request in receiver.received:
        assert request.headers["webhook-id"] == older.event
        assert "private" not in request.json["event"]
    assert not DeadLetter.objects.exists()
    # And what is published now goes there, too.
    publish(acme, {"topic": "new"})
    deliver()
    assert len(receiver.received) == 3


def test_a_letter_whose_subscription_is_gone_is_not_sent_without_its_transform(
    acme: Tenant, older: Older, receiver: Receiver
) -> None:
    older.write_all()
    (older.directory / "subscriptions.json").unlink()
    take_in(older)
    api = api_of(acme)
    api.post(f"/v1/dlq/{older.job}/requeue")
    deliver()
    assert receiver.received == []
    assert Job.objects.get(id=older.job).status == "dead"


def test_lists_can_be_given_twice(acme: Tenant, older: Older) -> None:
    older.write_all()
    take_in(older)
    before = lists_of(api_of(acme))
    *_, result = take_in(older)
    assert not any(result["taken"].values())
    assert result["there"]["events"] == 2
    assert lists_of(api_of(acme)) == before


def test_a_trial_changes_nothing_and_tells_the_same(acme: Tenant, older: Older) -> None:
    older.write_all()
    trial = take_in(older, "--dry-run")
    assert not Event.objects.exists()
    assert not AuditEntry.objects.filter(action="tenant.imported").exists()
    real = take_in(older)
    assert [trial[-1]["taken"], trial[:-1]] == [real[-1]["taken"], real[:-1]]
    text = said("tenant", "import", "--from", str(older.directory), "--tenant", "acme")
    assert text.splitlines()[-1].startswith("Took in: nothing. There already: endpoints 1, ")


def test_whoever_polls_goes_on_from_what_was_published_here(acme: Tenant, older: Older) -> None:
    """Random ids lie beyond ours, which are made of the time."""
    first = publish(acme, {"topic": "first"})
    older.write("events.json", *({"id": str(uuid4()), "topic": "old", "created_at": NOW} for _ in range(9)))
    take_in(older)
    api, seen = api_of(acme), []
    page = api.get("/v1/events?limit=4").json
    while "next_cursor" in page:
        seen += page["items"]
        page = api.get(f"/v1/events?limit=4&cursor={page['next_cursor']}").json
    seen += page["items"]
    assert [event["topic"] for event in seen] == ["old"] * 9 + ["first"]

    last = publish(acme, {"topic": "last"})
    after = api.get(f"/v1/events?after_id={seen[-1]['id']}").json["items"]
    assert [event["id"] for event in after] == [str(last.event.id)]  # type: ignore[union-attr]
    assert [event["topic"] for event in api.get(f"/v1/events?after_id={seen[6]['id']}").json["items"]] == [
        "old", "old", "first", "last",
    ]  # fmt: skip
    assert seen[-1]["id"] == str(first.event.id)  # type: ignore[union-attr]


def test_retention_goes_by_the_time_that_an_imported_event_bears(
    acme: Tenant, older: Older, settings: LazySettings
) -> None:
    times = {"old": NOW - 10 * 86_400_000, "young": NOW}
    events = [{"id": str(uuid4()), "topic": topic, "created_at": times[topic]} for topic in list(times) * 20]
    older.write("events.json", *events)
    take_in(older)
    assert retention.count().events == 20
    assert retention.prune().events == 20
    assert set(Event.objects.values_list("topic", flat=True)) == {"young"}


def test_every_bad_row_is_named_and_nothing_is_half_done(acme: Tenant, older: Older, capsys: Capsys) -> None:
    older.write_all()
    older.write(
        "endpoints.json",
        {"id": str(uuid4()), "url": older.url},
        {"id": "no-uuid", "url": older.url},
        {"id": str(uuid4())},
        {"id": str(uuid4()), "url": older.url, "timeout_ms": "soon"},
        {"id": str(uuid4()), "url": "https://user:password@example.com"},
    )
    older.write("events-2.json", {"id": str(uuid4()), "topic": "b", "created_at": "yesterday"}, {"topic": ""})
    older.write("dlq.json", {"event_id": older.event})

    told = refused(capsys, "tenant", "import", "--from", str(older.directory), "--tenant", "acme")

    lines = [line.removeprefix("hookline: ") for line in told.splitlines() if ".json, item" in line]
    assert [line.partition(": ")[0] for line in lines] == [
        "endpoints.json, item 1",
        "endpoints.json, item 2",
        "endpoints.json, item 3",
        "endpoints.json, item 4",
        "events-2.json, item 0",
        "events-2.json, item 1",
        "dlq.json, item 0",
    ]
    assert lines[1].endswith("Missing field: url.")
    assert "password" not in "".join(lines).replace("user:password@", "")
    assert not any(model.objects.exists() for model in (Endpoint, Event, Attempt, Job))


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("endpoint.json", '{"items":[]}', "cannot be taken in: lists are named"),
        ("endpoints.json", '{"items":[', "is not JSON"),
        ("endpoints.json", "[]", "is no list of the API"),
        ("endpoints.json", '{"items":[1]}', "endpoints.json, item 0 is no JSON object"),
        ("endpoints.json", '{"items":{}}', "is no list of the API"),
        ("notes.txt", "", "cannot be taken in: lists are named"),
    ],
)
def test_what_is_no_list_is_refused(
    acme: Tenant, older: Older, capsys: Capsys, name: str, text: str, sentence: str
) -> None:
    assert "is empty" in refused(capsys, "tenant", "import", "--from", str(older.directory))
    (older.directory / name).write_text(text)
    assert sentence in refused(capsys, "tenant", "import", "--from", str(older.directory), "--tenant", "acme")
    assert "No such file" in refused(capsys, "tenant", "import", "--from", str(older.directory / "none"))


def test_a_key_of_another_tenant_cannot_be_brought_along(
    acme: Tenant, globex: Tenant, file: Path, capsys: Capsys
) -> None:
    key, _ = keys.issue("acme", "ci", ["*"], "self", BY)
    told("tenant", "export", "acme", "--dest", str(file))
    text = file.read_text().replace(str(key.id), str(uuid4()))
    file.write_text(text)
    assert "store refused" in refused(capsys, "tenant", "import", "--from", str(file), "--tenant", "globex")
    assert not ApiKey.objects.filter(tenant=globex).exists()
