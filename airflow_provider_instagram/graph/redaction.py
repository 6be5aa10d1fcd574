"""Redaction of secrets in logs and error messages."""

from __future__ import annotations

import logging
import re
from typing import Final

_PARAMETER: Final = re.compile(
    r"(?:\b|(?<=%[0-9A-F]{2}))(access_token|input_token|fb_exchange_token|client_secret|app_secret|appsecret_proof|code)"
    r"(=|%3D|[\"']\s*:\s*[\"'])([^&\s\"'<>\\]+)",
    re.IGNORECASE,
)
_HEADER: Final = re.compile(r"\b(Bearer|OAuth)\s+[A-Za-z0-9._~+/=|-]{20,}")
#: Tokens of Instagram Login start with IG, those of Facebook Login with EA.
_TOKEN: Final = re.compile(r"\b(?:IG|EA)[A-Za-z0-9_-]{16,}")
#: Meta repeats the link that it could not fetch. A signature in its query lets anybody read the file.
_QUERY: Final = re.compile(r"(https?://[^\s?\"'<>]+\?)[^\s\"'<>]+", re.IGNORECASE)
_LOGGERS: Final = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))


def redact(text: str) -> str:
    """Return a text without access tokens, app secrets and login codes, for logs."""
    text = _PARAMETER.sub(r"\1\2***", text)
    text = _HEADER.sub(r"\1 ***", text)
    return _TOKEN.sub("***", text)


def without_queries(text: str) -> str:
    """Return a text with ``***`` in place of the query of each link, for what Meta says of a link."""
    return _QUERY.sub(r"\1***", text)


def _redact_record(record: logging.LogRecord) -> bool:
    record.msg, record.args = redact(record.getMessage()), ()
    return True


def redact_http_logs() -> None:
    """Remove secrets from the logs of httpx and httpcore, which contain URLs and answers. Safe to call again."""
    for name in _LOGGERS:  # a filter applies to its own logger, but not to the children of that logger
        logging.getLogger(name).addFilter(_redact_record)
