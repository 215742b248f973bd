"""`serve` over PostgreSQL and Redis: web, worker and beat processes, watched over and ended in order."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from hookline import throwaway
from hookline.supervisor import Child
from tests.receiver import Receiver, Reply
from tests.serving import BANNER, Serving, one_job, publish, send_to

Serve = Callable[..., Serving]

pytestmark = pytest.mark.postgres


@pytest.fixture
def broker() -> Iterator[throwaway.Redis]:
    with throwaway.start_redis() as server:
        yield server


@pytest.fixture
def running(serve: Serve, broker: throwaway.Redis) -> Serving:
    serving = serve(HL_REDIS_URL=broker.url, HL_WEB_WORKERS="1", HL_WORKER_PROCESSES="1", HL_DRAIN_SECS="1")
    serving.wait_for(BANNER)
    serving.wait_until(lambda: is_working(serving))
    return serving


def test_deliveries_go_on_when_processes_are_killed_and_when_redis_hangs(
    running: Serving, broker: throwaway.Redis, receiver: Receiver
) -> None:
    send_to(receiver, running)
    running.wait_until(lambda: len(receiver.received) == 1)
    [supervisor] = named(running, "serve")

    for kind in ("web", "worker", "beat"):
        kill_all(running, kind)

    running.wait_until(running._answers)
    publish(running)
    running.wait_until(lambda: len(receiver.received) == 2)
    assert named(running, "serve") == {supervisor}
    for kind in ("web 1", "worker", "beat"):
        assert f"{kind} (process " in running.text
    assert running.text.count(BANNER) == 1

    broker.pause()
    publish(running)
    running.wait_until(lambda: len(receiver.received) == 3)
    assert running.press_ctrl_c() == 0
    assert running.processes() == {}
    broker.resume()


def test_a_killed_supervisor_leaves_nothing_running(running: Serving) -> None:
    running.process.kill()
    running.process.wait()

    wait_for_silence(running)


def test_a_stop_gives_open_deliveries_back_and_kills_what_stands_still(
    running: Serving, receiver: Receiver
) -> None:
    receiver.reply("/", Reply(delay=60))
    send_to(receiver, running)
    running.wait_until(lambda: len(receiver.received) == 1)
    [beat] = named(running, "beat")
    os.kill(beat, signal.SIGSTOP)

    assert running.terminate() == 0

    assert running.processes() == {}
    assert one_job(running) == ("pending", None, None, 0)
    assert "beat did not end in time; it is killed" in running.text


def test_without_redis_it_serves_and_delivers_and_hears_bells_when_redis_comes(
    serve: Serve, broker: throwaway.Redis, receiver: Receiver
) -> None:
    broker.stop()
    serving = serve(HL_REDIS_URL=broker.url, HL_WEB_WORKERS="1", HL_WORKER_PROCESSES="1", HL_DRAIN_SECS="1")
    serving.wait_for(BANNER)
    send_to(receiver, serving)
    serving.wait_until(lambda: len(receiver.received) == 1)

    broker.start()
    with redis.Redis(port=broker.port) as client:
        serving.wait_until(lambda: "brpop" in {each["cmd"] for each in client.client_list()})
    publish(serving)
    serving.wait_until(lambda: len(receiver.received) == 2)

    broker.stop()
    assert serving.terminate() == 0
    assert serving.processes() == {}


def test_what_keeps_dying_is_started_after_pauses_that_grow() -> None:
    child, moment, pauses = Child("false", ["false"]), 0.0, []
    for _ in range(9):
        child.keep_alive(moment)
        wait_for_death(child)
        child.keep_alive(moment)
        pauses.append(child.due_at - moment)
        child.keep_alive(child.due_at - 0.01)
        assert not child.process
        moment = child.due_at

    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def named(serving: Serving, kind: str) -> set[int]:
    """Its processes of this kind, those of a pool among them."""
    return {process for process, line in serving.processes().items() if kind in line.split()}


def kill_all(serving: Serving, kind: str) -> None:
    """Returns when there is a new one."""
    before = named(serving, kind)
    assert before
    for process in before:
        os.kill(process, signal.SIGKILL)
    serving.wait_until(lambda: bool(named(serving, kind) - before))


def is_working(serving: Serving) -> bool:
    """Whether the worker and its pool are there."""
    return len(named(serving, "worker")) == 2


def wait_for_death(child: Child) -> None:
    assert child.process
    child.process.wait()


def wait_for_silence(serving: Serving) -> None:
    """Fails by the test's time-out."""
    while serving.processes():
        time.sleep(0.05)
