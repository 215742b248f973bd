"""The configuration: what is wrong ends the start, what is unknown is said, and nothing is guessed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from hookline.environment import (
    Environment,
    choice,
    parse_boolean,
    parse_durations,
    parse_schedule,
    parse_smtp,
)

pytestmark = pytest.mark.embedded

SECRET = "bm90IHRoaXJ0eS10d28gYnl0ZXM="

WRONG = {
    "HL_PORT": "eighty",
    "HL_PUBLIC_URL": "hooks.example.com",
    "HL_REDIS_URL": f"redis:/:{SECRET}@localhost",
    "HL_CA_BUNDLE": "/no/such/file",
    "HL_WEB_WORKERS": "0",
    "HL_WORKER_PROCESSES": "1.5",
    "HL_DRAIN_SECS": "-1",
    "HL_STORE_BACKEND": "mysql",
    "HL_STORE_POOL_SIZE": "100000",
    "HL_SQLITE_SYNCHRONOUS": "off",
    "HL_RETENTION_SECS": "1w",
    "HL_COMPACT_INTERVAL_MS": "1",
    "HL_SINGLE_TENANT": "maybe",
    "HL_MASTER_KEY": SECRET,
    "HL_CONSOLE_ENABLED": "on",
    "HL_MAX_PAYLOAD_BYTES": "512k",
    "HL_MAX_QUEUE_DEPTH": "1e5",
    "HL_UPLOADS_ENABLED": "2",
    "HL_DELIVERY_WORKERS": "9" * 5000,
    "HL_JOB_LEASE_SECS": "0x10",
    "HL_RETRY_SCHEDULE": "5s then 30s",
    "HL_RETRY_MAX_ATTEMPTS": "0",
    "HL_EGRESS_ALLOW": "10.0.0.0/99",
    "HL_DEV_INBOX": "y",
    "HL_DEMO_INBOX": "n",
    "HL_LOG_LEVEL": "LOUD",
    "HL_LOG_FORMAT": "xml",
    "HL_METRICS_LABELS": "many",
    "HL_DISABLE_AFTER_SECS": "5d",
    "HL_OTEL_ENDPOINT": "localhost:4318",
    "HL_ALERT_URL": f"ops.example.com/?token={SECRET}",
    "HL_ALERT_SLACK_URL": f"slack/{SECRET}",
    "HL_ALERT_EMAIL": "ops@example.com, nobody",
    "HL_ALERT_FROM": "Hook Line <a@b>",
    "HL_SMTP_URL": f"mail://user:{SECRET}@mail.example.com",
    "HL_ALERT_LATE_SECS": "soon",
    "HL_ALERT_DLQ_SIZE": "-1",
    "HL_THROWAWAY": "perhaps",
    "HL_FAILPOINTS": "everywhere=kill:0",
}


def start(directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Starts a process with these variables and no others, as far as its settings."""
    environment = {"PATH": os.defpath, "HL_DATA_DIR": str(directory)} | variables
    code = "from hookline import settings; print(settings.HL_STORE_BACKEND)"
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=environment, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False
    )


def test_every_wrong_value_is_named_in_one_start_that_ends_with_status_2(tmp_path: Path) -> None:
    ended = start(tmp_path, **WRONG)

    assert ended.returncode == 2
    named = {line.split(": ")[1] for line in ended.stderr.splitlines()}
    assert named == WRONG.keys()
    assert all(line.startswith("hookline: HL_") for line in ended.stderr.splitlines())
    assert SECRET not in ended.stderr


def test_mail_without_a_server_ends_with_status_2(tmp_path: Path) -> None:
    ended = start(tmp_path, HL_ALERT_EMAIL="ops@example.com")

    assert (ended.returncode, ended.stderr) == (
        2, "hookline: HL_ALERT_EMAIL: mail needs a server; set HL_SMTP_URL, too.\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("smtp://localhost", ("localhost", 25, "", "", False, False)),
        ("smtp+tls://us%40er:p%3Ass@mail:587", ("mail", 587, "us@er", "p:ss", True, False)),
        ("smtp+ssl://user:pass@mail", ("mail", 465, "user", "pass", False, True)),
    ],
)
def test_a_mail_server_is_read_from_its_url(url: str, place: tuple[object, ...]) -> None:
    assert tuple(parse_smtp(url).values()) == place


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "mysql://localhost/hookline",
        "postgres://localhost",
        "postgres://localhost:port/hookline",
    ],
)
def test_postgres_without_a_url_that_says_where_ends_with_status_2(tmp_path: Path, url: str) -> None:
    ended = start(tmp_path, HL_STORE_BACKEND="postgres", HL_POSTGRES_URL=url)

    assert ended.returncode == 2
    assert ended.stderr.startswith("hookline: HL_POSTGRES_URL: ")


