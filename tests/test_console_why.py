"""The pages that explain: what a job, an attempt and an event say, and what can be pressed there."""

import json
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deliveries import endpoints, payloads, trial
from deliveries.models import Attempt, Endpoint, Event, Job, Subscription
from hookline.heartbeat import Heartbeat
from tenants.models import AuditEntry, Tenant
from tests.console import MARKUP, in_role, place, text_of
from tests.factories import BY, make_endpoint, make_subscription, publish
from tests.queueing import URL, bury, fail, make_target, succeed, take

pytestmark = pytest.mark.django_db

BIG = b'{"topic":"orders.paid","payload":{"z":1,"total":12345678901234567890.10,"a":{}}}'
MOST_QUERIES = 26


@pytest.fixture(autouse=True)
def _worker(tenants: dict[str, Tenant]) -> None:
    Heartbeat("worker").beat()


@pytest.fixture
def viewer() -> Client:
    return in_role("viewer")


def job_page(client: Client, job: Job | None = None) -> str:
    answer = client.get(place("deliveries_job_change", (job or Job.objects.get()).id))
    assert answer.status_code == 200
    return answer.text


def event_page(client: Client, query: str = "") -> str:
    answer = client.get(place("deliveries_event_change", Event.objects.latest("id").id) + query)
    assert answer.status_code == 200
    return answer.text


def send(client: Client, job: Job) -> str:
    """Presses the button, and returns what the page after it says."""
    return text_of(client.post(place("job_send", job.id), follow=True).text)


# --- A job ----------------------------------------------------------------------------------


def test_a_job_tells_its_life_and_what_comes_next(operator: Client, acme: Tenant) -> None:
    make_target(acme)
    publish(acme, BIG)
    fail(take(), retry_in=5.5)
    told = text_of(job_page(operator))
    for words in (
        "retrying", "Send now", "Event received", "On topic orders.paid.",
        "Matched when it was published, for #.", "Attempt 1: 503", "3 ms", "The endpoint answered 503.",
        "Waits for attempt 2.",
        "Delay 1 of 11 of the installation's schedule: 5 s, and up to 20 % more.", "Until",
    ):  # fmt: skip
        assert words in told


def test_a_job_shows_its_latest_request_and_answer_without_a_secret(operator: Client, acme: Tenant) -> None:
    make_target(acme, secret="a secret secret", headers={"authorization": "Bearer of-the-receiver"})
    publish(acme, BIG)
    fail(take(), retry_in=60)
    Attempt.objects.update(response_headers='[["x-their","header"]]', response_body=b'{"their":"body"}')
    page = job_page(operator)
    told = text_of(page)
    for words in ("12345678901234567890.10", "authorization ***", "x-hl-signature ***", "x-their header",
                  '"their": "body"', "curl --globoff", "SECRET='the secret of the endpoint'"):  # fmt: skip
        assert words in told
    assert "secret secret" not in page
    assert "of-the-receiver" not in page


def test_a_job_that_waits_is_sent_now_once(operator: Client, acme: Tenant) -> None:
    make_target(acme)
    publish(acme, BIG)
    fail(take(), retry_in=3600)
    assert "It is due now." in send(operator, Job.objects.get())
    entry = AuditEntry.objects.get(action="job.hastened")
    assert entry.actor == "operator the operator"
    told = send(operator, Job.objects.get())
    assert "It is due already." in told
    assert AuditEntry.objects.filter(action="job.hastened").count() == 1


def test_a_job_that_succeeded_leads_to_the_new_one_that_sends_it_once_more(
    operator: Client, acme: Tenant
) -> None:
    make_target(acme)
    publish(acme, BIG)
    succeed(take())
    first = Job.objects.get()
    assert "Send once more" in job_page(operator)
    told = send(operator, first)
    assert "This new job sends it once more." in told
    assert "Sent again by a replay" in told


def test_a_button_that_cannot_be_pressed_says_why(operator: Client, acme: Tenant) -> None:
    endpoint = make_target(acme)
    publish(acme, BIG)
    bury(take())
    endpoints.change(endpoint.id, {"enabled": False}, {}, BY)
    page = job_page(operator)
    assert 'data-key="r" disabled title="Its endpoint is disabled: enable it first."' in page
    assert "Its endpoint is disabled" in send(operator, Job.objects.get())
    assert Job.objects.get().status == "dead"


