"""How the console draws what it shows. Everything comes out escaped, whoever wrote it."""

from datetime import datetime
from typing import Any

from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

NOTHING = "-"
LONGEST_TEXT = 65_536

# A sign besides the colour, for those who do not see it and for copies without it.
SIGNS = {
    "succeeded": "✓",
    "delivered": "✓",
    "success": "✓",
    "enabled": "✓",
    "active": "✓",
    "alive": "✓",
    "done": "✓",
    "pending": "…",
    "waiting": "…",
    "retrying": "↻",
    "running": "▶",
    "sending": "▶",
    "paused": "‖",
    "held": "‖",
    "dead": "✗",
    "failure": "✗",
    "firing": "!",
    "over": "✓",
    "failed": "✗",
    "cancelled": "✗",
    "disabled": "✗",
    "deleted": "✗",
    "revoked": "✗",
    "not_sent": "○",
    "expired": "✗",
    "silent": "✗",
}
UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def status(word: str, title: str = "") -> SafeString:
    """A pill with a sign, the word, and a colour of its own in console.css."""
    sign, text = SIGNS.get(word, "•"), word.replace("_", " ")
    return format_html('<span class="status {}" title="{}"><i>{}</i>{}</span>', word, title, sign, text)


def moment(at: datetime | None) -> SafeString | str:
    """The time of day, and the date where it is another; exactly on hover; and how long ago."""
    if at is None:
        return NOTHING
    shown = f"{at:%H:%M:%S}" if at.date() == timezone.now().date() else f"{at:%d %b %H:%M}"
    return format_html(
        '<time datetime="{}" title="{} UTC">{} <small data-ago>{}</small></time>',
        at.isoformat(),
        f"{at:%Y-%m-%d %H:%M:%S.%f}"[:-3],
        shown,
        ago(at),
    )


def ago(at: datetime) -> str:
    """`3 min ago`, or `in 2 h`."""
    seconds = (timezone.now() - at).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"


def span(seconds: float) -> str:
    """A length of time in its largest unit."""
    for unit, size in UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f}\N{NO-BREAK SPACE}{unit}"
    return "0\N{NO-BREAK SPACE}s"


def milliseconds(number: int) -> str:
    return f"{number}\N{NO-BREAK SPACE}ms" if number < 1000 else f"{number / 1000:.1f}\N{NO-BREAK SPACE}s"


def short(id: object) -> SafeString:
    """An id that is recognised by its end, since its beginning is the time; whole on hover, and copied
    by a click."""
    text = str(id)
    return format_html('<code class="id" title="{}" data-copy="{}">…{}</code>', text, text, text[-8:])


def link(model: str, id: object, text: object = "", app: str = "deliveries") -> SafeString | str:
    """To the page of a row. `model` is its name in small letters."""
    if id is None:
        return NOTHING
    place = reverse(f"admin:{app}_{model}_change", args=[quote(str(id))])
    return format_html('<a href="{}">{}</a>', place, text or id)


def narrowed(model: str, field: str, id: object, text: object) -> SafeString:
    """A link to the rows of another table that belong to this one."""
    place = reverse(f"admin:deliveries_{model}_changelist")
    return format_html('<a href="{}?{}">{}</a>', place, urlencode({field: str(id)}), text)


def copied(text: object) -> SafeString:
    """A text with a button that copies it."""
    return format_html(
        '<span class="copied"><code>{}</code> <button type="button" class="copy" data-copy="{}" '
        'aria-label="Copy">copy</button></span>',
        text,
        text,
    )


def as_text(value: Any) -> SafeString:
    """What a stranger wrote, as text and nothing else."""
    text = (
        bytes(value).decode(errors="replace") if isinstance(value, bytes | memoryview) else str(value or "")
    )
    return format_html('<pre tabindex="0">{}</pre>', text[:LONGEST_TEXT])


def listed(lines: Any) -> SafeString:
    """One under the other."""
    return format_html_join("", "<p>{}</p>", ((line,) for line in lines))
