"""An Airflow Connection as an Instagram account: its address, its token, its client."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, conf
from airflow.sdk.log import mask_secret

from airflow_provider_instagram.exceptions import AuthenticationError, InstagramError, ValidationError
from airflow_provider_instagram.limits import Limits

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_provider_instagram.graph.client import AsyncGraphClient, GraphClient
    from airflow_provider_instagram.tokens import StoredToken, TokenStore

DEFAULT_API_VERSION = "v26.0"
# Source: Meta, Instagram API with Instagram Login, long-lived access tokens.
YOUNGEST_TO_REFRESH = timedelta(hours=24)
LONG_LIVED = timedelta(days=60)


@dataclass(frozen=True)
class AccountSettings:
    """What a connection says about an account.

    :param base_url: Where the Graph API is, without a version.
    :param api_version: The version of the API to speak, ``v26.0`` for example.
    :param access_token: The long-lived access token that stands in the connection.
    :param ig_user_id: The account's Instagram user id, or None to ask the API.
    :param app_id: The Meta app's id.
    :param app_secret: The Meta app's secret.
    :param oauth_host: Replaces both of Meta's login hosts.
    :param limits: How many calls and posts it allows itself.
    """

    base_url: str
    api_version: str
    access_token: str = field(repr=False)
    ig_user_id: str | None = None
    app_id: str | None = None
    app_secret: str | None = field(default=None, repr=False)
    oauth_host: str | None = None
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def read(cls, connection: Connection) -> AccountSettings:
        """Read a connection. Empty texts and nulls in its extra count as absent.

        :param connection: The Airflow connection.
        :raises AuthenticationError: When it has no access token.
        :raises ValidationError: When its extra or its host cannot be used.
        """
        from airflow_provider_instagram.graph.origin import base_url

        if not (password := (connection.password or "").strip()):
            raise AuthenticationError(
                f"Connection {connection.conn_id!r} has no access token.",
                hint="Put the account's long-lived access token into the connection's field 'Access token'.",
            )
        extra = _extra(connection)
        return cls(
            base_url=base_url(connection.host, connection.port),
            api_version=extra.get("api_version", DEFAULT_API_VERSION),
            access_token=password,
            ig_user_id=(connection.login or "").strip() or None,
            app_id=extra.get("app_id"),
            app_secret=extra.get("app_secret"),
            oauth_host=extra.get("oauth_host"),
            limits=Limits.read(extra),
        )


class InstagramHook(BaseHook):
    """Talk to Instagram as the account of one connection.

    :param instagram_conn_id: The connection.
    """

    conn_name_attr = "instagram_conn_id"
    default_conn_name = "instagram_default"
    conn_type = "instagram"
    hook_name = "Instagram"

    def __init__(self, instagram_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.instagram_conn_id = instagram_conn_id
        self._settings: AccountSettings | None = None

    @property
    def settings(self) -> AccountSettings:
        """What the connection says, read once."""
        if self._settings is None:
            self._settings = AccountSettings.read(self.get_connection(self.instagram_conn_id))
            mask_secret(self._settings.access_token)
            if self._settings.app_secret:
                mask_secret(self._settings.app_secret)
        return self._settings

    def token_store(self) -> TokenStore:
        """Open the store of this connection's refreshed token."""
        from airflow_provider_instagram.tokens import TokenStore

        return TokenStore(
            self.instagram_conn_id,
            self.settings.access_token,
            conf.get("instagram", "token_key", fallback=""),
        )

    def access_token(self) -> str:
        """Give the token to use now: the refreshed one where there is one, else the connection's own."""
        stored = self.token_store().load()
        return stored.access_token if stored else self.settings.access_token

    def refresh_token(self, by: str) -> tuple[bool, StoredToken | None]:
        """Give the account's token 60 new days, unless it is known to be younger than the 24 hours Meta asks for.

        :param by: Who refreshes it, for the record.
        :return: Whether it was refreshed, and the stored token.
        :raises AuthenticationError: When the token is dead.
        """
        from airflow_provider_instagram.graph import oauth
        from airflow_provider_instagram.tokens import StoredToken

        store = self.token_store()
        stored = store.load()
        now = datetime.now(timezone.utc)
        if stored and now - stored.issued < YOUNGEST_TO_REFRESH:
            return False, stored
        with self.get_conn() as client:
            token = client.send(oauth.refresh(self.access_token()))
        life = token.expires_in or LONG_LIVED
        renewed = StoredToken(token.access_token, now.isoformat(), (now + life).isoformat(), by)
        store.save(renewed)
        return True, renewed

    def get_conn(self) -> GraphClient:
        """Open a client for use in a task. Close it, or use it in a ``with`` statement."""
        from airflow_provider_instagram.graph.client import GraphClient

        token = self.access_token()
        return GraphClient(token, **self._address(), renewed=lambda: self._renewed(token))

    async def get_async_conn(self) -> AsyncGraphClient:
        """Open a client for use in a trigger. Close it, or use it in an ``async with`` statement."""
        from asgiref.sync import sync_to_async

        from airflow_provider_instagram.graph.client import AsyncGraphClient

        token = await sync_to_async(self.access_token)()
        return AsyncGraphClient(token, **self._address(), renewed=lambda: sync_to_async(self._renewed)(token))

    def _address(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "base_url": settings.base_url,
            "api_version": settings.api_version,
            "app_secret": settings.app_secret,
        }

    def _renewed(self, refused: str) -> str | None:
        """Give the token that took the place of a refused one: pasted into the connection, or refreshed, meanwhile."""
        self._settings = None
        token = self.access_token()
        return None if token == refused else token

    def ig_user_id(self, client: GraphClient) -> str:
        """Give the account's Instagram user id: the connection's login, or what the token's account says.

        :param client: An open client of this connection.
        """
        from airflow_provider_instagram.graph import calls

        return self.settings.ig_user_id or client.send(calls.account()).user_id

    def test_connection(self) -> tuple[bool, str]:
        """Read the account and its publishing limit, for the Test button."""
        try:
            return True, self._describe_account()
        except InstagramError as error:
            return False, f"{type(error).__name__}: {error}"

    def _describe_account(self) -> str:
        from airflow_provider_instagram.graph import calls
        from airflow_provider_instagram.graph.client import GraphClient

        settings = self.settings
        # Airflow tests a connection under a random id, where no refreshed token is found: the field itself is tested.
        with GraphClient(settings.access_token, **self._address()) as client:
            account = client.send(calls.account())
            if settings.ig_user_id and settings.ig_user_id != account.user_id:
                raise ValidationError(
                    f"The token belongs to @{account.username} with the user id {account.user_id}, "
                    f"but the connection's user id is {settings.ig_user_id}.",
                    hint="Correct 'Instagram user id', or empty it to use the token's own account.",
                )
            limit = client.send(calls.publishing_limit(account.user_id))
        return (
            f"@{account.username} ({account.account_type or 'account type unknown'}, user id {account.user_id}); "
            f"{limit.quota_usage} of {limit.quota_total} posts used in the last "
            f"{limit.quota_duration.total_seconds() / 3600:.0f} h; "
            "the token's remaining life is not known here (Instagram does not tell it)"
        )


def _extra(connection: Connection) -> dict[str, str]:
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise ValidationError(
            f"The extra of connection {connection.conn_id!r} is not a JSON object.",
            hint='Write it like {"api_version": "v26.0"}, or use the fields of the connection form.',
        )
    return {key: str(value) for key, value in extra.items() if value not in (None, "")}
