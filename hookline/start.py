"""What must hold before anything starts. What does not is said in a sentence, with status 2."""

import gc
import resource
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import Error

from hookline.database import connect_alone
from hookline.environment import refuse

# RETURNING came with 3.35.
OLDEST_SQLITE = (3, 35, 0)
OLDEST_POSTGRES = 14
CONNECT_SECONDS = 5
MOST_FILES = 65_536


def require_secrets() -> None:
    """For a process that is started alone: `serve` makes these, others must be given them."""
    missing = []
    if not (settings.HL_API_KEY or settings.HL_ADMIN_KEY):
        missing.append("HL_API_KEY is not set, nor HL_ADMIN_KEY")
    if not settings.HL_MASTER_KEY:
        missing.append("HL_MASTER_KEY is not set")
    if not settings.HL_SECRET_KEY:
        missing.append("HL_SECRET_KEY is not set")
    if missing:
        refuse(*(f"{what}; `manage.py serve` would make and keep one." for what in missing))


def require_port() -> None:
    """The web server shares its port with others that ask for it, so it would not notice a
    stranger; this asks for the port alone. SO_REUSEADDR passes over connections that linger."""
    address, port = settings.HL_LISTEN_ADDR, settings.HL_PORT
    try:
        family, kind, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as fault:
        refuse(f"HL_LISTEN_ADDR, HL_PORT: cannot listen on {address}, port {port}: {fault.strerror}.")


def require_store() -> None:
    if settings.EMBEDDED:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            refuse(f"SQLite {_dotted(OLDEST_SQLITE)} or newer is needed, not {sqlite3.sqlite_version}.")
        return
    try:
        with connect_alone(CONNECT_SECONDS) as probe:
            version = probe.info.server_version // 10_000
    except psycopg.Error as fault:
        refuse(f"HL_POSTGRES_URL: PostgreSQL cannot be reached: {_in_one_line(fault)}")
    if version < OLDEST_POSTGRES:
        refuse(f"PostgreSQL {OLDEST_POSTGRES} or newer is needed, not {version}.")


def migrate() -> None:
    call_command("migrate", verbosity=0, interactive=False)


@contextmanager
def preparing() -> Iterator[None]:
    """What the store refuses meanwhile is said in a sentence."""
    try:
        yield
    except Error as fault:
        place = settings.HL_DATA_DIR if settings.EMBEDDED else "HL_POSTGRES_URL"
        refuse(f"The store ({place}) could not be prepared: {_in_one_line(fault)}{_remedy(fault)}")


def _remedy(fault: Exception) -> str:
    if not isinstance(fault.__cause__, psycopg.errors.InsufficientPrivilege):
        return ""
    return (
        ". Let its user create tables (GRANT CREATE ON DATABASE … TO …), or load "
        "hookline/sql/001_initial.sql as a user who may."
    )


def calm_collector() -> None:
    """What was imported stays, and need not be looked at for garbage again and again; what a delivery
    leaves is freed without the collector. It took a fifth of a worker's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def raise_file_limit() -> None:
    """Many connections are many open files, of which shells usually allow 1024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _in_one_line(fault: Exception) -> str:
    return " ".join(str(fault).split())
