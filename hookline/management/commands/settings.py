"""The configuration as a Markdown table; the README holds it."""

from typing import Any

from django.core.management.base import BaseCommand

from hookline.environment import Variable, environment


class Command(BaseCommand):
    help = "Print every HL_ variable with its default and its meaning, as a Markdown table."
    requires_system_checks: Any = []

    def handle(self, *args: Any, **options: Any) -> None:
        rows = [_row(variable) for variable in environment.variables]
        self.stdout.write("\n".join(["| variable | default | meaning |", "|---|---|---|", *rows]))


def _row(variable: Variable) -> str:
    default = f"`{variable.default}`" if variable.default else ""
    return f"| `{variable.name}` | {default} | {variable.meaning} |"
