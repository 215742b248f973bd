"""The console as a site: Django's admin with our pages, menu and login."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path

from hookline import __version__
from hookline.console import navigation
from hookline.console.login import LoginForm, remember
from hookline.console.pages import pages


class Console(AdminSite):
    site_header = site_title = "HookLine"
    site_url = None  # there is no other site to view
    index_title = "Overview"
    enable_nav_sidebar = False  # the menu is ours
    login_form = LoginForm

    def get_urls(self) -> list[URLPattern | URLResolver]:
        ours = [path(page.route, self.admin_view(page), name=page.name) for page in pages]
        return [*ours, *super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        menu = list(navigation.menu(request)) if self.has_permission(request) else []
        return super().each_context(request) | {"menu": menu, "version": __version__}

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().login(request, extra_context)
        if request.method == "POST" and request.user.is_authenticated:
            remember(request, response)
        return response
