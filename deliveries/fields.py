"""Fields that take exactly the type they name, and say in a sentence what they wanted.

DRF's own take "5" for 5 and "true" for true; clients of this API are told instead.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.fields import empty

from deliveries.models import Run
from deliveries.models.endpoints import PayloadFormat
from deliveries.rules import filters, headers, topics, transforms, urls
from deliveries.runs.control import MOST_A_SECOND
from deliveries.runs.selection import Mode
from hookline import jsontext
from hookline.environment import parse_durations
from hookline.errors import InvalidField

DAY = 86_400
MOST_MS = 2**53
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Strict(serializers.Serializer[Any]):
    """The known fields of a document. Absent and null mean the same."""

    missing = "Missing field: {}"

    @classmethod
    def read(cls, document: dict[str, Any], *, only_given: bool = False) -> dict[str, Any]:
        """The known fields, with their defaults where they are null or absent; with `only_given`
        without those that are absent. Raises InvalidField for the first fault."""
        return {
            name: cls._read_one(name, field, document.get(name))
            for name, field in cls().fields.items()
            if name in document or not only_given
        }

    @classmethod
    def _read_one(cls, name: str, field: serializers.Field[Any, Any, Any, Any], given: Any) -> Any:
        if given is None or (field.required and given == ""):
            if field.required:
                raise InvalidField(name, "must be given", cls.missing.format(name))
            return field.get_default()
        try:
            return field.run_validation(given)
        except serializers.ValidationError as fault:
            raise InvalidField(name, str(fault.detail[0])) from None  # type: ignore[index]


class Text(serializers.CharField):
    """A string as it is, or one that `fault_of` finds no fault with."""

    def __init__(self, fault_of: Callable[[str], str | None] | None = None, **options: Any) -> None:
        super().__init__(trim_whitespace=False, allow_blank=True, **options)
        self.fault_of = fault_of

    def run_validation(self, data: Any = empty) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("must be string")
        if UNSTORABLE.search(data):
            raise serializers.ValidationError("must not hold NUL or half of a surrogate pair")
        if self.fault_of and (fault := self.fault_of(data)):
            raise serializers.ValidationError(fault)
        return data


class Whole(serializers.IntegerField):
    def __init__(self, least: int, most: int, **options: Any) -> None:
        super().__init__(min_value=least, max_value=most, **options)

    def run_validation(self, data: Any = empty) -> int:
        is_whole = isinstance(data, int) and not isinstance(data, bool)
        if not is_whole or not self.min_value <= data <= self.max_value:
            raise serializers.ValidationError(f"must be integer from {self.min_value} to {self.max_value}")
        return int(data)


class Flag(serializers.BooleanField):
    def run_validation(self, data: Any = empty) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError("must be true or false")
        return data


class Headers(serializers.DictField):
    """Extra headers of each delivery."""

    child = serializers.CharField()

    def run_validation(self, data: Any = empty) -> dict[str, str]:
        if not isinstance(data, dict):
            raise serializers.ValidationError("must be an object of names and texts")
        if fault := headers.fault_of(data):
            raise serializers.ValidationError(fault)
        return data


class Schedule(serializers.ListField):
    """Delays in seconds, or texts such as 30s, 5m and 2h."""

    child = serializers.FloatField(min_value=0)
    MOST, LONGEST = 100, 7 * DAY

    def run_validation(self, data: Any = empty) -> list[float]:
        words = data if isinstance(data, list) else [data]
        delays = [delay for word in words for delay in _delays(word)]
        if not 1 <= len(delays) <= self.MOST or max(delays) > self.LONGEST:
            raise serializers.ValidationError(f"must be 1 to {self.MOST} delays of at most 7 days")
        return [int(delay) if delay == int(delay) else delay for delay in delays]


def _delays(word: Any) -> Sequence[float]:
    if isinstance(word, int | float) and not isinstance(word, bool) and word >= 0:
        return [word]
    try:
        return parse_durations(word if isinstance(word, str) else "")
    except ValueError:
        raise serializers.ValidationError("must be delays such as 30, 30s, 5m or 2h") from None


class Word(serializers.ChoiceField):
    """One of a few words."""

    def run_validation(self, data: Any = empty) -> str:
        if data not in list(self.choices):
            raise serializers.ValidationError(f"must be {', '.join(self.choices)}")
        return str(data)


class Rule(serializers.JSONField):
    """A filter or a transform, judged by `fault_of`."""

    def __init__(self, fault_of: Callable[[object], str | None], **options: Any) -> None:
        super().__init__(**options)
        self.fault_of = fault_of

    def run_validation(self, data: Any = empty) -> Any:
        if fault := self.fault_of(data):
            raise serializers.ValidationError(fault)
        return data


class Ids(serializers.ListField):
    child = serializers.CharField()
    MOST = 1000

    def run_validation(self, data: Any = empty) -> list[str]:
        are_ids = isinstance(data, list) and all(isinstance(id, str) for id in data)
        if not are_ids or not 1 <= len(data) <= self.MOST:
            raise serializers.ValidationError(f"must be a list of 1 to {self.MOST} ids")
        return list(data)


class EndpointFields(Strict):
    """What can be set on an endpoint."""

    url = Text(urls.fault_of)
    name = Text(default="")
    description = Text(default="")
    secret = Text(default="", write_only=True)
    enabled = Flag(default=True)
    timeout_ms = Whole(1, 300_000, default=30_000)
    max_in_flight = Whole(1, 10_000, default=10)
    rate_limit_rps = Whole(0, 1_000_000, default=100)
    headers = Headers(default=dict)
    max_retries = Whole(1, 1000, default=None)
    retry_schedule = Schedule(default=None)
    payload_format = Word(choices=PayloadFormat.choices, default=PayloadFormat.ENVELOPE)


class RotationFields(Strict):
    """How a secret is rotated."""

    overlap_seconds = Whole(0, 30 * DAY, default=DAY)


class SubscriptionFields(Strict):
    """What can be set on a subscription."""

    missing = "Missing: {}"
    RULES = ("filter", "transform")
    LONGEST_RULE = 64 * 1024

    endpoint_id = Text()
    topic_pattern = Text(topics.fault_of)
    filter = Rule(filters.fault_of, default=None)
    transform = Rule(transforms.fault_of, default=None)
    description = Text(default="")

    @classmethod
    def read_text(cls, fields: Mapping[str, bytes]) -> dict[str, Any]:
        """The same of fields as JSON text, with the rules as the text that they are kept in."""
        names = cls().fields.keys() & fields.keys()
        values = cls.read({name: jsontext.parse(fields[name]) for name in names})
        for rule in cls.RULES:
            if len(fields.get(rule, b"")) > cls.LONGEST_RULE:
                raise InvalidField(rule, f"must not be longer than {cls.LONGEST_RULE} bytes")
            values[rule] = fields[rule].decode() if values[rule] is not None else None
        return values


class ReplayFields(Strict):
    """Which events to deliver again. `limit` is read apart, since no value of it is an error."""

    event_id = Text(default=None)
    event_ids = Ids(default=None)
    endpoint_id = Text(default="")
    from_ms = Whole(-MOST_MS, MOST_MS, default=0)
    to_ms = Whole(-MOST_MS, MOST_MS, default=0)
    topic = Text(default="")
    mode = Text(default="all", help_text="`failed_only`: only what is a dead letter now.")
    dry_run = Flag(default=False, help_text="Answers what would be done, and does nothing.")


class RunFields(Strict):
    """What a run is about, and how fast it goes. Times include their ends."""

    endpoint_id = Text(default="")
    topic = Text(topics.fault_of, default="")
    from_ms = Whole(-MOST_MS, MOST_MS, default=0)
    to_ms = Whole(-MOST_MS, MOST_MS, default=0)
    rate = Whole(1, MOST_A_SECOND, default=None)
    dry_run = Flag(default=False, help_text="Answers what would be done, and does nothing.")
    all = Flag(default=False, help_text="Must be true if no other field narrows it.")


class LetterRunFields(RunFields):
    """Dead letters that are sent again, or let go."""

    verb = Word(choices=[Run.Verb.REQUEUE.value, Run.Verb.DISCARD.value])
    reason = Text(default="")
    job_ids = Ids(default=None)


class ReplayRunFields(RunFields):
    """Events that are matched anew."""

    mode = Word(
        choices=list(Mode),
        default=Mode.ALL,
        help_text="`failed_only`: to endpoints where the event is a dead letter now. `missed_only`: to "
        "endpoints where it neither arrived nor is on its way.",
    )
    event_ids = Ids(default=None)
