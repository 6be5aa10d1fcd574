"""The life of one connection's access token: used, refreshed in time, never lost."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from airflow_provider_instagram.exceptions import AuthenticationError, InstagramError, TransientError
from airflow_provider_instagram.graph import calls, oauth
from airflow_provider_instagram.tokens import ENDING, LONG_LIVED, YOUNGEST_TO_REFRESH, StoredToken

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_instagram.graph.calls import Call
    from airflow_provider_instagram.graph.models import Token
    from airflow_provider_instagram.tokens import TokenStore

T = TypeVar("T")

#: Tries of one refresh. Between them the old token stays, so a lost answer costs a try and nothing else.
_TRIES: Final = 3
#: How soon after a try the use of a token tries again; the daily task does not wait for it.
_PAUSE: Final = timedelta(hours=1)
#: How long another process may be between Meta's answer and its writing.
_WRITING: Final = timedelta(seconds=60)
_LOOKS, _LOOK_PAUSE_S = 8, 0.25

_log = logging.getLogger(__name__)


class Store(Protocol):
    """What keeps one token."""

    variable: str

    def load(self) -> StoredToken | None: ...  # noqa: D102

    def save(self, token: StoredToken) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class Refreshed:
    """How an attempt to refresh ended.

    :param refreshed: Whether there is a new token.
    :param token: The token to use from now on.
    """

    refreshed: bool
    token: StoredToken


class TokenLife:
    """The access token of one connection, over time.

    :param conn_id: The connection.
    :param pasted: The token that stands in the connection.
    :param store: Where the token is kept.
    :param send: Sends a call to the Graph API with the given token; as a record, it shows in no crash report.
    :param clock: Tells the time, in UTC.
    :param sleep: Waits for a number of seconds.
    """

    def __init__(
        self,
        conn_id: str,
        pasted: str,
        store: TokenStore | Store,
        send: Callable[[StoredToken, Call[Any]], Any],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.conn_id = conn_id
        self._pasted = pasted
        self._store = store
        self._send = send
        self._clock = clock
        self._sleep = sleep

    @property
    def has_end(self) -> bool:
        """Whether the token ends and can be refreshed. Tokens of Facebook Login's Pages do not end."""
        return not self._pasted.startswith(oauth.FACEBOOK_LOGIN)

    def known(self) -> StoredToken:
        """Give the token and what is known of it; one that was pasted is noted here, at its first sight."""
        stored = self._store.load()
        if stored is None:
            stored = self._noted()
            if self.has_end:
                self._store.save(stored)
        return stored

    def _noted(self) -> StoredToken:
        return StoredToken(self._pasted, seen_at=self._clock().isoformat())

    def use(self, by: str) -> str:
        """Give the token to use now, refreshed when it is time for that. A refresh that fails stops nobody.

        :param by: Who uses it, for the record.
        """
        try:
            token = self.known()
        except Exception as error:  # noqa: BLE001 -- whatever keeps the note from being written must not keep a post
            _log.warning("The life of the token of %r cannot be recorded: %s", self.conn_id, error)
            return self._pasted
        now = self._clock()
        if self.has_end and token.is_due(now) and not token.was_tried_within(_PAUSE, now):
            try:
                token = self.refresh(by).token
            except InstagramError as error:
                _log.warning("The token of connection %r was not refreshed: %s", self.conn_id, error)
        self.warn(token)
        return token.access_token

    def warn(self, token: StoredToken) -> None:
        """Warn in the log when the end of the token is near."""
        left = token.left(self._clock())
        if left is not None and timedelta() < left <= ENDING:
            _log.warning(
                "The Instagram token of connection %r ends in %.1f days, at %s, and was not refreshed so far. "
                "Turn on the DAG refresh_instagram_tokens, or connect the account again.",
                self.conn_id,
                left / timedelta(days=1),
                token.expires_at,
            )

    def refresh(self, by: str) -> Refreshed:
        """Give the token 60 new days, unless it is younger than the 24 hours that Meta asks for.

        :param by: Who refreshes it, for the record.
        :raises AuthenticationError: No token of the connection lives.
        :raises InstagramError: It cannot be refreshed now; the token that there was stays in use.
        """
        token, now = self.known(), self._clock()
        if not self.has_end or (token.issued_at and token.least_age(now) < YOUNGEST_TO_REFRESH):
            return Refreshed(False, token)
        token = self._announced(token, now)
        try:
            answer = self._ask(token)
        except AuthenticationError:
            return self._second_chance(token, by)
        except InstagramError as error:
            if error.retryable or token.least_age(now) >= YOUNGEST_TO_REFRESH:
                raise
            # Meta refuses what is younger than a day, and by that says when it ends at the latest.
            young = replace(token, issued_at=now.isoformat())
            young = replace(young, expires_at=(now + LONG_LIVED - YOUNGEST_TO_REFRESH).isoformat())
            self._store.save(young)
            return Refreshed(False, young)
        return Refreshed(True, self._kept(token, answer, by))

    def after_refusal(self, refused: str) -> str | None:
        """Give the token that took the place of a refused one, or None.

        :param refused: The token that Instagram refused.
        """
        stored = None
        try:
            stored = self._store.load()
            if stored and stored.access_token == refused and stored.was_tried_within(_WRITING, self._clock()):
                stored = self._awaited(refused)
        except Exception as error:  # noqa: BLE001 -- Instagram's refusal is what is to be told, not this
            _log.warning("Whether connection %r has another token cannot be read: %s", self.conn_id, error)
        others = (stored.access_token if stored else None, self._pasted)
        return next((token for token in others if token and token != refused), None)

    def _announced(self, token: StoredToken, now: datetime) -> StoredToken:
        """Note that a refresh is tried, and by that make sure that a new token can be kept at all."""
        token = replace(token, tried_at=now.isoformat())
        self._store.save(token)
        stored = self._store.load()
        if stored is None or (stored.access_token == token.access_token and not stored.was_tried_within(_WRITING, now)):
            raise InstagramError(
                f"The token of connection {self.conn_id!r} is not refreshed: what is written to the Variable "
                f"{self._store.variable!r} cannot be read back, so the new token would be lost.",
                hint="Look for the same Variable in the environment or in a secrets backend, which hides the real one.",
            )
        return token

    def _ask(self, token: StoredToken) -> Token:
        """Ask for a new token, again when an answer gets lost: until there is another one, the old one stays."""
        answer: Token = self._retrying(TransientError)(self._send, token, oauth.refresh(token.access_token))
        return answer

    def _second_chance(self, token: StoredToken, by: str) -> Refreshed:
        """Look for another token after a refusal: one that somebody else got, or the one in the connection."""
        other = self._awaited(token.access_token)
        if other is not None:
            return Refreshed(False, other)
        if self._pasted != token.access_token:
            _log.warning("The stored token of connection %r is refused; the one in it is tried", self.conn_id)
            return Refreshed(True, self._kept(token, self._ask(self._noted()), by))
        self._send(token, calls.account())  # the last word: it raises what Instagram says to its use
        return Refreshed(False, token)

    def _awaited(self, refused: str) -> StoredToken | None:
        """Wait for a token that another process has got, but may not have written yet."""
        for _ in range(_LOOKS):
            stored = self._store.load()
            if stored and stored.access_token != refused:
                return stored
            self._sleep(_LOOK_PAUSE_S)
        return None

    def _kept(self, old: StoredToken, answer: Token, by: str) -> StoredToken:
        """Write the new token in place of the old one, unless another process was quicker and ours does not live."""
        new = StoredToken.issued(answer, self._clock(), answer.permissions or old.scopes, by)
        other = self._store.load()
        if other and other.access_token not in (old.access_token, new.access_token) and not self._lives(new):
            return other
        self._retrying(Exception)(self._store.save, new)
        self._guard(new, {old.access_token, self._pasted})
        return new

    def _guard(self, new: StoredToken, former: set[str]) -> None:
        """Write the new token again where a refresher that had read the former one wrote its note over it."""
        for _ in range(_LOOKS):
            self._sleep(_LOOK_PAUSE_S)
            stored = self._store.load()
            if stored is None or stored.access_token in former:
                self._retrying(Exception)(self._store.save, new)

    def _lives(self, token: StoredToken) -> bool:
        try:
            self._send(token, calls.account())
        except AuthenticationError:
            return False
        return True

    def _retrying(self, error: type[Exception]) -> Retrying:
        return Retrying(
            stop=stop_after_attempt(_TRIES),
            wait=wait_exponential(multiplier=1, max=10),
            retry=retry_if_exception_type(error),
            sleep=self._sleep,
            reraise=True,
        )
