"""`serve` in one process: what it prints, keeps and refuses, and how it ends."""

import json
import re
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


def test_it_tells_the_login_the_key_and_three_lines_that_work(serve: Serve) -> None:
    serving = serve(**GENERATED)
    told = serving.wait_for(BANNER)

    assert f"  API        http://localhost:{serving.port}/v1\n" in told
    assert "  Runs       in this one process\n" in told
    [key] = re.findall(r"^  API key +(hl_live_\S+)$", told, re.MULTILINE)
    assert serving.api(key).get("/v1/tenants").status == 200
    [password] = re.findall(r"^  Login +admin, password (\S+)$", told, re.MULTILINE)
    assert has_entered(serving, password)
    assert not has_entered(serving, "a guess")

    shown = subprocess.check_output(["bash", "-ec", pasted(serving)], text=True)

    subscribed, published, arrived = map(json.loads, shown.splitlines())
    assert subscribed["topic_pattern"] == "#"
    [message] = arrived["items"]
    assert message["headers"]["webhook-id"] == published["id"]
    Webhook(re.findall('whsec_[^"]+', told)[0]).verify(message["body"], message["headers"])


def test_what_was_given_is_not_told_and_ctrl_c_leaves_no_process(serve: Serve) -> None:
    serving = serve()
    told = serving.wait_for(BANNER)

    assert "  API key    as set in HL_API_KEY\n" in told
    assert "  Login      admin, password as set in HL_CONSOLE_PASS\n" in told
    assert not [name for name in GENERATED if serving.environment[name] in told]
    assert not list(serving.data.glob("secrets/*"))
    assert "Address already in use." in refusal(serve(HL_PORT=str(serving.port)))
    assert len(serving.processes()) == 1

    assert serving.press_ctrl_c() == 0

    assert serving.processes() == {}


@pytest.mark.embedded
def test_secrets_are_private_and_kept_over_restarts(serve: Serve, tmp_path: Path) -> None:
    data = tmp_path / "data"
    serving = serve(**GENERATED, HL_DATA_DIR=str(data))
    serving.wait_for(BANNER)
    first = {path.name: path.read_text() for path in (data / "secrets").iterdir()}
    assert mode(data) == mode(data / "secrets") == 0o700
    assert {mode(path) for path in (data / "secrets").iterdir()} == {0o600}
    assert first.keys() == GENERATED.keys()
    endpoint = serving.api().post("/v1/endpoints", {"url": "https://example.com"}).json["id"]

    assert serving.terminate() == 0
    serving.start()
    told = serving.wait_for(BANNER)

    assert {path.name: path.read_text() for path in (data / "secrets").iterdir()} == first
    assert first["HL_API_KEY"].strip() in told
    assert serving.api(first["HL_API_KEY"].strip()).get(f"/v1/endpoints/{endpoint}").status == 200


def test_a_delivery_that_is_open_too_long_is_broken_off_and_given_back(
    serve: Serve, receiver: Receiver
) -> None:
    receiver.reply("/", Reply(delay=60))
    serving = serve(HL_DRAIN_SECS="1")
    serving.wait_for(BANNER)
    send_to(receiver, serving)
    serving.wait_until(lambda: len(receiver.received) == 1)

    assert serving.terminate() == 0

    assert serving.processes() == {}
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


@pytest.mark.embedded
def test_an_open_request_does_not_hold_up_a_stop(serve: Serve) -> None:
    serving = serve(HL_DRAIN_SECS="1")
    serving.wait_for(BANNER)
    with socket.create_connection(("127.0.0.1", serving.port)) as half:
        half.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")

        assert serving.terminate() == 0

    assert serving.processes() == {}


@pytest.mark.embedded
def test_a_wrong_variable_is_said_in_one_sentence(serve: Serve) -> None:
    assert refusal(serve(HL_DRAIN_SECS="soon")) == (
        "hookline: HL_DRAIN_SECS: write a whole number from 0 to 2147483647, not 'soon'\n"
    )


@pytest.mark.embedded
def test_a_port_in_use_is_said_in_one_sentence(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        said = refusal(serve(HL_PORT=str(port)))

    place = f"127.0.0.1, port {port}"
    assert said == f"hookline: HL_LISTEN_ADDR, HL_PORT: cannot listen on {place}: Address already in use.\n"


@pytest.mark.embedded
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


@pytest.mark.embedded
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
