"""docs/quickstart.md and docs/api.md work when they are typed word for word, and answer as they show."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

import hookline.api
from deliveries import documents as event_documents
from deliveries import retries, stream
from deliveries.api import events
from deliveries.fields import SubscriptionFields
from deliveries.rules import filters, headers, topics, urls
from hookline import jsontext, throwaway
from hookline.environment import environment
from tests import installation
from tests.live import ROOT
from tests.servers import CLIENTS
from tests.serving import BANNER, GENERATED, Serving
from tests.typed import typed

pytestmark = pytest.mark.embedded

Serve = Callable[..., Serving]

BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```", re.MULTILINE | re.DOTALL)
STEP = "\x1e"


@pytest.mark.parametrize("guide", ["quickstart", "api"])
def test_what_it_says_to_type_works_and_answers_as_shown(serve: Serve, tmp_path: Path, guide: str) -> None:
    installation.ensure(*CLIENTS)
    serving = serve(**GENERATED, HL_DATA_DIR=str(tmp_path / "var"))
    serving.wait_for(BANNER)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")

    steps = steps_of(guide)
    script = f"printf '{STEP}'\n".join(shell for shell, _ in steps) + "\nwait"
    told = typed(script.replace("9000", str(throwaway.free_port())), serving).split(STEP)

    assert len(told) == len(steps)
    for (shell, shown), answer in zip(steps, told, strict=True):
        found = documents(answer)
        if shown:
            assert shape(found[-1]) == shape(shown[-1]), f"{shell}\nanswers {found[-1]}"
        else:
            assert not [each for each in found if isinstance(each, dict) and "detail" in each], shell


def steps_of(guide: str) -> list[tuple[str, list[Any]]]:
    """Its blocks of shell lines, each with the JSON that is shown right after it."""
    steps: list[tuple[str, list[Any]]] = []
    for language, text in BLOCK.findall((ROOT / f"docs/{guide}.md").read_text()):
        if language == "sh":
            steps.append((text, []))
        else:
            steps[-1][1].extend(documents(text))
    return steps


def documents(text: str) -> list[Any]:
    """The JSON documents in a text that holds nothing else but words."""
    decoder, found, place = json.JSONDecoder(), [], 0
    while start := re.compile(r"[\[{]").search(text, place):
        document, place = decoder.raw_decode(text, start.start())
        found.append(document)
    return found


def shape(value: Any) -> Any:
    """What stays the same from one run to the next: names, types, and how many of them there are."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value]
    return type(value).__name__


# --- What the API's guide says in numbers -------------------------------------------------

API = (ROOT / "docs/api.md").read_text()
UNITS = {"s": "s", "m": "min", "h": "h"}
[SCHEDULE] = [variable.default for variable in environment.variables if variable.name == "HL_RETRY_SCHEDULE"]


def test_its_limits_are_those_of_the_code() -> None:
    told = {
        "an event": f"`HL_MAX_PAYLOAD_BYTES`, {settings.HL_MAX_PAYLOAD_BYTES >> 10} KiB",
        "a batch": f"{events.BATCH_LIMIT:,} events, {events.BATCH_BODY_LIMIT >> 20} MiB",
        "other bodies": f"{hookline.api.BODY_LIMIT >> 20} MiB",
        "nesting of JSON": f"{jsontext.MAX_DEPTH} levels",
        "pending jobs of a tenant": f"`HL_MAX_QUEUE_DEPTH`, {settings.HL_MAX_QUEUE_DEPTH:,}",
        "an idempotency key": f"{event_documents.LONGEST_KEY:,} bytes, remembered 24 hours",
        "a topic pattern": f"{topics.LONGEST:,} characters",
        "a URL": f"{urls.LONGEST:,} characters",
        "headers of an endpoint": f"{headers.MOST_HEADERS}, each up to {headers.LONGEST_VALUE:,} characters",
        "a filter, a transform": (
            f"{SubscriptionFields.LONGEST_RULE >> 10} KiB; filters nest up to {filters.MAX_DEPTH} levels"
        ),
        "open streams of a web process": f"{stream.MOST_STREAMS}",
        "history": f"`HL_RETENTION_SECS`, {settings.HL_RETENTION_SECS // 86_400} days",
    }

    limits = API.partition("## Limits")[2]
    assert dict(re.findall(r"^\| (.+?) \| (.+?) \|$", limits, re.MULTILINE)[1:]) == told


def test_it_says_what_is_given_up_at_once_and_when_the_rest_is_tried_again() -> None:
    permanent = ", ".join(map(str, sorted(retries.PERMANENT - {retries.GONE})))
    schedule = [f"{delay[:-1]} {UNITS[delay[-1]]}" for delay in SCHEDULE.split()]

    assert f"| {permanent} | given up at once" in API
    assert f"The schedule is {', '.join(schedule)}, each" in API.replace("\n", " ")
