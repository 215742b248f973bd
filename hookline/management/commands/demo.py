"""A running installation to look at, with customers who have troubles."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from hookline import __version__, banner, embedded, installation, start, throwaway
from hookline.demo import history, play, players, stage
from hookline.demo.cast import MISSED
from hookline.demo.receivers import Receivers
from hookline.environment import refuse

TEXT = """
HookLine {version} runs with made-up customers. Ctrl-C ends it, and nothing of it is left.

  Console   {url}
  Login     {operator}, password {password}

  Four customers publish an event a second. Find out from the console, mend, and send what was missed:

  1. Initech Insurance rings up: their portal has heard of no paid claim since yesterday, {key} for one.
  2. Contoso's track and trace shows no shipment of today.
  3. Fabrikam wonders why its ledger lags behind, and what became of the old one.
"""


class Command(BaseCommand):
    help = (
        "Run HookLine with made-up customers, three days of history and steady traffic, in a directory of "
        "its own. Example: manage.py demo --port 8090"
    )
    requires_system_checks: Any = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, help="to listen on; HL_PORT, or a free one, by default")
        parser.add_argument(
            "--postgres", action="store_true", help="on a PostgreSQL of its own instead of the embedded store"
        )

    def handle(self, *args: Any, port: int | None, postgres: bool, **options: Any) -> None:
        if stage.is_inside():
            self._play()
            return
        if port is not None and not 1 <= port <= 65535:
            refuse("--port is a number from 1 to 65535.")
        try:
            raise SystemExit(stage.run(sys.argv[1:], port or stage.free_port(), on_postgres=postgres))
        except throwaway.Missing as fault:
            refuse(f"{fault} --postgres starts one of its own: apt-get install postgresql")

    def _play(self) -> None:
        stage.end_with_our_starter()
        start.require_port()
        start.migrate()
        installation.set_console_password()
        self.stderr.write("Making up three days …")
        receivers = int(os.environ[stage.RECEIVERS_PORT])
        customers = players.make(receivers)
        history.make(customers)
        players.tell_of_troubles(customers)
        Receivers(receivers).start()
        play.start(customers)
        embedded.run(self._announce)

    def _announce(self) -> None:
        self.stdout.write(_text())
        self.stdout.flush()


def _text() -> str:
    return TEXT.format(
        version=__version__,
        url=f"{banner.local_url()}/console/",
        operator=installation.OPERATOR,
        password=settings.HL_CONSOLE_PASS,
        key=history.first_key(MISSED),
    )
