"""Every route and method, from the URL resolver: without a key, with an ended one, with one for
something else, and with that of another tenant. A route that is not told of here fails."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from deliveries.models import Attempt, DeadLetter, Endpoint, Event, Job, Replay, Run, Subscription
from hookline.database import now
from tenants import keys
from tenants.models import ApiKey, AuditEntry, Tenant
from tests.api import Answer, Api, api_of
from tests.factories import deliver, make_endpoint, make_subscription, publish
from tests.receiver import Receiver, Reply
from tests.routes import METHODS, Route, routes, scope_of
from tests.running import start

UNAUTHORIZED = {"error": "unauthorized", "code": "AUTH_REQUIRED"}

# Whose it is, what a route leads to.
EVERYONES = "everyone's: no key is asked for"
OPERATORS = "the operator's: an admin scope is asked for"
OWN = "the tenant's own: nothing of another tenant is in it"
ONE = "one thing of the tenant's, which the path names: another tenant's is not found"
SHARED = "tied to no tenant: whoever has a key and knows its name may use it"
STREAM = "an answer without an end, tested by itself"

ROUTES = {
    "/healthz": EVERYONES,
    "/readyz": EVERYONES,
    "/metrics": EVERYONES,
    "/openapi.yaml": EVERYONES,
    "/docs": EVERYONES,
    "/": EVERYONES,
    "/console": EVERYONES,
    "/v1/dev/inbox/receive/<token>": EVERYONES,
    "/v1/dev/inbox/ui": EVERYONES,
    "/v1/events": OWN,
    "/v1/events/batch": OWN,
    "/v1/events/<event_id>": ONE,
    "/v1/events/<event_id>/why": ONE,
    "/v1/endpoints": OWN,
    "/v1/endpoints/<endpoint_id>": ONE,
    "/v1/endpoints/<endpoint_id>/secret/rotate": ONE,
    "/v1/endpoints/<endpoint_id>/test": ONE,
    "/v1/subscriptions": OWN,
    "/v1/subscriptions/<subscription_id>": ONE,
    "/v1/deliveries": OWN,
    "/v1/deliveries/<attempt_id>": ONE,
    "/v1/dlq": OWN,
    "/v1/dlq/runs": OWN,
    "/v1/dlq/runs/<run_id>": ONE,
    "/v1/dlq/runs/<run_id>/<action>": ONE,
    "/v1/dlq/<job_id>": ONE,
    "/v1/dlq/<job_id>/requeue": ONE,
    "/v1/replay": OWN,
    "/v1/replay/runs": OWN,
    "/v1/replay/runs/<run_id>": ONE,
    "/v1/replay/runs/<run_id>/<action>": ONE,
    "/v1/replay/<replay_id>": ONE,
    "/v1/apikeys": OWN,
    "/v1/apikeys/<key_id>": ONE,
    "/v1/stream": STREAM,
    "/v1/dev/inbox": SHARED,
    "/v1/dev/inbox/messages": SHARED,
    "/v1/dev/inbox/messages/<message_id>": SHARED,
    "/v1/uploads": SHARED,
    "/v1/uploads/<path:rest>": SHARED,
    "/v1/admin/stats": OPERATORS,
    "/v1/admin/compact": OPERATORS,
    "/v1/admin/store/pause-claims": OPERATORS,
    "/v1/admin/store/resume-claims": OPERATORS,
    "/v1/admin/rotate-secrets": OPERATORS,
    "/v1/admin/audit": OPERATORS,
    "/v1/tenants": OPERATORS,
    "/v1/tenants/<tenant_id>": OPERATORS,
    "/v1/tenants/<tenant_id>/stats": OPERATORS,
    "/v1/tenants/<tenant_id>/api-keys": OPERATORS,
    "/v1/tenants/<tenant_id>/api-keys/<key_id>": OPERATORS,
    "/v1/tenants/<tenant_id>/rotate-key": OPERATORS,
}

# Keys alone are told to be another's.
NOT_YOURS = {
    ("DELETE", "/v1/apikeys/<key_id>"): (403, "forbidden", "Key belongs to a different tenant"),
}  # fmt: skip

TENANTS_THINGS: tuple[Any, ...] = (
    Endpoint,
    Subscription,
    Event,
    Job,
    Attempt,
    DeadLetter,
    Replay,
    Run,
    ApiKey,
    AuditEntry,
)


def of(*kinds: str) -> list[Any]:
    return [pytest.param(route, id=route.path) for route in routes() if ROUTES.get(route.path) in kinds]


def of_all_but(*kinds: str) -> list[Any]:
    return of(*({EVERYONES, OPERATORS, OWN, ONE, SHARED, STREAM} - set(kinds)))


# --- The cast -----------------------------------------------------------------------------

IDS = "event_id endpoint_id subscription_id attempt_id job_id replay_id run_id key_id".split()
NOBODYS = {name: str(uuid4()) for name in IDS} | {
    "tenant_id": "nobody",
    "message_id": "1",
    "action": "cancel",
    "token": "nobodys",
    "rest": "a/b",
}


@pytest.fixture
def theirs(globex: Tenant, receiver: Receiver) -> dict[str, str]:
    """One of everything that globex can have."""
    receiver.reply("/gone", Reply(404))
    endpoint = make_endpoint(globex, receiver.url("/gone"), secret="whsec_globex")
    subscription = make_subscription(endpoint)
    publish(globex, {"topic": "globex.secret", "payload": "of globex"})
    deliver()
    event = Event.objects.get(tenant_id="globex")
    api_of(globex).post("/v1/replay", {"event_id": str(event.id)})
    return NOBODYS | {
        "event_id": str(event.id),
        "endpoint_id": str(endpoint.id),
        "subscription_id": str(subscription.id),
        "attempt_id": str(Attempt.objects.get(tenant_id="globex").id),
        "job_id": str(DeadLetter.objects.get(tenant_id="globex").job_id),
        "replay_id": str(Replay.objects.get(tenant_id="globex").id),
        "run_id": str(start(Run.Verb.REQUEUE, globex).id),
        "key_id": str(ApiKey.objects.get(tenant_id="globex").id),
        "tenant_id": "globex",
    }


def all_of_globex() -> list[list[dict[str, Any]]]:
    return [
        list(model.objects.filter(tenant_id="globex").order_by("pk").values()) for model in TENANTS_THINGS
    ]


# --- The matrix ---------------------------------------------------------------------------


def test_every_route_is_told_of_here() -> None:
    found = {route.path for route in routes()}
    assert found - set(ROUTES) == set(), "say above whose these are"
    assert set(ROUTES) - found == set(), "these are no more"


@pytest.mark.django_db
@pytest.mark.parametrize("route", of_all_but(EVERYONES))
def test_nothing_is_reached_without_a_key_that_works(route: Route, acme: Tenant) -> None:
    revoked, revoked_token = keys.issue(acme.id, "revoked", ["*", "admin"], "self", "the tests")
    keys.revoke(revoked, "the tests")
    expired, expired_token = keys.issue(acme.id, "expired", ["*", "admin"], "self", "the tests")
    ApiKey.objects.filter(id=expired.id).update(expires_at=now() - timedelta(milliseconds=1))
    path = route.named(**NOBODYS)

    for method in METHODS:
        for token in ("", "unknown", revoked_token, expired_token):
            for answer in (Api(token).call(method, path), Api().call(method, f"{path}?token={token}")):
                assert (answer.status, answer.json) == (401, UNAUTHORIZED), (method, path)
                assert "x-tenant-id" not in answer.headers


@pytest.mark.django_db
@pytest.mark.parametrize("route", of_all_but(EVERYONES))
def test_a_key_for_something_else_is_told_what_it_lacks(route: Route, acme: Tenant) -> None:
    path = route.named(**NOBODYS)
    lacking = api_of(acme, "events.nothing", "nothing.read")
    for method in METHODS:
        answer = lacking.call(method, path)
        if scope := scope_of(path, method):
            fault = {"error": "forbidden", "code": "INSUFFICIENT_SCOPE", "required_scope": scope}
            assert (answer.status, answer.json) == (403, fault), (method, path)
        else:
            assert answer.status not in (401, 403), (method, path)
            assert method not in route.methods or ROUTES[route.path] == SHARED, "this needs a scope"


@pytest.mark.django_db
@pytest.mark.parametrize("route", of_all_but(EVERYONES, STREAM, OPERATORS))
def test_a_key_for_just_this_is_let_in(route: Route, acme: Tenant) -> None:
    path = route.named(**NOBODYS)
    for method in route.methods:
        answer = api_of(acme, scope_of(path, method) or "nothing.read").call(method, path, {})
        assert answer.status not in (401, 403, 405), (method, path)


@pytest.mark.django_db
@pytest.mark.parametrize("route", of(ONE))
def test_another_tenants_things_are_not_there(route: Route, acme: Tenant, theirs: dict[str, str]) -> None:
    api, before = api_of(acme), all_of_globex()
    for method in route.methods:
        answer = api.call(method, route.named(**theirs), {"enabled": False})
        if fault := NOT_YOURS.get((method, route.path)):
            assert answer.fault == fault
        else:
            nobodys = api.call(method, route.named(**NOBODYS), {"enabled": False})
            assert answer.status == 404
            assert answer.body == nobodys.body, "whether it exists at all is not told either"
        _tells_nothing(answer, theirs)
    assert all_of_globex() == before


@pytest.mark.django_db
@pytest.mark.parametrize("route", of(OWN))
def test_nothing_of_another_tenant_is_in_a_list(route: Route, acme: Tenant, theirs: dict[str, str]) -> None:
    api, path, before = api_of(acme), route.named(), all_of_globex()
    if "GET" in route.methods:
        for query in ["", *(f"?{name}={text}" for name, text in theirs.items() if name != "token")]:
            _tells_nothing(api.get(path + query), theirs)
    for method in set(route.methods) - {"GET"}:
        _tells_nothing(api.call(method, path, theirs), theirs)
    assert all_of_globex() == before


@pytest.mark.django_db
@pytest.mark.parametrize("route", of(OPERATORS))
def test_a_tenants_own_star_is_not_an_operators(route: Route, acme: Tenant, theirs: dict[str, str]) -> None:
    before = all_of_globex()
    for method in METHODS:
        answer = api_of(acme).call(method, route.named(**theirs), {"id": "new"})
        assert (answer.status, answer.json["required_scope"]) == (403, "admin")
    assert all_of_globex() == before
    assert not Tenant.objects.filter(id="new").exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/subscriptions", lambda ids: {"endpoint_id": ids["endpoint_id"], "topic_pattern": "#"}),
        ("/v1/replay", lambda ids: {"event_id": ids["event_id"]}),
    ],
)
def test_another_tenants_things_cannot_be_built_upon(
    acme: Tenant, theirs: dict[str, str], path: str, body: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    answer = api_of(acme).post(path, body(theirs))
    assert (answer.status, answer.json["error"]) == (404, "not_found")
    assert answer.body == api_of(acme).post(path, body(NOBODYS)).body


@pytest.mark.django_db
def test_a_replay_reaches_nothing_of_another_tenant(acme: Tenant, theirs: dict[str, str]) -> None:
    before = all_of_globex()
    api = api_of(acme)
    own = api.post("/v1/events", {"topic": "globex.secret"}).json["id"]
    for asked in (
        {"event_ids": [theirs["event_id"]]},
        {"endpoint_id": theirs["endpoint_id"]},
        {"topic": "globex.#", "mode": "failed_only"},
        {},
    ):
        results = api.post("/v1/replay", asked).json["results"]
        assert {result["event_id"] for result in results if "error" not in result} <= {own}
    assert all_of_globex() == before
    assert not Job.objects.filter(tenant_id="acme").exists()


@pytest.mark.django_db
def test_publishing_reaches_only_endpoints_of_the_own_tenant(acme: Tenant, theirs: dict[str, str]) -> None:
    sent = {"topic": "a", "tenant_id": "globex", "endpoint_id": theirs["endpoint_id"]}
    answer = api_of(acme).post("/v1/events", sent, x_tenant_id="globex")
    assert (answer.json["job_ids"], answer.json["tenant_id"]) == ([], "acme")
    assert answer.headers["x-tenant-id"] == "acme"


def _tells_nothing(answer: Answer, theirs: dict[str, str]) -> None:
    """That a reader is not told what it did not know: the names that it gave come back to it."""
    for told in ("globex.secret", "of globex", "whsec_globex", "/gone"):
        assert told not in answer.body.decode(), answer.body
