"""`requeue`, `replay` and `runs`: bulk work from a shell."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from deliveries.models import DeadLetter, Job, Run
from deliveries.runs import control, work
from hookline.times import milliseconds
from tenants.models import AuditEntry, Tenant
from tests.commands import refused, said, told
from tests.factories import publish
from tests.live import ROOT, LiveServer
from tests.queueing import in_threads, make_target, succeed, take
from tests.receiver import Receiver, Reply
from tests.running import bury_some, finish, letters, pending, start
from tests.test_run_takeover import eventually

pytestmark = pytest.mark.django_db

Captured = pytest.CaptureFixture[str]
ACME = ("--tenant", "acme")
UNKNOWN = "00000000-0000-7000-8000-000000000000"


def detached(*arguments: str) -> dict[str, Any]:
    """What became of the run that a command started."""
    [document] = told(*arguments, "--detach")
    run = finish(Run.objects.get(id=document["id"]))
    [document] = told("runs", "watch", str(run.id))
    return dict(document)


def test_letters_are_requeued_and_the_log_says_by_whom(acme: Tenant) -> None:
    ids = bury_some(make_target(acme), 3)
    bury_some(make_target(acme), 2, "http_404")
    done = detached("requeue", *ACME, "--reason", "http_400", "--rate", "500")
    assert (done["state"], done["done"], done["rate"]) == ("done", 3, 500)
    assert pending() == set(ids)
    assert AuditEntry.objects.get(action="run.started").actor.startswith("shell user ")


def test_letters_are_discarded_by_their_jobs(acme: Tenant) -> None:
    one, other = bury_some(make_target(acme), 2)
    assert detached("requeue", *ACME, "--discard", "--job", str(one))["verb"] == "discard"
    assert letters() == {other}


def test_letters_of_all_tenants_are_requeued_by_time(acme: Tenant, globex: Tenant) -> None:
    for tenant in (acme, globex):
        bury_some(make_target(tenant), 2)
    old = DeadLetter.objects.filter(tenant=acme).first()
    assert old
    DeadLetter.objects.filter(job_id=old.job_id).update(created_at=F("created_at") - timedelta(hours=3))
    assert detached("requeue", "--all-tenants", "--from", "2h")["done"] == 3
    assert letters() == {old.job_id}


@pytest.mark.parametrize("zone", ["", "+00:00"])
def test_a_time_is_given_as_people_write_it_or_in_milliseconds(acme: Tenant, zone: str) -> None:
    bury_some(make_target(acme))
    [at] = DeadLetter.objects.values_list("created_at", flat=True)
    written = f"{at:%Y-%m-%dT%H:%M:%S.%f}{zone}"
    for given in (written, str(milliseconds(at))):
        assert told("requeue", *ACME, "--from", given, "--dry-run")[0]["count"] == 1
        assert told("requeue", *ACME, "--to", given, "--dry-run")[0]["count"] == 1
    assert told("requeue", *ACME, "--from", str(milliseconds(at) + 1), "--dry-run")[0]["count"] == 0


def test_events_are_replayed_to_who_missed_them(acme: Tenant) -> None:
    make_target(acme)
    publish(acme, {"topic": "orders.1"})
    publish(acme, {"topic": "refunds.1"})
    succeed(take())
    late = make_target(acme)
    done = detached("replay", *ACME, "--missed-only", "--topic", "orders.*")
    assert (done["done"], done["deliveries"]) == (1, 1)
    assert Job.objects.get(replay_id=done["id"]).endpoint_id == late.id


def test_events_are_replayed_by_their_ids_and_to_one_endpoint(acme: Tenant) -> None:
    one, _ = make_target(acme), make_target(acme)
    for topic in ("a", "b"):
        publish(acme, {"topic": topic})
    event_id = Job.objects.order_by("id")[0].event_id
    done = detached("replay", *ACME, "--event", str(event_id), "--endpoint", str(one.id))
    assert Job.objects.get(replay_id=done["id"]).event_id == event_id


def test_a_dry_run_tells_what_would_be_done(acme: Tenant) -> None:
    endpoint = make_target(acme)
    bury_some(endpoint, 3)
    text = said("requeue", *ACME, "--dry-run")
    assert text.startswith("Would requeue 3 dead letters, from 20")
    assert text.splitlines()[1].split() == ["3", "endpoint", str(endpoint.id)]
    assert said("replay", *ACME, "--dry-run", "--topic", "nothing") == "Would replay 0 events.\n"
    [document] = told("requeue", *ACME, "--discard", "--dry-run")
    assert (document["dry_run"], document["count"], document["deliveries"]) == (True, 3, 0)
    assert (Run.objects.count(), len(letters())) == (0, 3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("requeue", *ACME), "Say which ones, or --all."),
        (("requeue", "--tenant", "nobody", "--all"), "Tenant not found"),
        (("replay", *ACME), "Say which ones, or --all."),
        (("runs", "watch", UNKNOWN), "Run not found"),
        (("runs", "pause", "nonsense"), "Run not found"),
    ],
)
def test_what_makes_no_sense_is_refused(
    acme: Tenant, arguments: tuple[str, ...], sentence: str, capsys: Captured
) -> None:
    assert refused(capsys, *arguments).startswith(sentence)
    assert not Run.objects.exists()


def test_a_run_is_listed_paused_resumed_and_cancelled(acme: Tenant) -> None:
    bury_some(make_target(acme), 3)
    run = start(Run.Verb.REQUEUE, acme)
    assert told("runs", "pause", str(run.id))[0]["state"] == "paused"
    assert told("runs", "resume", str(run.id))[0]["state"] == "waiting"
    assert "is cancelled: 0 dead letters." in said("runs", "cancel", str(run.id))
    everyones = start(Run.Verb.REPLAY, None)
    latest, first = told("runs", "list")
    assert (latest["id"], latest["tenant_id"], first["tenant_id"]) == (str(everyones.id), None, "acme")
    assert said("runs", "list").splitlines()[1].endswith("Of tenant acme, for the tests.")


def test_what_is_over_is_not_paused(acme: Tenant, capsys: Captured) -> None:
    run = finish(start(Run.Verb.REQUEUE, acme))
    assert refused(capsys, "runs", "pause", str(run.id)) == "The run is done already\n"


def test_who_watches_a_run_that_ends_otherwise_is_told_by_status_1(acme: Tenant) -> None:
    bury_some(make_target(acme))
    run = start(Run.Verb.REQUEUE, acme)
    control.cancel(run, "somebody")
    with pytest.raises(SystemExit) as ended:
        said("runs", "watch", str(run.id))
    assert ended.value.code == 1


@pytest.mark.django_db(transaction=True)
def test_a_command_waits_for_the_end_and_says_when_nobody_works(acme: Tenant, capsys: Captured) -> None:
    bury_some(make_target(acme), 30)
    stop = threading.Event()

    def play(number: int) -> str:
        if number:
            while not stop.wait(0.05):
                work.work(stop)
            return ""
        text = said("requeue", *ACME, "--all", "--rate", "100")
        stop.set()
        return text

    text = in_threads(2, play)[0]
    assert text.endswith("(requeue) is done: 30 dead letters.\n")
    assert "No worker is alive" in capsys.readouterr().err
    assert len(pending()) == 30


# --- As a process -------------------------------------------------------------------------


@pytest.fixture
def watched(live: LiveServer, receiver: Receiver) -> Iterator[subprocess.Popen[str]]:
    """`requeue` at one a second, over ten dead letters of a tenant of a running server."""
    api = live.tenant()
    endpoint_id = api.post("/v1/endpoints", {"url": receiver.url("/hook")}).json["id"]
    api.post("/v1/subscriptions", {"endpoint_id": endpoint_id, "topic_pattern": "#"})
    receiver.reply("/hook", Reply(404))
    api.post("/v1/events/batch", {"events": [{"topic": "a"}] * 10})
    eventually(lambda: len(api.get("/v1/dlq").json["items"]) == 10)
    receiver.reply("/hook", Reply(200))
    tenant = api.get("/v1/dlq").headers["x-tenant-id"]
    command = [sys.executable, "manage.py", "requeue", "--tenant", tenant, "--all", "--rate", "1"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=live.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    eventually(lambda: len(api.get("/v1/dlq").json["items"]) < 10)
    yield process
    process.kill()
    process.communicate()
    run = api.get("/v1/dlq/runs").json["items"][0]
    assert run["state"] == "running", "it goes on"
    api.post(f"/v1/dlq/runs/{run['id']}/cancel")


def test_ctrl_c_ends_the_watching_and_not_the_run(watched: subprocess.Popen[str]) -> None:
    os.kill(watched.pid, signal.SIGINT)
    _, errors = watched.communicate(timeout=60)
    assert watched.returncode == 130
    assert "The run goes on." in errors
    assert "Traceback" not in errors
