"""The access token of a connection over time: used, refreshed before it expires, never lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    InstagramError,
    TransientError,
)
from airflow_provider_instagram.graph import calls, oauth
from airflow_provider_instagram.hooks.token_store import (
    EXPIRY_WARNING,
    LONG_LIVED_LIFETIME,
    MIN_AGE_TO_REFRESH,
    StoredToken,
    TokenStore,
)
from airflow_provider_instagram.utils.clock import CLOCK

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.calls import Call
    from airflow_provider_instagram.graph.models import Token, TokenInfo

#: Tries of one refresh. The old token stays valid between them, so a lost answer costs only a try.
_ATTEMPTS: Final = 3
#: After a failed refresh, tasks wait this long before they try again. The daily task does not wait.
_RETRY_INTERVAL: Final = timedelta(hours=1)
#: How long another process may take from Meta's answer to storing the new token.
_STORE_WINDOW: Final = timedelta(seconds=60)
_POLLS = 8
_POLL_INTERVAL_S = 0.25
#: What Meta told about a token is used for so long.
_ASK_AGAIN: Final = timedelta(days=1)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RefreshResult:
    """The result of a refresh."""

    refreshed: bool
    token: StoredToken


@dataclass(eq=False)
class TokenManager:
    """The access token of one connection, over time.

    :param send: Sends a call to the Graph API with the given token, passed as a record so that
        crash reports hide it.
    :param ask: Asks Meta about a token that cannot be refreshed: one of Facebook or Unified Login.
        None for a token of Instagram Login, about which Meta tells nothing.
    """

    conn_id: str
    connection_token: str = field(repr=False)
    store: TokenStore
    send: Callable[[StoredToken, Call[Any]], Any]
    ask: Callable[[], TokenInfo | None] | None = None
    clock: Callable[[], datetime] = CLOCK.now
    sleep: Callable[[float], None] = time.sleep

    @property
    def can_refresh(self) -> bool:
        """Whether the token can be refreshed. Meta documents that for Instagram Login only."""
        return self.ask is None

    def current_token(self) -> StoredToken:
        """Return the token and its known dates, and record a pasted token at its first use."""
        stored = self.store.load()
        if stored is None:
            stored = self._connection_record()
            if self.can_refresh:
                self.store.save(stored)
        return stored

    def look_up(self, *, at_most_old: timedelta = _ASK_AGAIN) -> StoredToken:
        """Return the token with its scopes and its end, as Meta told them within this time."""
        token = self.current_token()
        now = self.clock()
        if self.ask is None or token.was_tried_within(at_most_old, now):
            return token
        token = replace(token, tried_at=now)
        if (info := self.ask()) is not None:
            token = token.with_info(info)
        self.store.save(token)
        return token

    def _connection_record(self) -> StoredToken:
        return StoredToken(self.connection_token, seen_at=self.clock())

    def get(self, by: str) -> str:
        """Return the token to use now, refreshed if due. A refresh that fails is only logged."""
        try:
            token = self.current_token()
        except Exception as error:  # noqa: BLE001 -- the caller must report Instagram's refusal, not this error
            _log.warning(
                "The dates of the token of connection %r cannot be recorded: %s",
                self.conn_id,
                error,
            )
            return self.connection_token
        now = self.clock()
        if (
            self.can_refresh
            and token.is_due(now)
            and not token.was_tried_within(_RETRY_INTERVAL, now)
        ):
            try:
                token = self.refresh(by).token
            except InstagramError as error:
                _log.warning(
                    "The token of connection %r was not refreshed, so the old one is used: %s",
                    self.conn_id,
                    error,
                )
        self.warn_before_expiry(token)
        return token.access_token

    def warn_before_expiry(self, token: StoredToken) -> None:
        """Log a warning if the token expires soon."""
        left = token.time_left(self.clock())
        if left is not None and timedelta() < left <= EXPIRY_WARNING:
            said = "The Instagram token of connection %r %s, in %.1f days, and %s"
            what = "cannot be refreshed. Connect the account again."
            if self.can_refresh:
                what = "has not been refreshed. Turn on the DAG refresh_instagram_tokens, or connect the account again."
            _log.warning(said, self.conn_id, token.end, left / timedelta(days=1), what)

    def refresh(self, by: str) -> RefreshResult:
        """Refresh the token for 60 more days, unless it is less than 24 hours old, which Meta refuses.

        A token that cannot be refreshed is looked up instead.

        :raises AuthenticationError: No token of the connection works.
        :raises InstagramError: The token cannot be refreshed now; the old token stays in use.
        """
        if not self.can_refresh:
            return RefreshResult(False, self.look_up(at_most_old=timedelta()))
        token = self.current_token()
        now = self.clock()
        if token.issued_at and token.minimum_age(now) < MIN_AGE_TO_REFRESH:
            return RefreshResult(False, token)
        token = self._record_try(token, now)
        try:
            answer = self._request_refresh(token)
        except AuthenticationError:
            return self._fall_back(token, by)
        except InstagramError as error:
            if error.retryable or token.minimum_age(now) >= MIN_AGE_TO_REFRESH:
                raise
            # Meta refuses a token that is less than a day old, so it was issued within the last
            # day.
            expires_at = now + LONG_LIVED_LIFETIME - MIN_AGE_TO_REFRESH
            young = replace(token, issued_at=now, expires_at=expires_at)
            self.store.save(young)
            return RefreshResult(False, young)
        return RefreshResult(True, self._store_new(token, answer, by))

    def replacement_for(self, refused: str) -> str | None:
        """Return the token that replaced a refused one, or None."""
        stored = None
        try:
            stored = self.store.load()
            if (
                stored
                and stored.access_token == refused
                and stored.was_tried_within(_STORE_WINDOW, self.clock())
            ):
                stored = self._wait_for_replacement(refused)
        except Exception as error:  # noqa: BLE001 -- the caller must report Instagram's refusal, not this error
            _log.warning(
                "The stored token of connection %r cannot be read: %s", self.conn_id, error
            )
        others = (stored.access_token if stored else None, self.connection_token)
        return next((token for token in others if token and token != refused), None)

    def _record_try(self, token: StoredToken, now: datetime) -> StoredToken:
        """Record that a refresh is tried, which also checks that a new token can be stored."""
        token = replace(token, tried_at=now)
        self.store.save(token)
        stored = self.store.load()
        is_replaced = stored is not None and stored.access_token != token.access_token
        is_written = stored is not None and stored.was_tried_within(_STORE_WINDOW, now)
        if not is_replaced and not is_written:
            raise InstagramError(
                f"The token of connection {self.conn_id!r} was not refreshed: what is written to the Variable "
                f"{self.store.variable!r} cannot be read back, so the new token would be lost.",
                hint="Look for a Variable of the same name in the environment or in a secrets backend, and remove it.",
            )
        return token

    def _request_refresh(self, token: StoredToken) -> Token:
        answer: Token = self._retrying(TransientError)(
            self.send, token, oauth.refresh(token.access_token)
        )
        return answer

    def _fall_back(self, token: StoredToken, by: str) -> RefreshResult:
        """Find another token after a refusal: one that another process got, or the one in the connection."""
        other = self._wait_for_replacement(token.access_token)
        if other is not None:
            return RefreshResult(False, other)
        if self.connection_token != token.access_token:
            _log.warning(
                "Instagram refused the stored token of connection %r. Trying the token in the connection",
                self.conn_id,
            )
            return RefreshResult(
                True, self._store_new(token, self._request_refresh(self._connection_record()), by)
            )
        self.send(token, calls.account())  # raises the error that Instagram answers to this token
        return RefreshResult(False, token)

    def _wait_for_replacement(self, refused: str) -> StoredToken | None:
        """Wait for a token that another process may have got but not stored yet."""
        for _ in range(_POLLS):
            stored = self.store.load()
            if stored and stored.access_token != refused:
                return stored
            self.sleep(_POLL_INTERVAL_S)
        return None

    def _store_new(self, old: StoredToken, answer: Token, by: str) -> StoredToken:
        """Store the new token, unless another process was faster and ours does not work."""
        new = StoredToken.issued(answer, self.clock(), answer.permissions or old.scopes, by)
        other = self.store.load()
        if (
            other
            and other.access_token not in (old.access_token, new.access_token)
            and not self._is_valid(new)
        ):
            return other
        self._retrying(Exception)(self.store.save, new)
        self._restore_if_overwritten(new, {old.access_token, self.connection_token})
        return new

    def _restore_if_overwritten(self, new: StoredToken, former: set[str]) -> None:
        """Store the new token again if another process, which had read the old one, overwrote it."""
        for _ in range(_POLLS):
            self.sleep(_POLL_INTERVAL_S)
            stored = self.store.load()
            if stored is None or stored.access_token in former:
                self._retrying(Exception)(self.store.save, new)

    def _is_valid(self, token: StoredToken) -> bool:
        try:
            self.send(token, calls.account())
        except AuthenticationError:
            return False
        return True

    def _retrying(self, error: type[Exception]) -> Retrying:
        return Retrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential(multiplier=1, max=10),
            retry=retry_if_exception_type(error),
            sleep=self.sleep,
            reraise=True,
        )