def test_what_is_not_set_has_its_default_and_nothing_is_said(tmp_path: Path) -> None:
    started = start(tmp_path, HL_PORT="", HL_STORE_BACKEND=" ", HL_URL="http://for.clients")

    assert (started.returncode, started.stdout, started.stderr) == (0, "embedded\n", "")


def test_names_that_are_unknown_or_retired_are_warned_of_and_change_nothing(tmp_path: Path) -> None:
    started = start(tmp_path, HL_PROT="80", HL_NODE_NAME="a@b", HL_STORE_BACKEND="c", HOME="/")

    assert (started.returncode, started.stdout) == (0, "embedded\n")
    assert started.stderr.splitlines() == [
        "hookline: warning: HL_STORE_BACKEND=c now means embedded; write embedded.",
        "hookline: warning: HL_NODE_NAME is no longer used; it changes nothing.",
        "hookline: warning: HL_PROT is not a HookLine setting; check its spelling in docs/configuration.md.",
    ]


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_boolean, "true", True),
        (parse_boolean, "True", True),
        (parse_boolean, "1", True),
        (parse_boolean, "FALSE", False),
        (parse_boolean, "0", False),
        (parse_durations, "5s 30s 2m 1h 1d", (5.0, 30.0, 120.0, 3600.0, 86400.0)),
        (parse_durations, "5, 0.5s,2m", (5.0, 0.5, 120.0)),
        (parse_durations, "0", (0.0,)),
        (parse_schedule, "5s 7d", (5.0, 604_800.0)),
        (choice("INFO", "ERROR"), "ERROR", "ERROR"),
    ],
)
def test_values_are_read_as_they_are_meant(parse: Callable[[str], Any], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_boolean, "yes"),
        (parse_boolean, ""),
        (parse_durations, ""),
        (parse_durations, "5s,"),
        (parse_durations, "-5s"),
        (parse_durations, "5 s"),
        (parse_durations, "5w"),
        (parse_durations, "1e3"),
        (parse_schedule, "8d"),
        (parse_schedule, "9" * 400 + "d"),
        (choice("INFO", "ERROR"), "info"),
        (choice("INFO", "ERROR"), "INFO or ERROR"),
    ],
)
def test_anything_else_is_refused_with_what_to_write(parse: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ValueError, match=r"^write "):
        parse(text)


@pytest.mark.parametrize("text", ["1", "10", "+7", "007", " 3 "])
def test_whole_numbers_within_the_bounds_are_taken(text: str) -> None:
    environment = Environment({"HL_NUMBER": text})

    assert environment.integer("HL_NUMBER", 5, "A number.", least=1, most=10) == int(text)
    environment.complete()


@pytest.mark.parametrize("text", ["0", "11", "-1", "1.0", "1_0", "ten", "1 0", "9" * 5000])
def test_other_numbers_are_refused_with_the_bounds(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    environment = Environment({"HL_NUMBER": text})
    environment.integer("HL_NUMBER", 5, "A number.", least=1, most=10)

    with pytest.raises(SystemExit) as ended:
        environment.complete()

    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("hookline: HL_NUMBER: write a whole number from 1 to 10, not ")


def test_what_was_asked_for_is_the_table_of_the_configuration() -> None:
    environment = Environment({})
    environment.integer("HL_PORT", 8080, "Port to listen on.")
    environment.secret("HL_API_KEY", "Key with every scope.", str)

    table = [(row.name, row.default, row.meaning) for row in environment.variables]
    assert table == [
        ("HL_PORT", "8080", "Port to listen on."),
        ("HL_API_KEY", "", "Key with every scope."),
    ]
