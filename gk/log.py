"""Structured logs: one line per event, `key=value` for people or JSON for machines, never an address.

What came from outside is escaped: a log line is always one line (log injection). Errors of libraries may quote an
address, so whatever looks like one is taken out at the last moment.
"""

import json
import logging
import re
import sys
import time

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


_ADDRESS = re.compile(r"[^\s<>()\[\]{}:;,=\"'\\@]{1,256}@[^\s<>(){}:;,=\"'\\@]{1,256}")


def without_addresses(text: str) -> str:
    """The text with mail addresses made unreadable."""
    return _ADDRESS.sub("(address)", text) if "@" in text else text


def escape(text: str) -> str:
    """The text with control characters and line ends shown as escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


class Text(logging.Formatter):
    """`2026-01-31T12:00:00Z warning gk.store event=… key=value`; a traceback follows on lines of its own."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%SZ"
    default_msec_format = ""

    def format(self, record: logging.LogRecord) -> str:
        message = escape(without_addresses(record.getMessage()))
        line = f"{self.formatTime(record)} {record.levelname.lower()} {record.name} {message}"
        if not record.exc_info:
            return line
        trace = without_addresses(self.formatException(record.exc_info)).splitlines()
        return "\n".join([line, *(f"  {escape(below)}" for below in trace)])


class Json(logging.Formatter):
    """One JSON object a line, tracebacks inside it."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_addresses(record.getMessage()),
        }
        if record.exc_info:
            entry["traceback"] = without_addresses(self.formatException(record.exc_info))
        return json.dumps(entry)


def setup(level: str, form: str) -> None:
    """Send the log to standard error; libraries that log addresses are kept at warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if form == "json" else Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    for noisy in ("mail.log", "mail.debug", "aiosmtplib", "aiosqlite", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd prints commands with their addresses
