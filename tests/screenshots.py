"""Takes the pictures of the console that README and docs/console.md show, from a demo of its own:
`python -m tests.screenshots` writes docs/images/*.png, light and dark."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from hookline import throwaway
from hookline.environment import refuse
from tests import installation
from tests.browser import FLAGS

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
WINDOW = {"width": 1280, "height": 800}
LAST_LINE = "  3."
SETTLE_MS = 600
LISTEN_MS = 9000


def overview(page: Page) -> None:
    page.goto("/console/?window=72h")


def live(page: Page) -> None:
    page.goto("/console/live/")
    page.wait_for_timeout(LISTEN_MS)


def event(page: Page) -> None:
    """Why the portal did not get it."""
    page.goto("/console/deliveries/event/?topic=claim.paid.v2")
    page.get_by_role("link", name="claim.paid.v2").first.click()


def job(page: Page) -> None:
    page.goto("/console/deliveries/job/?status=dead")
    page.locator("#result_list tbody th a").first.click()


def replay(page: Page) -> None:
    """What would be sent again."""
    page.goto("/console/deliveries/endpoint/?q=track")
    page.get_by_role("link", name="Contoso track and trace").click()
    page.get_by_role("link", name="send them again").click()


def rules(page: Page) -> None:
    """A filter, tried on an event before it is saved."""
    event(page)
    page.locator("tr", has_text="portal").get_by_role("link", name="Try").click()
    page.get_by_label("Topic pattern").fill("claim.paid.#")
    page.get_by_role("button", name="Try").click()


SCREENS: tuple[Callable[[Page], None], ...] = (
    overview, live, event, job, replay, rules,
)  # fmt: skip


def main() -> None:
    try:
        installation.ensure("chromium", "pngquant")
    except installation.NotInstalled as fault:
        refuse(str(fault))
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        _demo() as (url, password),
        sync_playwright() as playwright,
    ):
        program = installation.chromium_program()
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for scheme in ("light", "dark"):
            context = browser.new_context(base_url=url, viewport=WINDOW, color_scheme=scheme)  # type: ignore[arg-type]
            page = context.new_page()
            _log_in(page, password)
            for screen in SCREENS:
                _take(page, screen, Path(directory) / f"{screen.__name__}-{scheme}.png")
            context.close()
        browser.close()
        _keep(Path(directory))


@contextmanager
def _demo() -> Iterator[tuple[str, str]]:
    """Its address, and the operator's password."""
    port = throwaway.free_port()
    command = [sys.executable, str(ROOT / "manage.py"), "demo", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout
            told = ""
            while not told.rpartition("\n")[0].rpartition("\n")[2].startswith(LAST_LINE):
                told += demo.stdout.readline()
            yield f"http://127.0.0.1:{port}", re.findall(r"password (\S+)", told)[0]
        finally:
            demo.terminate()


def _log_in(page: Page, password: str) -> None:
    page.goto("/console/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.locator(".menu").wait_for()


def _take(page: Page, screen: Callable[[Page], None], file: Path) -> None:
    screen(page)
    page.wait_for_load_state()
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=file, animations="disabled")


def _keep(directory: Path) -> None:
    """Small: 256 colours are enough for a page of text."""
    for file in sorted(directory.glob("*.png")):
        small = file.with_suffix(".small")
        command = ["pngquant", "--speed=1", "--strip", "--output", str(small), str(file)]
        subprocess.run(command, check=True)
        shutil.move(small, IMAGES / file.name)
        sys.stdout.write(f"{IMAGES / file.name} {(IMAGES / file.name).stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
