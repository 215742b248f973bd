from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate

from hookline import database


class HookLineConfig(AppConfig):
    name = "hookline"

    def ready(self) -> None:
        connection_created.connect(database.prepare_statements)
        from hookline import installation  # noqa: PLC0415 - models are known only now

        post_migrate.connect(installation.furnish, sender=self)
