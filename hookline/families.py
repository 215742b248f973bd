"""What is counted for /metrics: every counter and histogram, with its meaning and its labels."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """`bounds` are those of a histogram's buckets; a counter has none."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    bounds: tuple[int, ...] = ()


EVENTS_PUBLISHED = Family("hookline_events_published_total", "Events accepted.", ("tenant", "topic"))
OVERLOAD_DROPS = Family("hookline_overload_drops_total", "Publishes refused.", ("tenant", "reason"))
API_REQUESTS = Family(
    "hookline_api_requests_total", "Requests answered, by route.", ("route", "method", "status")
)
API_LATENCY = Family(
    "hookline_api_request_ms", "Time until an answer began, by route.", ("route",),
    (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 5000),
)  # fmt: skip

DELIVERIES = Family(
    "hookline_deliveries_total", "Attempts, by result; retried ones also count as failed.",
    ("tenant", "endpoint", "status"),
)  # fmt: skip
ATTEMPTS = Family(
    "hookline_attempts_total", "Attempts, by what was wrong with them; none for a 2xx.", ("tenant", "error")
)
LATENCY = Family(
    "hookline_delivery_latency_ms", "Duration of attempts.", ("endpoint",),
    (10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000),
)  # fmt: skip
DELAY = Family(
    "hookline_first_attempt_delay_ms",
    "Time from the publish or replay until a delivery was first tried, with what its endpoint's limits took.",
    (), (5, 10, 25, 50, 100, 250, 500, 1000, 5000, 30_000, 300_000),
)  # fmt: skip
DEAD_LETTERS = Family("hookline_dlq_total", "Jobs given up.", ("tenant", "endpoint"))
RATE_LIMITED = Family(
    "hookline_rate_limited_total",
    "Times that an endpoint used up its rate, so that other work had to wait.",
    ("endpoint",),
)

SWEEPS = Family("hookline_sweeps_total", "Rounds of all sweeps.")
RESCUED_LEASES = Family(
    "hookline_rescued_leases_total", "Jobs taken back because their worker did not answer for them in time."
)
STALE_OUTCOMES = Family(
    "hookline_stale_outcomes_total",
    "Answers that came after their job had been taken back, and were dropped.",
)
BELLS = Family("hookline_bells_total", "Wake-ups that the broker took.")
BELL_FAILURES = Family("hookline_bell_failures_total", "Wake-ups that the broker did not take.")
STORE_OPS = Family("hookline_store_ops_total", "Failed operations of the store.", ("op", "status"))
STREAM_EVENTS = Family("hookline_stream_events_total", "Messages sent to open streams.", ("tenant", "topic"))

FAMILIES = {family.name: family for family in list(vars().values()) if isinstance(family, Family)}
