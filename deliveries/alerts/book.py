"""Keeps what is amiss, for all processes and over restarts, so that each thing is told once: when it
begins, when it gets worse, and when it is over."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from django.db.models import Q

from deliveries.alerts import channels, sentences
from deliveries.alerts.conditions import Condition
from deliveries.alerts.sentences import FIRING, Entry
from deliveries.models import Alert, Notice
from hookline.database import write
from hookline.models import Chore

logger = logging.getLogger(__name__)

# What comes and goes within so long is one thing, and told once.
CALM = timedelta(minutes=2)
# One notice tells of so many; a network that fails takes thousands of endpoints with it.
MOST_IN_NOTICE = 20
KEPT = timedelta(days=30)


def update(conditions: Sequence[Condition], moment: datetime, chore: str) -> int:
    """Notes what changed, and that it is to be told; returns how many alerts did. The row of the chore
    is the lock: two that look at once must not both tell."""
    with write():
        Chore.objects.select_for_update(no_key=True).filter(name=chore).first()
        keys = {condition.key for condition in conditions}
        known = Alert.objects.filter(Q(is_firing=True) | Q(key__in=keys)).in_bulk()
        entries = [*_begun(conditions, known, moment), *_ended(keys, known.values(), moment)]
        Alert.objects.filter(key__in=keys).update(seen_at=moment)
        Alert.objects.filter(is_firing=False, ended_at__lt=moment - KEPT).delete()
        if entries:
            _post(entries, moment)
    for entry in entries:
        log = logger.warning if entry.state == FIRING else logger.info
        place = {"tenant_id": entry.tenant_id, "endpoint_id": entry.endpoint_id}
        log("Alert: %s. %s", entry.title, entry.text, extra={name: id for name, id in place.items() if id})
    return len(entries)


def _begun(conditions: Iterable[Condition], known: dict[str, Alert], moment: datetime) -> list[Entry]:
    """Those that are new, or worse than they were when they were told."""
    entries = []
    for condition in conditions:
        alert = known.get(condition.key)
        if alert is None or not alert.is_firing or condition.level > alert.level:
            entry = sentences.firing(condition)
            since = alert.since if alert and alert.is_firing else condition.since
            told = {
                "kind": condition.kind, "is_firing": True, "level": condition.level, "since": since,
                "text": entry.text, "told_at": moment, "seen_at": moment, "ended_at": None,
            }  # fmt: skip
            Alert.objects.update_or_create(key=condition.key, defaults=told)
            entries.append(entry)
    return entries


def _ended(keys: set[str], known: Iterable[Alert], moment: datetime) -> list[Entry]:
    entries = []
    for alert in known:
        if alert.is_firing and alert.key not in keys and alert.seen_at <= moment - CALM:
            entry = sentences.over(alert)
            alert.is_firing, alert.ended_at, alert.told_at, alert.text = False, moment, moment, entry.text
            alert.save()
            entries.append(entry)
    return entries


def _post(entries: Sequence[Entry], moment: datetime) -> None:
    """One notice for each channel and some alerts; it is told when the transaction has committed."""
    for start in range(0, len(entries), MOST_IN_NOTICE):
        document = msgspec.json.encode(entries[start : start + MOST_IN_NOTICE]).decode()
        for channel in channels.configured():
            Notice.objects.create(channel=channel, document=document, created_at=moment, due_at=moment)
