"""docs/quickstart.md and docs/api.md work when they are typed word for word, and answer as they show."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hookline import throwaway
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
