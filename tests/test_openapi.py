"""/openapi.yaml: it is valid, it leaves nothing out, and the server does what it says."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate

from tests.api import Api
from tests.live import LiveApi, LiveServer
from tests.routes import Route, routes, scope_of

# What answers to every method, so that the resolver cannot tell; and the ways to a page of another kind.
TO_CONSOLE = {"/", "/console"}
EVERY_METHOD = {"/healthz", "/readyz", "/metrics", *TO_CONSOLE}
CHECKS = """
not_a_server_error status_code_conformance content_type_conformance response_headers_conformance
response_schema_conformance ignored_auth
""".split()
EXAMPLES = 10


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found = yaml.safe_load(Api().get("/openapi.yaml").body)
    assert isinstance(found, dict)
    return found


def templated(route: Route) -> str:
    return route.path.replace("<path:", "<").replace("<", "{").replace(">", "}")


def test_the_document_is_served_to_everyone_as_yaml(document: dict[str, Any]) -> None:
    answer = Api().get("/openapi.yaml")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/yaml")
    assert document["openapi"] == "3.0.3"
    assert document["info"]["title"] == "HookLine"


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_what_is_told_is_told_to_clients(document: dict[str, Any]) -> None:
    operations = [told for path in document["paths"].values() for told in path.values()]

    assert all(told["summary"] for told in operations)
    assert not [told for told in operations if "A part of the API" in told.get("description", "")]


def test_every_route_and_method_is_in_the_document_and_no_other(document: dict[str, Any]) -> None:
    told = {path: {name.upper() for name in operations} for path, operations in document["paths"].items()}
    found = {templated(route): set(route.methods) for route in routes() if route.path not in EVERY_METHOD}
    assert {path: methods for path, methods in told.items() if path not in EVERY_METHOD} == found
    assert all(told[path] == {"GET"} for path in EVERY_METHOD - TO_CONSOLE)


def test_every_operation_says_what_it_does_and_which_scope_it_needs(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            is_public = "security" not in operation or {} in operation["security"]
            scope = None if is_public else scope_of(path, method.upper())
            says = f"Scope: `{scope}`" in operation.get("description", "")
            assert says == bool(scope), (method, path)
            assert ("401" in operation["responses"]) != is_public, (method, path)


def test_what_is_not_built_says_so(live: LiveServer) -> None:
    for method in ("GET", "POST", "DELETE"):
        for path in ("/v1/uploads", "/v1/uploads/a/b"):
            answer = live.tenant("uploads.write").call(method, path)
            assert (answer.status, answer.json) == (501, {"error": "uploads_disabled"})


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[LiveServer]:
    server = LiveServer()
    yield server
    server.close()


def belongings(api: LiveApi) -> dict[str, str]:
    """One of everything that a path can name, for the requests to be about something."""
    endpoint = {"url": "http://127.0.0.1:9/", "max_retries": 1}
    endpoint_id = api.post("/v1/endpoints", endpoint).json["id"]
    asked = {"endpoint_id": endpoint_id, "topic_pattern": "#"}
    subscription_id = api.post("/v1/subscriptions", asked).json["id"]
    event = api.post("/v1/events", {"topic": "a"}).json
    while not api.get("/v1/dlq").json["items"]:
        time.sleep(0.05)
    return {
        "endpoint_id": endpoint_id,
        "subscription_id": subscription_id,
        "event_id": event["id"],
        "job_id": event["job_ids"][0],
        "attempt_id": api.get("/v1/deliveries").json["items"][0]["attempt_id"],
        "replay_id": api.post("/v1/replay", {"event_id": event["id"]}).json["replay_id"],
        "run_id": api.post("/v1/dlq/runs", {"verb": "requeue", "all": True, "rate": 1}).json["id"],
        "action": "resume",
        "key_id": api.post("/v1/apikeys", {"scopes": []}).json["id"],
        "tenant_id": api.post("/v1/tenants", {}).json["id"],
    }


def settings_of(path: Path, ids: dict[str, str]) -> Path:
    lines = [f'"path.{name}" = "{text}"' for name, text in ids.items()]
    path.write_text("\n".join(["[parameters]", *lines]))
    return path


@pytest.mark.timeout(600)  # thousands of requests, on a machine that may be busy
@pytest.mark.parametrize(
    "knows_ids",
    [
        pytest.param(False, id="ids made up", marks=pytest.mark.embedded),
        pytest.param(True, id="ids of what there is", marks=pytest.mark.postgres),
    ],
)
def test_whatever_is_sent_the_answer_is_one_of_the_document(
    fuzzed: LiveServer, tmp_path: Path, knows_ids: bool
) -> None:
    api = fuzzed.api()
    api.post("/v1/admin/store/resume-claims")
    ids = belongings(api) if knows_ids else {}
    # From here on nothing is delivered: endpoints will have URLs that nobody chose.
    api.post("/v1/admin/store/pause-claims")
    config = settings_of(tmp_path / "schemathesis.toml", ids)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", f"http://127.0.0.1:{fuzzed.port}/openapi.yaml"),
        *("--header", f"Authorization: Bearer {api.token}"),
        *("--checks", ",".join(CHECKS)),
        *("--phases", "fuzzing" if knows_ids else "coverage", "--max-examples", str(EXAMPLES)),
        # Uploads answer 501, as the document says, and that is an error of the server; streams have no end.
        *("--exclude-path-regex", "^/v1/(uploads|stream)"),
        *("--exclude-operation-id", "resume_deliveries"),
        *("--request-timeout", "60"),
        *("--no-color", "--generation-database", "none"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in fuzzed.log.read_text()
