"""Secrets that stand out, and where they were seen."""

import base64
import secrets
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus


class Canary:
    """A secret that nothing else resembles, and every way in which it may be written."""

    def __init__(self, name: str, text: str = "") -> None:
        self.name = name
        # With signs that URLs and pages write in another way.
        self.text = text or f"{name}-{secrets.token_hex(12)}/+&="
        raw = self.text.encode()
        self.forms = {raw, raw.hex().encode(), raw.hex().upper().encode()}
        self.forms |= {write(self.text).encode() for write in (quote, quote_plus, quote_all, escape)}
        for shift in range(3):
            self.forms |= {write(raw, shift) for write in (in_base64, in_url_base64)}

    def is_in(self, content: bytes) -> bool:
        return any(form in content for form in self.forms)


def quote_all(text: str) -> str:
    return quote(text, safe="")


def in_base64(raw: bytes, shift: int) -> bytes:
    """As it stands in the base64 of something longer, whatever is around it."""
    encoded = base64.b64encode(b"\0" * shift + raw)
    return encoded[(0, 2, 3)[shift] : (shift + len(raw)) * 8 // 6]


def in_url_base64(raw: bytes, shift: int) -> bytes:
    return in_base64(raw, shift).translate(bytes.maketrans(b"+/", b"-_"))


def sightings(canaries: Iterable[Canary], places: Mapping[str, bytes]) -> set[tuple[str, str]]:
    """Which canary was seen where."""
    return {
        (canary.name, place)
        for place, content in places.items()
        for canary in canaries
        if canary.is_in(content)
    }


def files_below(directory: Path) -> dict[str, bytes]:
    found = {}
    for path in directory.rglob("*"):
        try:
            if path.is_file():
                found[str(path.relative_to(directory))] = path.read_bytes()
        except OSError:  # it has just gone
            continue
    return found
