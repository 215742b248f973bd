"""A pytest plugin: each test process has an environment and servers of its own, gone when it ends.

pytest loads it by `-p`, as conftest files come after Django's settings have been read.
"""

import ctypes
import os
import signal
from collections.abc import Generator, Iterator
from contextlib import ExitStack

import pytest

from hookline import throwaway
from hookline.environment import refuse
from tests import installation
from tests.installation import NotInstalled

# What a developer's shell may hold for servers of another kind.
FOREIGN = ("HL_", "PG", "CELERY_")
STORE = "HL_STORE_BACKEND"
# Of PostgreSQL itself, for what must not go through a pooler.
PORT = "PORT_OF_POSTGRES"
ENVIRONMENT = {
    "HL_SECRET_KEY": "the secret key of the tests",
    "HL_MASTER_KEY": "0" * 64,
    "HL_API_KEY": "the-api-key-of-the-tests",
    "HL_ADMIN_KEY": "the-admin-key-of-the-tests",
    "HL_CONSOLE_PASS": "the console password of the tests",
    "HL_EGRESS_ALLOW": "127.0.0.0/8,::1/128",
    "HL_DEV_INBOX": "true",
}

# Besides HookLine's own two stores: PostgreSQL behind PgBouncer.
POOLED = "pgbouncer"
# What the tests of other people's clients run them with.
CLIENTS = ["curl", "golang-go", "jq", "nodejs", "rsync"]
# All that any test runs. Workers must find it there: two of them could not install at once.
EVERYTHING = [
    "postgresql",
    "redis-server",
    "pgbouncer",
    "faketime",
    "chromium",
    "prometheus",
    "systemd",
    *CLIENTS,
]
PACKAGES = {"embedded": [], "postgres": ["postgresql"], POOLED: ["postgresql", "pgbouncer"]}

PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>

_until_the_end = ExitStack()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """A wrapper comes before all others, so before pytest-django reads the settings."""
    store = os.environ.get(STORE, "embedded")
    try:
        _prepare(store, early_config)
    except NotInstalled as fault:
        refuse(str(fault))
    result = yield
    if os.environ[STORE] != "postgres":
        os.environ[STORE] = store  # for workers, who have not begun yet
    return result


def _prepare(store: str, config: pytest.Config) -> None:
    options = config.known_args_namespace
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    if is_worker:
        _end_with_parent()
    has_workers = bool(options.tx or options.numprocesses) and not is_worker
    if has_workers:
        installation.ensure(*EVERYTHING)
    elif not is_worker:
        installation.ensure(*PACKAGES[store])
    if store == POOLED:
        config.option.reuse_db = True  # PgBouncer's connections are in the way of dropping it
    _take_environment("embedded" if has_workers else store)


def _end_with_parent() -> None:
    """Left to itself, a worker runs on for some seconds after pytest was killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _take_environment(store: str) -> None:
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[name]
    data = _until_the_end.enter_context(throwaway.Directory())
    os.environ |= ENVIRONMENT | {STORE: store, "HL_DATA_DIR": str(data.path)}
    if store != "embedded":
        os.environ[STORE] = "postgres"
        postgres = _until_the_end.enter_context(throwaway.start_postgres(is_durable=False))
        os.environ["HL_POSTGRES_URL"] = postgres.url
        os.environ[PORT] = str(postgres.port)
    if store == POOLED:
        pooler = _until_the_end.enter_context(throwaway.start_pgbouncer(postgres))
        os.environ["HL_POSTGRES_URL"] = pooler.url


def pytest_unconfigure() -> None:
    _until_the_end.close()


def pytest_report_header(config: pytest.Config) -> str:
    return "store: each worker its own" if config.option.tx else f"store: {os.environ[STORE]}"


@pytest.fixture(scope="session")
def redis_server() -> Iterator[throwaway.Redis]:
    """A Redis for the whole session; tests that stop or kill one start their own."""
    try:
        installation.ensure("redis-server")
    except NotInstalled as fault:
        pytest.exit(str(fault), returncode=2)
    with throwaway.start_redis() as server:
        yield server
