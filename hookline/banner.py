"""What `serve` prints when it is ready: where things are, and three lines to try it with."""

import http.client
import shlex
import socket
from dataclasses import dataclass

from django.conf import settings

from deliveries.sending import egress, signatures
from hookline import __version__
from hookline.environment import environment
from hookline.installation import OPERATOR

# How this machine reaches a server that listens everywhere; `localhost` may be either.
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
INBOX = "demo"

ENDPOINT = '{{"url":"{base}/v1/dev/inbox/receive/{token}","secret":"{secret}"}}'
TO_SUBSCRIPTION = r's/.*"endpoint_id":"\([^"]*\)".*/{"endpoint_id":"\1","topic_pattern":"#"}/'
EVENT = '{"topic":"order.paid","payload":{"order":42,"total":"19.90"}}'


def local_url() -> str:
    """How this machine reaches the server."""
    host = "localhost" if _host() in LOOPBACK.values() else _host()
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.HL_PORT}"


def is_answering() -> bool:
    server = http.client.HTTPConnection(_host(), settings.HL_PORT, timeout=2)
    try:
        server.request("GET", "/healthz")
        return server.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        server.close()


def show(layout: str) -> None:
    print(text(layout), flush=True)  # noqa: T201 - this is for whoever started us, not for the log


def text(layout: str) -> str:
    rows = [f"{name:<10} {value}" for name, value in _facts(layout)]
    title = f"HookLine {__version__} is ready. Ctrl-C stops it."
    body = "\n".join(f"  {row}" for row in rows)
    purpose, lines = _trial()
    return "\n".join(["", title, "", body, "", f"  {purpose}", "", *lines, ""])


def _facts(layout: str) -> list[tuple[str, str]]:
    base = settings.HL_PUBLIC_URL.rstrip("/") or local_url()
    facts = [("API", f"{base}/v1")]
    if settings.HL_CONSOLE_ENABLED:
        facts.append(("Console", f"{base}/console/"))
        facts.append(("Login", f"{OPERATOR}, password {_shown('HL_CONSOLE_PASS', settings.HL_CONSOLE_PASS)}"))
    facts.append(("API key", _shown("HL_API_KEY", settings.HL_API_KEY)))
    store = f"embedded, in {settings.HL_DATA_DIR}" if settings.EMBEDDED else "PostgreSQL"
    return [*facts, ("Store", store), ("Runs", layout), ("Delivers", _reach())]


def _shown(name: str, value: str) -> str:
    """What was generated has to be told; what was given is known, and stays out of terminals."""
    return f"as set in {name}" if environment.is_given(name) else value


def _reach() -> str:
    allowed = [str(entry.network) for entry in settings.HL_EGRESS_ALLOW]
    if not allowed:
        return "to public addresses only"
    loopback = (
        " (this machine)" if all(entry.network.is_loopback for entry in settings.HL_EGRESS_ALLOW) else ""
    )
    return f"to public addresses, and to {', '.join(allowed)}{loopback}; HL_EGRESS_ALLOW changes that"


@dataclass(frozen=True)
class _Curl:
    """Writes command lines for one base URL and key."""

    base: str
    key: str

    def line(self, path: str, data: str = "") -> str:
        sent = f" -d {data if data == '@-' else shlex.quote(data)}" if data else ""
        return f"curl -sw '\\n' {shlex.quote(self.base + path)} -H {self.key}{sent}"


def _trial() -> tuple[str, list[str]]:
    key = '"Authorization: Bearer $HL_API_KEY"'
    if not environment.is_given("HL_API_KEY"):
        key = shlex.quote(f"Authorization: Bearer {settings.HL_API_KEY}")
    curl = _Curl(local_url(), key)
    publish = curl.line("/v1/events", EVENT)
    if not _inbox_can_be_reached():
        last = [curl.line("/v1/events?limit=1"), curl.line("/v1/deliveries?limit=1")]
        return "Publish an event, and read it again with its deliveries:", [publish, *last]
    endpoint = ENDPOINT.format(base=local_url(), token=INBOX, secret=signatures.new_secret())
    subscribe = f"sed {shlex.quote(TO_SUBSCRIPTION)} | {curl.line('/v1/subscriptions', '@-')}"
    return "Subscribe an endpoint, publish an event, and see the signed webhook that arrived:", [
        f"{curl.line('/v1/endpoints', endpoint)} | {subscribe}",
        f"{publish} && sleep 1",
        curl.line(f"/v1/dev/inbox?token={INBOX}"),
    ]


def _inbox_can_be_reached() -> bool:
    if not settings.HL_DEV_INBOX:
        return False
    entry = socket.getaddrinfo(_host(), settings.HL_PORT, type=socket.SOCK_STREAM)[0]
    return not egress.guard().refusal(str(entry[4][0]), settings.HL_PORT)


def _host() -> str:
    return LOOPBACK.get(settings.HL_LISTEN_ADDR, settings.HL_LISTEN_ADDR)
