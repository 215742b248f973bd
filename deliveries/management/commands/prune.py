"""Retention by hand: what workers do by themselves every HL_COMPACT_INTERVAL_MS."""

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from deliveries import payloads, retention
from deliveries.retention import Gone
from hookline.commands import Action
from hookline.progress import show


class Command(Action):
    help = (
        "Remove what is older than HL_RETENTION_SECS, and payloads older than HL_PAYLOAD_RETENTION_SECS. "
        "Deliveries go on meanwhile."
    )
    example = "prune --dry-run"

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count what would be removed")

    def work(self, dry_run: bool, **options: Any) -> None:
        if dry_run:
            gone, blanked = retention.count(show), payloads.count_old(show)
        else:
            gone = retention.prune(show)
            blanked, _ = payloads.remove_old(show)
        verb = "Would remove" if dry_run else "Removed"
        self.tell(f"{verb} {_told(gone, blanked)}.", **asdict(gone), payloads=blanked, dry_run=dry_run)


def _told(gone: Gone, blanked: int) -> str:
    return (
        f"{gone.events:,} events with {gone.jobs:,} jobs and {gone.attempts:,} attempts, "
        f"and the payloads of {blanked:,} others"
    )
