"""What every test can ask for."""

from collections.abc import Iterator

import hypothesis
import pytest
from django.conf import settings
from django.db import connection

from deliveries import depth, routing
from hookline import counters, gauges
from tenants.models import Tenant
from tests.browser import browser, visit
from tests.console import ada, operator
from tests.live import live
from tests.receiver import Receiver
from tests.serving import serve

__all__ = ["ada", "browser", "live", "operator", "serve", "visit"]  # pytest finds fixtures here

# No test fails because the machine was busy.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

# The thread that writes counters would write in the midst of other tests; these call `flush`.
counters.FLUSH_SECONDS = 1e6
# What was read for one test is not true in the next.
gauges.SERVES_SECONDS = gauges.SHARE = 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is about the other store, or about neither and tried there."""
    other = "postgres" if settings.EMBEDDED else "embedded"
    foreign = [item for item in items if item.get_closest_marker(other)]
    config.hook.pytest_deselected(items=foreign)
    items[:] = [item for item in items if item not in foreign]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_xdist_suffix: None) -> None:
    """SQLite as in an installation: a file, which threads and processes share."""
    if settings.EMBEDDED:
        connection.settings_dict["TEST"]["NAME"] = settings.HL_DATA_DIR / "tests.sqlite3"


@pytest.fixture(autouse=True)
def _cast(request: pytest.FixtureRequest) -> None:
    """Two tenants in every test with a database, so that a leak has somewhere to show."""
    if request.node.get_closest_marker("django_db"):
        request.getfixturevalue("tenants")


@pytest.fixture
def tenants(db: None) -> dict[str, Tenant]:
    # What a process remembers of tenants is of those of another test.
    routing.routes_of.cache_clear()
    depth._depths.clear()
    return {name: Tenant.objects.create(id=name, name=name) for name in ("acme", "globex")}


@pytest.fixture
def acme(tenants: dict[str, Tenant]) -> Tenant:
    return tenants["acme"]


@pytest.fixture
def globex(tenants: dict[str, Tenant]) -> Tenant:
    return tenants["globex"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()
