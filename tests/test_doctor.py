"""`doctor` as a whole: it is run as an operator runs it, on installations that are well and that are not."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from hookline import doctor, throwaway
from hookline.doctor.findings import Findings, Level, ok, without_secrets
from tests import installation
from tests.live import ROOT, LiveServer
from tests.servers import ENVIRONMENT
from tests.test_environment import SECRET, WRONG

PASSWORD = "a-password-of-a-server"
NOWHERE = {
    "HL_STORE_BACKEND": "postgres",
    "HL_POSTGRES_URL": f"postgres://hookline:{PASSWORD}@127.0.0.1:1/hookline",
    "HL_REDIS_URL": f"amqp://hookline:{PASSWORD}@127.0.0.1:1//",
}
# The master key of the tests is one byte over and over.
OF_THE_TESTS = {"secrets"}
SECRETS = [text for name, text in ENVIRONMENT.items() if name.endswith(("_KEY", "_PASS"))]


class Examined:
    """What a run of `doctor --json` found."""

    def __init__(self, given: dict[str, str], *before: str) -> None:
        environ = {name: text for name, text in os.environ.items() if not name.startswith("HL_")} | given
        command = [*before, sys.executable, "manage.py", "doctor", "--json"]
        ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert ended.stderr == ""
        self.status, self.text, document = ended.returncode, ended.stdout, json.loads(ended.stdout)
        self.summary = document["status"], document["errors"], document["warnings"]
        self.found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for finding in document["findings"]:
            assert finding["fix"] or finding["level"] == "ok"
            self.found[finding["check"]].append((finding["level"], finding["sentence"]))

    def errors(self) -> set[str]:
        return {check for check, found in self.found.items() for level, _ in found if level == "error"}

    def sentences(self, check: str) -> str:
        return " ".join(sentence for _, sentence in self.found[check])


def test_an_installation_that_is_well_has_no_error_and_no_secret_is_told(live: LiveServer) -> None:
    examined = Examined(live.environment)

    # The throw-away server of the tests is fast because it would not survive a power cut.
    assert examined.errors() - OF_THE_TESTS == (set() if settings.EMBEDDED else {"store"})
    assert ("fsync is off: a power cut" in examined.text) == (not settings.EMBEDDED)
    assert examined.found["migrations"] == [("ok", "The tables are those of this program.")]
    assert examined.found["workers"][0] == (
        "ok",
        "1 process delivers, on 1 host, with 0 requests under way.",
    )
    assert examined.found["progress"] == [("ok", "No delivery is late.")]
    assert not [secret for secret in SECRETS if secret in examined.text]


@pytest.mark.embedded
def test_wrong_variables_are_named_and_everything_else_is_examined(tmp_path: Path) -> None:
    examined = Examined(WRONG | {"HL_DATA_DIR": str(tmp_path), "HL_PROT": "80", "HL_NODE_NAME": "x"})

    assert examined.status == 1
    named = [text.partition(":")[0] for level, text in examined.found["configuration"] if level == "error"]
    assert set(named) == WRONG.keys()
    assert "HL_PROT is not a HookLine setting" in examined.sentences("configuration")
    assert "HL_NODE_NAME is no longer used" in examined.sentences("configuration")
    assert "It is not known where the store is: HL_STORE_BACKEND is wrong." in examined.sentences("store")
    assert examined.found["disk"]
    assert SECRET not in examined.text


@pytest.mark.embedded
def test_servers_that_are_away_are_told_each_by_itself_and_without_their_passwords(tmp_path: Path) -> None:
    examined = Examined(ENVIRONMENT | NOWHERE | {"HL_DATA_DIR": str(tmp_path)})

    assert examined.errors() - OF_THE_TESTS == {"broker", "store"}
    assert examined.sentences("store").startswith("PostgreSQL cannot be reached: ")
    assert examined.sentences("broker").startswith("The broker cannot be reached: ")
    assert PASSWORD not in examined.text


@pytest.mark.embedded
def test_a_directory_where_nothing_ever_started_is_no_fault(tmp_path: Path) -> None:
    examined = Examined({"HL_DATA_DIR": str(tmp_path), "HL_LISTEN_ADDR": "127.0.0.1"})

    assert (examined.status, examined.errors()) == (0, set())
    assert "There is no HL_API_KEY" in examined.sentences("secrets")
    assert "There is no store yet" in examined.sentences("store")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.embedded
def test_people_read_a_line_for_each_finding_and_one_that_counts(tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "doctor"]
    given = {"PATH": os.defpath, "HL_DATA_DIR": str(tmp_path), "HL_PORT": "eighty"}
    ended = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    lines = ended.stdout.splitlines()
    place = next(n for n, line in enumerate(lines) if "eighty" in line)
    assert lines[place].startswith("error    configuration  HL_PORT: write a whole number ")
    assert lines[place + 1].strip().startswith("Correct that variable.")
    assert lines[-1].startswith("1 error, ")
    assert "\x1b" not in ended.stdout


@pytest.mark.embedded
def test_whoever_reads_may_stop_when_it_is_enough(tmp_path: Path) -> None:
    line = f"{sys.executable} manage.py doctor | head -n 1"
    given = {"PATH": os.defpath, "HL_DATA_DIR": str(tmp_path)}
    ended = subprocess.run(
        ["sh", "-c", line], cwd=ROOT, env=given, capture_output=True, text=True, check=True
    )

    assert ended.stdout.startswith("ok       program")
    assert ended.stderr == ""


@pytest.mark.embedded
def test_an_option_that_is_unknown_ends_with_status_2() -> None:
    command = [sys.executable, "manage.py", "doctor", "--jsn"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (2, "")


@pytest.mark.postgres
def test_a_clock_that_differs_from_the_databases_is_told(live: LiveServer) -> None:
    installation.ensure("faketime")
    given = live.environment | {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    examined = Examined(given, "faketime", "-f", "+1h")

    [(level, sentence)] = examined.found["clock"]
    assert level == "error"
    assert sentence.startswith("This machine's clock is 36")
    assert "s ahead of the database's" in sentence


@pytest.fixture(scope="module")
def postgres() -> Iterator[throwaway.Postgres]:
    with throwaway.start_postgres() as server:
        yield server


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("mode", "parameters", "level", "sentence"),
    [
        ("transaction", {"admin_users": "hookline"}, "ok", "PgBouncer 1."),
        ("transaction", {"default_pool_size": 1}, "ok", "A pooler in transaction mode is in between"),
        ("session", {}, "warning", "A pooler in session mode is in between"),
        ("statement", {}, "error", "A pooler in statement mode is in the way"),
    ],
)
def test_a_pooler_is_told_with_its_mode(
    postgres: throwaway.Postgres, mode: str, parameters: dict[str, object], level: str, sentence: str
) -> None:
    installation.ensure("pgbouncer")
    with throwaway.start_pgbouncer(postgres, pool_mode=mode, **parameters) as pooler:
        given = {"HL_STORE_BACKEND": "postgres", "HL_POSTGRES_URL": pooler.url}
        [found] = Examined(ENVIRONMENT | given).found["pooler"]

    assert found[0] == level
    assert found[1].startswith(sentence)
    assert mode in found[1]


@pytest.mark.postgres
def test_a_database_that_hangs_is_told_within_seconds() -> None:
    with throwaway.start_postgres() as server:
        os.kill(server.pid, signal.SIGSTOP)
        given = {"HL_STORE_BACKEND": "postgres", "HL_POSTGRES_URL": server.url}
        examined = Examined(ENVIRONMENT | given)

    assert "store" in examined.errors()
    assert "PostgreSQL cannot be reached: " in examined.sentences("store")
    assert "timeout" in examined.sentences("store")


@pytest.mark.postgres
def test_a_database_with_nothing_in_it_is_told(postgres: throwaway.Postgres) -> None:
    given = {"HL_STORE_BACKEND": "postgres", "HL_POSTGRES_URL": postgres.url}
    examined = Examined(ENVIRONMENT | given)

    assert examined.errors() == OF_THE_TESTS
    assert examined.found["migrations"] == [("warning", "There are no tables yet.")]
    assert examined.found["rights"] == [("ok", "User hookline may create the tables, in schema public.")]
    assert examined.found["pooler"] == [("ok", "No pooler is between HookLine and PostgreSQL.")]
    assert "keys" not in examined.found


# --- Checks stand by themselves -----------------------------------------------------------


def falls_ill() -> Findings:
    yield ok("so far")
    raise RuntimeError(f"the key is {settings.HL_API_KEY}")


def hangs() -> Findings:
    time.sleep(60)
    yield ok("at last")


def is_well() -> Findings:
    yield ok("all is well")


@pytest.mark.embedded
def test_a_check_that_fails_or_hangs_keeps_no_other_from_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PATIENCE_SECONDS", 0.2)

    found = list(doctor.made({"ill": falls_ill, "hung": hangs, "well": is_well}))

    assert [(name, finding.level) for name, finding in found] == [
        ("ill", Level.ERROR),
        ("hung", Level.ERROR),
        ("well", Level.OK),
    ]
    assert found[0][1].sentence == "This could not be examined: RuntimeError: the key is ***."
    assert found[1][1].sentence == "This took more than 0.2 s."


@pytest.mark.embedded
def test_no_text_of_a_library_can_tell_a_secret(settings: pytest.FixtureRequest) -> None:
    settings.HL_POSTGRES_URL = "postgres://user:p4ssw0rd%21@host/db"  # type: ignore[attr-defined]
    key = base64.b64encode(b"0" * 32).decode()
    settings.HL_SECRET_KEY = key  # type: ignore[attr-defined]

    assert (
        without_secrets(f"cannot use p4ssw0rd! or p4ssw0rd%21 with {key}") == "cannot use *** or *** with ***"
    )
