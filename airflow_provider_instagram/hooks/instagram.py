"""The hook of the provider: an Airflow connection as an Instagram account."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow.sdk import BaseHook, Connection, conf
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    InstagramError,
    ValidationError,
)
from airflow_provider_instagram.graph import API_VERSION, CALLS_PER_HOUR
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.clock import CLOCK
from airflow_provider_instagram.utils.connection import CONN_TYPE, DEFAULT_CONN_ID, read_connection
from airflow_provider_instagram.utils.pages import reconnect_hint

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.calls import Call
    from airflow_provider_instagram.graph.capabilities import MetaLogin
    from airflow_provider_instagram.graph.client import (
        AsyncGraphClient,
        ClientSettings,
        GraphClient,
    )
    from airflow_provider_instagram.graph.insight_reader import Reading
    from airflow_provider_instagram.graph.models import Account, Comment, Media, TokenInfo
    from airflow_provider_instagram.graph.origin import TrustedHosts
    from airflow_provider_instagram.hooks.token_refresh import RefreshResult, TokenManager
    from airflow_provider_instagram.hooks.token_store import StoredToken

T = TypeVar("T")

MOST: Final = 100_000


@dataclass(frozen=True)
class Limits:
    """The limits of an account. Source of the defaults: the specification of this provider."""

    calls_per_hour: int = CALLS_PER_HOUR
    posts_per_day: int = 25
    posts_per_hour: int = 10

    @classmethod
    def read(cls, extra: Mapping[str, str]) -> Limits:
        """Read the limits from a connection's extra. A missing limit has its default."""
        return cls(
            **{
                name: _number(name, extra[name])
                for name in cls.__dataclass_fields__
                if name in extra
            }
        )


