"""What runs HookLine elsewhere: image, docker-compose.yml, .env.example. See test_chart, test_units."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from compose_spec import PyCompose
from django.conf import settings

from hookline import throwaway
from hookline.environment import environment
from tests.receiver import Receiver
from tests.serving import Serving, send_to

Serve = Callable[..., Serving]

ROOT = Path(settings.BASE_DIR)
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ["migrate", "web", "worker", "beat"]
EXAMPLE = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
SETTINGS = {variable.name for variable in environment.variables}

# ${NAME}, ${NAME:-default} and ${NAME:?what to say}
SUBSTITUTION = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
SECRETS = {"HL_API_KEY": "k" * 40, "HL_MASTER_KEY": "0" * 64, "HL_SECRET_KEY": "s" * 40}
QUEUE = "hookline:hookline"


def filled_in(text: str, **given: str) -> str:
    """As docker compose does it."""
    return SUBSTITUTION.sub(lambda found: given.get(found[1]) or (found[3] if found[2] == "-" else ""), text)


def command_of(service: str) -> list[str]:
    programs = {"python": sys.executable, "celery": str(Path(sys.executable).with_name("celery"))}
    first, *rest = [filled_in(word) for word in SERVICES[service]["command"]]
    return [programs[first], *rest]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The directory that COPY makes: what .dockerignore lets through, and nothing else."""
    place = tmp_path / "image"
    place.mkdir()
    for name in re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name)
        else:
            shutil.copy(ROOT / name, place)
    return place


def test_every_variable_that_is_named_is_a_setting() -> None:
    for text in (COMPOSE_TEXT, "\n".join(EXAMPLE), (ROOT / "Dockerfile").read_text()):
        named = set(re.findall(r"\bHL_[A-Z_]+", text))
        assert named
        assert named <= SETTINGS


def test_the_example_holds_all_that_compose_asks_for_and_no_secret() -> None:
    asked = {name: kind for name, kind, _ in SUBSTITUTION.findall(COMPOSE_TEXT)}

    assert asked.keys() | {"COMPOSE_PROFILES"} == EXAMPLE.keys()
    required = {name for name, kind in asked.items() if kind == "?"}
    assert required == {"POSTGRES_PASSWORD", "HL_CONSOLE_PASS", *SECRETS}
    assert all(EXAMPLE[name] == "" for name in required)


def test_what_compose_leaves_out_has_the_default_of_the_settings() -> None:
    defaults = {name: default for name, kind, default in SUBSTITUTION.findall(COMPOSE_TEXT) if kind == "-"}
    command = [sys.executable, "manage.py", "settings"]
    clean = {"PATH": os.defpath}
    table = subprocess.check_output(command, env=clean, cwd=ROOT, text=True)
    ours = {row[0]: row[1] for row in re.findall(r"^\| `(\w+)` \| `?([^`|]*?)`? \|", table, re.MULTILINE)}

    of_compose = {"HL_EGRESS_ALLOW": "", "HL_DEV_INBOX": "false", "POSTGRES_HOST": "db"}
    assert defaults == {name: (ours | of_compose)[name].strip() for name in defaults}


def test_compose_itself_would_take_the_file() -> None:
    """By the types of the Compose Specification, which know every field."""
    filled = PyCompose.from_yaml(yaml.safe_dump(everywhere(COMPOSE, filled_in)))

    filled.validate_volumes()
    assert set(filled.service_names()) == SERVICES.keys()
    misspelt = yaml.safe_dump({"services": {"web": {"image": "hookline", "depend_on": ["db"]}}})
    with pytest.raises(Exception, match="depend_on"):
        PyCompose.from_yaml(misspelt)


def everywhere(value: Any, change: Callable[[str], str]) -> Any:
    """`value` with every text in it changed."""
    if isinstance(value, dict):
        return {name: everywhere(part, change) for name, part in value.items()}
    if isinstance(value, list):
        return [everywhere(part, change) for part in value]
    return change(value) if isinstance(value, str) else value


