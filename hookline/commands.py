"""What commands over the store have in common: verbs, `--json`, and one sentence with status 2 for
whatever is wrong with what they were given.

A verb is a command by itself, so `manage.py tenant list` is `Verbs` handing over to an `Action`.
"""

import json
import os
import pwd
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error

from hookline import start
from hookline.environment import UNITS, refuse
from hookline.errors import ApiError
from hookline.logs import ESCAPED

BETWEEN_COLUMNS = "  "


class Action(BaseCommand):
    """A command that does one thing. It raises ApiError for what cannot be, before it changed anything."""

    requires_system_checks: Any = []
    # A line to learn from, without `manage.py`.
    example = ""
    is_json = False

    def arguments(self, parser: ArgumentParser) -> None:
        """What it takes besides `--json`."""

    def work(self, *args: Any, **options: Any) -> None:
        raise NotImplementedError

    def needs_store(self, **options: Any) -> bool:
        return True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.epilog = f"Example: manage.py {self.example}"
        parser.add_argument("--json", action="store_true", help="one JSON document a line, for programs")
        self.arguments(parser)

    def handle(self, *args: Any, json: bool, **options: Any) -> None:
        self.is_json = json
        if self.needs_store(**options):
            start.require_store()
        try:
            self.work(**options)
        except (BrokenPipeError, KeyboardInterrupt):  # whoever reads has had enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except ApiError as fault:
            refuse(fault.detail)
        except Error as fault:
            refuse(f"The store refused: {' '.join(str(fault).split())}. `manage.py doctor` tells more.")

    def tell(self, text: str, paint: Callable[[str], str] = str, **document: Any) -> None:
        """One result: `text` for people, in which nothing that a stranger wrote moves the cursor, or the
        document for programs. `paint` is one of `self.style`, which colours only on a terminal."""
        self.write(json.dumps(document, default=str) if self.is_json else paint(text.translate(ESCAPED)))

    def write(self, line: str) -> None:
        """At once, also into a pipe."""
        self.stdout.write(line)
        self.stdout.flush()


class Verbs(BaseCommand):
    """A command of several verbs."""

    requires_system_checks: Any = []
    verbs: Mapping[str, type[Action]] = {}

    def add_arguments(self, parser: ArgumentParser) -> None:
        chosen = parser.add_subparsers(dest="verb", metavar="verb", required=True)
        for name, action in self.verbs.items():
            under = chosen.add_parser(name, help=str(action.help), description=str(action.help))
            action().add_arguments(under)

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        action = self.verbs[verb]()
        action.stdout, action.stderr, action.style = self.stdout, self.stderr, self.style
        action.handle(*args, **options)


def by() -> str:
    """Who did it, as the audit log names people at a shell."""
    user = os.getuid()
    try:
        return f"shell user {pwd.getpwuid(user).pw_name}"
    except KeyError:  # containers run as numbers without a name
        return f"shell user {user}"


def table(rows: Sequence[Sequence[object]]) -> list[str]:
    """Rows as lines, in columns as wide as need be."""
    texts = [[str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [BETWEEN_COLUMNS.join(map(str.ljust, row, widths)).rstrip() for row in texts]


def duration(text: str) -> timedelta:
    """The type of an argument such as 90s, 15m, 12h or 30d."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None:
        raise ArgumentTypeError(f"write a duration such as 90s, 15m, 12h or 30d, not {text!r}")
    return timedelta(seconds=int(match[1]) * UNITS[match[2]])
