"""Take secrets, ids, names and texts out of what is recorded, so that the same one has the same stand-in."""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import parse_qsl, quote, quote_plus, unquote_plus, urlencode, urlsplit

SECRET: Final = frozenset(
    {"access_token", "client_secret", "app_secret", "code", "appsecret_proof", "authorization", "fb_exchange_token"}
    | {
        "input_token",
        "id_token",
        "refresh_token",
        "state",
        "fbtrace_id",
        "password",
        "verify_token",
        "hub.verify_token",
    }
)
HIDDEN: Final = "***"
#: Parameters and fields whose texts are Meta's own words, and so are no one's.
KEPT: Final = frozenset(
    {"fields", "metric", "metric_type", "period", "timeframe", "breakdown", "media_type", "media_product_type"}
    | {"upload_type", "status_code", "status", "type", "account_type", "grant_type", "token_type", "method"}
    | {"permission", "permissions", "scope", "invite_status", "message_type", "response_type", "content-type"}
)
#: Texts of errors, in which ids, links and the call's own texts are replaced.
SAID: Final = frozenset({"error_user_title", "error_user_msg", "error_message", "error_type", "error_description"})
TIMES: Final = frozenset({"since", "until", "expires_at", "issued_at", "data_access_expires_at"})
#: Links to other calls, which keep their path. All others become stand-ins.
CALLS: Final = frozenset({"next", "previous", "uri"})
_ID: Final = re.compile(r"(?<![A-Za-z0-9])\d{10,20}(?![A-Za-z0-9])")
_TOKEN: Final = re.compile(r"(?<![A-Za-z0-9])(?:IG|EA)[A-Za-z0-9_-]{18,}|\d{10,}\|[A-Za-z0-9_-]{8,}")
_LINK: Final = re.compile(r"https?://[^\s\"'<>\\]+", re.IGNORECASE)
_IN_QUERY: Final = re.compile(rf"(?:{'|'.join(map(re.escape, sorted(SECRET)))})=([^&#\s\"']+)")
_NAMED: Final = re.compile(r"username\(([^)]*)\)")
_PLAIN: Final = re.compile(r"-?\d{1,9}(\.\d+)?|true|false|\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:?\d\d)", re.IGNORECASE)
SHORTEST_SECRET: Final = 6


class Redactor:
    """Replaces what nobody else may read. An id stays a number of 17 digits, a text one of its length, without spaces.

    :param keep_texts: Whether captions, comments and names stay.
    """

    def __init__(self, *, keep_texts: bool = False) -> None:
        self._keep_texts = keep_texts
        self._secrets: set[str] = set()
        self._ids: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._links: dict[str, str] = {}

    def learn(self, secret: str) -> None:
        """Hide a secret from now on, wherever it appears."""
        for part in {secret, *secret.split("|")}:
            if len(part) >= SHORTEST_SECRET:
                forms = {part}
                for _ in range(2):  # a form inside a form, as in a batch
                    forms |= {form for one in forms for form in (quote(one, safe=""), quote_plus(one))}
                self._secrets |= forms | {json.dumps(part)[1:-1]}

    def learn_from(self, value: Any) -> None:
        """Hide the secrets in parameters or in an answer, by their names."""
        if isinstance(value, list):
            for one in value:
                self.learn_from(one)
        elif isinstance(value, dict):
            for name, one in value.items():
                if name.lower() in SECRET and isinstance(one, str):
                    self.learn(one)
                self.learn_from(one)
        elif isinstance(value, str):
            for found in _IN_QUERY.findall(value):
                self.learn(unquote_plus(found))
            self.learn_from(_parsed(value))

    def value(self, value: Any, name: str = "") -> Any:
        """Return a value without what nobody may read.

        :param name: The name of the parameter or field that it belongs to.
        """
        if isinstance(value, dict):
            said = {"message": "error_message"} if name in {"error", "debug_info"} else {}
            return {self.masked(str(key)): self.value(one, said.get(key, str(key))) for key, one in value.items()}
        if isinstance(value, list):
            return [self.value(one, name) for one in value]
        if isinstance(value, str):
            return self._text(value, name.lower())
        if isinstance(value, int) and not isinstance(value, bool) and value >= 10**9 and name not in TIMES:
            return int(self._id(str(value)))
        return value

    def masked(self, text: str) -> str:
        """Return a text of Meta's own without secrets, ids and links."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        text = _LINK.sub(lambda found: self._link(found[0]), _TOKEN.sub(HIDDEN, text))
        return _ID.sub(lambda found: self._id(found[0]), text)

    def _text(self, text: str, name: str) -> str:
        if name in SECRET:
            return HIDDEN
        if name == "fields":
            return self.masked(_NAMED.sub(lambda found: f"username({self._stand_in(found[1])})", text))
        if _PLAIN.fullmatch(text) or name in TIMES:
            return self.masked(text)
        if (inner := _parsed(text)) is not None:
            return json.dumps(self.value(inner, name))
        if name in CALLS and _LINK.fullmatch(text):
            return self._call(text)
        if _LINK.fullmatch(text) or re.fullmatch(r"[\d,_ ]+", text) or name in KEPT:
            return self.masked(text)
        if name in SAID:
            for known, stand_in in self._texts.items():
                text = text.replace(known, stand_in) if len(known) > 3 else text
            return self.masked(text)
        if not text or self._keep_texts:
            return self.masked(text)
        return self._stand_in(text)

    def _stand_in(self, text: str) -> str:
        return self._texts.setdefault(text, f"text_{len(self._texts) + 1}".ljust(len(text), "."))

    def _call(self, url: str) -> str:
        parts = urlsplit(url)
        query = urlencode({name: self.value(one, name) for name, one in parse_qsl(parts.query)})
        return f"{parts.scheme}://{parts.hostname}{self.masked(parts.path)}" + (f"?{query}" if query else "")

    def _link(self, url: str) -> str:
        if url in self._links.values():
            return url
        return self._links.setdefault(url, f"https://link.example/{len(self._links) + 1}")

    def _id(self, number: str) -> str:
        if number in self._ids.values():
            return number
        return self._ids.setdefault(number, str(90_000_000_000_000_001 + len(self._ids)))


def _parsed(text: str) -> Any:
    """Return the list or object in a text of JSON, or None."""
    if text[:1] not in {"[", "{"}:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None
