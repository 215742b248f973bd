"""What runs here: versions, the pinned packages, open files."""

import platform
import re
import resource
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import django
import pycurl
from django.conf import settings

from hookline import __version__
from hookline.doctor.findings import Findings, many, ok, warning

FEWEST_FILES = 4096
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)(?: ;([^\\]*))?", re.MULTILINE)


def program() -> Findings:
    libcurl = pycurl.version_info()
    yield ok(
        f"HookLine {__version__} on Python {platform.python_version()}, Django {django.get_version()}, "
        f"libcurl {libcurl[1]} with {libcurl[5]}."
    )
    yield from packages(Path(settings.BASE_DIR) / "requirements.txt")
    yield from open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def packages(requirements: Path) -> Findings:
    if not requirements.is_file():
        return
    others = sorted(_others(requirements.read_text()))
    if others:
        number = many(len(others), "package is", "packages are")
        yield warning(
            f"{number} not as in requirements.txt: {'; '.join(others[:3])}.",
            f"{sys.executable} -m pip install --require-hashes -r requirements.txt",
        )


def _others(pinned: str) -> Iterator[str]:
    """Packages without a condition, since those that have one may not be meant for here."""
    for name, wanted, condition in PINNED.findall(pinned):
        if condition:
            continue
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            found = "missing"
        if found != wanted:
            yield f"{name} is {found}, not {wanted}"


def open_files(most: int) -> Findings:
    if most != resource.RLIM_INFINITY and most < FEWEST_FILES:
        yield warning(
            f"A process may have {most} files open; many deliveries at once need more.",
            "Raise the limit: LimitNOFILE=65536 with systemd, `ulimit -Hn 65536` in a shell.",
        )
