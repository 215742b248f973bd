"""Whether anybody is told when something is amiss, and what is."""

from collections.abc import Iterator

from django.conf import settings

from deliveries.alerts import channels
from deliveries.models import Alert, Notice
from hookline.doctor.findings import Finding, Findings, ok, warning

TRY_IT = "Try it: `manage.py alert test`."
MOST_TOLD = 10


def alerts() -> Findings:
    names = channels.configured()
    if names:
        yield ok(f"What is amiss is told by {' and '.join(names)}.")
    elif settings.EMBEDDED:
        yield ok("What is amiss is told by the log alone.")
    else:
        told = "Nobody is told when something is amiss, but whoever reads the log."
        yield warning(told, f"Set HL_ALERT_URL, HL_ALERT_SLACK_URL or HL_ALERT_EMAIL. {TRY_IT}")
    yield from _untold()
    for alert in Alert.objects.filter(is_firing=True).order_by("since")[:MOST_TOLD]:
        yield warning(alert.text, "docs/monitoring.md says for every alert what to do.")


def _untold() -> Iterator[Finding]:
    for notice in Notice.objects.filter(try_count__gt=0).order_by("id")[:MOST_TOLD]:
        told = f"The alert channel {notice.channel} has not taken a notice ({notice.error})."
        yield warning(told, TRY_IT)
