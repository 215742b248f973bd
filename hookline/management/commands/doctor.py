import json
from collections import Counter
from typing import Any

from hookline import doctor
from hookline.commands import Action
from hookline.doctor import Finding, Level
from hookline.doctor.findings import many


class Command(Action):
    help = (
        "Say what is wrong with this installation, and what to do about it. Changes nothing. "
        "Ends with status 1 if there is an error."
    )
    example = "doctor --json"

    def needs_store(self, **options: Any) -> bool:
        return False

    def work(self, **options: Any) -> None:
        examined = []
        for check, finding in doctor.examine():
            examined.append((check, finding))
            if not self.is_json:
                self.write(self._shown(check, finding))
        levels = Counter(finding.level for _, finding in examined)
        if self.is_json:
            self.write(json.dumps(_document(examined, levels)))
        else:
            errors, warnings = many(levels[Level.ERROR], "error"), many(levels[Level.WARNING], "warning")
            self.write(f"\n{errors}, {warnings}.")
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
    counts = {"errors": levels[Level.ERROR], "warnings": levels[Level.WARNING]}
    return {"status": worst, **counts, "findings": findings}
