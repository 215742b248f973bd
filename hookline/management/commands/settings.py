from collections.abc import Iterator
from itertools import groupby
from typing import Any

from django.core.management.base import BaseCommand

from hookline.environment import RETIRED, Variable, environment

INTRODUCTION = """\
# Configuration

Everything is an environment variable. A wrong value ends the start with a sentence and status 2; an unknown
name that begins with `HL_` is warned of. An empty value is as good as none. True and false are `true` or `1`
and `false` or `0`; durations are written as in `30s`, `5m`, `2h`, `1d`, and a bare number is seconds.

All processes of an installation need the same values, the keys above all. `docker-compose.yml` takes them
from `.env`, the systemd units from `/etc/hookline.env`, `make run` from the shell.

This page is written by `manage.py settings`.\
"""
RETIREMENT = """\
## No longer used

Variables that earlier servers documented. They change nothing, and a start warns of each that is set:
"""


class Command(BaseCommand):
    help = (
        "Print docs/configuration.md: every HL_ variable with its default and its meaning. "
        "Example: env -i .venv/bin/python manage.py settings > docs/configuration.md"
    )
    requires_system_checks: Any = []

    def handle(self, *args: Any, **options: Any) -> None:
        concerns = groupby(environment.variables, lambda variable: variable.concern)
        sections = [_section(concern, variables) for concern, variables in concerns]
        retired = RETIREMENT + ", ".join(f"`{name}`" for name in sorted(RETIRED)) + "."
        self.stdout.write("\n\n".join([INTRODUCTION, *sections, retired]))


def _section(concern: str, variables: Iterator[Variable]) -> str:
    head = [f"## {concern}", "", "| variable | default | meaning |", "|---|---|---|"]
    return "\n".join(head + [_row(variable) for variable in variables])


def _row(variable: Variable) -> str:
    default = f"`{variable.default}`" if variable.default else ""
    return f"| `{variable.name}` | {default} | {variable.meaning} |"
