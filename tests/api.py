"""Calls the API in this process, as a client with a key does from outside."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.test.client import Client, ClientHandler

from tenants import keys
from tenants.models import Tenant

NOTHING = b""

# Middleware that looks through all static files does so once.
HANDLER = ClientHandler(enforce_csrf_checks=False)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def fault(self) -> tuple[int, str, str]:
        """What a client is told when something is wrong: status, code and sentence."""
        return self.status, self.json["error"], self.json["detail"]


class Api:
    """Sends dicts and lists as JSON and bytes as they are."""

    def __init__(self, token: str = "") -> None:
        self.token = token

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = NOTHING, **headers: str) -> Answer:
        return self.call("POST", path, body, **headers)

    def patch(self, path: str, body: Any = NOTHING, **headers: str) -> Answer:
        return self.call("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self.call("DELETE", path, **headers)

    def call(self, method: str, path: str, body: Any = NOTHING, **headers: str) -> Answer:
        """Headers are named as keywords: `x_forwarded_proto="https"`."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        if self.token:
            sent["authorization"] = f"Bearer {self.token}"
        client = Client()
        client.handler = HANDLER
        response = client.generic(method, path, data, "application/json", headers=sent)
        return Answer(response.status_code, response.headers, response.content)


def api_of(tenant: Tenant, *scopes: str) -> Api:
    """With a fresh key of the tenant: with these scopes, or with all."""
    return Api(keys.issue(tenant.id, "tests", list(scopes) or ["*"], "self", "the tests")[1])


def operator() -> Api:
    """Whoever runs the installation."""
    return Api(settings.HL_ADMIN_KEY)
