"""Tells what is still to be told, each channel in order; what one does not take is tried again later."""

import logging
from datetime import datetime, timedelta

import msgspec

from deliveries.alerts import channels
from deliveries.alerts.channels import NotTold
from deliveries.alerts.sentences import Entry
from deliveries.models import Notice

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=15)
# Beyond that age nobody wants to know.
GIVEN_UP = timedelta(days=1)
AT_ONCE = 50


def tell_due(moment: datetime) -> int:
    """Returns how many were told. No transaction is open meanwhile: if this process ends between the
    telling and its note of it, the notice is told twice, under the same id."""
    Notice.objects.exclude(channel__in=channels.configured()).delete()
    return sum(_tell_all(channel, moment) for channel in channels.configured())


def _tell_all(channel: str, moment: datetime) -> int:
    """In the order in which they came, up to the first that is not taken."""
    told = 0
    for notice in Notice.objects.filter(channel=channel).order_by("id")[:AT_ONCE]:
        if notice.due_at > moment or not _tell(notice, moment):
            break
        told += 1
    return told


def _tell(notice: Notice, moment: datetime) -> bool:
    try:
        channels.tell(notice.channel, notice.id, msgspec.json.decode(notice.document, type=list[Entry]))
    except NotTold as fault:
        _put_off(notice, str(fault), moment)
        return False
    notice.delete()
    return True


def _put_off(notice: Notice, fault: str, moment: datetime) -> None:
    if moment - notice.created_at > GIVEN_UP:
        logger.error(
            "The alert channel %s took nothing for a day (%s); a notice is dropped", notice.channel, fault
        )
        notice.delete()
        return
    pause = min(FIRST_PAUSE * 2**notice.try_count, LONGEST_PAUSE)
    notice.try_count, notice.due_at, notice.error = notice.try_count + 1, moment + pause, fault
    notice.save()
    logger.warning(
        "The alert channel %s did not take a notice (%s); trying again in %d s",
        notice.channel, fault, pause.total_seconds(),
    )  # fmt: skip
