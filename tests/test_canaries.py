"""No secret is written down anywhere but where it must be: each is made unique, everything is done that may
go wrong with it, and then all that was written is searched for it, however it may be spelled."""

import base64
import gzip
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import redis
import requests

from hookline import throwaway
from tests.canaries import Canary, files_below, sightings
from tests.live import ROOT
from tests.receiver import Receiver, Reply
from tests.serving import BANNER, Serving

Serve = Callable[..., Serving]

MOST_PAGES = 60
LINK = re.compile(r'href="(/console/[^"#]*)"')


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text.encode(),
        lambda text: b"x" + text.encode().hex().encode(),
        lambda text: base64.b64encode(text.encode()),
        lambda text: base64.b64encode(b"a" + text.encode() + b"bc"),
        lambda text: base64.urlsafe_b64encode(b"ab" + text.encode() + b"c"),
        lambda text: quote(text).encode(),
        lambda text: quote(text, safe="").encode(),
        lambda text: requests.Request("GET", "http://a", params={"a": text}).prepare().url.encode(),  # type: ignore[union-attr]
    ],
)
def test_a_canary_is_seen_however_it_is_written(write: Callable[[str], bytes]) -> None:
    canary, other = Canary("one"), Canary("other")
    assert sightings([canary, other], {"log": b"before" + write(canary.text) + b"after"}) == {("one", "log")}


class Cage:
    """The canaries, and what was seen of the installation that has them."""

    NAMES = "signing old-signing header api-key admin-key django-secret console database broker passphrase"

    def __init__(self) -> None:
        key = secrets.token_bytes(32)
        self.canaries = {name: Canary(name) for name in self.NAMES.split()}
        self.canaries["master"] = Canary("master", base64.b64encode(key).decode())
        self.canaries["master-hex"] = Canary("master-hex", key.hex())
        self.places: dict[str, bytes] = {}

    def __getitem__(self, name: str) -> str:
        return self.canaries[name].text

    def add(self, name: str, text: str) -> str:
        """A secret that the server made and showed once."""
        self.canaries[name] = Canary(name, text)
        return text

    def environment(self) -> dict[str, str]:
        return {
            "HL_LOG_LEVEL": "DEBUG",
            "HL_MASTER_KEY": self["master"],
            "HL_API_KEY": self["api-key"],
            "HL_ADMIN_KEY": self["admin-key"],
            "HL_SECRET_KEY": self["django-secret"],
            "HL_CONSOLE_PASS": self["console"],
            "HL_RETRY_SCHEDULE": "1s 60s",
        }

    def see(self, place: str, content: str | bytes) -> None:
        found = content.encode() if isinstance(content, str) else content
        self.places[place] = self.places.get(place, b"") + found

    def escaped(self, *allowed: tuple[str, str]) -> set[tuple[str, str]]:
        """Which were seen where, other than by who may."""
        return sightings(self.canaries.values(), self.places) - set(allowed)


@pytest.fixture
def cage() -> Cage:
    return Cage()


def use_the_api(cage: Cage, serving: Serving, receiver: Receiver) -> None:
    """All that takes or makes a secret, well and badly."""
    operator = serving.api(cage["admin-key"])
    made = operator.post("/v1/tenants", {"id": "acme"}).json
    api = serving.api(cage.add("tenant-token", made["api_key"]))
    receiver.reply("/echo", *[Reply(500, {"x-echo": cage["header"]}, cage["header"].encode())] * 9)
    endpoint = {"secret": cage["old-signing"], "headers": {"x-own": cage["header"]}}
    ids = []
    for path in ("/well", "/echo"):
        ids.append(api.post("/v1/endpoints", endpoint | {"url": receiver.url(path)}).json["id"])
        api.post("/v1/subscriptions", {"endpoint_id": ids[-1], "topic_pattern": "#"})
    cage.add("rotated", api.post(f"/v1/endpoints/{ids[0]}/secret/rotate", {}).json["secret"])
    cage.add("issued", api.post("/v1/apikeys", {"name": "ci"}).json["key"])
    told = [
        api.patch(f"/v1/endpoints/{ids[1]}", {"secret": cage["signing"]}),
        api.patch(f"/v1/endpoints/{ids[1]}", {"secret": [cage["signing"]]}),
        api.patch(f"/v1/endpoints/{ids[1]}", {"headers": {"x-own": [cage["header"]]}}),
        api.patch(f"/v1/endpoints/{ids[1]}", b'{"secret":"' + cage["signing"].encode()),
        api.post("/v1/endpoints", {"url": "no url", "secret": cage["signing"]}),
        api.post("/v1/endpoints", endpoint | {"url": receiver.url("/"), "timeout_ms": "soon"}),
        serving.api(cage["issued"] + "x").get("/v1/endpoints"),
        serving.api("").get(f"/v1/endpoints?token={quote(cage['issued'])}x"),
        api.get("/v1/apikeys"),
        operator.get("/v1/admin/audit"),
        operator.post("/v1/admin/rotate-secrets"),
    ]
    for answer in told:
        cage.see("answers", answer.body.replace(cage["header"].encode(), b"(told to who may read endpoints)"))
    for number in range(3):
        assert api.post("/v1/events", {"topic": "a", "payload": number}).status == 201
    receiver.wait_for("/well", 3)
    receiver.wait_for("/echo", 3)
    serving.wait_until(lambda: len(api.get("/v1/deliveries").json["items"]) >= 6)
    cage.see("deliveries", api.get("/v1/deliveries").body)


