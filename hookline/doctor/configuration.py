"""What the variables say: wrong ones, missing or well-known secrets, and what is open to whom."""

import stat
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host

from hookline import datadir
from hookline.doctor.findings import Findings, error, ok, warning
from hookline.environment import Environment, environment

CONFIGURATION = "docs/configuration.md tells what each variable takes."
# From images, charts and command lines of earlier servers.
KNOWN_TO_ALL = {
    "change-me",
    "change-me-in-production",
    "dev-secret",
    "secret",
    "admin",
    "password",
    "hookline",
}
SHORTEST_SECRET = 16
TYPED = ("HL_API_KEY", "HL_ADMIN_KEY", "HL_SECRET_KEY", "HL_CONSOLE_PASS")


def variables() -> Findings:
    yield from read_from(environment)


def read_from(environment: Environment) -> Findings:
    for problem in environment.problems:
        yield error(f"{problem.rstrip('.')}.", f"Correct that variable. {CONFIGURATION}")
    for sentence in environment.warnings:
        yield warning(sentence, f"Remove it, or spell it right. {CONFIGURATION}")
    if not environment.problems:
        given = sorted(name for name in environment.source if name.startswith("HL_"))
        yield ok(f"Every variable makes sense; set are {', '.join(given) or 'none'}.")
    if settings.HL_THROWAWAY:
        yield error("HL_THROWAWAY says that this installation is a test's.", "Unset HL_THROWAWAY.")


def secrets() -> Findings:
    missing = list(_missing())
    if missing:
        yield warning(
            f"There is no {' and no '.join(missing)}: only `serve` can start, which makes and keeps them.",
            "Start with `manage.py serve`, or set them in every process.",
        )
    else:
        yield ok("The keys of the installation are there.")
    for name in TYPED:
        yield from strength(name, str(getattr(settings, name)))
    if any(len(set(key)) == 1 for key in settings.HL_MASTER_KEY.values()):
        yield error(
            "HL_MASTER_KEY is one byte over and over, which everyone can guess.",
            "Rotate it: `openssl rand -base64 32` makes one; docs/operations.md tells how.",
        )
    yield from privacy(settings.HL_DATA_DIR)


def _missing() -> Iterator[str]:
    if not (settings.HL_API_KEY or settings.HL_ADMIN_KEY):
        yield "HL_API_KEY"
    for name in ("HL_MASTER_KEY", "HL_SECRET_KEY"):
        if not getattr(settings, name):
            yield name


def strength(name: str, secret: str) -> Findings:
    advice = f"Set {name} to something random, such as `openssl rand -base64 32` makes."
    if secret.lower() in KNOWN_TO_ALL:
        yield error(f"{name} is a word that stands in everybody's documentation.", advice)
    elif secret and len(secret) < SHORTEST_SECRET:
        yield warning(f"{name} has fewer than {SHORTEST_SECRET} characters.", advice)


def privacy(data: Path) -> Findings:
    """What `serve` keeps is for its own user alone."""
    kept = datadir.secrets_in(data)
    for path in (kept, *kept.glob("*")):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield error(f"{path} is open to other users of this machine.", f"chmod -R go= {kept}")
            return


def access() -> Findings:
    """Who reaches this, and how."""
    if settings.DEBUG:
        yield error(
            "DEBUG is on: error pages show settings and code.", "Set DEBUG = False in hookline/settings.py."
        )
    if settings.HL_LOG_LEVEL == "DEBUG":
        yield warning("HL_LOG_LEVEL=DEBUG fills the disk.", "Set HL_LOG_LEVEL=INFO.")
    if _is_for_this_machine(settings.HL_LISTEN_ADDR):
        yield ok(f"Only this machine reaches it, at {settings.HL_LISTEN_ADDR}:{settings.HL_PORT}.")
        return
    yield from transport(settings.HL_PUBLIC_URL)
    yield from hosts(settings.ALLOWED_HOSTS, settings.HL_PUBLIC_URL)
    if settings.HL_DEV_INBOX and not settings.EMBEDDED:
        yield warning(
            "The development inbox is served: strangers can store what they send to it.",
            "Set HL_DEV_INBOX=false where it is not for development.",
        )


def transport(public_url: str) -> Findings:
    if urlsplit(public_url).scheme == "https":
        yield ok("People use it over https.")
        return
    yield warning(
        "Keys and passwords travel in the clear, as HL_PUBLIC_URL is not https.",
        "Put a proxy with TLS before it, and set HL_PUBLIC_URL=https://…",
    )


def hosts(allowed: list[str], public_url: str) -> Findings:
    host = urlsplit(public_url).hostname
    if "*" in allowed:
        wanted = host or "hooks.example.com"
        yield warning("It answers under any host name.", f"Set HL_ALLOWED_HOSTS={wanted}")
    elif host and not validate_host(host, allowed):
        yield error(
            f"HL_ALLOWED_HOSTS leaves out {host}, the host of HL_PUBLIC_URL, which is answered with 400.",
            f"Set HL_ALLOWED_HOSTS={','.join([host, *allowed])}",
        )


def _is_for_this_machine(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
