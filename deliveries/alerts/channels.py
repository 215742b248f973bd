"""Ways to the operator. Each takes one notice, or says in a few words why it was not taken, without the
address, which may hold a secret.

These hosts are the operator's own, so `requests` and Django's mail will do. Both wait for each answer for
a bounded time, but a peer that drips could hold them for ever: so they work in a thread of their own,
which is left behind at the deadline.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from uuid import UUID

import msgspec
import requests
from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend

from deliveries.alerts.sentences import FIRING, Entry
from deliveries.sending import egress, signatures
from hookline import __version__

WEBHOOK, SLACK, EMAIL = "webhook", "slack", "email"
TYPE = "hookline.alerts"
CONNECT_SECONDS, READ_SECONDS, DEADLINE_SECONDS = 5.0, 10.0, 20.0
USER_AGENT = f"HookLine/{__version__}"
SIGNS = {True: ":red_circle:", False: ":large_green_circle:"}
SLACK_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})

Entries = Sequence[Entry]


class NotTold(Exception):
    """The channel did not take it; the text says why."""


def configured() -> list[str]:
    """The channels that the settings name."""
    given = {
        WEBHOOK: settings.HL_ALERT_URL,
        SLACK: settings.HL_ALERT_SLACK_URL,
        EMAIL: settings.HL_ALERT_EMAIL,
    }
    return [channel for channel, value in given.items() if value]


def tell(channel: str, id: UUID, entries: Entries) -> None:
    """Raises NotTold. `id` is the same each time that one notice is tried."""
    send = {WEBHOOK: _webhook, SLACK: _slack, EMAIL: _email}[channel]
    answers: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_try, args=[send, id, entries, answers], name=channel, daemon=True).start()
    try:
        fault = answers.get(timeout=DEADLINE_SECONDS)
    except Empty:
        fault = f"no answer within {DEADLINE_SECONDS:.0f} s"
    if fault:
        raise NotTold(fault)


def _try(
    send: Callable[[UUID, Entries], None], id: UUID, entries: Entries, answers: "SimpleQueue[str]"
) -> None:
    try:
        send(id, entries)
        answers.put("")
    except NotTold as fault:
        answers.put(str(fault))
    except Exception as fault:  # noqa: BLE001 - whatever it was, the channel did not take it
        answers.put(type(fault).__name__)  # texts of libraries repeat addresses


def _webhook(id: UUID, entries: Entries) -> None:
    """Signed as Standard Webhooks have it, so that any library for those verifies it."""
    now = datetime.now(UTC)
    document = {"type": TYPE, "timestamp": now, "data": {"alerts": entries}}
    body, sent = msgspec.json.encode(document), int(now.timestamp())
    headers = {"webhook-id": str(id), "webhook-timestamp": str(sent)}
    if settings.HL_ALERT_SECRET:
        key = signatures.key_of(settings.HL_ALERT_SECRET)
        headers["webhook-signature"] = signatures.standard([key], str(id), sent, body)
    _post(settings.HL_ALERT_URL, body, headers)


def _slack(id: UUID, entries: Entries) -> None:
    """A message as Slack's incoming webhooks take it, and Mattermost's and Discord's `/slack`."""
    text = "\n".join(map(_in_slack, entries))
    _post(settings.HL_ALERT_SLACK_URL, msgspec.json.encode({"text": text}), {})


def _in_slack(entry: Entry) -> str:
    title, text, action = (part.translate(SLACK_MARKUP) for part in (entry.title, entry.text, entry.action))
    place = f" <{entry.url}|Open it>" if entry.url else ""
    return f"{SIGNS[entry.state == FIRING]} *{title}*\n{text}\n{action}{place}".strip()


def _email(id: UUID, entries: Entries) -> None:
    first, *others = entries
    more = f" and {len(others)} more" if others else ""
    message = EmailMessage(
        subject=f"[HookLine] {first.title}{more}",
        body="\n\n".join(map(_in_mail, entries)) + "\n",
        from_email=settings.HL_ALERT_FROM[0],
        to=settings.HL_ALERT_EMAIL,
        headers={"Message-ID": f"<{id}@hookline>"},
        connection=EmailBackend(**settings.HL_SMTP_URL, timeout=READ_SECONDS),
    )
    message.send()


def _in_mail(entry: Entry) -> str:
    return "\n".join(filter(None, (entry.title.upper(), entry.text, entry.action, entry.url)))


def _post(url: str, body: bytes, headers: dict[str, str]) -> None:
    """One request. A redirect is no answer: it would take the notice to who knows whom."""
    sent = headers | {"content-type": "application/json", "user-agent": USER_AGENT}
    with requests.post(
        url, data=body, headers=sent, timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False,
        stream=True, verify=egress.authorities(),
    ) as answer:  # fmt: skip
        if not 200 <= answer.status_code < 300:
            raise NotTold(f"status {answer.status_code}")
