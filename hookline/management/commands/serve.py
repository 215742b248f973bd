from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from hookline import banner, embedded, installation, start, supervisor


class Command(BaseCommand):
    help = "Start everything: API, console and deliveries. Stops at Ctrl-C or SIGTERM."
    requires_system_checks: Any = []

    def handle(self, *args: Any, **options: Any) -> None:
        start.raise_file_limit()
        start.calm_collector()
        start.require_port()
        start.require_store()
        start.migrate()
        installation.set_console_password()
        if settings.HL_DEMO_INBOX:
            installation.make_demo_inbox(banner.local_url())
        if settings.EMBEDDED or not settings.HL_REDIS_URL:
            embedded.run()
        else:
            supervisor.run()
