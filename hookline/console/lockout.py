"""Slows down who guesses passwords: after a few failures an account or address waits.

A try is counted before its password is looked at, so that a hundred at once are no more than one after
another, and a right password takes the count back. Tries during a lock count for nothing, so that no lock
lasts longer than it says. A browser from which its owner logged in before is counted by itself: whoever
locks an account from elsewhere does not lock its owner out.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from hookline.database import now, write
from hookline.models import Login

WINDOW = timedelta(minutes=15)
LOCK = timedelta(minutes=10)
# Many people may come from one address, and by a reverse proxy all do.
MOST_FAILURES = {"account": 5, "browser": 5, "address": 50}
LONGEST = 150


def of_account(name: str) -> str:
    return f"account {name[:LONGEST]}"


def of_browser(id: str) -> str:
    return f"browser {id[:LONGEST]}"


def of_address(text: str) -> str:
    """Whoever has an IPv6 address has 2**64 of them."""
    try:
        address = ip_address(text)
    except ValueError:
        return f"address {text[:LONGEST]}"
    return f"address {ip_network((address, 64), strict=False) if address.version == 6 else address}"


def enter(whose: Iterable[str]) -> datetime | None:
    """Counts a try for all of these. If one of them is locked: until when, and nothing is counted."""
    with write():
        moment = now()
        logins = [_login(of, moment) for of in sorted(whose)]
        locks = [login.locked_until for login in logins if login.locked_until]
        if locks:
            return max(locks)
        for login in logins:
            login.failures += 1
            if login.failures >= MOST_FAILURES[login.of.partition(" ")[0]]:
                login.locked_until = moment + LOCK
            login.save()
    return None


def succeed(whose: Iterable[str]) -> None:
    """Takes the counted try back. An address keeps its other failures, which others made."""
    with write():
        for login in Login.objects.filter(of__in=list(whose)).order_by("of").select_for_update():
            if login.of.startswith("address "):
                login.failures, login.locked_until = login.failures - 1, None
                login.save()
            else:
                login.delete()


def locked_until(whose: Iterable[str]) -> datetime | None:
    locked = Login.objects.filter(of__in=list(whose), locked_until__gt=now()).order_by("-locked_until")
    return locked.values_list("locked_until", flat=True).first()


def _login(of: str, moment: datetime) -> Login:
    """The row, locked; anew where what it counted is long ago."""
    Login.objects.get_or_create(of=of, defaults={"first_at": moment})
    login = Login.objects.select_for_update().get(of=of)
    is_over = login.locked_until is not None and login.locked_until <= moment
    if is_over or (login.locked_until is None and login.first_at < moment - WINDOW):
        login.failures, login.first_at, login.locked_until = 0, moment, None
    return login
