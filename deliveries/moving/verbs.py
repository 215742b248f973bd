"""`tenant export` and `tenant import`, as the command of tenants has them."""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings

from deliveries.moving.sealed import LEAST, Box
from deliveries.moving.set_up import SECRET_MISSING
from deliveries.moving.source import BadSource, Source, source_of
from deliveries.moving.take_in import NotTakenIn, take_in
from deliveries.moving.write_out import write_out
from hookline import commands
from hookline.commands import Action
from hookline.environment import refuse
from hookline.progress import show
from tenants import lifecycle

MOST_FAULTS = 20


class Export(Action):
    help = (
        "Write all that a tenant has to a file: keys, endpoints, subscriptions, events and their deliveries. "
        "Secrets are left out, unless there is a passphrase to seal them with. HookLine may go on running."
    )
    example = "tenant export acme --dest acme.jsonl --passphrase-file passphrase"

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant", help="its id")
        parser.add_argument("--dest", type=Path, required=True, help="the file to write")
        passphrase_argument(parser)

    def work(self, tenant: str, dest: Path, passphrase_file: Path | None, **options: Any) -> None:
        chosen = lifecycle.active(tenant)
        if dest.exists():
            refuse(f"{dest} exists already: choose another name.")
        box = Box(passphrase_in(passphrase_file)) if passphrase_file else None
        with told_as_sentences():
            counts = write_out(chosen, dest, box, show)
        self.tell(f"Wrote: {in_words(counts)}.", tenant_id=chosen.id, written=counts)


class Import(Action):
    help = (
        "Take in what `tenant export` wrote, or a directory of lists of an older HookLine's REST API: all of "
        "it, or nothing and a list of what is wrong. What is there already stays as it is."
    )
    example = "tenant import --from acme.jsonl --passphrase-file passphrase"

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--from", type=Path, required=True, dest="source", help="the file, or the directory of lists"
        )
        parser.add_argument("--tenant", help="its id, if it is to be another; for lists, if not HL_TENANT_ID")
        parser.add_argument("--dry-run", action="store_true", help="tell what is wrong, change nothing")
        passphrase_argument(parser)

    def work(
        self, source: Path, tenant: str | None, dry_run: bool, passphrase_file: Path | None, **options: Any
    ) -> None:
        with told_as_sentences():
            given = source_of(source)
            chosen = lifecycle.active(tenant or given.tenant_id or settings.HL_TENANT_ID)
            box = self.box_for(given, passphrase_file)
            taking = take_in(given, chosen, box, commands.by(), show, is_trial=dry_run)
        disabled = [f"Endpoint {id} is disabled. {SECRET_MISSING}" for id in taking.disabled]
        for sentence in taking.target.left_out + disabled:
            self.tell(sentence, note=sentence)
        verb = "Would take in" if dry_run else "Took in"
        self.tell(
            f"{verb}: {in_words(taking.taken)}. There already: {in_words(taking.there)}.",
            tenant_id=chosen.id,
            dry_run=dry_run,
            taken=taking.taken,
            there=taking.there,
        )

    def box_for(self, source: Source, passphrase_file: Path | None) -> Box | None:
        if source.salt is None:
            return None
        if passphrase_file is None:
            refuse("The file holds sealed secrets: give --passphrase-file, with what they were sealed with.")
        return Box(passphrase_in(passphrase_file), source.salt)


def passphrase_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--passphrase-file", type=Path, help="the passphrase of the secrets is its first line"
    )


def passphrase_in(file: Path) -> str:
    try:
        passphrase = file.read_text().partition("\n")[0]
    except (OSError, UnicodeDecodeError) as fault:
        refuse(f"{file} cannot be read: {fault}.")
    if len(passphrase) < LEAST:
        refuse(f"The passphrase in {file} is too short: it must have {LEAST} characters or more.")
    return passphrase


@contextmanager
def told_as_sentences() -> Iterator[None]:
    try:
        yield
    except BadSource as fault:
        refuse(str(fault))
    except NotTakenIn as fault:
        more = len(fault.faults) - MOST_FAULTS
        refuse(*fault.faults[:MOST_FAULTS], *([f"And {more:,} more."] if more > 0 else []))
    except OSError as fault:
        refuse(f"{fault.filename}: {fault.strerror}.")


def in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {count:,}" for kind, count in counts.items() if count) or "nothing"