def test_a_job_goes_on_by_itself_until_it_is_finished(operator: Client, acme: Tenant) -> None:
    make_target(acme)
    publish(acme, BIG)
    assert job_page(operator).count(" data-follow>") == 3
    succeed(take())
    assert "data-follow" not in job_page(operator)


def test_what_is_gone_is_said_and_not_made_up(operator: Client, acme: Tenant) -> None:
    endpoint = make_target(acme)
    publish(acme, BIG)
    bury(take())
    payloads.expunge(Event.objects.get(), BY)
    assert "The event's payload was expunged" in text_of(job_page(operator))
    Event.objects.all().delete()
    assert "The event is no longer kept." in text_of(job_page(operator))
    publish(acme, BIG)
    bury(take())
    endpoints.delete(endpoint, BY)
    told = text_of(job_page(operator, Job.objects.latest("id")))
    assert "The endpoint was deleted, and with it how its requests are made." in told


# --- An attempt -----------------------------------------------------------------------------


def test_what_a_stranger_sent_is_only_ever_saved(viewer: Client, acme: Tenant) -> None:
    make_target(acme)
    publish(acme, BIG)
    bury(take())
    Attempt.objects.update(response_body=MARKUP.encode())
    attempt, event = Attempt.objects.get(), Event.objects.get()
    for where, body in {
        place("attempt_answer", attempt.id): MARKUP.encode(),
        place("event_payload", event.id): b'{"z":1,"total":12345678901234567890.10,"a":{}}',
        place("attempt_request", attempt.id): None,
        place("attempt_request", attempt.id) + "?as=curl": None,
    }.items():
        answer = viewer.get(where)
        assert answer["Content-Disposition"].startswith("attachment; filename=")
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Type"] in ("application/octet-stream", "text/plain; charset=utf-8")
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert body is None or answer.content == body
    request = json.loads(viewer.get(place("attempt_request", attempt.id)).content)
    assert request["event"]["payload"]["z"] == 1


def test_a_long_body_is_cut_on_the_page_and_whole_in_the_file(viewer: Client, acme: Tenant) -> None:
    make_target(acme)
    publish(acme, {"topic": "a", "payload": "x" * 200_000})
    bury(take())
    attempt = Attempt.objects.get()
    page = viewer.get(place("deliveries_attempt_change", attempt.id)).text
    assert "Only its beginning is shown." in page
    assert len(page) < 150_000
    assert len(viewer.get(place("attempt_request", attempt.id)).content) > 200_000
    assert len(event_page(viewer)) < 150_000


def test_an_attempt_says_what_can_be_done_about_it(viewer: Client, acme: Tenant) -> None:
    make_target(acme)
    publish(acme, BIG)
    bury(take())
    Attempt.objects.update(http_status=401, error="http_4xx", error_detail="The receiver refused it.")
    told = text_of(viewer.get(place("deliveries_attempt_change", Attempt.objects.get().id)).text)
    assert "The receiver refused it. It wants credentials: set them in the endpoint's headers." in told


# --- An event -------------------------------------------------------------------------------


def test_an_event_says_who_got_it_and_why_the_others_did_not(viewer: Client, acme: Tenant) -> None:
    make_target(acme, name="Warehouse")
    make_subscription(make_endpoint(acme, URL, name="Shop"), "orders.created")
    make_endpoint(acme, URL, name="Archive")
    publish(acme, BIG)
    told = text_of(event_page(viewer))
    for words in (
        "Warehouse # … waiting Due now; the next free worker takes it.",
        'Shop orders.created ○ not sent Topic: segment 2 is "paid", and the pattern wants "created".',
        "Archive - ○ not sent It has no subscription, so that no event reaches it.",
    ):
        assert words in told


def test_an_event_shows_its_payload_laid_out_or_as_it_was_sent(viewer: Client, acme: Tenant) -> None:
    publish(acme, BIG)
    assert '"total": 12345678901234567890.10,\n  "a": {}\n}'.replace('"', "&quot;") in event_page(viewer)
    raw = '{"z":1,"total":12345678901234567890.10,"a":{}}'.replace('"', "&quot;")
    assert event_page(viewer, "?raw").count(raw) == 2


