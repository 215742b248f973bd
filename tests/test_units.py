"""The systemd units: systemd itself reads them, and they run what docker-compose.yml runs."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from hookline.environment import environment
from tests import installation
from tests.test_deploy import OURS, SERVICES, filled_in

pytestmark = pytest.mark.embedded

PLACE = Path(settings.BASE_DIR) / "deploy/systemd"
COMMON = (PLACE / "hookline-.service.d/common.conf").read_text()
UNITS = {path.stem.removeprefix("hookline-"): path.read_text() for path in PLACE.glob("*.service")}
SETTINGS = {variable.name for variable in environment.variables}
# Of systemd's own scale, on which 0 is the least exposed and 10 the most.
MOST_EXPOSED = "20"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units where systemd looks for them, and programs where they look for these."""
    installation.ensure("systemd")
    shutil.copytree(PLACE, tmp_path / "units")
    programs = tmp_path / "srv/.venv/bin"
    programs.mkdir(parents=True)
    for name in ("python", "celery"):
        (programs / name).symlink_to("/bin/true")
    for path in (tmp_path / "units").rglob("*.*"):
        if path.is_file():
            path.write_text(path.read_text().replace("/srv/hookline", str(tmp_path / "srv")))
    return tmp_path / "units"


def analyze(place: Path, *words: str) -> str:
    """What systemd has to say against them."""
    given = os.environ | {"SYSTEMD_UNIT_PATH": f"{place}:"}
    ended = subprocess.run(
        ["systemd-analyze", *words], env=given, capture_output=True, text=True, check=False
    )
    return ended.stderr + (ended.stdout if ended.returncode else "")


def test_systemd_finds_no_fault_with_them(installed: Path) -> None:
    units = [str(installed / "hookline.target"), *map(str, installed.glob("*.service"))]

    assert analyze(installed, "verify", "--man=no", *units) == ""
    (installed / "hookline-web.service").write_text("[Service]\nExecStrat=/bin/true\n")
    assert "ExecStrat" in analyze(installed, "verify", "--man=no", str(installed / "hookline-web.service"))


@pytest.mark.parametrize("name", UNITS)
def test_what_they_may_do_is_little(installed: Path, name: str) -> None:
    unit = str(installed / f"hookline-{name}.service")

    assert analyze(installed, "security", "--offline=true", f"--threshold={MOST_EXPOSED}", unit) == ""


def test_they_run_what_compose_runs() -> None:
    assert UNITS.keys() == set(OURS)
    for name, unit in UNITS.items():
        [line] = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        words = shlex.split(line.replace("${HL_WORKER_PROCESSES}", "2"))
        assert [Path(words[0]).name, *words[1:]] == [filled_in(word) for word in SERVICES[name]["command"]]


def test_migrations_run_before_the_others() -> None:
    assert "Type=oneshot" in UNITS["migrate"]
    for name in set(UNITS) - {"migrate"}:
        assert "Requires=hookline-migrate.service\nAfter=hookline-migrate.service\n" in UNITS[name]


def test_a_stop_leaves_time_to_drain() -> None:
    [drain], [stop] = re.findall(r"HL_DRAIN_SECS=(\d+)", COMMON), re.findall(r"TimeoutStopSec=(\d+)", COMMON)

    assert int(stop) > int(drain) + 5


def test_every_variable_that_they_name_is_a_setting() -> None:
    assert set(re.findall(r"\bHL_[A-Z_]+", COMMON + "".join(UNITS.values()))) <= SETTINGS
