"""A headless Chromium for tests of pages. It reaches this machine only, and tells what went wrong."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import installation
from tests.installation import NotInstalled

FLAGS = """
--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update
--disable-sync
""".split()
# A name leads nowhere, so whatever a page asks of another host fails, and is seen.
FLAGS.append("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
# No test fails because the machine was busy.
PATIENCE_MS = 60_000
WINDOW = {"width": 1280, "height": 900}
# What becomes of a request of a page that is left.
ABORTED = "net::ERR_ABORTED"
# What the page's own policy forbids is told to the page, and by no means always to the console.
TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} forbids ${event.blockedURI}`));
"""


class Visit:
    """A page of one server, in a session of its own: no cookies, no storage."""

    def __init__(self, browser: Browser, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.context = browser.new_context(base_url=self.base, viewport=WINDOW)  # type: ignore[arg-type]
        self.context.add_init_script(TELL_VIOLATIONS)
        self.faults: list[str] = []
        self.page = self.open()

    def open(self) -> Page:
        """Another tab of the same session, watched like the first."""
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: self._note("console", said.type in ("error", "warning"), said.text))
        page.on("pageerror", lambda error: self._note("error", True, str(error)))
        page.on(
            "request",
            lambda request: self._note("left this host", self._is_foreign(request.url), request.url),
        )
        page.on(
            "requestfailed", lambda request: self._note("failed", request.failure != ABORTED, request.url)
        )
        return page

    def told(self) -> list[str]:
        """What went wrong up to now; a test that provoked it takes it away by asking."""
        told, self.faults = self.faults, []
        return told

    def _note(self, kind: str, is_fault: bool, text: str) -> None:
        if is_fault:
            self.faults.append(f"{kind}: {text}")

    def _is_foreign(self, url: str) -> bool:
        return not url.startswith(("data:", "blob:")) and f"http://{urlsplit(url).netloc}" != self.base


Visits = Callable[[int], Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with the module: as long as playwright runs, Django takes this thread for an async one."""
    try:
        installation.ensure("chromium")
    except NotInstalled as fault:
        pytest.exit(str(fault), returncode=2)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        program = installation.chromium_program()
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visits]:
    """Opens a page of the server at a port. The test fails if anything went wrong in it."""
    visits: list[Visit] = []

    def begin(port: int) -> Visit:
        visits.append(Visit(browser, port))
        return visits[-1]

    yield begin
    faults = [fault for visit in visits for fault in visit.told()]
    for each in visits:
        each.context.close()
    assert faults == []