def _number(name: str, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= MOST:
        raise ValidationError(
            f"{name} in the connection's extra is {text!r}, which is not a valid limit.",
            hint=f"Use a whole number from 1 to {MOST}, or remove it to use the default.",
        )
    return number


@dataclass(frozen=True)
class AccountSettings:
    """The settings of an account in its connection.

    :param api_version: The version of the API, for example ``v27.0``.
    :param oauth_host: Replaces both of Meta's login hosts.
    :param app_token: The token of the app itself. None if there is no app secret, or it must not go
        to these hosts.
    :param scopes: What to ask for when connecting, beyond the scopes of publishing, as a person
        wrote it.
    """

    base_url: str
    api_version: str
    access_token: str = field(repr=False)
    login: MetaLogin
    ig_user_id: str | None = None
    app_secret: str | None = field(default=None, repr=False)
    app_token: str | None = field(default=None, repr=False)
    oauth_host: str | None = None
    limits: Limits = field(default_factory=Limits)
    scopes: str = ""

    @classmethod
    def read(cls, connection: Connection) -> AccountSettings:
        """Read a connection. Empty texts and nulls in its extra count as not set.

        :raises AuthenticationError: If the connection has no access token.
        :raises ValidationError: If its extra or its host is not valid.
        """
        from airflow_provider_instagram.graph.origin import login_host
        from airflow_provider_instagram.hooks.logins import (
            host_of_login,
            login_of,
            may_send_secret,
        )

        if not (password := (connection.password or "").strip()):
            raise AuthenticationError(
                f"Connection {connection.conn_id!r} has no access token.",
                hint="Enter the account's long-lived access token in the connection's field 'Access token', "
                f"or connect the account. {reconnect_hint(connection.conn_id)}",
            )
        extra = read_extra(connection)
        hosts = trusted_hosts()
        login = login_of(connection.conn_id, extra.get("login_type"), password)
        what = f"The host of connection {connection.conn_id!r}"
        base = host_of_login(login, connection.host, connection.port, hosts, what)
        oauth_host = login_host(extra.get("oauth_host"), hosts)
        app_secret = extra.get("app_secret")
        is_app = extra.get("app_id") and app_secret and may_send_secret(extra, base, oauth_host)
        return cls(
            login=login,
            base_url=base,
            api_version=extra.get("api_version", API_VERSION),
            access_token=password,
            ig_user_id=(connection.login or "").strip() or None,
            app_secret=app_secret,
            app_token=f"{extra['app_id']}|{app_secret}" if is_app else None,
            oauth_host=oauth_host,
            limits=Limits.read(extra),
            scopes=extra.get("scopes", ""),
        )


class InstagramHook(BaseHook):
    """Interact with the Instagram account of a connection.

    Each method that reads posts, comments or metrics opens a client of its own. A list is read page
    by page, until it has as many items as its ``limit``.
    """

    conn_name_attr = "instagram_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = CONN_TYPE
    hook_name = "Instagram"

    def __init__(
        self,
        instagram_conn_id: str = DEFAULT_CONN_ID,
        *,
        clock: Callable[[], datetime] = CLOCK.now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__()
        self.instagram_conn_id = instagram_conn_id
        self._clock = clock
        self._sleep = sleep
        self._settings: AccountSettings | None = None

    @property
    def settings(self) -> AccountSettings:
        """The settings in the connection, which is read once."""
        if self._settings is None:
            connection = read_connection(self.instagram_conn_id)
            self._settings = AccountSettings.read(connection)
            if self._settings.access_token != connection.password:  # which Airflow masks by itself
                mask_secret(self._settings.access_token)
            if self._settings.app_secret:
                mask_secret(self._settings.app_secret)
        return self._settings

    def token_manager(self) -> TokenManager:
        """Return the manager of the account's token."""
        from airflow_provider_instagram.hooks.token_refresh import TokenManager
        from airflow_provider_instagram.hooks.token_store import TokenStore, configured_token_key

        token = self.settings.access_token
        # by `settings`
        store = TokenStore(self.instagram_conn_id, token, configured_token_key(), is_masked=True)
        ask = None if self.settings.login.gives_refreshable_tokens else self._ask_about_token
        times: dict[str, Any] = {"clock": self._clock, "sleep": self._sleep}
        return TokenManager(self.instagram_conn_id, token, store, self._send_with, ask, **times)

    def _ask_about_token(self) -> TokenInfo | None:
        if (info := self.token_info()) is None:
            with self.get_readonly_conn() as client:
                self.read_account(client)
        return info

    def _send_with(self, token: StoredToken, call: Call[Any]) -> Any:
        from airflow_provider_instagram.graph.client import GraphClient

        with GraphClient(
            token.access_token, **self._client_settings(), sleep=self._sleep
        ) as client:
            return client.send(call)

    def access_token(self) -> str:
        """Return the access token, refreshed if necessary."""
        return self.token_manager().get(_running_task())

    def refresh_token(self, by: str) -> RefreshResult:
        """Extend the account's token by 60 days, unless it is younger than the 24 hours that Meta requires.

        :raises AuthenticationError: If the token is no longer valid.
        """
        return self.token_manager().refresh(by)

    def get_conn(self) -> GraphClient:
        """Return an open client for use in a task: in a ``with`` statement, whose end closes it."""
        from airflow_provider_instagram.graph.client import GraphClient

        token = self.access_token()
        return GraphClient(
            token,
            **self._client_settings(),
            sleep=self._sleep,
            # unlike a partial, it shows no token
            replacement_token=lambda: self._replacement_token(token),
            on_close=self._count_calls,
        )

    def compare_clock(self) -> None:
        """Compare this worker's clock with Instagram's, in a request without a token, which counts for no limit."""
        try:
            base_url = self.settings.base_url
        except (InstagramError, AirflowNotFoundException):
            return  # the first call says so
        CLOCK.try_to_compare(base_url)

    def _count_calls(self, calls: int) -> None:
        from airflow.sdk.observability.stats import Stats

        Stats.incr("instagram.calls", calls, tags={"conn_id": self.instagram_conn_id})

    def get_readonly_conn(self) -> GraphClient:
        """Return an open client that reports the current state at once: without token refreshes and without pauses."""
        from airflow_provider_instagram.graph.client import GraphClient

        token = self.token_manager().current_token().access_token
        return GraphClient(
            token,
            **self._client_settings(),
            sleep=lambda _: None,
            replacement_token=lambda: self._replacement_token(token),
        )

    async def get_async_conn(self) -> AsyncGraphClient:
        """Return an open client for use in a trigger, whose ``send`` is awaited.

        Use it in ``async with await hook.get_async_conn() as client``, whose end closes it.
        """
        from asgiref.sync import sync_to_async

        from airflow_provider_instagram.graph.client import AsyncGraphClient

        token = await sync_to_async(self.access_token)()
        return AsyncGraphClient(
            token,
            **self._client_settings(),
            replacement_token=lambda: sync_to_async(self._replacement_token)(token),
        )

    def _client_settings(self) -> ClientSettings:
        settings = self.settings
        return {
            "base_url": settings.base_url,
            "api_version": settings.api_version,
            "app_secret": settings.app_secret,
            "hosts": trusted_hosts(),
            "reconnect_hint": reconnect_hint(self.instagram_conn_id),
        }

    def _replacement_token(self, refused: str) -> str | None:
        """Return the token that replaced a refused one: entered in the connection, or refreshed, in the meantime."""
        self._settings = None
        return self.token_manager().replacement_for(refused)

    @property
    def most_posts(self) -> tuple[int, int]:
        """How many posts the connection allows an hour and a day."""
        return self.settings.limits.posts_per_hour, self.settings.limits.posts_per_day

    def ig_user_id(self, client: GraphClient) -> str:
        """Return the account's Instagram user id: the connection's login, or else the id of the token's account."""
        return self.settings.ig_user_id or self.read_account(client).user_id

    def another_user_id(self, ig_user_id: str | None) -> str | None:
        """Return the connection's Instagram user id, if it is another one. None also if either is unknown."""
        try:
            current = self.settings.ig_user_id
        except Exception:  # noqa: BLE001 -- a connection that cannot be read changes nothing about a live post
            return None
        return None if ig_user_id in (None, current) else current

    def get_account(self) -> Account:
        """Read the account of the connection's token: its Instagram user id, its name and, if known, its type."""
        with self.get_conn() as client:
            return self.read_account(client)

    def list_media(self, *, limit: int) -> list[Media]:
        """Read the account's posts, the newest first. Stories are not among them.

        :param limit: The most posts to read.
        """
        from airflow_provider_instagram.graph.listing import newest_media

        return self._first(lambda client: newest_media(client, self.ig_user_id(client)), limit)

    def get_media(self, media_id: Any) -> Media:
        """Read a post.

        :param media_id: Its media id, or what PublishOperator returns.
        """
        from airflow_provider_instagram.graph import calls

        with self.get_conn() as client:
            return client.send(calls.media(arguments.media_id("media_id", media_id)))

    def get_comments(self, media_id: Any, *, limit: int) -> list[Comment]:
        """Read the comments on a post, the newest first, without the replies to them.

        :param media_id: The post's media id, or what PublishOperator returns.
        :param limit: The most comments to read.
        """
        from airflow_provider_instagram.graph.listing import comments

        post = arguments.media_id("media_id", media_id)
        return self._first(lambda client: comments(client, post), limit)

    def get_insights(self, media_id: Any, metrics: Sequence[str] | None = None) -> Reading:
        """Read the metrics of a post. One without a value yet is None, never 0, and ``reason_of`` says why.

        A metric that Instagram refuses is left out of the call and None, too: the others are read
        all the same.

        :param media_id: The post's media id, or what PublishOperator returns.
        :param metrics: The names of the metrics. None reads all that its kind of post has.
        """
        from airflow_provider_instagram.graph import calls
        from airflow_provider_instagram.graph.insight_reader import InsightReader
        from airflow_provider_instagram.graph.models import MEDIA_METRICS

        post = arguments.media_id("media_id", media_id)
        with self.get_conn() as client:
            kind = client.send(calls.media(post)).kind
            return InsightReader(client).of_media(post, kind, metrics or MEDIA_METRICS[kind])

    def _first(self, read: Callable[[GraphClient], Iterator[T]], limit: int) -> list[T]:
        """Return the first items of a list, whose pages are read as they are needed."""
        most = arguments.whole_number("limit", limit)
        if most is None or most < 1:
            raise ValidationError(f"limit is {limit}.", hint="Use a number of at least 1.")
        with self.get_conn() as client:
            return list(islice(read(client), most))

    def read_account(self, client: GraphClient) -> Account:
        """Read the account of the token. Each of Meta's logins needs a call of its own.

        :raises ValidationError: If the login is Facebook Login, and the token is a person's or of
            another login.
        """
        from airflow_provider_instagram.hooks.logins import is_of_no_page, no_page

        try:
            return client.send(self.account_call())
        except InstagramError as error:
            if not is_of_no_page(self.settings.login, error):
                raise
        self.token_info()
        raise no_page(self.instagram_conn_id)

    def account_call(self) -> Call[Account]:
        """Return the call that reads the account. Unified Login needs the connection's Instagram user id."""
        from airflow_provider_instagram.hooks.logins import account_call, no_user_id

        if (call := account_call(self.settings.login, self.settings.ig_user_id)) is None:
            raise no_user_id(self.instagram_conn_id, self.token_info())
        return call

    def token_info(self) -> TokenInfo | None:
        """Read what Meta tells about the connection's token, as the app itself if the connection has the app secret.

        :return: None if Meta does not tell. Instagram Login has no call for it.
        :raises ValidationError: If the token comes from another login than the connection says.
        """
        from airflow_provider_instagram.graph import calls
        from airflow_provider_instagram.graph.capabilities import MetaLogin
        from airflow_provider_instagram.graph.client import GraphClient
        from airflow_provider_instagram.hooks.logins import other_login

        settings = self.settings
        if settings.login is MetaLogin.INSTAGRAM:
            return None
        try:
            asking = settings.app_token or settings.access_token
            with GraphClient(asking, **self._client_settings(), sleep=self._sleep) as client:
                info = client.send(calls.token_info(settings.access_token))
        except InstagramError as error:
            self.log.info(
                "Meta tells nothing about the token of %r: %s", self.instagram_conn_id, error
            )
            return None
        if info.login not in (None, settings.login):
            raise other_login(self.instagram_conn_id, info.login, settings.login)
        return info

    def test_connection(self) -> tuple[bool, str]:
        """Test the connection: read the account and its publishing limit."""
        try:
            return True, self._describe_account()
        except InstagramError as error:
            from airflow_provider_instagram.hooks.logins import without_made_up_id

            return False, without_made_up_id(
                f"{type(error).__name__}: {error}", self.instagram_conn_id
            )

    def _describe_account(self) -> str:
        from airflow_provider_instagram.graph import calls
        from airflow_provider_instagram.graph.client import GraphClient
        from airflow_provider_instagram.hooks.logins import end_of

        settings = self.settings
        info = self.token_info()
        # Airflow tests a connection under a random id, which has no refreshed token: the form's own
        # token is tested.
        with GraphClient(settings.access_token, **self._client_settings()) as client:
            account = self.read_account(client)
            if settings.ig_user_id and settings.ig_user_id != account.user_id:
                raise ValidationError(
                    f"The token belongs to @{account.username} with the user id {account.user_id}, "
                    f"but the connection's user id is {settings.ig_user_id}.",
                    hint="Correct 'Instagram user id', or clear it to use the token's own account.",
                )
            limit = client.send(calls.publishing_limit(account.user_id))
        return (
            f"@{account.username} ({account.account_type or 'account type unknown'}, user id {account.user_id}); "
            f"{limit.quota_usage} of {limit.quota_total} posts used in the last "
            f"{limit.quota_duration.total_seconds() / 3600:.0f} h; " + end_of(info)
        )


def has_connection(conn_id: str) -> bool:
    """Return whether Airflow finds a connection."""
    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return False
    return True


def trusted_hosts() -> TrustedHosts:
    """Read ``[instagram] hosts``: the hosts that may receive tokens and app secrets, beside Meta's and this machine."""
    from airflow_provider_instagram.graph.origin import TrustedHosts

    return TrustedHosts.read(conf.get("instagram", "hosts", fallback=""))


def _running_task() -> str:
    """Return the name of the running task, for the record of who refreshed a token."""
    from airflow.sdk import get_current_context

    try:
        ti = get_current_context()["ti"]
    except RuntimeError:
        return "use outside of a task"
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"


def read_extra(connection: Any) -> dict[str, str]:
    """Read the extra of a connection as texts. Empty texts and nulls count as not set.

    :raises ValidationError: If it is not a JSON object.
    """
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise ValidationError(
            f"The extra of connection {connection.conn_id!r} is not a JSON object.",
            hint=f'Use the form {{"api_version": "{API_VERSION}"}}, or use the fields of the connection form.',
        )
    texts = {
        key: ",".join(map(str, value)) if isinstance(value, list) else value
        for key, value in extra.items()
    }
    return {key: str(value) for key, value in texts.items() if value not in (None, "")}
