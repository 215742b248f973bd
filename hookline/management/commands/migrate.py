from typing import Any

from django.core.management.commands import migrate

from hookline import migrating, schema, start


class Command(migrate.Command):
    help = (
        "Bring the store's tables up to this version, also while the version before still serves. "
        "Example: manage.py migrate"
    )

    def handle(self, *args: Any, **options: Any) -> None:
        start.require_store()
        with start.preparing():
            migrating.run(lambda: self._migrate(*args, **options), self.stderr.write)

    def _migrate(self, *args: Any, **options: Any) -> None:
        schema.choose_schema()
        super().handle(*args, **options)
