from typing import Any

from django.core.management.base import BaseCommand

from deliveries import traces
from deliveries.watch import Watch
from hookline import installation, lifecycle, start, web
from hookline.lifecycle import stopping


class Command(BaseCommand):
    help = "Serve API and console in this process alone. Deliveries need a Celery worker."
    requires_system_checks: Any = []

    def handle(self, *args: Any, **options: Any) -> None:
        start.require_secrets()
        start.raise_file_limit()
        start.calm_collector()
        installation.set_console_password()
        watch = Watch(stopping, kind="web")
        watch.start()
        web.serve()
        watch.join(lifecycle.GRACE_SECONDS)
        if traces.ARE_MADE:
            traces.spans.end()
        lifecycle.leave()
