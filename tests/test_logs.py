"""Log records: for people and for programs, with ids, without secrets, and never two for one."""

import json
import logging
import re
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from hookline import middleware, redaction
from hookline.logs import Json, Text, request_id
from tenants import authentication
from tests.api import Api
from tests.live import LiveServer
from tests.receiver import Receiver

FORGED = "a\n2026-01-01T00:00:00.000Z ERROR   hookline: all is lost\r\x1b[2J\u2028b"


def record(message: str, *values: object, **more: Any) -> logging.LogRecord:
    made = logging.LogRecord(
        "hookline.test", logging.WARNING, __file__, 1, message, values, more.pop("fault", None)
    )
    for name, value in more.items():
        setattr(made, name, value)
    return made


def fault_of(text: str) -> Any:
    try:
        raise ValueError(text)
    except ValueError as fault:
        return type(fault), fault, fault.__traceback__


# --- For people ---------------------------------------------------------------------------


def test_a_record_is_a_line_with_time_level_and_place() -> None:
    line = Text().format(record("Job %s is %s", 7, "late"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING hookline\.test: Job 7 is late", line)


def test_ids_stand_at_its_end() -> None:
    line = Text().format(record("late", job_id="1", endpoint_id="2", tenant_id="acme"))
    assert line.endswith(": late [job=1 endpoint=2 tenant=acme]")


def test_what_a_stranger_wrote_starts_no_line_and_moves_no_cursor() -> None:
    for line in (Text().format(record("%s", FORGED)), Text().format(record("x", tenant_id=FORGED))):
        assert len(line.splitlines()) == 1
        assert line.isprintable()


def test_the_lines_of_a_traceback_are_indented_and_clean() -> None:
    head, *traceback = Text().format(record("it failed", fault=fault_of(FORGED))).splitlines()
    assert head.endswith("it failed")
    assert len(traceback) > 3
    assert all(line.startswith("    ") and line.isprintable() for line in traceback)


# --- For programs -------------------------------------------------------------------------


def test_a_record_is_an_object_on_one_line() -> None:
    text = Json().format(record("Job %s is late", 7, job_id="1", tenant_id="acme", fault=fault_of(FORGED)))
    assert len(text.splitlines()) == 1
    assert text.isascii()
    document = json.loads(text)
    assert document["message"] == "Job 7 is late"
    assert (document["level"], document["logger"]) == ("WARNING", "hookline.test")
    assert (document["job_id"], document["tenant_id"]) == ("1", "acme")
    assert "endpoint_id" not in document
    assert document["traceback"].endswith(f"ValueError: {FORGED}")


def test_an_installation_writes_it_when_it_is_asked_to(receiver: Receiver) -> None:
    with closing(LiveServer(HL_LOG_FORMAT="json", HL_LOG_LEVEL="DEBUG")) as live:
        live.api().get("/v1/events", authorization="Bearer nobody")
        live.stop()
        lines = [line for line in live.log.read_text().splitlines() if line.startswith("{")]
    assert lines
    assert all({"time", "level", "logger", "message"} <= json.loads(line).keys() for line in lines)


# --- Ids of requests ----------------------------------------------------------------------


def answer_to(handle: Callable[[HttpRequest], HttpResponse], **headers: str) -> HttpResponse:
    return middleware.name(handle)(RequestFactory().get("/", **headers))  # type: ignore[arg-type]


def test_a_request_has_an_id_of_its_own_while_it_is_answered() -> None:
    seen = []

    def handle(request: HttpRequest) -> HttpResponse:
        seen.append(json.loads(Json().format(record("x")))["request_id"])
        return HttpResponse()

    ids = [answer_to(handle)["x-request-id"] for _ in range(2)]
    assert seen == ids
    assert len({*ids}) == 2
    assert request_id.get() == ""


@pytest.mark.parametrize("given", ["7f9c2ba4", "a:b.c_d-E9", "x" * 64])
def test_a_plain_id_of_the_senders_is_kept(given: str) -> None:
    assert answer_to(lambda request: HttpResponse(), HTTP_X_REQUEST_ID=given)["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\r\nset-cookie: x", "<script>", "ü", "a,b"])
def test_anything_else_is_replaced(given: str) -> None:
    kept = answer_to(lambda request: HttpResponse(), HTTP_X_REQUEST_ID=given)["x-request-id"]
    assert re.fullmatch("[0-9a-f]{16}", kept)


def test_an_id_ends_with_its_request_also_if_that_fails() -> None:
    def fail(request: HttpRequest) -> HttpResponse:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        answer_to(fail)
    assert request_id.get() == ""


@pytest.mark.django_db
def test_every_answer_bears_it_and_a_fault_names_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/healthz", "/v1/events", "/nowhere", "/console/login/"):
        assert Api().get(path, x_request_id="mine").headers["x-request-id"] == "mine"

    def fail(token: str) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(authentication, "caller_of", fail)
    caplog.handler.setFormatter(Text())
    answer = Api("k").get("/v1/events", x_request_id="mine")
    assert answer.status == 500
    assert "under mine" in answer.json["detail"]
    assert "[request=mine]" in caplog.text


# --- Secrets ------------------------------------------------------------------------------


@pytest.fixture
def _own(settings: Settings) -> Any:
    settings.HL_API_KEY = "the own key"
    settings.HL_MASTER_KEY = {1: b"k" * 32}
    settings.HL_POSTGRES_URL = "postgres://user:p%40ssw%3Ard@db/hookline"
    settings.HL_ALERT_SLACK_URL = "https://hooks.example.com/services/T/B/xyz"
    settings.HL_SMTP_URL = {"password": "of the mail"}
    redaction._secrets.cache_clear()
    yield
    redaction._secrets.cache_clear()


@pytest.mark.usefixtures("_own")
@pytest.mark.parametrize(
    "secret",
    [
        "the own key",
        "a2tr" * 10 + "a2s=",
        "6b" * 32,
        "p@ssw:rd",
        "p%40ssw%3Ard",
        "https://hooks.example.com/services/T/B/xyz",
        "of the mail",
        "hl_live_0123456789abcdef",
        "whsec_c2VjcmV0IG9mIGEgY3VzdG9tZXI=",
    ],
)
def test_no_secret_is_in_either_format(secret: str) -> None:
    for formatter in (Text(), Json()):
        text = formatter.format(record("it was %s, yes", secret, fault=fault_of(f"bad {secret}")))
        assert secret not in text
        assert "***" in text
        assert ", yes" in text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("amqp://user:pass@host:5672/x failed", "amqp://***@host:5672/x failed"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("{'authorization': 'Basic dXNlcjpwYXNz', 'a': 1}", "{'authorization': 'Basic ***', 'a': 1}"),
        ("GET /v1/stream?topic=a&token=abc&x=1", "GET /v1/stream?topic=a&token=***&x=1"),
        ("https://example.com/hook?a=b", "https://example.com/hook?a=b"),
        ("mail to ops@example.com", "mail to ops@example.com"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_and_nothing_else(text: str, redacted: str) -> None:
    assert redaction.redact(text) == redacted
