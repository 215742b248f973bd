"""`serve` in one process: what it prints, keeps and refuses, and how it ends."""

import json
import re
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from standardwebhooks import Webhook

from tests.receiver import Receiver, Reply
from tests.serving import BANNER, GENERATED, Serving, one_job, pasted, send_to

Serve = Callable[..., Serving]

SECRET_NAMES = sorted(GENERATED)


def test_its_three_lines_show_a_signed_webhook(serve: Serve) -> None:
    serving = serve(**GENERATED)
    serving.wait_for(BANNER)

    shown = subprocess.check_output(["bash", "-ec", pasted(serving)], text=True)

    subscribed, published, arrived = map(json.loads, shown.splitlines())
    [message] = arrived["items"]
    assert subscribed["topic_pattern"] == "#"
    assert message["headers"]["webhook-id"] == published["id"]
    Webhook(re.findall('whsec_[^"]+', serving.text)[0]).verify(message["body"], message["headers"])


def test_it_tells_the_login_and_the_key_that_it_made(serve: Serve) -> None:
    serving = serve(**GENERATED)
    told = serving.wait_for(BANNER)

    [password] = re.findall(r"^  Login +admin, password (\S+)$", told, re.MULTILINE)
    [key] = re.findall(r"^  API key +(hl_live_\S+)$", told, re.MULTILINE)
    assert f"  API        http://127.0.0.1:{serving.port}/v1\n".replace("127.0.0.1", "localhost") in told
    assert "Runs       in this one process" in told
    assert serving.api(key).get("/v1/tenants").status == 200
    assert has_entered(serving, password)
    assert not has_entered(serving, "a guess")


def test_it_does_not_tell_what_was_given(serve: Serve) -> None:
    serving = serve()
    told = serving.wait_for(BANNER)

    assert "  API key    as set in HL_API_KEY\n" in told
    assert "  Login      admin, password as set in HL_CONSOLE_PASS\n" in told
    for name in SECRET_NAMES:
        assert serving.environment[name] not in told
    assert not list(serving.data.glob("secrets/*"))


def test_secrets_are_private_and_kept_over_restarts(serve: Serve, tmp_path: Path) -> None:
    data = tmp_path / "data"
    serving = serve(**GENERATED, HL_DATA_DIR=str(data))
    serving.wait_for(BANNER)
    first = {path.name: path.read_text() for path in (data / "secrets").iterdir()}
    assert mode(data) == mode(data / "secrets") == 0o700
    assert {mode(path) for path in (data / "secrets").iterdir()} == {0o600}
    assert sorted(first) == SECRET_NAMES
    endpoint = serving.api().post("/v1/endpoints", {"url": "https://example.com"}).json["id"]

    assert serving.terminate() == 0
    serving.start()
    told = serving.wait_for(BANNER)

    assert {path.name: path.read_text() for path in (data / "secrets").iterdir()} == first
    assert first["HL_API_KEY"].strip() in told
    assert serving.api(first["HL_API_KEY"].strip()).get(f"/v1/endpoints/{endpoint}").status == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_leaves_no_process_and_frees_the_port(serve: Serve, number: int) -> None:
    serving = serve()
    serving.wait_for(BANNER)
    assert len(serving.processes()) == 1

    assert serving.end(number) == 0

    assert serving.processes() == {}
    serving.start()
    serving.wait_for(BANNER)


def test_a_delivery_that_is_open_too_long_is_broken_off_and_given_back(
    serve: Serve, receiver: Receiver
) -> None:
    receiver.reply("/", Reply(delay=60))
    serving = serve(HL_DRAIN_SECS="1")
    serving.wait_for(BANNER)
    send_to(receiver, serving)
    serving.wait_until(lambda: len(receiver.received) == 1)

    assert serving.terminate() == 0

    assert one_job(serving) == ("pending", None, None, 0)
    receiver.reply("/", Reply(200))
    serving.start()
    serving.wait_until(lambda: len(receiver.received) == 2)


def test_a_delivery_that_ends_in_time_is_recorded(serve: Serve, receiver: Receiver) -> None:
    receiver.reply("/", Reply(delay=1))
    serving = serve()
    serving.wait_for(BANNER)
    send_to(receiver, serving)
    serving.wait_until(lambda: len(receiver.received) == 1)

    assert serving.terminate() == 0

    assert one_job(serving) == ("succeeded", None, None, 1)


def test_an_open_request_does_not_hold_up_a_stop(serve: Serve) -> None:
    serving = serve(HL_DRAIN_SECS="1")
    serving.wait_for(BANNER)
    with socket.create_connection(("127.0.0.1", serving.port)) as half:
        half.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")

        assert serving.terminate() == 0

    assert serving.processes() == {}


def test_a_wrong_variable_is_said_in_one_sentence(serve: Serve) -> None:
    assert refusal(serve(HL_DRAIN_SECS="soon")) == (
        "hookline: HL_DRAIN_SECS: write a whole number from 0 to 2147483647, not 'soon'\n"
    )


def test_a_port_in_use_is_said_in_one_sentence(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        said = refusal(serve(HL_PORT=str(port)))

    place = f"127.0.0.1, port {port}"
    assert said == f"hookline: HL_LISTEN_ADDR, HL_PORT: cannot listen on {place}: Address already in use.\n"


def test_a_second_start_on_the_port_of_the_first_is_refused(serve: Serve) -> None:
    first = serve()
    first.wait_for(BANNER)

    assert "Address already in use." in refusal(serve(HL_PORT=str(first.port)))
    assert first.api().get("/healthz").status == 200


@pytest.mark.parametrize(
    ("url", "what"),
    [
        (
            "postgres://hookline:secret@127.0.0.1:1/hookline",
            "HL_POSTGRES_URL: PostgreSQL cannot be reached: ",
        ),
        ("mysql://hookline:secret@127.0.0.1:1/hookline", "HL_POSTGRES_URL: write a URL such as postgres://"),
    ],
)
def test_a_database_that_cannot_be_reached_is_said_in_one_sentence(serve: Serve, url: str, what: str) -> None:
    said = refusal(serve(HL_STORE_BACKEND="postgres", HL_POSTGRES_URL=url))

    assert said.startswith(f"hookline: {what}")
    assert said.count("\n") == 1
    assert "secret" not in said


def test_a_data_directory_that_cannot_be_made_is_said_in_one_sentence(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    said = refusal(serve(**GENERATED, HL_DATA_DIR=str(tmp_path / "file" / "data")))

    assert said == f"hookline: HL_DATA_DIR: {tmp_path}/file/data: Not a directory\n"


def refusal(serving: Serving) -> str:
    assert serving.process.wait(60) == 2
    return serving.text


def has_entered(serving: Serving, password: str) -> bool:
    with requests.Session() as session:
        page = f"http://127.0.0.1:{serving.port}/console/login/"
        session.get(page)
        form = {
            "username": "admin",
            "password": password,
            "csrfmiddlewaretoken": session.cookies["csrftoken"],
            "next": "/console/",
        }
        return session.post(page, form, allow_redirects=False).status_code == 302


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