def test_the_endpoints_of_an_event_are_found_by_name_and_turned_over_page_by_page(
    viewer: Client, acme: Tenant, globex: Tenant
) -> None:
    made = [make_endpoint(acme, URL, name=f"Customer {number:02}") for number in range(30)]
    theirs = make_endpoint(globex, URL, name="Customer of globex")
    publish(acme, BIG)
    first = event_page(viewer)
    following = first.partition('<a href="?after=')[2].partition("#")[0]
    second = event_page(viewer, f"?after={following}")
    assert [f"Customer {number:02}" in first for number in range(30)] == [True] * 25 + [False] * 5
    assert [f"Customer {number:02}" in second for number in range(30)] == [False] * 25 + [True] * 5
    for term in ("tomer 27", str(made[27].id)):
        assert "Customer 27" in event_page(viewer, f"?endpoint={term}")
    for term in ("globex", str(theirs.id), "nobody"):
        assert "No endpoint of this tenant is called so." in event_page(viewer, f"?endpoint={term}")


def test_an_event_is_sent_to_one_endpoint_or_to_all_that_it_matches(operator: Client, acme: Tenant) -> None:
    publish(acme, BIG)
    one, _ = make_target(acme), make_target(acme)
    where = place("event_send", Event.objects.get().id)
    told = text_of(operator.post(where, {"endpoint": str(one.id)}, follow=True).text)
    assert "Sent again by a replay" in told
    assert Job.objects.get().endpoint_id == one.id
    assert "2 jobs are due now." in text_of(operator.post(where, follow=True).text)
    nobodys = operator.post(where, {"endpoint": str(uuid4())}, follow=True)
    assert "No subscription matches it now." in text_of(nobodys.text)
    payloads.expunge(Event.objects.get(), BY)
    assert "was expunged" in text_of(operator.post(where, follow=True).text)
    assert Job.objects.count() == 3


def test_an_administrator_expunges_an_event(operator: Client, acme: Tenant) -> None:
    publish(acme, BIG)
    where = place("event_expunge", Event.objects.get().id)
    assert operator.post(where).status_code == 403
    assert "Expunge" not in event_page(operator)
    administrator = in_role("administrator")
    assert "Expunge" in event_page(administrator)

    told = text_of(administrator.post(where, follow=True).text)

    assert "The payload is gone." in told
    assert "was expunged" in told
    assert "orders.paid" in told
    assert "12345678901234567890.10" not in told
    assert "Expunge" not in event_page(administrator)
    assert AuditEntry.objects.get(action="event.expunged").actor.startswith("operator ")


# --- Rules tried on an event ----------------------------------------------------------------


def tried(client: Client, **fields: object) -> str:
    texts = {name: text if isinstance(text, str) else json.dumps(text) for name, text in fields.items()}
    answer = client.post(place("rules_try"), {"topic_pattern": "#", **texts})
    assert answer.status_code == 200
    return text_of(answer.text)


def test_rules_are_tried_on_an_event_and_nothing_is_stored(viewer: Client, acme: Tenant) -> None:
    publish(acme, {"topic": "orders.paid", "payload": {"amount": 99}, "internal": 1})
    event = str(Event.objects.get().id)
    passing = tried(viewer, event=event, transform=[{"op": "remove_field", "field": "internal"}])
    assert "It would be sent" in passing
    assert '"amount": 99' in passing
    assert '"internal"' not in passing.partition("What is sent")[2]
    failing = tried(viewer, event=event, filter={"gte": "payload.amount", "value": 100})
    assert "It would not be sent Filter: payload.amount is 99, and at least 100 is wanted." in failing
    assert 'the pattern wants "invoices"' in tried(viewer, event=event, topic_pattern="invoices.#")
    assert Subscription.objects.count() == Job.objects.count() == 0


