"""Times as the API writes them: whole milliseconds since 1970."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def milliseconds(moment: datetime) -> int:
    """Rounded down, exactly: floats would be off by one now and then."""
    return (moment - EPOCH) // MILLISECOND
