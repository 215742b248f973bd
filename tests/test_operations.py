"""What docs/operations.md tells operators to type works."""

import base64
import os
import re
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from standardwebhooks import Webhook

from hookline import throwaway
from hookline.throwaway import postgres_programs
from tests.live import directly
from tests.receiver import Receiver, Reply
from tests.serving import BANNER, GENERATED, Serving, one_job, publish, send_to
from tests.typed import blocks_of, typed

Serve = Callable[..., Serving]

BLOCKS = blocks_of("docs/operations.md")
SECRET = "whsec_" + base64.b64encode(b"of one endpoint").decode()


def block_with(text: str) -> str:
    [block] = [block for block in BLOCKS if text in block]
    return block


@pytest.mark.embedded
def test_the_embedded_store_is_backed_up_restored_and_encrypted_anew(
    serve: Serve, receiver: Receiver, tmp_path: Path
) -> None:
    serving = serve(**GENERATED, HL_DATA_DIR=str(tmp_path / "var"))
    serving.wait_for(BANNER)
    send_to(receiver, serving, secret=SECRET)

    # Backed up while it runs, and restored after a change that nobody wanted.
    typed(block_with("VACUUM INTO"), serving)
    [endpoint] = serving.api().get("/v1/endpoints").json["items"]
    serving.api().delete(f"/v1/endpoints/{endpoint['id']}")
    assert serving.terminate() == 0
    for path in (tmp_path / "var").glob("hookline.sqlite3-*"):
        path.unlink()
    (tmp_path / "backup.sqlite3").replace(tmp_path / "var" / "hookline.sqlite3")

    # The master key is rotated: both read, then all is encrypted anew, then the new one is enough.
    old, new = (tmp_path / "var/secrets/HL_MASTER_KEY").read_text().strip(), "1" * 64
    restart(serving, HL_MASTER_KEY=f"2:{new},1:{old}")
    both = {"HL_MASTER_KEY": f"2:{new},1:{old}", "HL_DATA_DIR": str(serving.data)}
    assert "Encrypted anew: endpoints 1." in typed(block_with("manage.py rekey"), serving, **both)
    assert '"ok":true' in typed(key() + block_with("rotate-secrets"), serving)
    assert serving.terminate() == 0
    restart(serving, HL_MASTER_KEY=f"2:{new}")
    came = len(receiver.received)
    publish(serving)
    serving.wait_until(lambda: len(receiver.received) > came)

    arrived = receiver.received[-1]
    Webhook(SECRET).verify(arrived.body, dict(arrived.headers))


@pytest.mark.embedded
def test_a_test_event_is_sent_watched_and_handed_on(serve: Serve, receiver: Receiver) -> None:
    serving = serve()
    serving.wait_for(BANNER)
    send_to(receiver, serving)
    given = {name: text for name, text in serving.environment.items() if name.startswith("HL_")}
    port = receiver.url("/hooks").split(":")[2].partition("/")[0]
    here = block_with("listen").replace("3000", port), block_with("manage.py tail")

    with ThreadPoolExecutor() as shells:
        handed_on, watched = (shells.submit(typed, block, serving, **given) for block in here)
        while not (handed_on.done() and watched.done()):
            sent = typed(block_with("manage.py send"), serving, **given)

    assert sent.splitlines()[-1] == "Delivered."
    assert " order.paid " in watched.result()
    secret = re.findall(r"whsec_[^.]+", handed_on.result())[0]
    arrived = receiver.at("/hooks")[0]
    Webhook(secret).verify(arrived.body, dict(arrived.headers))


@pytest.mark.embedded
def test_the_doctor_tells_of_an_installation(serve: Serve) -> None:
    serving = serve(HL_MASTER_KEY="")
    serving.wait_for(BANNER)

    told = typed(block_with("doctor"), serving, HL_DATA_DIR=str(serving.data))

    assert re.search(r"^ok +progress +No delivery is late\.$", told, re.MULTILINE)
    assert re.search(r"^0 errors, [0-9]+ warnings?\.$", told, re.MULTILINE)


@pytest.mark.embedded
def test_a_tenant_and_a_key_are_made_and_ended(serve: Serve) -> None:
    serving = serve()
    serving.wait_for(BANNER)
    given = {"HL_DATA_DIR": str(serving.data)}

    told = typed(block_with("apikey create"), serving, **given)

    first, token = re.findall("hl_live_\\S{43}", told)
    assert serving.api(first).get("/v1/endpoints").status == 200
    assert serving.api(token).get("/v1/endpoints").json["required_scope"] == "endpoints.read"
    assert [line.rpartition(" ")[2] for line in told.splitlines()[2:]] == ["default", "ci"]
    typed(block_with("tenant purge"), serving, **given)
    assert serving.api(first).get("/v1/endpoints").status == 401