def test_profiles_add_services_and_take_nothing_away() -> None:
    by_profile = {name: service.get("profiles", [""])[0] for name, service in SERVICES.items()}

    added = {"pgbouncer": "pgbouncer", "prometheus": "monitoring", "grafana": "monitoring"}
    assert by_profile == dict.fromkeys(["db", "redis", *OURS], "") | added
    for name in OURS:
        assert SERVICES[name]["depends_on"]["pgbouncer"] == {
            "condition": "service_healthy",
            "required": False,
        }


def test_what_is_mounted_from_here_is_there() -> None:
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())]

    assert all((ROOT / place).is_dir() for place in mounted if place.startswith("./"))
    assert {place for place in mounted if not place.startswith("./")} == COMPOSE["volumes"].keys()


def test_prometheus_scrapes_what_serves_metrics_and_grafana_asks_prometheus() -> None:
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    provisioning = ROOT / "deploy/grafana/provisioning"
    [source] = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    [dashboards] = yaml.safe_load((provisioning / "dashboards/hookline.yml").read_text())["providers"]

    [job] = scraped["scrape_configs"]
    [rules] = scraped["rule_files"]
    assert list((ROOT / "deploy/prometheus").glob(Path(rules).name))
    assert job["static_configs"] == [{"targets": [f"web:{SERVICES['web']['ports'][0].split(':')[-1]}"]}]
    assert source["url"] == "http://prometheus:9090"
    assert f"./deploy/grafana:{dashboards['options']['path']}:ro" in SERVICES["grafana"]["volumes"]


def test_services_wait_for_those_that_can_tell_when_they_are_ready() -> None:
    for service in SERVICES.values():
        for name, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert SERVICES[name]["healthcheck"]["test"]
            else:
                assert wait["condition"] == "service_completed_successfully"
                assert SERVICES[name]["restart"] == "no"


def test_a_stop_leaves_time_to_drain() -> None:
    for name in OURS:
        service = SERVICES[name]
        assert (
            int(service["stop_grace_period"].rstrip("s")) > int(service["environment"]["HL_DRAIN_SECS"]) + 5
        )


@pytest.mark.embedded
@pytest.mark.parametrize("service", ["web", "worker"])
def test_a_process_that_is_started_alone_asks_for_its_keys(serve: Serve, service: str) -> None:
    process = serve(*command_of(service), HL_API_KEY="", HL_ADMIN_KEY="", HL_MASTER_KEY="", HL_SECRET_KEY="")

    assert process.process.wait(60) == 2
    assert [line.split(" is not set")[0] for line in process.text.splitlines()] == [
        "hookline: HL_API_KEY",
        "hookline: HL_MASTER_KEY",
        "hookline: HL_SECRET_KEY",
    ]


@pytest.mark.postgres
def test_each_process_runs_alone_from_what_the_image_holds(
    serve: Serve, image: Path, receiver: Receiver
) -> None:
    with throwaway.start_redis() as broker, redis.Redis(port=broker.port) as queue:
        given = {"HL_REDIS_URL": broker.url, **SECRETS}
        migrate = serve(*command_of("migrate"), place=image, **given)
        assert migrate.process.wait(60) == 0, migrate.text
        given["HL_POSTGRES_URL"] = migrate.environment["HL_POSTGRES_URL"]

        beat = serve(*command_of("beat"), place=image, **given)
        beat.wait_until(lambda: queue.llen(QUEUE) > 0)
        web = serve(*command_of("web"), place=image, **given)
        web.wait_until(web._answers)
        assert healthcheck(web) == 0
        send_to(receiver, web)
        worker = serve(*command_of("worker"), place=image, **given)
        worker.wait_until(lambda: len(receiver.received) == 1)
        worker.wait_until(lambda: queue.llen(QUEUE) == 0)

        for process in (web, worker, beat):
            assert process.terminate() == 0, process.text
            assert process.processes() == {}
        assert healthcheck(web) != 0


def healthcheck(web: Serving) -> int:
    """The status of the image's own, as Docker would run it beside the process."""
    [command] = re.findall(
        r"^HEALTHCHECK (?:.*\n)? *CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    python, *rest = json.loads(command)
    assert python == "python"
    return subprocess.run(
        [sys.executable, *rest], env=web.environment, stderr=subprocess.DEVNULL, check=False
    ).returncode
