"""What passes between the four steps: a claimed job, its request, the answer, the verdict."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from deliveries.documents import Stored
from deliveries.sending.signatures import Key

# Shorter header values are words, which would be taken out wherever they stand.
SHORTEST_SECRET = 8
HIDDEN = "***"


class Policy(Struct, frozen=True):
    """`delays[n]` seconds pass after attempt n+1 fails; `most` attempts are made at most."""

    delays: Sequence[float]
    most: int | None = None

    @property
    def attempts(self) -> int:
        whole = len(self.delays) + 1
        return whole if self.most is None else min(self.most, whole)


class Target(Struct, frozen=True):
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

    def hushed(self, answer: "Answer") -> "Answer":
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


class ClaimedJob(Struct, frozen=True):
    """A job that this process owns until `lease_until`, with all that its delivery needs.

    `event` is None if it was deleted after the job was made, and `target` if its endpoint or its
    subscription was: without its transform nothing may be sent.
    """

    id: UUID
    claim_id: UUID
    tenant_id: str
    event_id: UUID
    endpoint_id: UUID
    attempt_count: int
    forgiven_count: int
    lost_count: int
    lease_until: datetime
    event: Stored | None
    target: Target | None
    transform: str | None

    @property
    def place(self) -> dict[str, str]:
        """Where it stands in the log."""
        return {"job_id": str(self.id), "endpoint_id": str(self.endpoint_id), "tenant_id": self.tenant_id}

    @property
    def attempt_n(self) -> int:
        """The number of the attempt now being made, from 1 over the job's whole life."""
        return self.attempt_count + 1

    @property
    def budget_spent(self) -> int:
        """Attempts since the job was made or last requeued, with the one now being made."""
        return self.attempt_n - self.forgiven_count


class Request(Struct, frozen=True):
    """All that the network needs to know, and nothing about jobs."""

    url: str
    headers: list[str]
    body: bytes
    timeout_ms: int


class Answer(Struct, frozen=True):
    """What came back. `status` is 0 when nothing did. `error` is None for a 2xx, else a word of
    the contract, and `detail` says in a sentence what can be done."""

    status: int = 0
    error: str | None = None
    detail: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    address: str = ""
    duration_ms: int = 0

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


class Outcome(Struct, frozen=True):
    """One attempt of a job and what came of it."""

    attempt_id: UUID
    started_at: datetime
    answer: Answer


class Succeeded(Struct, frozen=True):
    pass


class RetryAt(Struct, frozen=True):
    moment: datetime


class Dead(Struct, frozen=True):
    """Given up, for `reason`; `disables` says why the endpoint gets nothing more either."""

    reason: str
    disables: str = ""


Verdict = Succeeded | RetryAt | Dead


class Settlement(Struct, frozen=True):
    """The end of a claim: what the queue writes. No outcome means that nothing was sent."""

    job: ClaimedJob
    outcome: Outcome | None
    verdict: Verdict
