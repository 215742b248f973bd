"""How a log record is written: as a line for people, or as a line of JSON for programs.

In both, what a stranger wrote stays within its record and moves no cursor, secrets are left out, and the
ids of the request, the job, the endpoint and the tenant stand where they are known.
"""

import json
import logging
import time
from contextvars import ContextVar
from typing import Any

from hookline.redaction import redact

# What a tenant wrote must not look like a line of ours, nor move the cursor of who reads it.
ESCAPED = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)]} | {ord("\n"): "\\n"}
# To some readers, these two end a line as well.
ESCAPED |= {0x2028: "\\u2028", 0x2029: "\\u2029"}
# Of a traceback, so that none of its lines looks like a record either.
INDENT = "    "
IDS = ("request_id", "job_id", "endpoint_id", "tenant_id")

# Of the request that this thread is answering.
request_id: ContextVar[str] = ContextVar("request_id", default="")


class Utc(logging.Formatter):
    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def ids(self, record: logging.LogRecord) -> dict[str, str]:
        """Those that came with the record as `extra`, and that of the request."""
        known = {"request_id": request_id.get()} | vars(record)
        return {name: str(known[name]) for name in IDS if known.get(name)}

    def traceback(self, record: logging.LogRecord) -> str:
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        parts = filter(None, (record.exc_text, self.formatStack(record.stack_info or "")))
        return "\n".join(parts)


class Text(Utc):
    """One record, one line; only a traceback takes more, and those are indented."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.message, record.asctime = record.getMessage(), self.formatTime(record)
        ids = " ".join(f"{name.removesuffix('_id')}={id}" for name, id in self.ids(record).items())
        line = self.formatMessage(record) + (f" [{ids}]" if ids else "")
        more = [INDENT + part for part in self.traceback(record).split("\n") if part]
        return redact("\n".join(part.translate(ESCAPED) for part in [line, *more]))


class Json(Utc):
    """One record, one object on one line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, Any] = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
            "process": record.process,
            "thread": record.threadName,
            **self.ids(record),
        }
        if traceback := self.traceback(record):
            document["traceback"] = redact(traceback)
        return json.dumps(document)
