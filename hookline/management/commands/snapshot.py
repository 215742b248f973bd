import sqlite3
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import BaseCommand

from hookline import snapshot, start
from hookline.environment import refuse
from hookline.progress import show
from hookline.snapshot import BadSnapshot, NotRestored


class Command(BaseCommand):
    help = "Write everything to a file, or read it into an empty store of either kind."
    requires_system_checks: Any = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="write a snapshot; HookLine may go on running")
        create.add_argument("--dest", type=Path, required=True, help="the file to write")
        restore = verbs.add_parser("restore", help="read a snapshot into an empty store")
        restore.add_argument("--from", type=Path, required=True, dest="source", help="the file to read")
        restore.add_argument("--validate-only", action="store_true", help="check the file, change nothing")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        try:
            rows = self._create(**options) if verb == "create" else self._restore(**options)
        except (BadSnapshot, NotRestored) as fault:
            refuse(str(fault))
        except OSError as fault:
            refuse(f"{fault.filename}: {fault.strerror}")
        except (psycopg.Error, sqlite3.Error) as fault:
            refuse(f"The store refused: {' '.join(str(fault).split())}.")
        self.stdout.write(f"{rows:,} rows. All sums agree.")

    def _create(self, dest: Path, **options: Any) -> int:
        if dest.exists():
            refuse(f"{dest} exists already: choose another name.")
        start.require_store()
        return snapshot.create(dest, show)

    def _restore(self, source: Path, validate_only: bool, **options: Any) -> int:
        if validate_only:
            return snapshot.validate(source, show)
        start.require_secrets()
        start.require_store()
        start.migrate()
        return snapshot.restore(source, show)
