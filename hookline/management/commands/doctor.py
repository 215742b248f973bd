import json
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand

from hookline import doctor
from hookline.doctor import Finding, Level


class Command(BaseCommand):
    help = (
        "Say what is wrong with this installation, and what to do about it. Changes nothing. "
        "Ends with status 1 if there is an error. Example: manage.py doctor --json"
    )
    requires_system_checks: Any = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON document, for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        examined = []
        for check, finding in doctor.examine():
            examined.append((check, finding))
            if not options["json"]:
                self.stdout.write(self._shown(check, finding))
        levels = Counter(finding.level for _, finding in examined)
        if options["json"]:
            self.stdout.write(json.dumps(_document(examined, levels), indent=2))
        else:
            self.stdout.write(f"\n{levels[Level.ERROR]} errors, {levels[Level.WARNING]} warnings.")
        if levels[Level.ERROR]:
            raise SystemExit(1)

    def _shown(self, check: str, finding: Finding) -> str:
        paint = {
            Level.OK: self.style.SUCCESS,
            Level.WARNING: self.style.WARNING,
            Level.ERROR: self.style.ERROR,
        }[finding.level]
        line = f"{paint(f'{finding.level:<8}')} {check:<14} {finding.sentence}"
        return f"{line}\n{'':24}{finding.fix}" if finding.fix else line


def _document(examined: list[tuple[str, Finding]], levels: Counter[Level]) -> dict[str, Any]:
    worst = next((level for level in (Level.ERROR, Level.WARNING) if levels[level]), Level.OK)
    findings = [
        {"check": check, "level": finding.level, "sentence": finding.sentence, "fix": finding.fix}
        for check, finding in examined
    ]
    return {
        "status": worst,
        "errors": levels[Level.ERROR],
        "warnings": levels[Level.WARNING],
        "findings": findings,
    }
