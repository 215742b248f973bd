"""The master key is changed under load, and whatever kills the work, every secret opens again."""

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from django.conf import LazySettings, settings
from standardwebhooks import Webhook

from deliveries.models import Endpoint
from deliveries.rekey import BOXES, rekey
from hookline.errors import Conflict
from hookline.keyring import key_of, parse_keys
from tenants.models import AuditEntry, Tenant
from tests.commands import refused, told
from tests.factories import BY, make_endpoint
from tests.live import ROOT, LiveApi, LiveServer
from tests.receiver import Receiver

OLD, NEW = "0" * 64, "1" * 64
BOTH = f"2:{NEW},1:{OLD}"
SECRET = "whsec_" + "A" * 44
ENDPOINTS, KILLS = 300, 4


def keys_in_use() -> set[int]:
    boxes = Endpoint.objects.values_list(*BOXES)
    return {key_of(bytes(box)) for row in boxes for box in row if box}


@pytest.fixture
def rotated(acme: Tenant, settings: LazySettings) -> list[Endpoint]:
    """Endpoints under the old key, since which there is a new one."""
    made = [make_endpoint(acme, "http://a/", secret=f"s{n}", headers={"a": f"h{n}"}) for n in range(120)]
    settings.HL_MASTER_KEY = parse_keys(BOTH)
    return made


@pytest.mark.django_db
def test_everything_is_sealed_with_the_first_key(rotated: list[Endpoint], settings: LazySettings) -> None:
    rotated[0].rotate_secret("next", rotated[0].created_at)
    rotated[0].save()
    assert told("rekey") == [{"endpoints": len(rotated), "key": 2}]
    assert keys_in_use() == {2}
    assert told("rekey") == [{"endpoints": 0, "key": 2}]
    assert AuditEntry.objects.filter(action="secrets.reencrypted").count() == 1

    settings.HL_MASTER_KEY = parse_keys(f"2:{NEW}")
    first, *others = Endpoint.objects.order_by("id")
    assert first.secrets() == ["next", "s0"]
    assert [(e.secret, e.headers) for e in others] == [(f"s{n}", {"a": f"h{n}"}) for n in range(1, 120)]


@pytest.mark.django_db
def test_what_no_key_opens_is_named_and_does_not_keep_the_others(
    rotated: list[Endpoint], settings: LazySettings, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = rotated[7]
    settings.HL_MASTER_KEY = parse_keys(f"9:{'9' * 64}")
    lost.secret = "sealed with a key that nobody has any more"
    lost.save()
    settings.HL_MASTER_KEY = parse_keys(BOTH)

    with pytest.raises(Conflict, match=str(lost.id)):
        rekey("default", BY)
    assert keys_in_use() == {1, 2, 9}  # its headers were left, too
    assert Endpoint.objects.get(id=rotated[-1].id).secret == "s119"
    assert "add the key that they were encrypted with" in refused(capsys, "rekey")
    settings.HL_MASTER_KEY = {}
    assert "HL_MASTER_KEY is not set" in refused(capsys, "rekey")


@pytest.fixture
def live_and_full(receiver: Receiver) -> Iterator[tuple[LiveServer, LiveApi]]:
    """A server whose secrets are under the old key, started again with both."""
    with closing(LiveServer(HL_MASTER_KEY=OLD)) as live:
        api = live.tenant()
        for number in range(ENDPOINTS):
            place = receiver.url(f"/{number % 3}")
            endpoint = {"url": place, "secret": SECRET, "headers": {"x-own": "kept"}}
            made = api.post("/v1/endpoints", endpoint).json
            if number < 3:
                api.post("/v1/subscriptions", {"endpoint_id": made["id"], "topic_pattern": "#"})
        live.stop()
        live.environment["HL_MASTER_KEY"] = BOTH
        live.start()
        yield live, api


def test_under_load_and_killed_at_any_point_no_delivery_fails_and_every_secret_opens(
    live_and_full: tuple[LiveServer, LiveApi], receiver: Receiver
) -> None:
    live, api = live_and_full
    is_over = threading.Event()
    statuses: list[int] = []

    def publish() -> None:
        while not is_over.wait(0.02):
            statuses.append(api.post("/v1/events", {"topic": "a"}).status)

    publisher = threading.Thread(target=publish)
    publisher.start()
    step = ENDPOINTS // KILLS
    killed = [kill_at(live, sealed_anew(live) + random.randrange(1, step)) for _ in range(KILLS)]
    ended = subprocess.run(
        [*REKEY, "--json"], env=live.environment, capture_output=True, text=True, check=True
    )
    is_over.set()
    publisher.join()

    assert any(killed)
    assert sealed_anew(live) == ENDPOINTS
    assert '"key": 2' in ended.stdout
    assert set(statuses) == {201}
    live.stop()
    live.environment["HL_MASTER_KEY"] = f"2:{NEW}"
    live.start()
    api.post("/v1/events", {"topic": "last"})
    receiver.wait_for("/2", len(statuses) + 1)
    for request in receiver.received:
        Webhook(SECRET).verify(request.body, dict(request.headers))
        assert request.headers["x-own"] == "kept"
    assert api.get("/v1/deliveries?status=failure").json["count"] == 0
    for endpoint in api.get("/v1/endpoints").json["items"]:
        assert endpoint["headers"] == {"x-own": "kept"}


REKEY = [sys.executable, str(ROOT / "manage.py"), "rekey"]


def kill_at(live: LiveServer, least: int) -> bool:
    """Runs the command until so many are sealed anew, and kills it there, if it has not ended."""
    working = subprocess.Popen(REKEY, env=live.environment, stderr=subprocess.DEVNULL)
    while sealed_anew(live) < least and working.poll() is None:
        time.sleep(0.0005)
    working.kill()
    return working.wait() == -signal.SIGKILL


def sealed_anew(live: LiveServer) -> int:
    """Whose secrets are under key 2, by what lies in the store."""
    sql = "SELECT secret_box, headers_box FROM endpoints"
    if settings.EMBEDDED:
        file = live.directory.path / "hookline.sqlite3"
        with closing(sqlite3.connect(file, timeout=20)) as store:
            rows = store.execute(sql).fetchall()
    else:
        with psycopg.connect(live.environment["HL_POSTGRES_URL"]) as store:
            rows = store.execute(sql).fetchall()
    return sum({key_of(bytes(box)) for box in row} == {2} for row in rows)