def test_rules_that_are_none_say_so_beside_their_field(viewer: Client, acme: Tenant) -> None:
    publish(acme, BIG)
    event = str(Event.objects.get().id)
    assert "It is no JSON: " in tried(viewer, event=event, filter='{"eq": ')
    assert "It must be an object such as" in tried(viewer, event=event, filter="[1]")
    assert "It must be an operation or a list" in tried(viewer, event=event, transform="5")
    assert "It must be given." in tried(viewer, event=event, topic_pattern="")
    assert "It must not be longer than 1000 characters" in tried(
        viewer, event=event, topic_pattern="x" * 1001
    )
    assert "There is no such event." in tried(viewer, event=str(uuid4()))


def test_an_endpoint_is_tried_with_its_own_format_on_the_newest_event_of_its_tenant(
    operator: Client, acme: Tenant, globex: Tenant
) -> None:
    endpoint = make_endpoint(acme, URL, name="Shop", payload_format="standard")
    publish(acme, {"topic": "orders.paid", "payload": 1})
    publish(globex, {"topic": "of.globex", "payload": 2})
    told = tried(operator, endpoint=str(endpoint.id))
    assert '"type": "orders.paid"' in told
    assert "hookline_version" not in told
    assert "Subscribe Shop" in told
    theirs = Event.objects.get(tenant=globex)
    assert "There is no such event." in tried(operator, endpoint=str(endpoint.id), event=str(theirs.id))


def test_the_rules_of_a_subscription_are_there_to_be_tried_and_changed(viewer: Client, acme: Tenant) -> None:
    subscription = make_subscription(make_endpoint(acme, URL), "orders.*", {"eq": "topic", "value": "a"})
    page = viewer.get(place("rules_try"), {"subscription": str(subscription.id)}).text
    assert 'value="orders.*"' in page
    assert "&quot;eq&quot;: &quot;topic&quot;" in page
    assert "Subscribe " not in page


def test_the_page_of_a_subscription_leads_to_where_it_is_tried_and_ends_it(
    operator: Client, acme: Tenant
) -> None:
    subscription = make_subscription(make_endpoint(acme, URL), "orders.*", {"eq": "topic", "value": 1.50})
    where = place("deliveries_subscription_change", subscription.id)
    page = operator.get(where).text
    assert f"{place('rules_try')}?subscription={subscription.id}" in page
    assert place("subscription_end", subscription.id) in page
    operator.post(place("subscription_end", subscription.id))
    assert place("subscription_end", subscription.id) not in operator.get(where).text


def test_an_endpoint_is_subscribed_and_the_subscription_ended(operator: Client, acme: Tenant) -> None:
    endpoint = make_endpoint(acme, URL)
    rule = '{"gte": "payload.n", "value": 1.50}'
    fields = {"topic_pattern": "orders.#", "filter": rule, "description": "for Ada"}
    told = operator.post(place("endpoint_subscribe", endpoint.id), fields, follow=True)
    assert "Subscribed to orders.#." in text_of(told.text)
    subscription = Subscription.objects.get()
    assert (subscription.filter, subscription.transform) == (rule, None)
    assert AuditEntry.objects.get(action="subscription.created").actor == "operator the operator"
    wrong = operator.post(place("endpoint_subscribe", endpoint.id), {**fields, "filter": "[]"})
    assert "It must be an object" in text_of(wrong.text)
    operator.post(place("subscription_end", subscription.id))
    assert Subscription.objects.get().deleted_at
    assert operator.post(place("subscription_end", subscription.id)).status_code == 404
    assert Subscription.objects.count() == 1


# --- What holds for all of them -------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["deliveries_job_change", "deliveries_attempt_change", "deliveries_event_change",
             "deliveries_endpoint_change", "attempt_answer", "attempt_request", "event_payload"],
)  # fmt: skip
def test_what_is_not_there_is_404(operator: Client, name: str) -> None:
    assert operator.get(place(name, uuid4())).status_code == 404


def test_a_word_that_is_no_id_is_404(operator: Client) -> None:
    for name in ("job", "event", "endpoint", "attempt"):
        for word in ("nonsense", "1", "%00", "../../x"):
            assert operator.get(f"/console/deliveries/{name}/{word}/change/").status_code == 404


