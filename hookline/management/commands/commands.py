from collections.abc import Iterator
from typing import Any

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from hookline.commands import Action, Verbs

APPS = ("hookline", "deliveries", "tenants")
INTRODUCTION = """\
# Commands

`manage.py` is `.venv/bin/python manage.py`, in the directory of HookLine and with the same `HL_` variables as
the server's. `manage.py NAME --help` tells of every option. Bad input is one sentence and exit status 2, and
changes nothing.

This page is written by `manage.py commands`.

| command | does |
|---|---|\
"""


class Command(BaseCommand):
    help = (
        "Print docs/commands.md: every command of HookLine's own. "
        "Example: env -i .venv/bin/python manage.py commands > docs/commands.md"
    )
    requires_system_checks: Any = []

    def handle(self, *args: Any, **options: Any) -> None:
        own = sorted(name for name, app in get_commands().items() if app in APPS)
        self.stdout.write("\n".join([INTRODUCTION, *(row for name in own for row in _rows(name))]))


def _rows(name: str) -> Iterator[str]:
    command = load_command_class(get_commands()[name], name)
    yield _row(name, _told(command))
    if isinstance(command, Verbs):
        for verb, action in command.verbs.items():
            yield _row(f"{name} {verb}", _told(action()))


def _told(command: BaseCommand) -> str:
    if isinstance(command, Action) and command.example:
        return f"{command.help} Example: manage.py {command.example}"
    return command.help


def _row(name: str, told: str) -> str:
    does, _, example = told.partition(" Example: ")
    shown = f" `{example}`" if example else ""
    return f"| `manage.py {name}` | {does}{shown} |".replace("\n", " ")
