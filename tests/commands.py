"""Runs commands in this process, as a shell would, and reads what they tell."""

import io
import json
from typing import Any

import pytest
from django.core.management import call_command


def told(*arguments: str) -> list[Any]:
    """The JSON documents that a command tells."""
    said = io.StringIO()
    call_command(*arguments, "--json", stdout=said)
    return [json.loads(line) for line in said.getvalue().splitlines()]


def said(*arguments: str) -> str:
    """What it says to people."""
    text = io.StringIO()
    call_command(*arguments, stdout=text)
    return text.getvalue()


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The sentence of a command that ends with status 2."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        call_command(*arguments)
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.removeprefix("hookline: ")
