"""What a delivery needs to know of its endpoint, worked out once for many requests: secrets are
decrypted, headers are lines, and the retry policy is found."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from msgspec.structs import replace

from deliveries.models import Endpoint
from deliveries.retries import Policy
from deliveries.sending.signatures import Key, key_of
from deliveries.work import Answer

# Shorter header values are words, which would be taken out wherever they stand.
SHORTEST_SECRET = 8
HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint as it was when it was last changed."""

    endpoint_id: UUID
    url: str
    timeout_ms: int
    payload_format: str
    headers: tuple[str, ...]
    policy: Policy
    keys: tuple[Key, ...]
    old_keys: tuple[Key, ...]
    old_keys_until: datetime | None

    def keys_at(self, now: datetime) -> tuple[Key, ...]:
        """What signs at this moment: the current secret, and then the one being replaced."""
        return self.keys if self.old_keys_until is None or now >= self.old_keys_until else self.old_keys

    def hushed(self, answer: Answer) -> Answer:
        """The answer without our own header values: some receivers echo what they are sent, and whoever
        may read deliveries need not know them."""
        values = [line.partition(": ")[2] for line in self.headers]
        secret = [value for value in values if len(value) >= SHORTEST_SECRET]
        if not secret or not answer.status:
            return answer
        body, headers = answer.body, answer.headers
        for value in secret:
            body = body.replace(value.encode(), HIDDEN.encode())
            headers = tuple((name, text.replace(value, HIDDEN)) for name, text in headers)
        return replace(answer, body=body, headers=headers)


def target_of(endpoint: Endpoint) -> Target:
    """Decrypts the endpoint's secrets."""
    keys = tuple(key_of(secret) for secret in endpoint.secrets())
    return Target(
        endpoint.id,
        endpoint.url,
        endpoint.timeout_ms,
        endpoint.payload_format,
        tuple(f"{name}: {value}" for name, value in endpoint.headers.items()),
        policy_of(endpoint),
        keys[:1],
        keys,
        endpoint.old_secret_until,
    )


def policy_of(endpoint: Endpoint) -> Policy:
    """The endpoint's own schedule, or the installation's; and the least of the ceilings."""
    ceilings = [n for n in (endpoint.max_retries, settings.HL_RETRY_MAX_ATTEMPTS) if n]
    delays = endpoint.retry_schedule or settings.HL_RETRY_SCHEDULE
    return Policy(delays, min(ceilings, default=None))
