"""This machine's clock, by that of the database, which is the installation's."""

from datetime import UTC, datetime, timedelta

from hookline.doctor.findings import Ask, Findings, error, ok, warning

# Streams look ten seconds back; ids and idempotency keys bear the time of the process that made them.
SLIGHT, GRAVE = timedelta(seconds=1), timedelta(seconds=10)
FIX = "Have both machines keep time by NTP: timedatectl set-ntp true"


def clock(ask: Ask) -> Findings:
    before = datetime.now(UTC)
    [(theirs,)] = ask("SELECT clock_timestamp()")
    yield from compared(before, theirs, datetime.now(UTC))


def compared(before: datetime, theirs: datetime, after: datetime) -> Findings:
    """Less the time that the question took."""
    skew = max(before - theirs, theirs - after, timedelta())
    word = "ahead of" if before > theirs else "behind"
    told = f"This machine's clock is {skew.total_seconds():.1f} s {word} the database's."
    if skew > GRAVE:
        yield error(f"{told} Streams miss events.", FIX)
    elif skew > SLIGHT:
        yield warning(told, FIX)
    else:
        yield ok("This machine's clock agrees with the database's.")
