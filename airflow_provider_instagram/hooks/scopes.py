"""Which scopes an account is known to have, and which features are off because of those that it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_instagram.exceptions import AuthenticationError, PermissionDeniedError
from airflow_provider_instagram.graph.capabilities import (
    COMMENTS,
    FEATURES,
    Capability,
    MetaLogin,
    Missing,
    missing,
)
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.utils.pages import reconnect_hint

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient


@dataclass(frozen=True)
class AccountScopes:
    """The scopes that the token of an account is known to have.

    :param granted: The scopes; None if they are not known.
    :param expires: When the token is of no use any more; None if that is never, or not known.
    :param end: The same in words.
    """

    conn_id: str
    granted: frozenset[str] | None
    login: MetaLogin = MetaLogin.INSTAGRAM
    expires: datetime | None = None
    end: str = ""

    def missing(self, feature: Capability) -> tuple[str, ...]:
        """Return the scopes of a feature that the account is known to lack; none if its scopes are not known."""
        if self.granted is None:
            return ()
        return tuple(scope for scope in feature.scopes(self.login) if scope not in self.granted)

    @property
    def features_on(self) -> tuple[Capability, ...]:
        """The features whose scopes the account is known to have."""
        features = () if self.granted is None else FEATURES
        return tuple(
            each for each in features if each.scopes(self.login) and not self.missing(each)
        )

    @property
    def features_off(self) -> tuple[Capability, ...]:
        """The features that are off, because the account is known to lack a scope of them."""
        return tuple(each for each in FEATURES if self.missing(each))

    def lack(self, what: Capability) -> Missing | None:
        """Return what the account is known to lack for something, and how to grant it, or None."""
        if lacking := " and ".join(self.missing(what)):
            message = f"The account did not grant {lacking}, needed for {what.name}."
            return Missing(message, self.how_to_grant(what))
        return missing(self.login, None, what)

    def require(self, *needed: Capability) -> None:
        """Check that the account is not known to lack something. Nothing has been sent yet."""
        for what in needed:
            if (lack := self.lack(what)) is not None:
                raise PermissionDeniedError(
                    f"Connection {self.conn_id!r}: {lack.message} Nothing was sent.",
                    hint=lack.remedy,
                )

    def end_of_access(self, now: datetime) -> AuthenticationError | None:
        """Return the error of a token that is past its end, which Meta may report as a missing permission."""
        if self.expires is None or self.expires > now:
            return None
        return AuthenticationError(
            f"The token of connection {self.conn_id!r} {self.end}. The account's owner must log in again.",
            hint=reconnect_hint(self.conn_id),
        )

    def how_to_grant(self, feature: Capability) -> str:
        """Return the instructions for a person to grant the scopes of a feature."""
        scopes = ", ".join(feature.scopes(self.login))
        if self.login is MetaLogin.UNIFIED:
            return (
                f"Add {scopes} to the configuration of the login in your Meta app, and connect the account again. "
                f"{reconnect_hint(self.conn_id)}"
            )
        return (
            f"Add {feature.name} to the field Scopes of the connection, and connect the account again with {scopes} "
            f"switched on. {reconnect_hint(self.conn_id)}"
        )


def known_scopes(conn_id: str) -> AccountScopes:
    """Return the scopes that the account of a connection is known to have.

    For Instagram Login, they were recorded when the account was connected, and nothing is sent. For
    the other logins, Meta is asked, once a day. The scopes of a token that was entered in the
    connection are not known with Instagram Login.
    """
    hook = InstagramHook(conn_id)
    login = hook.settings.login
    try:
        token = hook.token_manager().look_up()
    except Exception as error:  # noqa: BLE001 -- what cannot be read is not known, and Instagram checks scopes itself
        hook.log.warning("The scopes of connection %r cannot be read: %s", conn_id, error)
        return AccountScopes(conn_id, None, login)
    return AccountScopes(conn_id, frozenset(token.scopes) or None, login, token.expires, token.end)


@contextmanager
def open_for_comments(conn_id: str) -> Iterator[GraphClient]:
    """Yield an open client for writing comments, unless the account is known to lack the scope."""
    known_scopes(conn_id).require(COMMENTS)
    hook = InstagramHook(conn_id)
    with hook.get_conn() as client:
        try:
            yield client
        except PermissionDeniedError as error:
            grant = AccountScopes(conn_id, None, hook.settings.login).how_to_grant(COMMENTS)
            error.hint = f"If the post's comments are switched off, switch them on. If not: {grant}"
            raise
