"""How HL_ variables are read: each by name, once, with its default and its meaning."""

import os
import re
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import unquote, urlsplit

from hookline import datadir

T = TypeVar("T")

TRUE, FALSE = ("true", "1"), ("false", "0")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_DELAY = 7 * UNITS["d"]

# Names that earlier servers documented. They change nothing here, so they earn a warning.
RETIRED = frozenset(
    "HL_API_URL HL_WRITER_ID HL_MAX_INFLIGHT_GLOBAL HL_COMPACTION_INTERVAL_SECS "
    "HL_STREAM_BACKFILL_MAX_EVENTS HL_STREAM_BACKFILL_MAX_AGE_DAYS HL_NODE_NAME HL_COOKIE "
    "HL_LEGACY_KEY_GRACE HL_WS_ENABLED HL_WS_MAX_CONNECTIONS HL_PRESENCE_ENABLED "
    "HL_PRESENCE_TTL_SECS HL_RETENTION_DAYS HL_COMPACT_INTERVAL_SECS HL_AUTH_MODE "
    "HL_SERVICE_TOKEN HL_EMBEDDED_MODE".split()
)
SMTP_PORTS = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}
COLLECTORS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
FOR_CLIENTS = frozenset(["HL_URL"])


@dataclass(frozen=True)
class Variable:
    """One row of docs/configuration.md, under the heading of its concern."""

    concern: str
    name: str
    default: str
    meaning: str


class Environment:
    """Reads variables, remembers what it was asked for, and reports every fault at once."""

    def __init__(self, source: Mapping[str, str]) -> None:
        self.source = source
        self.variables: list[Variable] = []
        self.concern = ""
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.makes_secrets = False
        # For `doctor`, which tells what is wrong: it starts all the same, with defaults in those places.
        self.bears_problems = False
        self.data_directory: Path | None = None

    def value(self, name: str, default: str, meaning: str, parse: Callable[[str], T]) -> T:
        """The variable as `parse` reads it; `parse` refuses by ValueError with a sentence."""
        self.variables.append(Variable(self.concern, name, default, meaning))
        given = self.source.get(name, "").strip()
        return self._parsed(name, given or default, default, parse)

    def text(self, name: str, default: str, meaning: str) -> str:
        return self.value(name, default, meaning, str)

    def boolean(self, name: str, default: bool, meaning: str) -> bool:
        return self.value(name, str(default).lower(), meaning, parse_boolean)

    def integer(self, name: str, default: int, meaning: str, *, least: int = 0, most: int = 2**31 - 1) -> int:
        def parse(text: str) -> int:
            if not re.fullmatch(r"[+-]?\d{1,15}", text) or not least <= int(text) <= most:
                raise ValueError(f"write a whole number from {least} to {most}, not {text!r}")
            return int(text)

        return self.value(name, str(default), meaning, parse)

    def keep_secrets_in(self, directory: Path) -> None:
        """Where to look for secrets that the environment does not hold. If `makes_secrets`, those
        that are not there are made now."""
        try:
            if self.makes_secrets:
                datadir.prepare(directory, self.source)
            self.data_directory = directory
        except OSError as fault:
            self.problems.append(f"HL_DATA_DIR: {fault.filename}: {fault.strerror}")

    def secret(self, name: str, meaning: str, parse: Callable[[str], T]) -> T:
        """A secret from the environment, or else the one that `serve` made and kept."""
        self.variables.append(Variable(self.concern, name, "", meaning))
        return self._parsed(name, self.source.get(name, "").strip() or self._kept(name), "", parse)

    def names_a_collector(self) -> bool:
        """Whether OpenTelemetry's own variables say where traces go, and nothing turns it off."""
        is_off = self.source.get("OTEL_SDK_DISABLED", "").lower() == "true"
        return not is_off and any(self.source.get(name) for name in COLLECTORS)

    def is_given(self, name: str) -> bool:
        """Whether the environment itself holds the variable."""
        return bool(self.source.get(name, "").strip())

    def _kept(self, name: str) -> str:
        try:
            return datadir.kept_secret(self.data_directory, name) if self.data_directory else ""
        except OSError as fault:
            self.problems.append(f"HL_DATA_DIR: {fault.filename}: {fault.strerror}")
            return ""

    def _parsed(self, name: str, text: str, default: str, parse: Callable[[str], T]) -> T:
        try:
            return parse(text)
        except ValueError as fault:
            self.problems.append(f"{name}: {fault}")
            return parse(default)

    def complete(self) -> None:
        """Ends the process with status 2 if a value was wrong; warns about unknown names."""
        self.warnings += self._unknown()
        if self.bears_problems:
            return
        for sentence in self.warnings:
            warn(sentence)
        if self.problems:
            refuse(*self.problems)

    def _unknown(self) -> Iterator[str]:
        known = {variable.name for variable in self.variables}
        for name in sorted(set(self.source) - known - FOR_CLIENTS):
            if name in RETIRED:
                yield f"{name} is no longer used; it changes nothing."
            elif name.startswith("HL_"):
                yield f"{name} is not a HookLine setting; check its spelling in docs/configuration.md."


