"""What the words of the line mean, in sentences that say what can be done."""

from deliveries import retries
from deliveries.models import Attempt
from deliveries.rules.filters import Clause
from deliveries.rules.topics import ONE, Mismatch
from deliveries.rules.values import MISSING, shown

LONGEST_SEGMENT = 100

WANTED = {
    "eq": "equal to",
    "neq": "anything but",
    "gt": "greater than",
    "gte": "at least",
    "lt": "less than",
    "lte": "at most",
    "contains": "a text that contains",
}

REASONS = {
    retries.SPENT: "Every attempt that its retry policy allows has failed.",
    retries.ORPHANED: "Its event, its endpoint or its subscription was deleted before it could be sent.",
    retries.PAYLOAD_REMOVED: "Its payload was removed before it could be sent.",
    retries.LEASE_LOST: "Workers stopped again and again while they had it; it may be what stops them.",
}

# What to do about an answer, after the sentence that says what it was.
HINTS = {
    401: "It wants credentials: set them in the endpoint's headers.",
    403: "It does not let us in: check the credentials in the endpoint's headers, and its firewall.",
    404: "Nothing is served there: check the path of the endpoint's URL.",
    405: "It takes no POST there: check the path of the endpoint's URL.",
    410: "It says that it is gone for good, so the endpoint was disabled.",
    413: "It takes no bodies of this size: a transform can remove what it does not need.",
    422: "It does not like what was sent: compare the body below with what it expects.",
    429: "It gets more than it wants: lower the endpoint's rate limit.",
    500: "Its own log says why.",
    502: "A proxy before it could not reach it.",
    503: "It is overloaded or being restarted.",
    504: "A proxy before it waited for it in vain.",
}
HINTS_BY_ERROR = {
    "timeout": "Let it answer first and work afterwards, or raise the endpoint's timeout_ms.",
    "blocked_address": "HL_EGRESS_ALLOW opens networks of your own.",
}


def of_mismatch(parting: Mismatch) -> str:
    found, wanted = _segment(parting.found), _segment(parting.wanted)
    if parting.wanted is None:
        return f"Topic: the pattern ends before segment {parting.segment}, which is {found}."
    if parting.found is None:
        return f"Topic: it ends before segment {parting.segment}, where the pattern wants {wanted}."
    return f"Topic: segment {parting.segment} is {found}, and the pattern wants {wanted}."


def _segment(text: str | None) -> str:
    return "any segment" if text == ONE else shown(text, LONGEST_SEGMENT)


def of_clause(clause: Clause) -> str:
    if not clause.path and clause.held:
        return 'Filter: a "not" stands before something that every event passes.'
    if clause.operator not in WANTED:
        return f'Filter: an "{clause.operator}" lists nothing, so that no event passes it.'
    found = "missing" if clause.found is MISSING else shown(clause.found)
    wanted = f"{WANTED[clause.operator]} {shown(clause.wanted)}"
    if clause.held:
        return f'Filter: {clause.path} is {found}, and a "not" excludes what is {wanted}.'
    return f"Filter: {clause.path} is {found}, and {wanted} is wanted."


def of_death(reason: str) -> str:
    """Why a job was given up."""
    status = reason.removeprefix("http_")
    if status != reason:
        return f"HTTP {status} is not tried again."
    return REASONS.get(reason, f"{reason}.")


def of_attempt(attempt: Attempt) -> str:
    """What came of it and what to do about that; nothing for a success."""
    hint = HINTS.get(attempt.http_status) or HINTS_BY_ERROR.get(attempt.error or "")
    return " ".join(filter(None, [attempt.error_detail, hint])) if attempt.error else ""


def of_seconds(seconds: float) -> str:
    """A delay in the unit that people would use."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def of_count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
