"""/v1/dev/inbox: a receiver for development."""

from urllib.parse import urlsplit

import pytest

from tenants.models import Tenant
from tests.api import Api, api_of

pytestmark = pytest.mark.django_db(transaction=True)

INBOX = "/v1/dev/inbox"
NOT_FOUND = (404, "not_found", "Message not found")


@pytest.fixture
def api(acme: Tenant) -> Api:
    return api_of(acme, "events.read")


@pytest.fixture
def token(api: Api) -> str:
    return str(api.post(INBOX).json["token"])


def receive(token: str, body: bytes, **headers: str) -> None:
    answer = Api().post(f"{INBOX}/receive/{token}", body, **headers)
    assert (answer.status, answer.json) == (200, {"ok": True})


@pytest.mark.parametrize("body", [b"", b"{}", b"garbage", b'["x"]'])
def test_a_new_inbox_tells_where_to_send(api: Api, body: bytes) -> None:
    answer = api.post(INBOX, body)
    token = answer.json["token"]
    assert (answer.status, set(answer.json)) == (201, {"token", "receive_url"})
    assert answer.json["receive_url"] == f"http://testserver{INBOX}/receive/{token}"
    assert api.post(INBOX).json["token"] != token


def test_behind_tls_the_address_says_https(api: Api) -> None:
    url = urlsplit(api.post(INBOX, x_forwarded_proto="https").json["receive_url"])
    assert (url.scheme, url.netloc) == ("https", "testserver")


def test_what_was_posted_without_a_key_is_listed_oldest_first(api: Api, token: str) -> None:
    receive(token, b'{"n": 1}', x_hl_topic="orders.created")
    receive(token, b"\xff not json")
    document = api.get(f"{INBOX}/messages?token={token}").json
    first, second = document["items"]
    assert document["count"] == 2
    assert (first["token"], first["body"], second["body"]) == (token, '{"n": 1}', "\ufffd not json")
    assert first["headers"]["x-hl-topic"] == "orders.created"
    assert all(name == name.lower() for name in first["headers"])
    assert isinstance(first["received_at"], int)
    assert first["id"].isdecimal()
    for synonym in (f"{INBOX}?token={token}", f"{INBOX}?endpoint_id={token}"):
        assert api.get(synonym).json == document
    assert api.get(f"{INBOX}/messages/{second['id']}?token={token}").json == second


def test_an_inbox_without_messages_or_without_a_name_is_empty(api: Api, token: str) -> None:
    receive(token, b"mine")
    for query in ("", "?token=", "?token=unknown"):
        assert api.get(f"{INBOX}/messages{query}").json == {"items": [], "count": 0}


def test_a_message_of_another_inbox_is_not_found(api: Api, token: str) -> None:
    receive(token, b"mine")
    (message,) = api.get(f"{INBOX}?token={token}").json["items"]
    for path in (f"{message['id']}?token=other", message["id"], f"nonsense?token={token}"):
        assert api.get(f"{INBOX}/messages/{path}").fault == NOT_FOUND
    assert api.get(f"{INBOX}/messages/{'9' * 30}?token={token}").fault == NOT_FOUND


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_an_inbox_receives_posts_only(token: str, method: str) -> None:
    assert Api().call(method, f"{INBOX}/receive/{token}").status == 405


def test_only_the_page_and_receiving_need_no_key(token: str) -> None:
    assert Api().get(f"{INBOX}/ui").status == 200
    for answer in (Api().post(INBOX), Api().get(f"{INBOX}?token={token}")):
        assert (answer.status, answer.json["error"]) == (401, "unauthorized")
