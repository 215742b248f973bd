"""`manage.py demo`: customers with troubles, and nothing left of them."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Locator, expect

from deliveries import series, traffic
from deliveries.models import Attempt, DeadLetter, Endpoint, Event, Job
from hookline import database, throwaway
from hookline.demo import history, players
from hookline.demo.cast import CUSTOMERS, MISSED
from hookline.demo.receivers import FAULTS
from tests.browser import Visits
from tests.live import ROOT

STOP_SECONDS = 60


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    port = str(throwaway.free_port())
    command = [sys.executable, "manage.py", "demo", "--port", port]
    environ = {"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield process
        process.terminate()
        process.wait(STOP_SECONDS)


def told_by(demo: subprocess.Popen[str]) -> str:
    assert demo.stdout
    lines: list[str] = []
    while not lines or not lines[-1].startswith("  3."):
        line = demo.stdout.readline()
        assert line, "it ended: " + "".join(lines)
        lines.append(line)
    return "".join(lines)


@pytest.mark.embedded
def test_it_runs_and_leaves_nothing_behind(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    told = told_by(demo)
    [url] = re.findall(r"http://\S+", told)
    with closing(urlopen(url)) as page:
        assert "Log in" in page.read().decode()
    assert re.search(r"Login +admin, password \S{6}", told)
    assert re.search(rf"CLM-\d+-{re.escape(MISSED)}", told)
    assert list(tmp_path.iterdir())
    demo.send_signal(signal.SIGINT)
    demo.wait(STOP_SECONDS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.embedded
def test_it_leaves_nothing_behind_when_it_is_killed(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    told_by(demo)
    demo.kill()
    assert demo.stdout
    demo.stdout.read()  # ends when the last process that inherited it has ended
    demo.wait()
    deadline = time.monotonic() + STOP_SECONDS
    while left := list(tmp_path.iterdir()):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


@pytest.mark.embedded
def test_its_first_riddle_is_solved_from_the_console_alone(
    demo: subprocess.Popen[str], visit: Visits
) -> None:
    """Why did Initech's portal not get this event? Mend it, and send what it missed."""
    told = told_by(demo)
    page = visit(int(re.findall(r"localhost:(\d+)", told)[0])).page
    page.goto("/console/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(re.findall(r"password (\S+)", told)[0])
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".menu")).to_be_visible()

    def look_at_the_event() -> Locator:
        """From the key that the customer named, to the portal's line."""
        page.wait_for_load_state()
        page.keyboard.press("/")
        page.keyboard.type(re.findall(r"CLM-\S+(?= for one)", told)[0])
        page.keyboard.press("Enter")
        return page.locator("tr", has_text="Initech claims portal").first

    line = look_at_the_event()
    expect(line).to_contain_text('the pattern ends before segment 3, which is "v2"')
    line.get_by_role("link", name="Try").click()
    page.get_by_label("Topic pattern").fill("claim.paid.#")
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_text("It would be sent")).to_be_visible()
    page.get_by_role("button", name=re.compile("Subscribe")).click()

    page.get_by_role("link", name="Look for what it missed").click()
    page.get_by_role("button", name="Replay events").click()
    expect(page.get_by_text("done").first).to_be_visible()
    expect(look_at_the_event()).to_contain_text("delivered")


@pytest.mark.django_db
def test_its_past_is_one_that_could_have_been(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "EVENTS_AN_HOUR", 4)
    made = players.make(9)
    history.make(made)
    players.tell_of_troubles(made)
    assert set(Event.objects.values_list("tenant_id", flat=True)) == {customer.id for customer in CUSTOMERS}
    for job in Job.objects.all():
        attempts = list(job.attempts.order_by("attempt_n"))
        assert [attempt.attempt_n for attempt in attempts] == list(range(1, job.attempt_count + 1))
        assert (job.status == "succeeded") == (bool(attempts) and attempts[-1].status == "success")
    dead = set(Job.objects.filter(status="dead").values_list("id", flat=True))
    assert dead == set(DeadLetter.objects.values_list("job_id", flat=True)) != set()
    window, moment = series.WINDOWS["72h"], database.now()
    shown = series.of(traffic.EVERYTHING, window, moment)
    counted = Attempt.objects.filter(started_at__gte=shown.starts[0]).count()
    assert shown.total(traffic.DELIVERED) + shown.total(traffic.FAILED) == counted


@pytest.mark.django_db
def test_every_trouble_can_be_seen() -> None:
    made = players.make(9)
    history.make(made)
    players.tell_of_troubles(made)
    recently = database.now() - timedelta(hours=1)
    for name, fault in FAULTS.items():
        attempts = Attempt.objects.filter(endpoint__url__contains=f"//{name}.localhost:9/")
        found = attempts.filter(started_at__gte=recently, status="failure")
        assert found.exists() == (fault in ("locked", "hanging")) or fault in ("flaky", "limited"), name
    assert Endpoint.objects.get(is_enabled=False).disabled_for == "gone"
    assert Event.objects.filter(topic=MISSED).exists()
    portal = Endpoint.objects.get(name="Initech claims portal")
    assert not portal.jobs.filter(created_at__gte=recently).exists()
    assert history.first_key(MISSED)
