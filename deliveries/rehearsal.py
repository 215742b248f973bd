"""The request that a receiver gets, made by the steps that make it and not sent.

It carries no secret: signatures and the values of the endpoint's own headers are stars.
"""

import shlex

from deliveries.documents import Stored
from deliveries.models import Attempt, Endpoint, Event
from deliveries.sending.envelope import seal
from deliveries.sending.signatures import Key
from deliveries.targets import policy_of
from deliveries.work import ClaimedJob, Request, Target
from hookline.ids import NO_ID
from hookline.keyring import CannotOpen

HIDDEN = "***"
SIGNATURES = ("x-hl-signature", "webhook-signature")
TIMESTAMP = "x-hl-timestamp"
SIGN = """\
SECRET='the secret of the endpoint'
stamp=$(date +%s)000
signature=$(printf %s "$stamp.$body" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -c1-64)
"""
SIGNED = f"""\
  --header "{TIMESTAMP}: $stamp" \\
  --header "x-hl-signature: v1=$signature" \\
"""


def rehearse(attempt: Attempt, event: Event, endpoint: Endpoint, transform: str | None) -> Request:
    """What is sent in this attempt, which may be one that is yet to be made; of one that was made,
    what was sent, unless the endpoint has changed since. The event must have its payload."""
    stored = Stored(*(getattr(event, name) for name in Stored.__struct_fields__))
    job = ClaimedJob(
        attempt.job_id, NO_ID, event.tenant_id, event.id, endpoint.id, attempt.attempt_n - 1, 0, 0,
        attempt.started_at, stored, _target(endpoint), transform,
    )  # fmt: skip
    request = seal(job, attempt.id, attempt.started_at)
    request.headers[:] = [_without_signature(line) for line in request.headers]
    return request


def _target(endpoint: Endpoint) -> Target:
    """The endpoint without what nobody may see. Whether there is a secret can be seen."""
    keys = (Key(b"", b""),) if endpoint.secret_box else ()
    return Target(
        endpoint.id, endpoint.url, endpoint.timeout_ms, endpoint.payload_format, _headers(endpoint),
        policy_of(endpoint), keys, keys, None,
    )  # fmt: skip


def _headers(endpoint: Endpoint) -> tuple[str, ...]:
    try:
        return tuple(f"{name}: {HIDDEN}" for name in endpoint.headers)
    except CannotOpen:  # as the deliveries fail too, the job's page must tell more than this
        return ()


def _without_signature(line: str) -> str:
    name = line.partition(":")[0]
    return f"{name}: {HIDDEN}" if name in SIGNATURES else line


def as_curl(request: Request) -> str:
    """The same request as lines for a shell, which sign it anew with $SECRET."""
    names = [line.partition(":")[0] for line in request.headers]
    is_signed = "x-hl-signature" in names
    left_out = (*SIGNATURES, TIMESTAMP) if is_signed else ()
    kept = [line for name, line in zip(names, request.headers, strict=True) if name not in left_out]
    return "".join(
        [
            f"body={shlex.quote(request.body.decode())}\n",
            SIGN if is_signed else "",
            f"curl --globoff --include {shlex.quote(request.url)} \\\n",
            *(f"  --header {shlex.quote(line)} \\\n" for line in kept),
            SIGNED if is_signed else "",
            '  --data-raw "$body"\n',
        ]
    )
