"""What a delivery needs to know of its endpoint, worked out once for many requests: secrets are
decrypted, headers are lines, and the retry policy is found."""

from django.conf import settings

from deliveries.models import Endpoint
from deliveries.sending.signatures import key_of
from deliveries.work import Policy, Target


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
