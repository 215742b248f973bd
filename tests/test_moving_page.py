"""What docs/moving.md tells people to type moves a tenant, and moves lists of an older server."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.receiver import Receiver
from tests.serving import BANNER, Serving, publish, send_to
from tests.typed import blocks_of, typed

pytestmark = pytest.mark.embedded

Serve = Callable[..., Serving]

WRITE_OUT, TAKE_IN, READ_LISTS, TAKE_IN_LISTS = blocks_of("docs/moving.md")
SECRET = "whsec_" + "A" * 44


@pytest.fixture
def places(serve: Serve, receiver: Receiver, tmp_path: Path) -> tuple[Serving, Serving]:
    """Two installations, of which the first has a tenant `acme` and deliveries of its own."""
    old, new = (serve(HL_DATA_DIR=str(tmp_path / name / "var")) for name in ("old", "new"))
    for serving in (old, new):
        serving.wait_for(BANNER)
    send_to(receiver, old, secret=SECRET)
    receiver.wait_for("/", 1)
    return old, new


def data_of(serving: Serving) -> dict[str, str]:
    return {"HL_DATA_DIR": str(serving.data), "HL_MASTER_KEY": serving.environment["HL_MASTER_KEY"]}


def test_a_tenant_is_moved_to_another_installation(
    places: tuple[Serving, Serving], receiver: Receiver
) -> None:
    old, new = places
    key = old.api().post("/v1/tenants", {"id": "acme"}).json["api_key"]
    endpoint = {"url": receiver.url("/acme"), "secret": SECRET}
    old.api(key).post("/v1/endpoints", endpoint)

    typed(WRITE_OUT, old, **data_of(old))
    for name in ("acme.jsonl", "passphrase"):
        shutil.copy(old.data.parent / name, new.data.parent)
    told = typed(TAKE_IN, new, **data_of(new))

    assert "Would take in: apikeys 1, endpoints 1" in told
    assert new.api(key).get("/v1/endpoints").json == old.api(key).get("/v1/endpoints").json


def test_lists_are_read_from_one_server_and_taken_in_by_another(
    places: tuple[Serving, Serving], receiver: Receiver
) -> None:
    old, new = places
    for _ in range(2):
        publish(old)
    receiver.wait_for("/", 3)
    lines = READ_LISTS.replace("limit=1000&", "limit=2&")  # two pages

    typed(lines, new, OLD_URL=f"http://localhost:{old.port}", OLD_KEY=old.environment["HL_ADMIN_KEY"])
    told = typed(TAKE_IN_LISTS, new, **data_of(new))

    assert "Took in: endpoints 1, subscriptions 1, events 3, deliveries 3, jobs 3." in told
    assert new.api().get("/v1/events").json == old.api().get("/v1/events").json
