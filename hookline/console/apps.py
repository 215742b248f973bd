"""Makes the site of `admin.register` ours."""

from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    default_site = "hookline.console.site.Console"
