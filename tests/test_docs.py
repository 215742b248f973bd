"""Documents hold together: links lead somewhere, and what they say to type exists as it is written.

What can be run is run by other tests: test_readme, test_guides, test_operations and those of each subject.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

from hookline.environment import FOR_CLIENTS, RETIRED, environment
from tests.shell import SHELL, commands_of, fences_of

pytestmark = pytest.mark.embedded

ROOT = Path(settings.BASE_DIR)
PAGES = [ROOT / path for path in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES += sorted((ROOT / "docs").glob("**/*.md"))
INDEX = ROOT / "docs/README.md"
LANGUAGES = {"", "bash", "ini", "json", "mermaid", "nginx", "python", "sh", "sql", "text", "yaml"}
WRITTEN = {"docs/commands.md": "commands", "docs/configuration.md": "settings", "docs/routes.md": "routes"}

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
INLINE = re.compile(r"`(?:\.venv/bin/python )?((?:manage\.py|make) [a-z][\w-]*)[^`]*`")
URL = re.compile(r"(?:http://localhost:8080|\$HL_URL|\$\{HL_URL\})(/[^?#]*)")
TARGETS = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) | {
    ".venv/installed"
}
UNITS = {path.stem for path in (ROOT / "deploy/systemd").iterdir()}
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
HELM = ROOT / "deploy/helm/hookline"
OWN = {name: app for name, app in get_commands().items() if app in ("hookline", "deliveries", "tenants")}
# Programs of others, whose words are theirs.
FOREIGN = set(
    "[ apt-get bash break cat cd celery chmod cp env export git go grep install jq kill kubectl mkdir node "
    "openssl pg_basebackup pg_dump pg_restore psql python python3 rsync sed seq set sleep tee useradd "
    "wait".split()
)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def shell_of(page: Path) -> list[str]:
    return [text for language, text in fences_of(page.read_text()) if language in SHELL]


# --- Pages --------------------------------------------------------------------------------


@pages
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert not anchor or anchor in anchors_of(found), target


@pages
def test_every_picture_is_there_in_light_and_dark(page: Path) -> None:
    named = re.findall(r'(?:src|srcset)="([^"]+)"', page.read_text())
    assert [name for name in named if not (page.parent / name).is_file()] == []
    dark = [name.replace("-light.png", "-dark.png") for name in named]
    assert set(dark) <= set(named)


def test_every_picture_is_small_and_shown() -> None:
    pictures = sorted((ROOT / "docs/images").glob("*"))
    shown = {
        (page.parent / name).resolve()
        for page in PAGES
        for name in re.findall(r'(?:src|srcset)="([^"]+)"', page.read_text())
    }
    assert set(pictures) == shown
    assert all(picture.stat().st_size < 100_000 for picture in pictures)


def anchors_of(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = HEADING.findall(page.read_text())
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_index_names_every_page() -> None:
    named = {
        (INDEX.parent / target).resolve() for target in LINK.findall(INDEX.read_text()) if "#" not in target
    }

    assert {page for page in PAGES if page != INDEX} <= named


@pages
def test_every_block_says_what_it_is(page: Path) -> None:
    assert {language for language, _ in fences_of(page.read_text())} <= LANGUAGES


@pages
def test_what_is_shown_as_json_is_json(page: Path) -> None:
    for language, text in fences_of(page.read_text()):
        if language == "json":
            json.loads(text)


@pages
def test_no_page_names_a_variable_that_there_is_not(page: Path) -> None:
    known = {variable.name for variable in environment.variables} | RETIRED | FOR_CLIENTS

    assert set(re.findall(r"\bHL_[A-Z_]+[A-Z]\b", page.read_text())) <= known


@pytest.mark.parametrize("page", WRITTEN)
def test_pages_that_a_command_writes_are_what_it_writes(page: str) -> None:
    command = [sys.executable, "manage.py", WRITTEN[page]]
    written = subprocess.check_output(command, env={"PATH": os.defpath}, cwd=ROOT, text=True)

    anew = f"env -i .venv/bin/python manage.py {WRITTEN[page]} > {page}"
    assert written == (ROOT / page).read_text(), f"It has changed. Write it anew: {anew}"


def test_every_variable_has_a_concern_and_a_sentence() -> None:
    assert all(variable.concern and variable.meaning for variable in environment.variables)


@pytest.mark.parametrize("name", OWN)
def test_examples_of_commands_are_taken_by_them(name: str) -> None:
    command = load_command_class(OWN[name], name)
    for action in getattr(command, "verbs", {}).values():
        check_manage(shlex.split(action.example))
    for example in re.findall(r"Example: manage\.py (.+)$", command.help):
        check_manage(shlex.split(example))


# --- What they say to type ----------------------------------------------------------------


@pages
def test_the_shell_can_read_every_line(page: Path) -> None:
    for block in shell_of(page):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)


@pages
def test_every_command_exists_and_takes_the_words_it_is_given(page: Path) -> None:
    inline = [found.split() for found in INLINE.findall(page.read_text())]
    for command in [*(words for block in shell_of(page) for words in commands_of(block)), *inline]:
        check(command, is_whole=command not in inline)


def check(command: list[str], *, is_whole: bool = True) -> None:
    """Fails where there is no such program, or it has no such words."""
    program, *words = command
    name = Path(program).name
    if name in ("python", "python3") and words[:1] == ["manage.py"]:
        name, words = "manage.py", words[1:]
    if name == "manage.py" and not is_whole:
        assert words[0] in get_commands(), command
    elif name in CHECKS:
        CHECKS[name](words)
    else:
        assert name in FOREIGN, command


def check_manage(words: list[str]) -> None:
    name, *arguments = words
    assert name in get_commands(), name
    load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(arguments)


def check_make(words: list[str]) -> None:
    targets = [word for word in words if "=" not in word]
    assert set(targets) <= TARGETS, words


def check_curl(words: list[str]) -> None:
    for word in words:
        if found := URL.match(word):
            path = re.sub(r"\$\{?\w+\}?|\$$", "x", found[1])
            try:
                resolve(path)
            except Resolver404:
                pytest.fail(f"There is no route {path}")


def check_docker(words: list[str]) -> None:
    program, *rest = words
    assert program in ("build", "push", "compose"), words
    asked = [rest[at + 1] for at, word in enumerate(rest) if word == "--profile"]
    scaled = [rest[at + 1].split("=")[0] for at, word in enumerate(rest) if word == "--scale"]
    profiles = {
        profile for service in COMPOSE["services"].values() for profile in service.get("profiles", ())
    }
    assert set(asked) <= profiles, words
    assert set(scaled) <= COMPOSE["services"].keys(), words


def check_systemctl(words: list[str]) -> None:
    units = {word.partition(".")[0] for word in words if word.startswith("hookline")}
    assert units <= UNITS, words


def check_helm(words: list[str]) -> None:
    values = yaml.safe_load((HELM / "values.yaml").read_text())
    assert [word for word in words if (ROOT / word).resolve() == HELM] or words[0] not in (
        "install",
        "upgrade",
    )
    for at, word in enumerate(words):
        if word in ("--set", "--set-string"):
            for path in paths_of(words[at + 1]):
                here = values
                for step in path:
                    assert step in here, words
                    here = here[step]


def paths_of(assignments: str) -> Iterator[list[str]]:
    """`a.b=1,c=2` as [a, b] and [c]."""
    for assignment in assignments.split(","):
        yield assignment.partition("=")[0].split(".")


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "manage.py": check_manage,
    "make": check_make,
    "curl": check_curl,
    "docker": check_docker,
    "systemctl": check_systemctl,
    "helm": check_helm,
}
