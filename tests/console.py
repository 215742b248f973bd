"""The console as people with a role use it, in this process or in a browser."""

import re
from html import unescape

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from hookline import roles
from tests.servers import ENVIRONMENT

# What a page would run or fetch if any of it were taken for markup.
MARKUP = "<script>alert(\"1\")</script><img src=x onerror='alert(2)'>&amp;{{ 7|add:1 }}"


@pytest.fixture
def ada(db: None) -> Client:
    """Who may do everything."""
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


@pytest.fixture
def operator(db: None) -> Client:
    return in_role("operator")


def in_role(role: str) -> Client:
    person = User.objects.create_user(f"the {role}", is_staff=True)
    roles.keep()
    person.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(person)
    return client


def place(name: str, *arguments: object) -> str:
    return reverse(f"admin:{name}", args=arguments)


def text_of(page: str) -> str:
    """What people read of a page's main part: markup taken away, spaces made single."""
    main = page.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", main)))


def log_in(page: Page) -> None:
    """As the operator that every installation has."""
    page.goto("/console/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(ENVIRONMENT["HL_CONSOLE_PASS"])
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".menu")).to_be_visible()
