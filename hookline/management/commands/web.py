from typing import Any

from django.core.management.base import BaseCommand

from hookline import installation, lifecycle, start, web


class Command(BaseCommand):
    help = "Serve API and console in this process alone. Deliveries need a Celery worker."
    requires_system_checks: Any = []

    def handle(self, *args: Any, **options: Any) -> None:
        start.require_secrets()
        start.raise_file_limit()
        start.calm_collector()
        installation.set_console_password()
        web.serve()
        lifecycle.leave()
