"""Keep only non-personal data: the words of the API, numbers, times. All else becomes a stand-in of its kind.

The same id, name, text or link has the same stand-in everywhere.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import quote, quote_plus

from instagram_sandbox.recorder.words import WORDS

HIDDEN: Final = "***"
SHORTEST_SECRET: Final = 6
#: Parameters and fields that have words of the API, also in lists and expressions, such as
#: ``media.limit(5){id}``.
_WORDED: Final = frozenset(
    {
        "fields",
        "metric",
        "metrics",
        "metric_type",
        "period",
        "timeframe",
        "breakdown",
        "dimension_keys",
        "media_type",
    }
    | {
        "media_product_type",
        "upload_type",
        "status_code",
        "content-type",
        "type",
        "account_type",
        "grant_type",
    }
    | {"token_type"}
    | {
        "method",
        "permission",
        "permissions",
        "scope",
        "scopes",
        "invite_status",
        "response_type",
        "audio_type",
    }
    | {"subscribed_fields", "graduation_strategy", "tasks"}
)
#: Parameters and fields that have a number or a time, also as text. Other numbers are ids.
_NUMBERED: Final = frozenset(
    {
        "code",
        "error_subcode",
        "limit",
        "value",
        "x",
        "y",
        "thumb_offset",
        "audio_volume",
        "video_volume",
    }
    | {
        "since",
        "until",
        "expires_at",
        "expires_in",
        "issued_at",
        "data_access_expires_at",
        "timestamp",
        "updated_time",
    }
    | {
        "data_access_expiration_time",
        "expiration_timestamp",
        "created_time",
        "end_time",
        "duration_in_ms",
        "duration",
    }
    | {
        "quota_usage",
        "quota_total",
        "quota_duration",
        "call_count",
        "total_cputime",
        "total_time",
        "width",
        "height",
    }
    | {
        "estimated_time_to_regain_access",
        "like_count",
        "likes",
        "view_count",
        "shares_count",
        "saved_count",
        "length",
    }
    | {
        "bytes_transferred",
        "source_file_size",
        "offset",
        "file_size",
        "fan_count",
        "total_views_count",
    }
    | {"start_time_ms"}
    | {
        "comments_count",
        "reposts_count",
        "followers_count",
        "follows_count",
        "media_count",
        "total_like_count",
    }
    | {"total_comments_count"}
)
#: Texts that stay if they are asked for, but never in an error.
_TEXTS: Final = frozenset({"caption", "message", "text"})
_SECRET: Final = re.compile(
    r"code|state|authorization|.*(proof|token|secret|cookie|password|key)", re.DOTALL
)
_ID: Final = re.compile(r"\d{1,20}", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d{1,11}(\.\d{1,9})?", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_VERSION: Final = re.compile(r"v\d{1,3}\.\d", re.ASCII)
_LINK: Final = re.compile(r"https?://[^\s\"'<>\\]+", re.IGNORECASE)
_TOKEN: Final = re.compile(
    r"(?:IG|EA)[A-Za-z0-9_-]{18,}|(?<!\d)\d{10,20}\|[A-Za-z0-9_-]{8,}", re.ASCII
)
_LONG_ID: Final = re.compile(r"(?<!\d)\d{10,20}(?!\d)", re.ASCII)


class Redactor:
    """Replaces what nobody else may read. An id stays a number of 17 digits, a text one of its length, without spaces.

    :param keep_texts: Whether captions, comments and messages stay, without the secrets and ids in
        them.
    """

    def __init__(self, *, keep_texts: bool = False) -> None:
        self._keep_texts = keep_texts
        self._secrets: set[str] = set()
        self._stand_ins: dict[str, dict[str, str]] = {"id": {}, "name": {}, "text": {}, "link": {}}

    def learn(self, secret: str) -> None:
        """Hide a secret from now on in texts that stay."""
        for part in {secret, *secret.split("|")}:
            if len(part) >= SHORTEST_SECRET:
                self._secrets |= {
                    part,
                    quote(part, safe=""),
                    quote_plus(part),
                    json.dumps(part)[1:-1],
                }

    def value(self, value: Any, name: str = "") -> Any:
        """Return a value without what nobody may read.

        :param name: The name of the parameter or field that it belongs to.
        """
        if self._keep_texts:
            # learns the secrets, which may stand behind the texts
            self._value(value, name, keep=False)
        return self._value(value, name, keep=self._keep_texts)

    def path(self, path: str) -> str:
        """Return the path of a call without empty parts, and with stand-ins for ids and names."""
        parts = (
            part if _VERSION.fullmatch(part) else self._word(part)
            for part in path.split("/")
            if part
        )
        return "/" + "/".join(parts)

    def _value(self, value: Any, name: str, *, keep: bool) -> Any:
        if isinstance(value, dict):
            return {
                self._word(str(key)): self._value(
                    one, str(key), keep=keep and key not in {"error", "debug_info"}
                )
                for key, one in value.items()
            }
        if isinstance(value, list):
            return [self._value(one, name, keep=keep) for one in value]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(value, name.lower(), keep=keep)
        if name in _NUMBERED and abs(value) < 10**11:
            return value
        return int(self._id(str(value))) if isinstance(value, int) else 0.0

    def _text(self, text: str, name: str, *, keep: bool) -> str:
        if not text or text in {"true", "false"}:
            return text
        if _SECRET.fullmatch(name):
            self.learn(text)
            return HIDDEN
        if name in _NUMBERED and (_NUMBER.fullmatch(text) or _TIME.fullmatch(text)):
            return text
        if (inner := _parsed(text)) is not None:
            return json.dumps(self._value(inner, name, keep=keep))
        if name in _TEXTS and keep:
            return self._masked(text)
        if name in _WORDED:
            return re.sub(
                r"[^,(){}.\[\]\"/ ]+", lambda found: self._word(found[0], short_numbers=True), text
            )
        if re.fullmatch(r"\d{1,20}([,_]\d{1,20})*", text, re.ASCII):
            return _ID.sub(lambda found: self._id(found[0]), text)
        return (
            self._link(text)
            if _LINK.match(text)
            else self._stand_in("text", text).ljust(len(text), ".")
        )

    def _word(self, word: str, *, short_numbers: bool = False) -> str:
        if word in WORDS or (short_numbers and re.fullmatch(r"\d{1,4}", word, re.ASCII)):
            return word
        return self._id(word) if _ID.fullmatch(word) else self._stand_in("name", word)

    def _masked(self, text: str) -> str:
        text = text.encode("utf-8", "replace").decode("utf-8")
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        text = _LINK.sub(lambda found: self._link(found[0]), _TOKEN.sub(HIDDEN, text))
        return _LONG_ID.sub(lambda found: self._id(found[0]), text)

    def _stand_in(self, kind: str, real: str) -> str:
        known = self._stand_ins[kind]
        return known.setdefault(real, f"{kind}_{len(known) + 1}")

    def _link(self, url: str) -> str:
        return f"https://link.example/{self._stand_in('link', url).removeprefix('link_')}"

    def _id(self, number: str) -> str:
        return str(90_000_000_000_000_000 + int(self._stand_in("id", number).removeprefix("id_")))


def _parsed(text: str) -> Any:
    """Return the list or object in a text of JSON, or None."""
    if text[:1] not in {"[", "{"}:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
