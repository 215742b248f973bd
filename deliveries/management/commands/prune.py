"""Retention by hand: what workers do by themselves every HL_COMPACT_INTERVAL_MS."""

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from deliveries import payloads, retention
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
        counts = {**asdict(gone), "payloads": blanked}
        told = ", ".join(f"{kind} {count:,}" for kind, count in counts.items())
        self.tell(f"{'Would remove' if dry_run else 'Removed'}: {told}.", **counts, dry_run=dry_run)
