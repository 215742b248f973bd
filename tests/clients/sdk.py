"""The Python SDK: urllib, and every body read as JSON, whatever the status says."""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

TOLERANCE_MS = 5 * 60 * 1000


class HookLineError(Exception):
    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str]) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.detail, self.headers = status, code, detail, headers


class HookLineClient:
    def __init__(self, base_url: str, api_key: str) -> None:
        self.base_url, self.api_key = base_url.rstrip("/"), api_key
        self.admin = Admin(self)

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        request = Request(self.base_url + path + ("?" + urlencode(given) if given else ""), method=method)
        request.add_header("Authorization", f"Bearer {self.api_key}")
        request.add_header("Content-Type", "application/json")
        data = json.dumps(body).encode() if body is not None else None
        try:
            with urlopen(request, data, timeout=30) as response:
                return json.loads(response.read())
        except HTTPError as fault:
            document = json.loads(fault.read())
            detail = document.get("detail") or document.get("message") or ""
            raise HookLineError(fault.code, document["error"], detail, dict(fault.headers)) from None

    def publish_event(
        self,
        topic: str,
        payload: Any = None,
        data: Any = None,
        idempotency_key: str | None = None,
        occurred_at: int | None = None,
    ) -> Any:
        event = {"topic": topic, "payload": payload if payload is not None else data}
        if idempotency_key is not None:
            event["idempotency_key"] = idempotency_key
        if occurred_at is not None:
            event["occurred_at"] = occurred_at
        return self.call("POST", "/v1/events", event)

    def get_event(self, event_id: str) -> Any:
        return self.call("GET", f"/v1/events/{event_id}")

    def list_events(
        self,
        limit: int = 50,
        cursor: str | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> Any:
        return self.call("GET", "/v1/events", limit=limit, cursor=cursor, from_ms=from_ms, to_ms=to_ms)

    def create_endpoint(self, url: str, name: str | None = None, secret: str | None = None) -> Any:
        return self.call("POST", "/v1/endpoints", {"url": url, "name": name, "secret": secret})

    def list_endpoints(self) -> Any:
        return self.call("GET", "/v1/endpoints")

    def delete_endpoint(self, endpoint_id: str) -> Any:
        return self.call("DELETE", f"/v1/endpoints/{endpoint_id}")

    def create_subscription(
        self, endpoint_id: str, topic_pattern: str = "#", filter: Any = None, transform: Any = None
    ) -> Any:
        body = {"endpoint_id": endpoint_id, "topic_pattern": topic_pattern}
        return self.call("POST", "/v1/subscriptions", body | {"filter": filter, "transform": transform})

    def list_subscriptions(self) -> Any:
        return self.call("GET", "/v1/subscriptions")

    def delete_subscription(self, subscription_id: str) -> Any:
        return self.call("DELETE", f"/v1/subscriptions/{subscription_id}")

    def list_deliveries(self, event_id: str | None = None, limit: int = 50) -> Any:
        return self.call("GET", "/v1/deliveries", event_id=event_id, limit=limit)

    def list_dlq(self, endpoint_id: str | None = None) -> Any:
        return self.call("GET", "/v1/dlq", endpoint_id=endpoint_id)

    def requeue_dlq_job(self, job_id: str) -> Any:
        return self.call("POST", f"/v1/dlq/{job_id}/requeue")

    def replay(self, **selection: Any) -> Any:
        return self.call("POST", "/v1/replay", selection)

    @staticmethod
    def verify_webhook(body: bytes, headers: Mapping[str, str], secret: str) -> Any:
        sent = {name.lower(): text for name, text in headers.items()}
        timestamp = sent["x-hl-timestamp"]
        if abs(time.time() * 1000 - int(timestamp)) > TOLERANCE_MS:
            raise ValueError("timestamp is too far off")
        digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(f"v1={digest}", sent["x-hl-signature"]):
            raise ValueError("signature does not match")
        return json.loads(body)


class Admin:
    def __init__(self, client: HookLineClient) -> None:
        self.tenants = Tenants(client)


class Tenants:
    def __init__(self, client: HookLineClient) -> None:
        self.client = client

    def create(self, name: str, id: str | None = None) -> dict[str, Any]:
        made = self.client.call("POST", "/v1/tenants", {"name": name} | ({"id": id} if id else {}))
        return self._read(made)

    def list(self) -> list[dict[str, Any]]:
        return [self._read(item) for item in self.client.call("GET", "/v1/tenants")["items"]]

    def get(self, tenant_id: str) -> dict[str, Any]:
        return self._read(self.client.call("GET", f"/v1/tenants/{quote(tenant_id)}"))

    def delete(self, tenant_id: str) -> Any:
        return self.client.call("DELETE", f"/v1/tenants/{quote(tenant_id)}")

    @staticmethod
    def _read(tenant: dict[str, Any]) -> dict[str, Any]:
        names = ("name", "api_key", "created_at")
        return {"id": tenant["id"]} | {name: tenant.get(name) for name in names}
