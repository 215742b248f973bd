"""Delivers without Celery: the pump and the sweep, until it is stopped."""

import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from deliveries import pump
from deliveries.sweep import Sweeper
from hookline import start
from hookline.lifecycle import stopping


class Command(BaseCommand):
    help = "Deliver what is due, without Celery. Runs until Ctrl-C or SIGTERM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="end when nothing has been due for a second")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        start.calm_collector()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *args: stopping.set())
        if once:
            pump.run(stopping)
            return
        sweeper = Sweeper(stopping, kind="deliver")
        sweeper.start()
        pump.run(stopping, linger_seconds=float("inf"))
        sweeper.join(10)
