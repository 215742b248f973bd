"""Which scope a request needs, and which granted scopes cover it: the tables of the contract."""

import pytest
from django.conf import LazySettings

from tenants.models import Tenant
from tenants.scopes import is_granted, required
from tests.api import api_of, operator

METHODS = ("GET", "POST", "PATCH", "DELETE")

# What each prefix asks of GET, POST, PATCH and DELETE. "-" asks for a key and no more.
TABLE = """
/v1/admin         admin               admin                admin             admin
/v1/tenants       admin               admin                admin             admin
/v1/apikeys       admin               admin                admin             admin
/v1/events        events.read         events.publish       -                 -
/v1/endpoints     endpoints.read      endpoints.write      endpoints.write   endpoints.write
/v1/subscriptions subscriptions.read  subscriptions.write  -                 subscriptions.write
/v1/deliveries    deliveries.read     -                    -                 -
/v1/replay        deliveries.read     deliveries.retry     -                 -
/v1/dlq           dlq.read            dlq.replay           -                 dlq.replay
/v1/stream        stream.subscribe    stream.subscribe     stream.subscribe  stream.subscribe
/v1/uploads       uploads.write       uploads.write        uploads.write     uploads.write
/v1/dev/inbox     -                   -                    -                 -
/docs             -                   -                    -                 -
/console          -                   -                    -                 -
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = [(prefix, *cell) for prefix, *scopes in ROWS for cell in zip(METHODS, scopes, strict=False)]
ANY_METHOD = {prefix: scopes[0] for prefix, *scopes in ROWS if len(set(scopes)) == 1}


@pytest.mark.parametrize(("prefix", "method", "scope"), CELLS)
def test_the_scope_of_a_request_is_that_of_its_prefix_and_method(
    prefix: str, method: str, scope: str
) -> None:
    expected = None if scope == "-" else scope
    assert required(prefix, method) == expected
    assert required(f"{prefix}/some/id", method) == expected
    assert required(f"{prefix}s", method) is None, "a longer word is another path"
    assert required(f"/v2{prefix}", method) is None


@pytest.mark.parametrize("prefix", [row[0] for row in ROWS])
@pytest.mark.parametrize("method", ["PUT", "HEAD", "OPTIONS"])
def test_other_methods_need_a_scope_only_where_all_do(prefix: str, method: str) -> None:
    scope = ANY_METHOD.get(prefix, "-")
    assert required(prefix, method) == (None if scope == "-" else scope)


@pytest.mark.parametrize(
    ("scope", "granted"),
    [
        ("events.read", "events.read"),
        ("events.read", "events:read"),
        ("events.read", "events.manage"),
        ("events.read", "events:manage"),
        ("events.read", "*"),
        ("events.publish", "events.write"),
        ("events.publish", "events:write"),
        ("deliveries.retry", "deliveries.write"),
        ("deliveries.retry", "replay:write"),
        ("deliveries.retry", "replay.manage"),
        ("dlq.replay", "dlq.write"),
        ("dlq.replay", "dlq:manage"),
        ("endpoints.write", "endpoints:manage"),
        ("subscriptions.write", "subscriptions.manage"),
        ("uploads.write", "uploads.write"),
        ("admin", "admin"),
        ("admin", "*"),
    ],
)
def test_a_scope_is_covered(scope: str, granted: str) -> None:
    assert is_granted(scope, [granted], star_is_admin=True)
    assert is_granted(scope, ["nothing", granted], star_is_admin=True)


@pytest.mark.parametrize(
    ("scope", "granted"),
    [
        ("events.read", "events.write"),
        ("events.read", "events.publish"),
        ("events.read", "events"),
        ("events.read", "events."),
        ("events.read", "events.*"),
        ("events.read", "events.readonly"),
        ("events.read", "Events.Read"),
        ("events.read", " events.read"),
        ("events.read", "events/read"),
        ("events.read", "endpoints.manage"),
        ("events.read", "admin"),
        ("events.read", ""),
        ("events.read", "**"),
        ("events.publish", "events.read"),
        ("endpoints.write", "endpoints.publish"),
        ("deliveries.read", "replay.write"),
        ("deliveries.read", "deliveries.retry"),
        ("dlq.read", "dlq.write"),
        ("stream.subscribe", "stream.write"),
        ("admin", "admin.manage"),
        ("admin", "admin.write"),
        ("admin", "manage"),
        ("admin", ".manage"),
    ],
)
def test_a_scope_is_not_covered(scope: str, granted: str) -> None:
    assert not is_granted(scope, [granted], star_is_admin=True)


def test_no_scopes_cover_nothing_and_a_star_is_no_admin_where_it_may_not_be() -> None:
    assert not is_granted("events.read", [], star_is_admin=True)
    assert not is_granted("admin", ["*"], star_is_admin=False)
    assert is_granted("admin", ["*", "admin"], star_is_admin=False)
    assert is_granted("events.read", ["*"], star_is_admin=False)


ROUTES = [(prefix, method, scope) for prefix, method, scope in CELLS if prefix.startswith("/v1/")]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "method", "scope"),
    [route for route in ROUTES if route[2] != "-" and route[0] not in ("/v1/admin", "/v1/stream")],
)
def test_a_key_without_the_scope_is_told_which_one_is_missing(
    acme: Tenant, path: str, method: str, scope: str
) -> None:
    expected = {"error": "forbidden", "code": "INSUFFICIENT_SCOPE", "required_scope": scope}
    for api in (api_of(acme, "nothing"), api_of(acme, "events")):
        answer = api.call(method, path)
        assert (answer.status, answer.json) == (403, expected)


@pytest.mark.django_db
def test_a_key_without_scopes_reaches_only_what_needs_none(acme: Tenant, settings: LazySettings) -> None:
    settings.HL_DEV_INBOX = True
    nothing = api_of(acme, "")
    assert nothing.get("/v1/dev/inbox").status == 200
    assert nothing.get("/v1/dev/inbox/messages").status == 200
    assert nothing.get("/v1/events").status == 403


@pytest.mark.django_db
def test_a_tenants_star_reaches_its_own_keys_and_not_the_installation(acme: Tenant) -> None:
    star, admin = api_of(acme, "*"), api_of(acme, "admin")
    wide = ["/v1/tenants", "/v1/tenants/acme", "/v1/tenants/acme/api-keys", "/v1/admin/stats"]

    assert [star.get(path).status for path in wide] == [403] * 4
    assert star.get("/v1/tenants").json["required_scope"] == "admin"
    assert star.post("/v1/tenants", {"id": "mine"}).status == 403
    assert star.get("/v1/apikeys").status == 200
    for whoever in (admin, operator()):
        assert [whoever.get(path).status for path in wide] == [200] * 4
    # An admin key is no more than that.
    assert admin.get("/v1/events").status == 403
    assert operator().get("/v1/events").status == 200
