"""The operator is told what is amiss, once, and when it is over, whatever becomes of who should tell it."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings
from standardwebhooks import Webhook

from deliveries import breaker, chores, endpoints, pausing, watch
from deliveries.alerts import book, channels, conditions, notices
from deliveries.models import Alert, DeadLetter, Endpoint, Notice
from deliveries.queue.settle import rescue
from deliveries.watch import Watch
from hookline.database import now
from hookline.environment import parse_smtp
from hookline.heartbeat import Heartbeat
from hookline.models import Chore, Process
from tenants.models import Tenant
from tests.mailserver import MailServer
from tests.queueing import bury, fail, give, in_threads, lane_of, let_pass, make_target, succeed, take
from tests.receiver import Receiver, Reply
from tests.serving import Serving

pytestmark = pytest.mark.django_db(transaction=True)

DAY = 86_400
SECRET = "whsec_" + "QUJD" * 8
PATH = "/alerts?token=of-the-operator"


@pytest.fixture(autouse=True)
def _webhook(settings: Settings, receiver: Receiver) -> None:
    settings.HL_ALERT_URL = receiver.url(PATH)
    settings.HL_ALERT_SECRET = ""
    settings.HL_ALERT_SLACK_URL = ""
    settings.HL_ALERT_EMAIL = []
    settings.HL_ALERT_LATE_SECS = 120
    settings.HL_ALERT_DLQ_SIZE = 1000
    settings.HL_DISABLE_AFTER_SECS = 5 * DAY
    settings.HL_PUBLIC_URL = "https://hooks.example.com"
    Chore.objects.create(name=watch.ALERTS, due_at=now())


@pytest.fixture(autouse=True)
def worker(db: None) -> Heartbeat:
    """One is alive."""
    heartbeat = Heartbeat("worker")
    heartbeat.beat()
    return heartbeat


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.close()


def look(worker: Heartbeat | None = None) -> int:
    """As the watch does; a worker that is given beats first."""
    if worker:
        worker.beat()
    return watch.look()


def let_calm(worker: Heartbeat) -> int:
    """Lets so much time pass without anything amiss that it is over."""
    Alert.objects.update(seen_at=now() - book.CALM)
    return look(worker)


def told(receiver: Receiver) -> list[dict[str, Any]]:
    """All alerts that came, in order."""
    documents = [request.json for request in receiver.at(PATH)]
    assert all(document["type"] == "hookline.alerts" for document in documents)
    return [alert for document in documents for alert in document["data"]["alerts"]]


def latest(receiver: Receiver) -> tuple[str, str, str]:
    alert = told(receiver)[-1]
    return alert["kind"], alert["state"], alert["text"]


def failing_for(endpoint: Endpoint, days: float) -> Endpoint:
    give(endpoint, 2)
    fail(take(1), retry_in=30 * DAY)
    let_pass(days * DAY)
    fail(take(1), retry_in=30 * DAY)
    return endpoint


# --- What is told, and how often ----------------------------------------------------------


def test_nothing_is_told_when_nothing_is_amiss(acme: Tenant, receiver: Receiver) -> None:
    endpoint = make_target(acme)
    give(endpoint)
    succeed(take())
    assert look() == 0
    assert told(receiver) == []
    assert not Alert.objects.exists()


def test_an_endpoint_is_warned_of_disabled_and_welcomed_back(
    acme: Tenant, receiver: Receiver, worker: Heartbeat
) -> None:
    endpoint = failing_for(make_target(acme, name="Billing"), 2.6)
    since = lane_of(endpoint).failing_since
    assert since
    for _ in range(3):
        look(worker)
    kind, state, text = latest(receiver)
    assert (kind, state, len(told(receiver))) == ("endpoint_failing", "firing", 1)
    assert text.startswith("Endpoint “Billing” (http://127.0.0.1:9/) of tenant acme has failed since ")
    assert f"{since + timedelta(days=5):%Y-%m-%d %H:%M} UTC" in text
    assert text.endswith("The latest attempt: The endpoint answered 503.")
    alert = told(receiver)[0]
    assert alert["url"] == f"https://hooks.example.com/console/deliveries/endpoint/{endpoint.id}/change/"
    assert (alert["tenant_id"], alert["endpoint_id"]) == ("acme", str(endpoint.id))

    let_pass(3 * DAY)
    breaker.tend()
    for _ in range(3):
        look(worker)
    kind, state, text = latest(receiver)
    assert (kind, state, len(told(receiver))) == ("endpoint_disabled", "firing", 2)
    assert "was disabled: Every attempt since " in text

    give(endpoint)
    let_pass(600)
    breaker.tend()
    succeed(take())
    breaker.tend()
    assert look(worker) == 0, "not before it is sure"
    assert let_calm(worker) == 1
    kind, state, text = latest(receiver)
    assert (kind, state, len(told(receiver))) == ("endpoint_disabled", "over", 3)
    assert "is enabled and no longer failing" in text


def test_what_an_endpoint_missed_is_offered_to_be_sent_again(
    acme: Tenant, receiver: Receiver, worker: Heartbeat, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint = failing_for(make_target(acme), 2.6)
    since = lane_of(endpoint).failing_since
    assert since
    give(endpoint, 3)
    bury(take())
    look(worker)
    give(endpoint)
    succeed(take())
    let_calm(worker)
    over = told(receiver)[-1]
    assert over["text"].endswith("3 deliveries were given up meanwhile.")
    command = f"manage.py requeue --tenant acme --endpoint {endpoint.id} --from {since:%Y-%m-%dT%H:%M:%S}Z"
    assert f"`{command}`" in over["action"]
    letters = f"https://hooks.example.com/console/deliveries/deadletter/?endpoint_id={endpoint.id}"
    assert letters in over["action"]
    call_command(*command.split()[1:], "--dry-run")
    assert "Would requeue 3 dead letters" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("what", "text"), [("deleted", "was deleted"), ("turned off", "is off: Disabled by ada.")]
)
def test_an_endpoint_that_somebody_took_away_has_not_recovered(
    acme: Tenant, receiver: Receiver, worker: Heartbeat, what: str, text: str
) -> None:
    endpoint = failing_for(make_target(acme), 2.6)
    look(worker)
    if what == "deleted":
        endpoints.delete(endpoint, "ada")
    else:
        endpoints.change(endpoint.id, {"enabled": False}, {}, "ada")
    let_calm(worker)
    assert text in latest(receiver)[2]


def test_one_that_answered_410_is_told_of(acme: Tenant, receiver: Receiver) -> None:
    give(make_target(acme))
    bury(take(), disables="The endpoint answered 410 Gone.")
    look()
    assert latest(receiver)[0] == "endpoint_disabled"
    assert "was disabled: The endpoint answered 410 Gone." in latest(receiver)[2]


def test_deliveries_that_are_late_are_told_of_with_the_pause(
    acme: Tenant, receiver: Receiver, worker: Heartbeat
) -> None:
    endpoint = make_target(acme)
    give(endpoint)
    let_pass(100)
    assert look(worker) == 0
    let_pass(100)
    pausing.pause("acme", "ada")
    assert look(worker) == 1
    kind, state, text = latest(receiver)
    assert (kind, state) == ("deliveries_late", "firing")
    assert "of tenant acme, has been due since" in text
    assert "Deliveries are paused" in text
    pausing.resume("acme", "ada")
    succeed(take())
    let_calm(worker)
    assert latest(receiver) == ("deliveries_late", "over", "Deliveries are on time again.")


def test_what_its_own_limits_or_a_disabled_endpoint_hold_is_not_late(acme: Tenant, worker: Heartbeat) -> None:
    full, off = make_target(acme, max_in_flight=1), make_target(acme)
    for endpoint in (full, off):
        give(endpoint, 2)
    endpoints.change(off.id, {"enabled": False}, {}, "ada")
    take()
    take()
    let_pass(600)
    assert look(worker) == 0


def test_dead_letters_are_told_of_at_the_limit_and_at_each_doubling(
    acme: Tenant, receiver: Receiver, worker: Heartbeat, settings: Settings
) -> None:
    settings.HL_ALERT_DLQ_SIZE = 4
    endpoint = make_target(acme)
    for number, alerts in ((3, 0), (1, 1), (3, 1), (1, 2), (7, 2), (1, 3)):
        give(endpoint, number)
        bury(take())
        look(worker)
        assert len(told(receiver)) == alerts
    assert latest(receiver)[2] == "There are 16 dead letters; the alert is set to 4."
    DeadLetter.objects.all().delete()
    let_calm(worker)
    assert latest(receiver) == ("dead_letters", "over", "There are fewer dead letters again.")


def test_that_no_worker_is_alive_is_told_and_that_one_is_again(receiver: Receiver, worker: Heartbeat) -> None:
    assert look() == 0
    conditions_later = conditions.found(now() + timedelta(seconds=61))
    book.update(conditions_later, now(), watch.ALERTS)
    notices.tell_due(now())
    assert latest(receiver)[:2] == ("no_worker", "firing")
    let_calm(worker)
    assert latest(receiver) == ("no_worker", "over", "A worker is alive again.")


def test_lost_leases_are_told_of(acme: Tenant, receiver: Receiver, worker: Heartbeat) -> None:
    give(make_target(acme), conditions.LEASES_LOST)
    take()
    let_pass(61)
    rescue()
    look(worker)
    assert latest(receiver)[:2] == ("leases_lost", "firing")
    let_pass(700)
    succeed(take())
    let_calm(worker)
    assert latest(receiver)[:2] == ("leases_lost", "over")


def test_zero_turns_an_alert_off(acme: Tenant, worker: Heartbeat, settings: Settings) -> None:
    settings.HL_ALERT_LATE_SECS = settings.HL_ALERT_DLQ_SIZE = 0
    endpoint = make_target(acme)
    give(endpoint)
    bury(take())
    give(endpoint)
    let_pass(DAY)
    assert look(worker) == 0


def test_what_comes_and_goes_is_told_once(acme: Tenant, receiver: Receiver, worker: Heartbeat) -> None:
    endpoint = make_target(acme)
    for _ in range(4):
        give(endpoint)
        let_pass(200)
        look(worker)
        succeed(take())
        look(worker)
    assert len(told(receiver)) == 1


def test_two_processes_that_look_at_once_tell_it_once(
    acme: Tenant, receiver: Receiver, worker: Heartbeat
) -> None:
    give(make_target(acme))
    let_pass(200)
    worker.beat()
    moment = now()
    found = conditions.found(moment)
    changed = in_threads(4, lambda n: book.update(found, moment, watch.ALERTS))
    assert sorted(changed) == [0, 0, 0, 1]
    assert Notice.objects.count() == 1


def test_very_many_are_told_in_few_notices(acme: Tenant, receiver: Receiver, settings: Settings) -> None:
    for _ in range(book.MOST_IN_NOTICE + 1):
        endpoint = make_target(acme)
        endpoint.disable("The endpoint answered 410 Gone.", now(), "gone")
        endpoint.save()
    assert look() == book.MOST_IN_NOTICE + 1
    assert [len(request.json["data"]["alerts"]) for request in receiver.at(PATH)] == [20, 1]


def test_it_is_kept_for_a_month(acme: Tenant) -> None:
    give(make_target(acme))
    bury(take(), disables="The endpoint answered 410 Gone.")
    look()
    Endpoint.objects.all().delete()
    Alert.objects.update(seen_at=now() - book.CALM)
    look()
    assert Alert.objects.filter(is_firing=False).count() == 1
    Alert.objects.update(ended_at=now() - timedelta(days=31))
    look()
    assert not Alert.objects.exists()


def test_without_a_channel_the_log_tells(
    acme: Tenant, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.HL_ALERT_URL = ""
    give(make_target(acme))
    let_pass(200)
    look()
    assert "Alert: Deliveries are late." in caplog.text
    assert not Notice.objects.exists()


def test_what_a_tenant_wrote_writes_no_line_of_its_own(acme: Tenant, receiver: Receiver) -> None:
    name = "a\nALERT: all is lost\r\n\x1b[2J\u202ekcab" + "x" * 1000
    endpoint = make_target(acme, name=name)
    Endpoint.objects.filter(id=endpoint.id).update(url="http://h/p?token=secret\n")
    give(endpoint)
    bury(take(), disables="The endpoint answered 410 Gone.")
    endpoint.disable("The endpoint answered 410 Gone.", now(), "gone")
    endpoint.url = "http://h/p?token=secret"
    endpoint.save()
    look()
    text = latest(receiver)[2]
    assert text.isprintable()
    assert "token" not in text
    assert len(text) < 1000


# --- The channels -------------------------------------------------------------------------


@pytest.fixture
def amiss(acme: Tenant, worker: Heartbeat) -> None:
    """One thing is, and nobody was told yet."""
    give(make_target(acme, name="<Billing> & *co*"))
    bury(take(), disables="The endpoint answered 410 Gone.")


def test_a_webhook_verifies_as_standard_webhooks_do(
    amiss: None, receiver: Receiver, settings: Settings
) -> None:
    settings.HL_ALERT_SECRET = SECRET
    look()
    [request] = receiver.at(PATH)
    headers = {name.lower(): text for name, text in request.headers.items()}
    document = Webhook(SECRET).verify(request.body, headers)
    assert document["data"]["alerts"][0]["kind"] == "endpoint_disabled"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("HookLine/")


def test_a_webhook_without_a_secret_is_not_signed(amiss: None, receiver: Receiver) -> None:
    look()
    [request] = receiver.at(PATH)
    assert request.headers["webhook-id"]
    assert "webhook-signature" not in request.headers


def test_slack_gets_a_message_in_which_nobody_elses_markup_works(
    amiss: None, receiver: Receiver, settings: Settings
) -> None:
    settings.HL_ALERT_URL = ""
    settings.HL_ALERT_SLACK_URL = receiver.url("/services/T/B/x")
    look()
    [request] = receiver.at("/services/T/B/x")
    text = request.json["text"]
    assert text.startswith(":red_circle: *An endpoint was disabled*\nEndpoint “&lt;Billing&gt; &amp; *co*”")
    assert "<https://hooks.example.com/console/" in text


def test_mail_arrives_at_everybody(amiss: None, mail_server: MailServer, settings: Settings) -> None:
    settings.HL_ALERT_URL = ""
    settings.HL_ALERT_EMAIL = ["ops@example.com", "night@example.com"]
    settings.HL_ALERT_FROM = ["hookline@example.com"]
    settings.HL_SMTP_URL = parse_smtp(f"smtp://us%40er:pass@127.0.0.1:{mail_server.port}")
    look()
    [mail] = mail_server.wait_for(1)
    assert (mail.sender, mail.recipients) == ("hookline@example.com", settings.HL_ALERT_EMAIL)
    assert mail.login == "us@er pass"
    assert mail.message["Subject"] == "[HookLine] An endpoint was disabled"
    body = mail.message.get_content().replace("\r\n", "\n")
    assert "AN ENDPOINT WAS DISABLED\nEndpoint “<Billing> & *co*”" in body
    assert "https://hooks.example.com/console/" in body


def test_a_channel_that_fails_is_tried_again_later_and_the_others_are_told(
    amiss: None, receiver: Receiver, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.reply(PATH, Reply(503), Reply(500), Reply(200))
    settings.HL_ALERT_SLACK_URL = receiver.url("/slack")
    look()
    look()
    assert len(receiver.at("/slack")) == 1
    assert len(receiver.at(PATH)) == 1, "not again at once"
    notice = Notice.objects.get()
    assert (notice.channel, notice.error, notice.try_count) == ("webhook", "status 503", 1)
    for _ in range(2):
        Notice.objects.update(due_at=now())
        look()
    assert not Notice.objects.exists()
    assert len({request.headers["webhook-id"] for request in receiver.at(PATH)}) == 1
    assert "did not take a notice (status 503)" in caplog.text
    assert "of-the-operator" not in caplog.text


def test_pauses_grow_and_a_day_is_enough(
    amiss: None, receiver: Receiver, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.reply(PATH, Reply(500))
    pauses = []
    look()
    for _ in range(8):
        notice = Notice.objects.get()
        pauses.append(round((notice.due_at - now()).total_seconds(), -1))
        Notice.objects.update(due_at=now())
        look()
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]
    Notice.objects.update(due_at=now(), created_at=now() - timedelta(days=2))
    look()
    assert not Notice.objects.exists()
    assert [record.levelno for record in caplog.records if "for a day" in record.message] == [logging.ERROR]


def test_what_came_first_is_told_first(amiss: None, receiver: Receiver, worker: Heartbeat) -> None:
    receiver.reply(PATH, Reply(500), Reply(200))
    look(worker)
    Endpoint.objects.all().delete()
    let_calm(worker)
    assert len(receiver.at(PATH)) == 1
    Notice.objects.update(due_at=now())
    look(worker)
    assert [alert["state"] for alert in told(receiver)] == ["firing", "firing", "over"]


def test_a_channel_that_was_taken_away_gets_nothing_more(
    amiss: None, receiver: Receiver, settings: Settings
) -> None:
    receiver.reply(PATH, Reply(500))
    look()
    settings.HL_ALERT_URL = ""
    look()
    assert not Notice.objects.exists()


def refusals() -> list[Any]:
    return [
        pytest.param(Reply(302, {"Location": "/elsewhere"}), "status 302", id="a redirect"),
        pytest.param(Reply(404), "status 404", id="nothing there"),
        pytest.param(Reply(200, delay=60), "no answer within 0 s", id="it hangs"),
    ]


@pytest.mark.parametrize(("reply", "fault"), refusals())
def test_whatever_a_webhook_does_it_is_over_in_time(
    receiver: Receiver, settings: Settings, monkeypatch: pytest.MonkeyPatch, reply: Reply, fault: str
) -> None:
    if reply.delay:
        monkeypatch.setattr(channels, "DEADLINE_SECONDS", 0.3)
    receiver.reply(PATH, reply)
    with pytest.raises(channels.NotTold, match=fault):
        channels.tell(channels.WEBHOOK, UUID(int=1), [])
    assert receiver.at("/elsewhere") == []


def test_a_receiver_that_is_not_there_is_told_without_its_address(settings: Settings) -> None:
    settings.HL_ALERT_URL = "http://127.0.0.1:9/?token=of-the-operator"
    with pytest.raises(channels.NotTold) as raised:
        channels.tell(channels.WEBHOOK, UUID(int=1), [])
    assert str(raised.value) == "ConnectionError"


def test_a_mail_server_that_refuses_is_tried_again(
    amiss: None, mail_server: MailServer, settings: Settings
) -> None:
    settings.HL_ALERT_URL = ""
    settings.HL_ALERT_EMAIL = ["ops@example.com"]
    settings.HL_SMTP_URL = parse_smtp(f"smtp://127.0.0.1:{mail_server.port}")
    mail_server.refusal = "451 later"
    look()
    assert Notice.objects.get().error == "SMTPDataError"
    mail_server.refusal = ""
    Notice.objects.update(due_at=now())
    look()
    assert len(mail_server.wait_for(1)) == 1


# --- Who looks ----------------------------------------------------------------------------


def test_one_process_at_a_time_looks_and_then_not_for_a_while(
    acme: Tenant, receiver: Receiver, worker: Heartbeat
) -> None:
    give(make_target(acme))
    let_pass(200)
    worker.beat()
    watch.run_due()
    watch.run_due()
    assert Chore.objects.get(name=watch.ALERTS).due_at > now()
    assert len(told(receiver)) == 1


def test_failing_endpoints_are_tended_by_whoever_looks(acme: Tenant) -> None:
    failing_for(make_target(acme), 5)
    chores.make_due(watch.TEND)
    watch.run_due()
    assert Endpoint.objects.get().disabled_for == "failures"


def test_a_web_process_alone_tells_that_no_worker_is_left(
    receiver: Receiver, worker: Heartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    Process.objects.update(seen_at=now() - timedelta(minutes=5))
    monkeypatch.setattr(watch, "FIRST_LOOK_SECONDS", 0)
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.02)
    stop = threading.Event()
    alone = Watch(stop, kind="web")
    alone.start()
    receiver.wait_for(PATH, 1)
    assert latest(receiver)[:2] == ("no_worker", "firing")
    assert Process.objects.filter(kind="web").count() == 1
    stop.set()
    alone.join(30)
    assert not Process.objects.filter(kind="web").exists()


@pytest.mark.postgres
def test_web_processes_say_that_they_are_alive(serve: Callable[..., Serving]) -> None:
    manage = f"{sys.executable} manage.py"
    web = serve("sh", "-c", f"{manage} migrate --verbosity 0 && exec {manage} web")
    web.wait_until(web._answers)
    web.wait_until(lambda: b'hookline_processes{kind="web"} 1.0' in web.api().get("/metrics").body)
    assert web.terminate() == 0


def test_a_store_that_is_too_slow_to_ask_does_not_hold_up_what_was_noticed(
    acme: Tenant, receiver: Receiver, worker: Heartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.reply(PATH, Reply(500), Reply(200))
    give(make_target(acme))
    let_pass(200)
    look(worker)
    Notice.objects.update(due_at=now())

    def fail(moment: object) -> None:
        raise OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr(conditions, "found", fail)
    with pytest.raises(OperationalError):
        look(worker)
    assert not Notice.objects.exists()


# --- The commands -------------------------------------------------------------------------


def test_a_test_goes_over_every_channel(
    receiver: Receiver, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.HL_ALERT_SLACK_URL = receiver.url("/slack")
    call_command("alert", "test")
    assert capsys.readouterr().out == "webhook: taken\nslack: taken\n"
    assert told(receiver)[0]["kind"] == "test"
    [request] = receiver.at("/slack")
    assert "If you can read this" in request.json["text"]


def test_a_test_that_is_not_taken_ends_with_status_1(
    receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.reply(PATH, Reply(500))
    with pytest.raises(SystemExit) as ended:
        call_command("alert", "test", "--json")
    assert ended.value.code == 1
    assert json.loads(capsys.readouterr().out) == {
        "channel": "webhook", "taken": False, "error": "status 500",
    }  # fmt: skip


def test_a_test_without_a_channel_is_refused(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.HL_ALERT_URL = ""
    with pytest.raises(SystemExit) as ended:
        call_command("alert", "test")
    assert ended.value.code == 2
    assert "HL_ALERT_URL" in capsys.readouterr().err


def test_what_is_amiss_is_listed(amiss: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("alert", "list")
    assert capsys.readouterr().out == "Nothing is amiss.\n"
    look()
    call_command("alert", "list")
    assert "endpoint_disabled  Endpoint “<Billing>" in capsys.readouterr().out
    call_command("alert", "list", "--json")
    assert json.loads(capsys.readouterr().out)["kind"] == "endpoint_disabled"


def test_the_console_says_what_to_do_about_it(amiss: None) -> None:
    look()
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    listed = client.get("/console/deliveries/alert/").text
    assert "&lt;Billing&gt;" in listed
    assert "firing" in listed
    endpoint = Endpoint.objects.get()
    page = client.get(f"/console/deliveries/alert/endpoint_2F{endpoint.id}/change/").text
    assert "Tell its owner. Its deliveries are held, and none is lost." in page
    assert f"/console/deliveries/endpoint/{endpoint.id}/change/" in page
