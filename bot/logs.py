"""Structured logs: every line carries the command's reference, no line carries a secret."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRETS = re.compile(
    r"xox[a-z]-[\w-]+|xapp-[\w-]+|(?i:bearer\s+)[\w.~+/=-]+|https://hooks\.slack\.com/\S+"
    r"|(?i:(?:token|secret|password|authorization|signature)[\"']?\s*[:=]\s*[\"']?)[^\s\"',}]+"
    r"|://[^/\s:@]+:[^/\s:@]+@|[\w-]{23,28}\.[\w-]{6}\.[\w-]{27,40}"
)


def redact(text: str) -> str:
    """The text without anything that looks like a token, a password or a signature."""
    return _SECRETS.sub("[redacted]", text)


def _redactor(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}


def configure(as_json: bool, level: str = "info") -> None:
    """Send our lines and the libraries' to standard error, as text for people or as JSON for machines."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.types.Processor] = (
        [structlog.processors.format_exc_info, _redactor, structlog.processors.JSONRenderer()]
        if as_json
        else [
            structlog.processors.format_exc_info,
            _redactor,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Bolt writes the body of a request with a bad signature at INFO; these speak up only when something is wrong.
    for noisy in (
        "slack_bolt",
        "slack_sdk",
        "discord",
        "apscheduler",
        "uvicorn",
        "httpx",
        "aiohttp",
        "alembic",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)
