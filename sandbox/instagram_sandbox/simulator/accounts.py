"""Accounts, their tokens, and the calls that they may make."""

from __future__ import annotations

import secrets
import string
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Final

from instagram_sandbox.simulator.errors import GraphError
from instagram_sandbox.simulator.scopes import USUAL
from instagram_sandbox.simulator.state import Account, LoginCode, Token
from instagram_sandbox.simulator.store import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instagram_sandbox.simulator.clock import Clock
    from instagram_sandbox.simulator.scopes import Login, Scope
    from instagram_sandbox.simulator.state import TokenKind
    from instagram_sandbox.simulator.store import Store
    from instagram_sandbox.simulator.switches import Switches

DAY_S: Final = 86_400
HOUR_S: Final = 3_600
LONG_LIFE_S: Final = 60 * DAY_S
SHORT_LIFE_S: Final = HOUR_S


class Accounts:
    """The accounts of a simulated Instagram. All times come from one clock."""

    def __init__(self, clock: Clock, switches: Switches, store: Store) -> None:
        self.clock = clock
        self.switches = switches
        self.store = store
        self.accounts = Table(store, "account", Account, "user_id")
        self.tokens = Table(store, "token", Token, "token")
        self.codes = Table(store, "code", LoginCode, "code")
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)

    def add_account(self, account: Account, token: str | None = None) -> Token:
        """Add an account, with a new long-lived token."""
        if not account.app_scoped_id:
            account.app_scoped_id = "26" + account.user_id[-15:]
        self.accounts.keep(account)
        return self.add_token(account.user_id, token=token)

    def add_token(
        self,
        user_id: str,
        *,
        token: str | None = None,
        long_lived: bool = True,
        scopes: Iterable[Scope] | None = None,
        kind: TokenKind = "instagram",
        ends: bool | None = None,
    ) -> Token:
        """Issue a token for an account. By default, all but those of Pages end."""
        now = self.clock.now()
        alphabet = string.ascii_letters + string.digits
        login: Login = "instagram" if kind == "instagram" else "facebook"
        prefix = "IGAA" if kind == "instagram" else "EAA"
        record = Token(
            token=token
            if token is not None
            else prefix + "".join(secrets.choice(alphabet) for _ in range(60)),
            kind=kind,
            user_id=user_id,
            issued_at=now,
            expires_at=now + (LONG_LIFE_S if long_lived else SHORT_LIFE_S),
            ends=ends if ends is not None else kind != "page",
            long_lived=long_lived,
            scopes=list(USUAL[login] if scopes is None else scopes),
        )
        return self.tokens.keep(record)

    def reached(self, token: Token) -> list[Account]:
        """Return the accounts that a token acts for, its own first: a person's, all whose Pages the person manages."""
        own = self.accounts[token.user_id]
        if token.kind != "user":
            return [own]
        return [
            own,
            *(
                one
                for one in self.accounts.values()
                if one.person_id == own.person_id and one is not own
            ),
        ]

    def page_token(self, account: Account, person: Token) -> Token:
        """Return the token of an account's Page with a person's permissions; the same one each time.

        It ends soon if the person's token does. Source: Meta, Get Long-Lived Access Tokens.
        """
        given = ("page", account.user_id, None, person.long_lived, person.scopes)
        for token in self.tokens.values():
            if (token.kind, token.user_id, token.revoked, token.long_lived, token.scopes) == given:
                return token
        is_long = person.long_lived
        return self.add_token(
            account.user_id, long_lived=is_long, scopes=person.scopes, kind="page", ends=not is_long
        )

    def authenticate(self, token: str | None, host: Login | None = None) -> Token:
        """Return the valid token with this text.

        :param host: The login whose host is asked; None if the request does not show it.
        :raises GraphError: 104: there is none. 190: it is malformed, unknown, for the other login,
            revoked (with its subcode), or expired (subcode 0). 10: it gets no data any more,
            although it is valid.
        """
        if not token:
            raise GraphError(104)
        record = self.tokens.get(token)
        if record is None or (host or self.switches.login) not in {record.login, "any"}:
            raise GraphError(190)
        if record.revoked is not None:
            raise GraphError(190, record.revoked or None)
        if record.ends and self.clock.now() >= record.expires_at:
            raise GraphError(190, 0)
        if self.switches.data_access_ends and self.clock.now() >= record.data_access_ends_at > 0:
            raise GraphError(
                10, None, "(#10) The app's access to the data of this user has expired"
            )
        return record

    def count_call(self, user_id: str, weight: int = 1) -> None:
        """Count calls of an account against its rolling limit.

        :raises GraphError: 80002: the limit is reached. Refused calls count as well.
        """
        calls = self._calls[user_id]
        now = self.clock.now()
        while calls and calls[0] <= now - DAY_S:
            calls.popleft()
        calls.extend([now] * weight)
        if len(calls) > self.switches.calls_per_24_h:
            raise GraphError(80002)

    def count_former_call(self, user_id: str, at: float, weight: int) -> None:
        """Count a call that the previous process received."""
        self._calls[user_id].extend([at] * weight)

    def usage(self, user_id: str) -> tuple[int, int]:
        """Return an account's use of its calls in percent, and the minutes until it may call again (0: now)."""
        calls = self._calls[user_id]
        limit = self.switches.calls_per_24_h
        percent = 100 * len(calls) // limit
        if len(calls) <= limit:
            return percent, 0
        if self.switches.regain_minutes is not None:
            return percent, self.switches.regain_minutes
        free_at = calls[len(calls) - limit] + DAY_S
        return percent, max(1, int((free_at - self.clock.now()) // 60) + 1)
