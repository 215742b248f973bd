"""Who guesses passwords waits; who owns the account does not."""

import logging
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.test import Client

from hookline.console.lockout import LOCK, MOST_FAILURES, enter, of_account, of_address
from hookline.models import Login
from tests.queueing import in_threads

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
GUESSES = MOST_FAILURES["account"]


@pytest.fixture(autouse=True)
def ada(settings: object) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]
    return User.objects.create_superuser("ada", password=PASSWORD)


def log_in(client: Client, password: str, name: str = "ada", address: str = "192.0.2.1") -> str:
    """What the page says; nothing if one is in."""
    answer = client.post("/console/login/", {"username": name, "password": password}, REMOTE_ADDR=address)
    return "" if answer.status_code == 302 else answer.text


def guess(times: int, **who: str) -> str:
    """The answer to the last of so many wrong passwords."""
    return [log_in(Client(), "wrong", **who) for _ in range(times)][-1]


def let_pass(time: timedelta) -> None:
    Login.objects.update(first_at=F("first_at") - time)
    for login in Login.objects.exclude(locked_until=None):
        Login.objects.filter(of=login.of).update(locked_until=(login.locked_until or 0) - time)  # type: ignore[operator]


def test_an_account_is_locked_after_a_few_failures_and_says_until_when() -> None:
    assert "correct username and password" in guess(GUESSES - 1)
    assert "Too many logins failed. Try again in 10 min" in guess(1)
    assert "Too many logins failed" in log_in(Client(), PASSWORD)


def test_a_lock_ends_and_tries_meanwhile_did_not_lengthen_it() -> None:
    guess(GUESSES)
    let_pass(LOCK - timedelta(minutes=1))
    assert "Try again in 1 min" in guess(3)
    let_pass(timedelta(minutes=2))
    assert log_in(Client(), PASSWORD) == ""


def test_a_right_password_forgives_earlier_failures() -> None:
    for _ in range(3):
        guess(GUESSES - 1)
        assert log_in(Client(), PASSWORD) == ""


def test_an_address_is_locked_whatever_accounts_it_tries() -> None:
    for number in range(MOST_FAILURES["address"]):
        told = guess(1, name=f"nobody-{number}")
    assert "Too many logins failed" in told
    assert "Too many logins failed" in log_in(Client(), PASSWORD)
    assert log_in(Client(), PASSWORD, address="192.0.2.2") == ""


def test_a_network_of_ipv6_addresses_is_one_address() -> None:
    assert of_address("2001:db8::1") == of_address("2001:db8::ffff:2") != of_address("2001:db8:0:1::1")


def test_nobody_is_locked_out_of_a_browser_they_have_logged_in_from() -> None:
    mine = Client()
    assert log_in(mine, PASSWORD) == ""
    mine.post("/console/logout/")
    guess(GUESSES)
    assert "Too many" in log_in(Client(), PASSWORD)
    assert log_in(mine, PASSWORD) == ""


def test_a_known_browser_guesses_no_more_than_others_and_is_known_for_its_owner_only() -> None:
    mine = Client()
    log_in(mine, PASSWORD)
    User.objects.create_superuser("bob", password="another one")
    guess(GUESSES, name="bob")
    assert "Too many" in log_in(mine, "another one", name="bob")
    for _ in range(GUESSES):
        log_in(mine, "wrong")
    assert "Too many" in log_in(mine, PASSWORD)


def test_a_forged_browser_is_not_known() -> None:
    forger = Client()
    forger.cookies["hl_browser"] = "abc ada:1tTtTt:forged"
    guess(GUESSES)
    assert "Too many" in log_in(forger, PASSWORD)


def test_a_lockout_is_logged_with_the_account_and_without_any_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "hookline"):
        guess(GUESSES)
        guess(GUESSES, name="my secret passphrase")
    told = [record.getMessage() for record in caplog.records if record.name.startswith("hookline")]
    assert len(told) == 2
    assert "Logins of 'ada' from 192.0.2.1 are locked until" in told[0]
    assert "an account that does not exist" in told[1]
    assert "wrong" not in " ".join(told)
    assert "secret passphrase" not in " ".join(told)


@pytest.mark.django_db(transaction=True)
def test_a_hundred_guesses_at_once_are_no_more_than_one_after_another() -> None:
    entered = in_threads(20, lambda number: enter([of_account("ada"), of_address(f"192.0.2.{number}")]))
    assert entered.count(None) == GUESSES
