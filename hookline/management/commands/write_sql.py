from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from hookline import schema
from hookline.environment import refuse


class Command(BaseCommand):
    help = "Write hookline/sql/001_initial.sql anew from the migrations. Needs HL_POSTGRES_URL."
    requires_system_checks: Any = []

    def handle(self, *args: Any, **options: Any) -> None:
        if connection.vendor != "postgresql":
            refuse("The file is for PostgreSQL: set HL_STORE_BACKEND=postgres and HL_POSTGRES_URL.")
        schema.FILE.parent.mkdir(exist_ok=True)
        schema.FILE.write_text(schema.sql())
        self.stdout.write(f"Wrote {schema.FILE}")