def walk_through_the_console(cage: Cage, serving: Serving) -> None:
    """Page by page, from link to link, and what is no page."""
    base, session = f"http://127.0.0.1:{serving.port}", requests.Session()
    login = f"{base}/console/login/"
    for password in (cage["console"] + "x", cage["console"]):
        token = re.findall('name="csrfmiddlewaretoken" value="([^"]+)"', session.get(login).text)[0]
        form = {"username": "admin", "password": password, "csrfmiddlewaretoken": token, "next": "/console/"}
        answer = session.post(login, form, headers={"referer": login})
        cage.see("pages", answer.content)
    seen, ahead = {"/console/logout/"}, ["/console/", "/console/none/", "/metrics", "/docs", "/openapi.yaml"]
    while ahead and len(seen) < MOST_PAGES:
        place = ahead.pop(0)
        if place in seen or "logout" in place:
            continue
        seen.add(place)
        page = session.get(base + place)
        cage.see("pages", page.content + str(page.headers).encode())
        ahead += LINK.findall(page.text) if "html" in page.headers["content-type"] else []
    assert len(seen) > 30


def run_commands(cage: Cage, serving: Serving, directory: Path) -> None:
    (directory / "passphrase").write_text(cage["passphrase"])
    sealing = ["--passphrase-file", str(directory / "passphrase")]
    for line in (
        ["snapshot", "create", "--dest", str(directory / "all.snapshot")],
        ["tenant", "export", "acme", "--dest", str(directory / "bare.jsonl")],
        ["tenant", "export", "acme", "--dest", str(directory / "sealed.jsonl"), *sealing],
        ["apikey", "list", "--tenant", "acme"],
        ["doctor", "--json"],
        ["rekey"],
    ):
        command = [sys.executable, str(ROOT / "manage.py"), *line]
        ended = subprocess.run(command, env=serving.environment, capture_output=True, check=False)
        cage.see("commands", ended.stdout + ended.stderr)
    cage.see("snapshot", gzip.decompress((directory / "all.snapshot").read_bytes()))
    for name in ("bare.jsonl", "sealed.jsonl"):
        cage.see("exports", (directory / name).read_bytes())


def look_at_processes(cage: Cage, serving: Serving) -> None:
    cage.see("command lines", "\n".join(serving.processes().values()))
    cage.see("logs", serving.log.read_bytes())


@pytest.mark.embedded
def test_nothing_escapes_from_the_embedded_store(
    cage: Cage, serve: Serve, receiver: Receiver, tmp_path: Path
) -> None:
    serving = serve(**cage.environment(), HL_DATA_DIR=str(tmp_path / "var"))
    serving.wait_for(BANNER)
    use_the_api(cage, serving, receiver)
    walk_through_the_console(cage, serving)
    run_commands(cage, serving, tmp_path)
    look_at_processes(cage, serving)
    assert serving.terminate() == 0
    cage.places |= files_below(tmp_path / "var")
    assert "hookline.sqlite3" in cage.places
    assert cage.escaped() == set()


class Broker:
    """A Redis with a password, and all that is said to it by others."""

    def __init__(self, server: throwaway.Redis, password: str) -> None:
        self.server, self.password = server, password
        with redis.Redis(port=server.port) as client:
            client.config_set("requirepass", password)
        self.heard = b""
        self.ear = socket.create_connection(("127.0.0.1", server.port))
        self.ear.sendall(b"AUTH %b\r\nMONITOR\r\n" % password.encode())
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://:{quote(self.password, safe='')}@127.0.0.1:{self.server.port}/0"

    def contents(self) -> bytes:
        with redis.Redis(port=self.server.port, password=self.password) as client:
            return b"\n".join(key + (client.dump(key) or b"") for key in client.scan_iter())

    def _listen(self) -> None:
        with self.ear:
            while some := self.ear.recv(65_536):
                self.heard += some


@pytest.fixture
def database() -> Iterator[throwaway.Postgres]:
    with throwaway.start_postgres(is_durable=False, log_statement="all", log_connections="on") as server:
        yield server


@pytest.fixture
def broker(cage: Cage, redis_server: throwaway.Redis) -> Iterator[Broker]:
    with throwaway.start_redis() as server:
        yield Broker(server, cage["broker"])


@pytest.mark.postgres
def test_nothing_escapes_from_postgres_redis_and_their_processes(
    cage: Cage, serve: Serve, receiver: Receiver, database: throwaway.Postgres, broker: Broker, tmp_path: Path
) -> None:
    place = urlsplit(database.url)
    login = f"hookline:{quote(cage['database'], safe='')}@127.0.0.1:{database.port}"
    url = place._replace(netloc=login).geturl()
    serving = serve(**cage.environment(), HL_POSTGRES_URL=url, HL_REDIS_URL=broker.url, HL_WEB_WORKERS="1")
    serving.wait_for(BANNER)
    use_the_api(cage, serving, receiver)
    # Faults are where libraries quote what they were given.
    database.restart()
    broker.server.pause()
    api = serving.api(cage["admin-key"])
    serving.wait_until(lambda: api.post("/v1/events", {"topic": "a"}).status == 201)
    time.sleep(1)
    broker.server.resume()
    walk_through_the_console(cage, serving)
    run_commands(cage, serving, tmp_path)
    look_at_processes(cage, serving)
    serving.wait_until(lambda: broker.heard.count(b"LPUSH") > 3)  # beat rings, too
    cage.see("Redis", broker.contents())
    cage.see("said to Redis", broker.heard)
    assert serving.terminate() == 0
    database.stop()
    cage.see("log of PostgreSQL", (database.path / "log").read_bytes())
    assert b"INSERT INTO" in cage.places["log of PostgreSQL"]
    cage.places |= files_below(database.path / "data")
    assert cage.escaped() == set()
