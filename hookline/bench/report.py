"""Medians of several plays, as a table for people and as JSON for programs."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from hookline import __version__
from hookline.bench.targets import TARGETS, Target, missed

Figures = Mapping[str, float]


def medians(plays: Sequence[Figures]) -> dict[str, float]:
    return {name: median(play[name] for play in plays) for name in plays[0]}


def table(name: str, summary: str, figures: Figures) -> str:
    targets = TARGETS.get(name, {})
    rows = [
        f"  {figure:<26}{shown(value):>14}{_verdict(targets.get(figure), value)}"
        for figure, value in figures.items()
    ]
    return "\n".join([f"{name}: {summary}", *rows, ""])


def _verdict(target: Target | None, value: float) -> str:
    return f"   {'met' if target.is_met(value) else 'MISSED'}: {target}" if target else ""


def shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"


def write(path: Path, scale: float, results: Mapping[str, Sequence[Figures]]) -> None:
    """Every play, not only the medians."""
    document = {
        "version": __version__,
        "machine": {
            "cpus": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "scale": scale,
        "scenarios": {
            name: {
                "medians": (figures := medians(plays)),
                "targets": {figure: str(target) for figure, target in TARGETS.get(name, {}).items()},
                "missed": missed(name, figures),
                "plays": list(plays),
            }
            for name, plays in results.items()
        },
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
