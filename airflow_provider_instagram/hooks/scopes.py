"""Which scopes an account is known to have, and which features are off because of those that it lacks."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_instagram.exceptions import InstagramError, PermissionDeniedError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.scopes import COMMENTS, FEATURES, Feature
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.utils.pages import reconnect_hint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_instagram.graph.client import GraphClient


@dataclass(frozen=True)
class AccountScopes:
    """The scopes that the token of an account is known to have.

    :param granted: The scopes; None if they are not known.
    """

    conn_id: str
    granted: frozenset[str] | None
    is_facebook_login: bool = False

    def missing(self, feature: Feature) -> tuple[str, ...]:
        """Return the scopes of a feature that the account is known to lack; none if its scopes are not known."""
        if self.granted is None:
            return ()
        needed = feature.scopes(is_facebook_login=self.is_facebook_login)
        return tuple(scope for scope in needed if scope not in self.granted)

    @property
    def features_on(self) -> tuple[Feature, ...]:
        """The features whose scopes the account is known to have."""
        return () if self.granted is None else tuple(each for each in FEATURES if not self.missing(each))

    @property
    def features_off(self) -> tuple[Feature, ...]:
        """The features that are off, because the account is known to lack a scope of them."""
        return tuple(each for each in FEATURES if self.missing(each))

    def require(self, feature: Feature) -> None:
        """Check that the account is not known to lack a scope of a feature."""
        if missing := self.missing(feature):
            raise PermissionDeniedError(
                f"The account of connection {self.conn_id!r} did not grant {' and '.join(missing)}, which "
                f"{feature.name} need. Nothing was sent.",
                hint=self.how_to_grant(feature),
            )

    def how_to_grant(self, feature: Feature) -> str:
        """Return the instructions for a person to grant the scopes of a feature."""
        scopes = ", ".join(feature.scopes(is_facebook_login=self.is_facebook_login))
        if self.is_facebook_login:
            return f"Make a Page token that has {scopes}, and enter it in the connection."
        return (
            f"Add {feature.name} to the field Scopes of the connection, and connect the account again with {scopes} "
            f"switched on. {reconnect_hint(self.conn_id)}"
        )


def known_scopes(conn_id: str) -> AccountScopes:
    """Return the scopes that the account of a connection is known to have.

    For Instagram Login, they were recorded when the account was connected, and nothing is sent. For Facebook Login,
    Meta is asked. The scopes of a token that was entered in the connection are not known with Instagram Login.
    """
    hook = InstagramHook(conn_id)
    settings = hook.settings
    if not settings.is_facebook_login:
        return AccountScopes(conn_id, _recorded_scopes(hook))
    try:
        with hook.get_readonly_conn() as client:
            granted = client.send(calls.token_scopes(settings.access_token))
    except InstagramError as error:
        hook.log.info("The scopes of connection %r are not known: %s", conn_id, error)
        granted = ()
    return AccountScopes(conn_id, frozenset(granted) or None, is_facebook_login=True)


@contextmanager
def open_for_comments(conn_id: str) -> Iterator[GraphClient]:
    """Yield an open client for writing comments.

    :raises PermissionDeniedError: If the account is known to lack the scope, or if Instagram refuses.
    """
    known_scopes(conn_id).require(COMMENTS)
    hook = InstagramHook(conn_id)
    with hook.get_conn() as client:
        try:
            yield client
        except PermissionDeniedError as error:
            grant = AccountScopes(conn_id, None, hook.settings.is_facebook_login).how_to_grant(COMMENTS)
            error.hint = f"If the post's comments are switched off, switch them on. If not: {grant}"
            raise


def _recorded_scopes(hook: InstagramHook) -> frozenset[str] | None:
    try:
        stored = hook.token_manager().store.load()
    except Exception as error:  # noqa: BLE001 -- what cannot be read is not known, and Instagram checks scopes itself
        hook.log.warning("The scopes of connection %r cannot be read: %s", hook.instagram_conn_id, error)
        return None
    return None if stored is None else frozenset(stored.scopes) or None
