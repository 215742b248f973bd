"""What passes between the four steps: a claimed job, its request, the answer, the verdict."""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from deliveries.documents import Stored

if TYPE_CHECKING:
    from deliveries.targets import Target


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
    target: "Target | None"
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
