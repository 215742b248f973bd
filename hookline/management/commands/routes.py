from itertools import groupby
from typing import Any

from django.core.management.base import BaseCommand
from drf_spectacular.generators import SchemaGenerator

from tenants import scopes

INTRODUCTION = """\
# Routes

Every route of the API, with the scope that a key needs for it. How they are used is told by task in
[api.md](api.md); every field of what goes in and out is at `/docs` and `/openapi.yaml` of your server.

This page is written by `manage.py routes`.\
"""
HEAD = "| method | path | scope | does |\n|---|---|---|---|"
NO_ID = "Refused: the path must name an id"

Route = tuple[str, str, dict[str, Any]]


class Command(BaseCommand):
    help = (
        "Print docs/routes.md: every route of the API with the scope that it needs. "
        "Example: env -i .venv/bin/python manage.py routes > docs/routes.md"
    )
    requires_system_checks: Any = []

    def handle(self, *args: Any, **options: Any) -> None:
        paths = SchemaGenerator().get_schema(public=True)["paths"]
        routes = [(method.upper(), path, told) for path, all in paths.items() for method, told in all.items()]
        served = [route for route in routes if route[2]["summary"] != NO_ID]
        sections = [
            f"## {area}\n\n{HEAD}\n" + "\n".join(map(_row, found)) for area, found in groupby(served, _area)
        ]
        self.stdout.write("\n\n".join([INTRODUCTION, *sections]))


def _area(route: Route) -> str:
    return str(route[2]["tags"][0])


def _row(route: Route) -> str:
    method, path, told = route
    scope = scopes.required(path, method) if "security" in told else None
    needed = f"`{scope}`" if scope else "any key" if "security" in told else "no key"
    return f"| `{method}` | `{path}` | {needed} | {told['summary']} |"
