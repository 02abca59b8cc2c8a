"""Log lines with named fields, on standard error, as text or JSON.

Our own code and libraries go through one formatter, so that a log shipper meets one
shape. Secrets, phone numbers and audio never reach a log: callers log ids.
"""

import logging
import logging.config
import re
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from acsstream.log_context import context_processors

# Capability URLs: whoever holds the secret may stream into a call or report on it.
SECRET_IN_PATH = re.compile(
    r"(?i)((?:/|%2f)(?:media|transcription|webhooks/calls|webhooks%2fcalls)(?:/|%2f))"
    r"[^\s/?\"'\\]+"
)
SECRET_IN_QUERY = re.compile(
    r"(?i)([?&](?:secret|sig|code|token|access_token|key)=)[^\s&\"'\\]+"
)
# redis://:password@host, postgresql://user:password@host
PASSWORD_IN_URL = re.compile(r"(://[^\s:/@\"']*:)[^\s@\"']+(?=@)")
# Three parts, or the two of a token without a signature; incomingCallContext is one.
JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?")
BEARER = re.compile(r"(?i)\b(bearer|hmac-sha256)\s+[\w.~+/=&-]{8,}")
# +12065550100, +44 20 7946 0100, %2B1206…, tel:…, and ACS's 4:+1206…
NUMBER = re.compile(r"(?i)(\+|%2b)(?:[1-9](?:[ ().-]{0,2}\d){6,14})(?!\d)")


def without_secrets(text: str) -> str:
    """Return `text` with what no log may have replaced by `***`.

    Secrets of our own routes, passwords in URLs, tokens, phone numbers. A last line:
    the first is that nobody logs them, and what has no such form is not seen here.
    """
    text = SECRET_IN_QUERY.sub(r"\1***", SECRET_IN_PATH.sub(r"\1***", text))
    text = PASSWORD_IN_URL.sub(r"\1***", text)
    text = BEARER.sub(r"\1 ***", JWT.sub("***", text))
    return NUMBER.sub(r"\1***", text)


def hide_secrets(_: WrappedLogger, __: str, line: str) -> str:
    """Hide secrets in the finished line: message, fields and traceback alike."""
    return without_secrets(line)


class OneLine(logging.Filter):
    """Takes the traceback from what any stranger can cause as often as they like."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every line."""
        if record.name == "django.security.DisallowedHost":
            record.exc_info = None
        return True


def logging_config(*, level: str, style: str, node: str = "") -> dict[str, Any]:
    """Return a `logging.config.dictConfig` that writes through structlog."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(
            colors=False,
            # The default prints local variables where rich is installed: requests,
            # numbers, secrets.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": "structlog.stdlib.ProcessorFormatter",
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *context_processors(style, node),
                    structlog.processors.format_exc_info
                    if style == "json"
                    else _untouched,
                    renderer,
                    hide_secrets,
                ],
            }
        },
        "filters": {"one_line": {"()": OneLine}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "lines",
                "filters": ["one_line"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # The SDK logs whole requests at INFO; they hold phone numbers.
            "azure": {"level": "WARNING"},
            # One line for every run of a sweep; failures come at ERROR.
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            # At DEBUG: the verifier and the token of a single sign-on.
            "authlib": {"level": "WARNING"},
            # At DEBUG: handshakes with their API keys, and frames with what was said.
            "openai": {"level": "WARNING"},
            "websockets": {"level": "WARNING"},
            "daphne.http_protocol": {"level": "WARNING"},
            "django.channels.server": {"level": "WARNING"},
        },
    }


def _untouched(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return event


def configure(config: dict[str, Any]) -> None:
    """Set up standard logging and structlog to write the same lines."""
    logging.config.dictConfig(config)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