def has_opentelemetry() -> bool:
    """Whether its optional packages are installed."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http.trace_exporter") is not None
    except ModuleNotFoundError:
        return False


def choice(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"write {' or '.join(words)}, not {text!r}")
        return text

    return parse


def url(example: str, *schemes: str) -> Callable[[str], str]:
    """Refuses without repeating what it read, since URLs hold passwords."""

    def parse(text: str) -> str:
        scheme, separator, _ = text.partition("://")
        if text and not (separator and scheme and (not schemes or scheme in schemes)):
            raise ValueError(f"write a URL such as {example}")
        return text

    return parse


def parse_addresses(text: str) -> list[str]:
    """Mail addresses, separated by commas."""
    addresses = [address.strip() for address in text.split(",") if address.strip()]
    if wrong := [address for address in addresses if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", address)]:
        raise ValueError(f"write addresses such as ops@example.com, not {wrong[0]!r}")
    return addresses


def parse_smtp(text: str) -> dict[str, Any]:
    """A mail server as Django's backend takes it. Refuses without repeating what it read."""
    scheme, parts = text.partition("://")[0], urlsplit(text)
    if text and (scheme not in SMTP_PORTS or not parts.hostname):
        raise ValueError("write a URL such as smtp+tls://user:password@mail.example.com:587")
    if not text:
        return {}
    return {
        "host": parts.hostname,
        "port": parts.port or SMTP_PORTS[scheme],
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "use_tls": scheme == "smtp+tls",
        "use_ssl": scheme == "smtp+ssl",
    }


def parse_certificates(path: str) -> str:
    try:
        if path:
            ssl.create_default_context(cafile=path)
    except OSError as fault:
        reason = fault.strerror or "no certificate in it"
        raise ValueError(f"write the path of a PEM file with certificates, not {path!r} ({reason})") from None
    return path


def parse_boolean(text: str) -> bool:
    if text.lower() not in TRUE + FALSE:
        raise ValueError(f"write true or false, not {text!r}")
    return text.lower() in TRUE


def parse_durations(text: str) -> tuple[float, ...]:
    """`5s 30s 2m 1h` as seconds; a bare number is seconds."""
    found = [re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", word) for word in re.split(r"[\s,]+", text)]
    if not all(found):
        raise ValueError(f"write delays such as 5s 30s 2m 1h, not {text!r}")
    return tuple(float(match[1]) * UNITS[match[2] or "s"] for match in found if match)


def parse_schedule(text: str) -> tuple[float, ...]:
    """Delays as long as an endpoint's own schedule may hold."""
    delays = parse_durations(text)
    if max(delays) > LONGEST_DELAY:
        raise ValueError(f"write delays of at most 7d, not {text!r}")
    return delays


def warn(sentence: str) -> None:
    print(f"hookline: warning: {sentence}", file=sys.stderr)


def refuse(*sentences: str) -> NoReturn:
    """Says what is wrong and ends the start with status 2."""
    for sentence in sentences:
        print(f"hookline: {sentence}", file=sys.stderr)
    sys.stderr.flush()
    raise SystemExit(2)


environment = Environment(os.environ)
