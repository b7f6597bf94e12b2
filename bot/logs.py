"""Structured logs: every line carries the command's reference, no line carries a secret."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote

import structlog

_SECRETS = re.compile(
    r"xox[a-z]-[\w-]+|xapp-[\w-]+|(?i:bearer\s+)[\w.~+/=-]+|https://hooks\.slack\.com/\S+"
    r"|(?i:(?:token|secret|password|authorization|signature)[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|bot)\s+)?)[^\s\"',}]+"
    r"|://[^/\s:@]+:[^/\s:@]+@|[\w-]{23,28}\.[\w-]{6}\.[\w-]{27,40}"
)
_SECRET_AT_LEAST = 4  # characters; a shorter one would cut every other word


def redact(text: str) -> str:
    """The text without anything that looks like a token, a password or a signature."""
    return _SECRETS.sub("[redacted]", text)


class _Redactor:
    """Cuts secrets out of a line, however deep they lie: by their looks, and the desk's own by their value."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {
            form for each in secrets if len(each) >= _SECRET_AT_LEAST for form in (each, quote(each, safe=""))
        }
        self._known = re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True))) or r"(?!)")

    def __call__(self, _logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {key: self._clean(value) for key, value in event.items()}

    def _clean(self, value: Any) -> Any:
        match value:
            case str():
                return redact(self._known.sub("[redacted]", value))
            case Mapping():
                return {key: self._clean(each) for key, each in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._clean(each) for each in value]
            case None | bool() | int() | float():
                return value
            case _:
                return self._clean(str(value))


def configure(as_json: bool, level: str = "info", secrets: Iterable[str] = ()) -> None:
    """Send our lines and the libraries' to standard error, as text for people or as JSON for machines.

    `secrets` are values that no line may hold, whatever they look like.
    """
    redactor = _Redactor(secrets)
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.types.Processor] = (
        [structlog.processors.format_exc_info, redactor, structlog.processors.JSONRenderer()]
        if as_json
        else [
            structlog.processors.format_exc_info,
            redactor,
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
