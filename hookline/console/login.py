"""Who may try a password, and how a browser is known again."""

import logging
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from hookline.console import lockout
from hookline.database import now

logger = logging.getLogger(__name__)

COOKIE = "hl_browser"
KNOWN_FOR = timedelta(days=180)


class LoginForm(AdminAuthenticationForm):
    """Asks the lockout before the password."""

    request: HttpRequest

    def clean(self) -> dict[str, Any]:
        name = self.cleaned_data.get("username")
        if not name or not self.cleaned_data.get("password"):
            return self.cleaned_data
        whose = _whose(self.request, name)
        if locked := lockout.enter(whose):
            raise _refusal(locked)
        try:
            cleaned: dict[str, Any] = super().clean()
        except ValidationError:
            if locked := lockout.locked_until(whose):
                _tell(name, self.request, locked)
                raise _refusal(locked) from None
            raise
        lockout.succeed(whose)
        return cleaned


def remember(request: HttpRequest, response: HttpResponse) -> None:
    """Marks a browser from which somebody has logged in."""
    name = request.user.get_username()
    if not _known_browser(request, name):
        response.set_signed_cookie(
            COOKIE,
            f"{secrets.token_urlsafe(12)} {name}",
            salt=COOKIE,
            max_age=KNOWN_FOR,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Strict",
        )


def _whose(request: HttpRequest, name: str) -> list[str]:
    """What the try is counted for."""
    if browser := _known_browser(request, name):
        return [lockout.of_browser(browser)]
    return [lockout.of_account(name), lockout.of_address(request.META.get("REMOTE_ADDR", ""))]


def _known_browser(request: HttpRequest, name: str) -> str:
    """Its id, if this person has logged in from it before."""
    cookie = request.get_signed_cookie(COOKIE, "", salt=COOKIE, max_age=KNOWN_FOR)
    browser, _, owner = (cookie or "").partition(" ")
    return browser if owner == name else ""


def _refusal(until: datetime) -> ValidationError:
    minutes = max(1, round((until - now()).total_seconds() / 60))
    return ValidationError(
        f"Too many logins failed. Try again in {minutes} min, at {until:%H:%M} UTC.", code="locked"
    )


def _tell(name: str, request: HttpRequest, until: datetime) -> None:
    """Names only accounts that exist: people type passwords into the wrong field."""
    known = User.objects.filter(username=name).exists()
    who = repr(name) if known else "an account that does not exist"
    address = request.META.get("REMOTE_ADDR", "")
    logger.warning("Logins of %s from %s are locked until %s", who, address, f"{until:%Y-%m-%d %H:%M:%S} UTC")
