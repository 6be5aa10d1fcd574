"""Redaction of secrets in logs and error messages."""

from __future__ import annotations

import logging
import re
from typing import Final

from airflow_provider_instagram.graph.fields import cut
from airflow_provider_instagram.utils.urls import shown_in

HTML_PAGE: Final = "an HTML page"
_PARAMETER: Final = re.compile(
    r"(?:\b|(?<=%[0-9A-F]{2}))(access_token|input_token|fb_exchange_token|client_secret|app_secret|appsecret_proof|code)"
    r"(=|%3D|[\"']\s*:\s*[\"'])([^&\s\"'<>\\]+)",
    re.IGNORECASE,
)
_HEADER: Final = re.compile(r"\b(Bearer|OAuth)\s+[A-Za-z0-9._~+/=|-]{20,}")
#: Tokens of Instagram Login start with IG, those of Facebook Login with EA.
_TOKEN: Final = re.compile(r"\b(?:IG|EA)[A-Za-z0-9_-]{16,}")
#: What shows that a text is a page, whose words say nothing of the error; and any tag.
_PAGE: Final = re.compile(
    r"<(?:!doctype|html|head|title|meta|style|script|body|div|table|iframe|svg)\b", re.IGNORECASE
)
_TAG: Final = re.compile(r"<[a-z/!?][^<>]*(?:>|\Z)", re.IGNORECASE)
#: The most that a message quotes, in characters.
_LONGEST_QUOTE: Final = 1_500
_LOGGERS: Final = (
    "httpx",
    *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
)


def redact(text: str) -> str:
    """Return a text without access tokens, app secrets and login codes, for logs."""
    text = _PARAMETER.sub(r"\1\2***", text)
    text = _HEADER.sub(r"\1 ***", text)
    return _TOKEN.sub("***", text)


def quoted(text: str) -> str:
    """Return what a server says as a message quotes it: the beginning, on one line, without secrets and HTML.

    Meta repeats the link that it could not fetch. A signature in its query lets anybody read the
    file.
    """
    text = cut(text, _LONGEST_QUOTE)
    if _PAGE.search(text):
        return HTML_PAGE
    printable = "".join(sign if sign.isprintable() else " " for sign in _TAG.sub(" ", text))
    return shown_in(redact(" ".join(printable.split())))


def _redact_record(record: logging.LogRecord) -> bool:
    record.msg = redact(cut(record.getMessage()))
    record.args = ()
    return True


def redact_http_logs() -> None:
    """Remove secrets from the logs of httpx and httpcore, which contain URLs and answers. Safe to call again."""
    # a filter applies to its own logger, but not to the children of that logger
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_redact_record)
