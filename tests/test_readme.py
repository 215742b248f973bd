"""What the README says is so, and what it tells people to type works."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from standardwebhooks import Webhook

from hookline import throwaway
from tests.serving import BANNER, GENERATED, Serving, pasted
from tests.typed import blocks_of, typed

ROOT = Path(settings.BASE_DIR)
README = (ROOT / "README.md").read_text()
BLOCKS = blocks_of("README.md")
DATABASE = "postgres://user:password@localhost:5432/hookline"
BROKER = "redis://localhost:6379/0"

Serve = Callable[..., Serving]


def block_of(text: str) -> str:
    return next(block for block in BLOCKS if block.startswith(text))


def test_its_table_says_what_the_configuration_says() -> None:
    rows = re.findall(r"^\| `HL_.*$", README, re.MULTILINE)

    assert len(rows) == 10
    assert set(rows) <= set((ROOT / "docs/configuration.md").read_text().splitlines())


@pytest.mark.embedded
def test_a_newcomer_starts_it_and_sees_the_signed_webhook(serve: Serve, tmp_path: Path) -> None:
    unset = {"HL_STORE_BACKEND": "", "HL_EGRESS_ALLOW": "", "HL_DEV_INBOX": ""}
    serving = serve(
        "bash", "-c", block_of("make run\n"), **GENERATED, **unset, HL_DATA_DIR=str(tmp_path / "var")
    )
    serving.wait_for(BANNER)

    lines = block_of("export HL_API_KEY") + block_of("# An endpoint")
    arrived = typed(lines, serving)

    [message] = json.loads(arrived[arrived.index('{"items"') :])["items"]
    Webhook(re.findall('whsec_[^"]+', lines)[0]).verify(message["body"], message["headers"])
    assert '"payload":{"order":42,"total":"19.90"}' in message["body"]
    serving.press_ctrl_c()
    assert serving.processes() == {}


@pytest.mark.postgres
def test_postgres_alone_starts_a_working_installation_in_one_process(serve: Serve) -> None:
    serving = serve_over_postgres(serve, "HL_STORE_BACKEND=postgres HL_POSTGRES_URL")

    assert "in this one process" in serving.wait_for(BANNER)
    assert "to public addresses only" in serving.text
    assert serving.api().post("/v1/events", {"topic": "order.paid"}).status == 201
    assert serving.api().get("/v1/dev/inbox").status == 404


@pytest.mark.postgres
def test_the_demonstration_over_postgres_reaches_the_inbox(serve: Serve) -> None:
    serving = serve_over_postgres(serve, "HL_DEV_INBOX=true HL_EGRESS_ALLOW")
    serving.wait_for(BANNER)

    arrived = subprocess.check_output(["bash", "-ec", pasted(serving)], text=True)

    assert json.loads(arrived.splitlines()[-1])["count"] == 1


@pytest.mark.postgres
def test_postgres_and_redis_run_web_workers_and_beat(serve: Serve, redis_server: throwaway.Redis) -> None:
    serving = serve_over_postgres(serve, "HL_STORE_BACKEND=postgres HL_POSTGRES_URL", redis_server.url)

    told = serving.wait_for(BANNER)

    assert "in 2 web and 2 worker processes, woken through redis://127.0.0.1" in told
    assert {"web", "worker", "beat"} <= {
        word for line in serving.processes().values() for word in line.split()
    }
    serving.press_ctrl_c()
    assert serving.processes() == {}


def serve_over_postgres(serve: Serve, start: str, broker: str = "") -> Serving:
    """Types the README's line that begins so, for a database and a broker of the tests."""
    [line] = [block for block in BLOCKS if block.startswith(start) and (BROKER in block) == bool(broker)]
    assert DATABASE in line
    unset = {"HL_STORE_BACKEND": "", "HL_EGRESS_ALLOW": "", "HL_DEV_INBOX": ""}
    text = line.replace(DATABASE, '"$DATABASE"').replace(BROKER, broker)
    return serve("bash", "-c", "DATABASE=$HL_POSTGRES_URL; " + text, **GENERATED, **unset)
