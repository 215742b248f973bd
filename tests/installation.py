"""Installs what the tests need and do not find, on Debian and Ubuntu and as root."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hookline.throwaway import Missing, pgbouncer_program, postgres_programs, redis_program
from tests.prometheus import prometheus_program


def chromium_program() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        raise Missing("Chromium is not installed.")
    return found


def program(name: str) -> Callable[[], str]:
    """Of a package that calls its program so."""

    def look() -> str:
        if (found := shutil.which(name)) is None:
            raise Missing(f"{name} is not installed.")
        return found

    return look


PROGRAMS: dict[str, Callable[[], object]] = {
    "chromium": chromium_program,
    "curl": program("curl"),
    "faketime": program("faketime"),
    "golang-go": program("go"),
    "jq": program("jq"),
    "nodejs": program("node"),
    "pgbouncer": pgbouncer_program,
    "pngquant": program("pngquant"),
    "postgresql": postgres_programs,
    "prometheus": prometheus_program,
    "redis-server": redis_program,
    "rsync": program("rsync"),
    "systemd": program("systemd-analyze"),
}
CLUSTER = Path("/etc/postgresql-common/createcluster.conf")
POLICY = Path("/usr/sbin/policy-rc.d")
NO_SERVICE = "#!/bin/sh\nexit 101\n"
INSTALL = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends"]
OUR_CONFIGURATION = ["-o", "Dpkg::Options::=--force-confold"]


class NotInstalled(Exception):
    """Something is missing and cannot be installed by us; the text says what to do."""


def ensure(*packages: str) -> None:
    """Sees to it that the programs of these packages can be run. Raises NotInstalled."""
    missing = [package for package in packages if not _is_there(package)]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        command = "sudo apt-get install " + " ".join(missing)
        raise NotInstalled(f"The tests need programs that are not installed here. Run: {command}")
    _install(missing)


def _is_there(package: str) -> bool:
    try:
        PROGRAMS[package]()
    except Missing:
        return False
    return True


def _install(packages: list[str]) -> None:
    """Programs only: no database is made and no service is started."""
    if not CLUSTER.exists():
        CLUSTER.parent.mkdir(exist_ok=True)
        CLUSTER.write_text("create_main_cluster = false\n")
    with _no_service_starts():
        _run("apt-get", "update", "--quiet")
        _run(*INSTALL, *OUR_CONFIGURATION, *packages)


def _run(*command: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    if subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode != 0:
        raise NotInstalled(f"This command failed: {' '.join(command)}")


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian asks this program whether a package may start its service."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text(NO_SERVICE)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
