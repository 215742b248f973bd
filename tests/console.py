"""The console as people with a role use it, in this process."""

import re
from html import unescape

from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from hookline import roles

# What a page would run or fetch if any of it were taken for markup.
MARKUP = "<script>alert(\"1\")</script><img src=x onerror='alert(2)'>&amp;{{ 7|add:1 }}"


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
