"""An upgrade, and the way back, while events are published: nothing fails and nothing is lost."""

import io
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hookline import throwaway
from tests.live import ROOT, new_database
from tests.receiver import Receiver
from tests.serving import Serving
from tests.test_deploy import SECRETS, command_of

pytestmark = pytest.mark.postgres

Serve = Callable[..., Serving]

MIGRATIONS = "*/migrations/0*.py"
MIGRATIONS_BACK = 5
BETWEEN_EVENTS = 0.02
EVENTS_OF_EACH = 25


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The version before, as far as this clone remembers: the last release, or what there was some
    migrations ago; without a history, this version."""
    revision = (
        git("describe", "--tags", "--abbrev=0", "--match=v*", "HEAD~1").strip() or some_migrations_ago()
    )
    if not revision:
        return ROOT
    place = tmp_path_factory.mktemp("earlier")
    packed = subprocess.check_output(["git", "archive", revision], cwd=ROOT)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(place, filter="data")
    return place


def some_migrations_ago() -> str:
    added = git("log", "--diff-filter=A", "--format=%H", "--", MIGRATIONS).split()
    return git("rev-parse", "--verify", f"{added[:MIGRATIONS_BACK][-1]}~1").strip() if added else ""


def git(*words: str) -> str:
    """What git answers; nothing where it cannot."""
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout


class Producer:
    """Publishes one event after the other, to the web process that takes them now."""

    def __init__(self, web: Serving) -> None:
        self.web = web
        self.published: list[str] = []
        self.failures: list[object] = []
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Producer":
        self.thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.done.set()
        self.thread.join()

    def _run(self) -> None:
        while not self.done.wait(BETWEEN_EVENTS):
            try:
                answer = self.web.api().post("/v1/events", {"topic": "order.paid"})
            except OSError as fault:
                self.failures.append(fault)
                continue
            if answer.status == 201:
                self.published.append(answer.json["id"])
            else:
                self.failures.append(answer)

    def wait_for_more(self) -> None:
        """Until some more events have been taken by whoever takes them now."""
        enough = len(self.published) + EVENTS_OF_EACH
        while len(self.published) < enough and not self.failures:
            time.sleep(0.05)


class Version:
    """A web process and a worker of one version."""

    def __init__(self, serve: Serve, place: Path, given: dict[str, str]) -> None:
        self.web = serve(*command_of("web"), place=place, **given)
        self.worker = serve(*command_of("worker"), place=place, **given)
        self.web.wait_until(self.web._answers)

    def stop(self) -> None:
        for process in (self.web, self.worker):
            assert process.terminate() == 0, process.text


def migrate(serve: Serve, place: Path, given: dict[str, str]) -> None:
    migrating = serve(*command_of("migrate"), place=place, **given)
    assert migrating.process.wait(120) == 0, migrating.text


@pytest.fixture
def given() -> Iterator[dict[str, str]]:
    url = new_database("upgraded")
    with throwaway.start_redis() as broker:
        yield {"HL_POSTGRES_URL": url, "HL_REDIS_URL": broker.url, "HL_WORKER_PROCESSES": "1", **SECRETS}


def test_versions_take_turns_under_load_and_nothing_fails_or_is_lost(
    serve: Serve, earlier: Path, given: dict[str, str], receiver: Receiver
) -> None:
    migrate(serve, earlier, given)
    before = Version(serve, earlier, given)
    api = before.web.api()
    endpoint = api.post("/v1/endpoints", {"url": receiver.url(), "secret": "s", "rate_limit_rps": 0}).json[
        "id"
    ]
    api.post("/v1/subscriptions", {"endpoint_id": endpoint, "topic_pattern": "#"})

    with Producer(before.web) as producer:
        producer.wait_for_more()
        migrate(serve, ROOT, given)  # while the version before serves
        producer.wait_for_more()
        after = Version(serve, ROOT, given)  # both at once
        producer.web = after.web
        producer.wait_for_more()
        before.stop()
        producer.wait_for_more()
        again = Version(serve, earlier, given)  # and back, on the new tables
        producer.web = again.web
        after.stop()
        producer.wait_for_more()

    assert producer.failures == []
    published = set(producer.published)
    again.web.wait_until(lambda: published <= ids_of(receiver))
    assert ids_of(receiver) == published
    assert again.web.api().get("/v1/dlq").json["items"] == []
    again.stop()


def ids_of(receiver: Receiver) -> set[str]:
    return {request.headers["webhook-id"] for request in receiver.at("/")}
