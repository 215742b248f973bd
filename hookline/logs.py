"""How a log line looks: one record, one line; only a traceback takes more."""

import logging
import time

# What a tenant wrote must not look like a line of ours, nor move the cursor of who reads it.
ESCAPED = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)]} | {ord("\n"): "\\n"}


class OneLine(logging.Formatter):
    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return super().formatMessage(record).translate(ESCAPED)
