"""The broker that wakes the workers. Nothing is lost while it is away; deliveries start seconds later."""

from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.retry import Retry

from hookline.celery import app
from hookline.doctor.findings import Finding, Findings, error, in_one_line, ok, warning

PATIENCE_SECONDS = 3
OF_REDIS = ("redis", "rediss", "unix")
OLDEST_REDIS = (6, 2)
NEARLY_FULL = 0.9
MANY_BELLS = 100
LATER = "Deliveries go on, up to some seconds later."


def broker() -> Findings:
    url = settings.HL_REDIS_URL
    if not url:
        yield ok("There is no broker: `serve` runs everything in one process.")
    elif urlsplit(url).scheme in OF_REDIS:
        yield from of_redis(url)
    else:
        yield from of_another_kind()


def of_redis(url: str) -> Findings:
    client = redis.Redis.from_url(
        url,
        socket_connect_timeout=PATIENCE_SECONDS,
        socket_timeout=PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        with client:
            yield from _examined(client, client.info())
    except redis.TimeoutError:
        yield _away(f"it did not answer within {PATIENCE_SECONDS} s, and may hang")
    except redis.RedisError as fault:
        yield _away(in_one_line(fault))


def _examined(client: "redis.Redis", info: dict[str, Any]) -> Findings:
    version = str(info["redis_version"])
    yield ok(f"Redis {version} answers.")
    if tuple(map(int, version.split(".")[:2])) < OLDEST_REDIS:
        yield error(f"Celery needs Redis 6.2 or newer, not {version}.", "Upgrade Redis, or use Valkey.")
    if info.get("role") != "master":
        yield error("This Redis is a replica, which takes no messages.", "Name the primary in HL_REDIS_URL.")
    yield from memory(info["maxmemory"], info["used_memory"], info["maxmemory_policy"])
    yield from unread(client.llen(_queue()))


def memory(most: int, used: int, policy: str) -> Findings:
    if policy != "noeviction":
        yield warning(
            f"Redis throws messages away when its memory is full (maxmemory-policy {policy}).",
            "CONFIG SET maxmemory-policy noeviction, also in redis.conf.",
        )
    if most and used > most * NEARLY_FULL:
        yield error(
            f"Redis uses {used / most:.0%} of the memory it may, and takes no more messages when it is full.",
            "Raise maxmemory, or give HookLine a Redis of its own.",
        )


def unread(bells: int) -> Findings:
    if bells > MANY_BELLS:
        yield warning(
            f"{bells:,} bells lie unread: no worker listens here.",
            "Start a worker, or give the workers this same HL_REDIS_URL, with its database number.",
        )


def of_another_kind() -> Findings:
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=PATIENCE_SECONDS)
    except (OSError, OperationalError) as fault:
        yield _away(in_one_line(fault))
    else:
        yield ok("The broker answers.")


def _queue() -> str:
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("global_keyprefix", "")
    return f"{prefix}{settings.CELERY_TASK_DEFAULT_QUEUE}"


def _away(why: str) -> Finding:
    return error(f"The broker cannot be reached: {why}. {LATER}", "Start it, or correct HL_REDIS_URL.")
