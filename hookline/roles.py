"""What people may do in the console: groups that every installation has."""

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission

OURS = ("deliveries", "tenants", "hookline")
# By the first word of a permission: to look; to press the verbs of rows; to manage people.
ROLES = {
    "viewer": (OURS, ("view",)),
    "operator": (OURS, ("view", "change")),
    "administrator": ((*OURS, "auth"), ("view", "change", "add", "delete")),
}


def keep() -> None:
    """Makes the groups, or mends them. People are put into them in the console, and need `staff status`
    to log in."""
    for app in (*OURS, "auth"):
        create_permissions(apps.get_app_config(app), verbosity=0)
    for name, (places, words) in ROLES.items():
        found = Permission.objects.filter(content_type__app_label__in=places)
        ids = [one.id for one in found if one.codename.partition("_")[0] in words]
        Group.objects.get_or_create(name=name)[0].permissions.set(ids)