@pytest.mark.embedded
def test_what_is_old_is_removed_and_one_event_is_forgotten(
    serve: Serve, receiver: Receiver, tmp_path: Path
) -> None:
    serving = serve(HL_DATA_DIR=str(tmp_path / "var"))
    serving.wait_for(BANNER)
    send_to(receiver, serving)
    serving.wait_until(lambda: one_job(serving)[0] == "succeeded")
    given = {"HL_DATA_DIR": str(serving.data)}
    [event] = serving.api().get("/v1/events").json["items"]

    told = typed(block_with("manage.py expunge"), serving, EVENT_ID=event["id"], **given)
    assert told == f"The payload of event {event['id']} is gone.\n"
    assert serving.api().get(f"/v1/events/{event['id']}").json["payload_removed"] == "expunged"
    time.sleep(1)
    told = typed(block_with("prune --dry-run"), serving, HL_RETENTION_SECS="1", **given)
    assert [line.partition(", ")[0] for line in told.splitlines()] == [
        "Would remove: events 1",
        "Removed: events 1",
    ]
    assert serving.api().get("/v1/events").json["items"] == []

    # What was freed is given back to the disk.
    store = tmp_path / "var/hookline.sqlite3"
    with sqlite3.connect(store) as connection:
        connection.execute("CREATE TABLE flood AS SELECT zeroblob(4000000) AS water")
        connection.execute("DROP TABLE flood")
    assert serving.terminate() == 0
    typed(block_with(".execute('VACUUM')"), serving)
    assert store.stat().st_size < 2_000_000


@pytest.mark.embedded
def test_what_failed_and_what_was_missed_is_sent_again(serve: Serve, receiver: Receiver) -> None:
    serving = serve()
    serving.wait_for(BANNER)
    given = {"HL_DATA_DIR": str(serving.data)}
    receiver.reply("/", Reply(404))
    send_to(receiver, serving)
    serving.wait_until(lambda: one_job(serving)[0] == "dead")
    receiver.reply("/", Reply(200))

    told = typed(block_with("manage.py requeue"), serving, **given)
    assert "Would requeue 1 dead letter, from" in told
    assert "(requeue) is done: 1 dead letter." in told
    serving.wait_until(lambda: one_job(serving)[0] == "succeeded")

    late = serving.api().post("/v1/endpoints", {"url": receiver.url("/late")}).json["id"]
    serving.api().post("/v1/subscriptions", {"endpoint_id": late, "topic_pattern": "#"})
    told = typed(block_with("manage.py replay"), serving, ENDPOINT_ID=late, **given)
    assert "(replay) is done: 1 event." in told
    serving.wait_until(lambda: len(receiver.at("/late")) == 1)

    receiver.reply("/", Reply(404))
    serving.api().post("/v1/events/batch", {"events": [{"topic": "a"}] * 30})
    serving.wait_until(lambda: len(serving.api().get("/v1/dlq").json["items"]) == 30)
    started = {"verb": "discard", "all": True, "rate": 1}
    run = serving.api().post("/v1/dlq/runs", started).json
    listed, *buttons = block_with("manage.py runs").splitlines()
    assert len(typed(listed, serving, **given).splitlines()) == 3
    for line, state in zip(buttons, ("paused", "waiting", "cancelled"), strict=True):
        assert f" is {state}:" in typed(line, serving, RUN_ID=run["id"], **given)


@pytest.mark.embedded
def test_deliveries_are_paused_and_resumed(serve: Serve, receiver: Receiver, tmp_path: Path) -> None:
    serving = serve(**GENERATED, HL_DATA_DIR=str(tmp_path / "var"))
    serving.wait_for(BANNER)
    pause, resume = block_with("pause-claims").splitlines()

    assert '"paused":true' in typed(key() + pause, serving)
    send_to(receiver, serving)
    assert '"paused":false' in typed(key() + resume, serving)

    serving.wait_until(lambda: len(receiver.received) == 1)


@pytest.mark.postgres
def test_a_postgres_store_is_dumped_and_restored(serve: Serve, receiver: Receiver, tmp_path: Path) -> None:
    serving = serve(HL_DATA_DIR=str(tmp_path / "var"))
    serving.wait_for(BANNER)
    send_to(receiver, serving)
    given = {
        "HL_POSTGRES_URL": directly(serving.environment["HL_POSTGRES_URL"]),
        "PATH": f"{postgres_programs()}:{os.environ['PATH']}",
    }

    typed(block_with("pg_dump"), serving, **given)
    [endpoint] = serving.api().get("/v1/endpoints").json["items"]
    serving.api().delete(f"/v1/endpoints/{endpoint['id']}")
    assert serving.terminate() == 0
    typed(block_with("pg_restore"), serving, **given)
    restart(serving)

    assert serving.api().get("/v1/endpoints").json["items"] == [endpoint]


@pytest.mark.postgres
def test_a_standby_is_made_and_promoted(serve: Serve, tmp_path: Path) -> None:
    serving = serve(HL_DATA_DIR=str(tmp_path / "var"))
    serving.wait_for(BANNER)
    path = {"PATH": f"{postgres_programs()}:{os.environ['PATH']}"}
    with throwaway.start_postgres(is_durable=False) as primary, throwaway.start_standby(primary) as standby:
        place = tmp_path / "standby"
        given = {"PRIMARY_URL": primary.superuser_url, "STANDBY_DATA": str(place), **path}
        typed(block_with("pg_basebackup"), serving, **given)
        assert (place / "standby.signal").exists()
        primary.kill()
        typed(block_with("pg_promote"), serving, STANDBY_URL=standby.superuser_url, **path)
        with psycopg.connect(standby.url) as connection:
            connection.execute("CREATE TABLE accepted ()")


def key() -> str:
    return block_with("export HL_API_KEY")


def restart(serving: Serving, **environment: str) -> None:
    serving.environment |= environment
    serving.start()
    serving.wait_for(BANNER)