VERBS = ("job_send", "event_send", "endpoint_test", "endpoint_switch", "endpoint_rotate", "endpoint_edit",
         "endpoint_subscribe", "subscription_end", "endpoint_delete")  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_a_viewer_presses_nothing(viewer: Client, acme: Tenant, verb: str) -> None:
    endpoint = make_target(acme)
    publish(acme, BIG)
    bury(take())
    ids = {"job": Job.objects.get().id, "event": Event.objects.get().id, "endpoint": endpoint.id,
           "subscription": Subscription.objects.get().id}  # fmt: skip
    where = place(verb, ids[verb.partition("_")[0]])
    before = AuditEntry.objects.count()
    assert viewer.post(where).status_code == 403
    assert AuditEntry.objects.count() == before
    for page in (job_page(viewer), event_page(viewer), endpoint_page(viewer, endpoint)):
        assert f'"{where}"' not in page


def endpoint_page(client: Client, endpoint: Endpoint) -> str:
    answer = client.get(place("deliveries_endpoint_change", endpoint.id))
    assert answer.status_code == 200
    return answer.text


def test_markup_in_every_field_is_shown_as_text(operator: Client, acme: Tenant) -> None:
    endpoint = make_endpoint(
        acme, URL + "?<script>alert(1)</script>", name=MARKUP, description=MARKUP,
        headers={"x-a": MARKUP},
    )  # fmt: skip
    rules = {"not": {"eq": "payload." + MARKUP, "value": MARKUP}}
    make_subscription(endpoint, "#", None, {"op": "set_field", "field": MARKUP, "value": MARKUP})
    make_subscription(endpoint, MARKUP, rules)
    make_subscription(endpoint, "#", rules)
    subscription = Subscription.objects.latest("id")
    Subscription.objects.update(description=MARKUP)
    Endpoint.objects.update(disabled_reason=MARKUP, is_enabled=True)
    sent = {"topic": MARKUP, "payload": {MARKUP: MARKUP}, "idempotency_key": MARKUP, MARKUP: MARKUP}
    publish(acme, sent)
    bury(take(), reason=MARKUP[:100])
    job, event = Job.objects.get(), Event.objects.get()
    Attempt.objects.update(
        response_body=MARKUP.encode(), error_detail=MARKUP, address=MARKUP,
        response_headers=json.dumps([[MARKUP, MARKUP]]),
    )  # fmt: skip
    pages = [
        job_page(operator),
        event_page(operator),
        event_page(operator, f"?raw&endpoint={MARKUP}"),
        endpoint_page(operator, endpoint),
        operator.get(place("deliveries_attempt_change", Attempt.objects.get().id)).text,
        operator.get(place("deliveries_endpoint_changelist")).text,
        operator.get(place("endpoint_edit", endpoint.id)).text,
        operator.get(place("rules_try"), {"subscription": str(subscription.id), "event": MARKUP}).text,
        operator.post(
            place("rules_try"),
            {
                "event": str(event.id),
                "topic_pattern": "#",
                "filter": json.dumps(rules),
                "description": MARKUP,
            },
        ).text,
    ]
    assert job.status == "dead"
    for page in pages:
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;alert" in page


def test_a_page_asks_no_more_questions_however_much_there_is(operator: Client, acme: Tenant) -> None:
    targets = [make_target(acme) for _ in range(20)]
    publish(acme, BIG)
    for _ in range(3):
        fail(take(5), retry_in=-1)
    for where in (
        place("deliveries_event_change", Event.objects.get().id),
        place("deliveries_job_change", Job.objects.filter(attempt_count__gt=0).earliest("id").id),
        place("deliveries_attempt_change", Attempt.objects.earliest("id").id),
        place("deliveries_endpoint_change", targets[0].id),
        place("deliveries_endpoint_changelist"),
        place("rules_try"),
    ):
        with CaptureQueriesContext(connection) as asked:
            assert operator.get(where).status_code == 200
        assert len(asked) <= MOST_QUERIES, (where, [query["sql"][:90] for query in asked])


def test_a_test_event_tells_its_life_without_a_subscription(operator: Client, acme: Tenant) -> None:
    trial.send_test(make_endpoint(acme, URL, name="Shop"), BY)
    told = text_of(job_page(operator))
    assert "none: for the endpoint alone" in told
    assert "For this endpoint alone." in told
