"""Celery's part: a doorbell and a nudge. Tasks take nothing, keep nothing, and may be lost."""

from celery import shared_task

from deliveries import pump, sweep
from hookline.lifecycle import stopping


@shared_task(name="deliveries.deliver_due", ignore_result=True)
def deliver_due() -> None:
    """Delivers until nothing is due. A second one in the same process returns at once."""
    pump.run(stopping)


@shared_task(name="deliveries.sweep", ignore_result=True)
def sweep_once() -> None:
    """What beat nudges; every worker's own sweep does the same."""
    sweep.sweep()
