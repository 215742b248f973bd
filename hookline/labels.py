"""Which tenants, endpoints and topics have series of their own in /metrics.

There may be any number of them, and producers choose topics freely. Those that come first have their
own, up to HL_METRICS_LABELS of each; the rest is counted together, as `other`. The table of counters
is the memory, so that this holds for all processes and over restarts, but for a few that come up in
several processes within the same minute.
"""

import json
import time
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Sequence

from django.conf import settings

from hookline.families import FAMILIES, Family
from hookline.models import Counter

OTHER = "other"
TENANT, ENDPOINT, TOPIC = "tenant", "endpoint", "topic"
TOPICS_PER_TENANT = 200
# PostgreSQL takes no key of several thousand bytes.
LONGEST = 200
READ_AGAIN_SECONDS = 60.0

Key = tuple[str, ...]


class Labels:
    """The values that have series of their own, as far as this process knows."""

    def __init__(self) -> None:
        self.own: defaultdict[str, set[Key]] = defaultdict(set)
        self.topics_of: Tally[str] = Tally()
        self.read_at = -READ_AGAIN_SECONDS

    def fold(self, family: Family, values: Sequence[str]) -> tuple[str, ...]:
        """The labels to count under. What follows the family's own labels stays as it is."""
        folded: list[str] = []
        for label, value in zip(family.labels, values, strict=False):
            folded.append(value if self._is_own(label, _key(label, value, folded)) else OTHER)
        return (*folded, *values[len(folded) :])

    def _is_own(self, label: str, key: Key) -> bool:
        if label not in (TENANT, ENDPOINT, TOPIC) or key in self.own[label]:
            return True
        if time.monotonic() - self.read_at >= READ_AGAIN_SECONDS:
            self._read()
        if key not in self.own[label] and self._has_room(label, key):
            self._add(label, key)
        return key in self.own[label]

    def _has_room(self, label: str, key: Key) -> bool:
        if OTHER in key or max(map(len, key)) > LONGEST:
            return False
        is_full = label == TOPIC and self.topics_of[key[0]] >= TOPICS_PER_TENANT
        return not is_full and len(self.own[label]) < settings.HL_METRICS_LABELS

    def _add(self, label: str, key: Key) -> None:
        if key not in self.own[label]:
            self.own[label].add(key)
            self.topics_of[key[0]] += label == TOPIC

    def _read(self) -> None:
        """Anew, so that those whose series are gone make room."""
        self.own.clear()
        self.topics_of.clear()
        names = [name for name, family in FAMILIES.items() if not family.bounds]
        for name, text in Counter.objects.filter(name__in=names).values_list("name", "labels"):
            values: list[str] = json.loads(text)
            for label, value in zip(FAMILIES[name].labels, values, strict=True):
                key = _key(label, value, values)
                if OTHER not in key:
                    self._add(label, key)
        self.read_at = time.monotonic()


def _key(label: str, value: str, before: Sequence[str]) -> Key:
    """A topic is one of its tenant, which every family names first."""
    return (before[0], value) if label == TOPIC else (value,)
