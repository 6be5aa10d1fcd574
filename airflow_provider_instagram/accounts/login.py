"""Log in to an account: exchange the code that Instagram sends back for a long-lived token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import PermissionDeniedError, ValidationError
from airflow_provider_instagram.graph import calls, listing, oauth
from airflow_provider_instagram.graph.capabilities import PUBLISHING, MetaLogin, missing
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.hooks.instagram import trusted_hosts
from airflow_provider_instagram.hooks.token_store import StoredToken

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.accounts import Account, TokenInfo

#: For the pages, which import nothing of ``graph``.
LoginApp = oauth.LoginApp

#: The most accounts or Pages that an error names.
MOST_NAMED: Final = 10
_IN_PORTFOLIO: Final = (
    f" If its Page belongs to a business portfolio, add {listing.PORTFOLIOS} to the permissions"
    " beyond publishing."
)

#: What is wrong if a login gives a token of another login, and what to do.
_OTHER_TOKEN: Final = {
    MetaLogin.UNIFIED: (
        "The configuration gives a token of Facebook Login, a person's own.",
        "In your Meta app, make a configuration with the token type 'System-user access token'.",
    ),
    MetaLogin.FACEBOOK: (
        "The login gives a token of Unified Login, a system user's.",
        "Connect again by Unified Login, or make a configuration with the token type 'User access token'.",
    ),
}


@dataclass(frozen=True)
class Login:
    """A successful login.

    :param refused: The scopes that were asked for, and that are known not to be granted.
    """

    token: StoredToken
    account: Account
    refused: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """What is off because of the scopes that were not granted, or an empty text."""
        if not self.refused:
            return ""
        return (
            f"Not granted: {', '.join(self.refused)}. What needs it is off. To grant it, connect the account again, "
            "and leave all permissions switched on."
        )


def check_config(login: MetaLogin, config_id: str) -> None:
    """Check the configuration of a login: Unified Login must have one, and Facebook Login may."""
    if (
        login is MetaLogin.INSTAGRAM
        or config_id.isdecimal()
        or (login is MetaLogin.FACEBOOK and not config_id)
    ):
        return
    raise ValidationError(
        f"Enter the configuration id of {login.in_words}, which is a number.",
        hint="You find it in your Meta app, under Facebook Login for Business, Configurations. In a shell, give it "
        "with --config-id.",
    )


def complete_login(app: LoginApp, code: str, by: str) -> Login:
    """Exchange the code that Meta sent back for a token.

    :raises AuthenticationError: The code is not valid, or was used before.
    :raises PermissionDeniedError: A permission was not granted, or the account is not a
        professional account.
    """
    return (_instagram_login if app.login is MetaLogin.INSTAGRAM else _dialog_login)(app, code, by)


def _instagram_login(app: LoginApp, code: str, by: str) -> Login:
    with _client(app, None) as client:
        short = client.send(oauth.exchange_code(app, code))
        refused = _refused(app, short.permissions)
        answer = client.send(oauth.exchange_for_long_lived(app, short.access_token))
    now = datetime.now(timezone.utc)
    with _client(app, answer.access_token) as client:
        account = client.send(calls.account(with_picture=True))
    if (lack := missing(app.login, account.account_type, None, PUBLISHING)) is not None:
        raise PermissionDeniedError(
            f"@{account.username}: {lack.message}",
            hint=f"{lack.remedy} Then connect the account again.",
        )
    return Login(StoredToken.issued(answer, now, short.permissions, by), account, refused)


def _dialog_login(app: LoginApp, code: str, by: str) -> Login:
    """Get the token of a person or of a system user, and read from Meta what it may do and which accounts it reaches.

    What is stored for Facebook Login is the token of the Page that the account is linked to.
    """
    with _client(app, None) as client:
        token = client.send(oauth.exchange_dialog_code(app, code)).access_token
    info = _info(app, token)
    if info.login is not app.login:
        message, remedy = _OTHER_TOKEN[app.login]
        raise PermissionDeniedError(message, hint=remedy)
    refused = _refused(app, info.scopes)
    if app.login is MetaLogin.FACEBOOK:
        token, account = _page(app, token, info)
        info = _info(app, token)
    else:
        reached = _chosen(app, {each: each for each in info.account_ids})
        with _client(app, token) as client:
            account = client.send(calls.account_of_id(reached))
    now = datetime.now(timezone.utc).isoformat()
    stored = StoredToken(token, now, now, refreshed_by=by, tried_at=now).with_info(info)
    return Login(stored, account, refused)


def _client(app: LoginApp, token: str | None) -> GraphClient:
    """Return a client that signs calls with a token of Facebook, as an app may require."""
    return GraphClient(
        token, base_url=app.base_url, app_secret=app.app_secret, hosts=trusted_hosts()
    )


def _info(app: LoginApp, token: str) -> TokenInfo:
    with _client(app, f"{app.app_id}|{app.app_secret}") as client:
        return client.send(calls.token_info(token))


def _page(app: LoginApp, person: str, info: TokenInfo) -> tuple[str, Account]:
    """Return the token of the Page to publish for, and the account that the Page is linked to.

    :param person: The token of the person who logged in, which is short-lived. So would be a Page's
        token that is read with it. Source: Meta, Get Long-Lived Access Tokens.
    :param info: What Meta tells of that token.
    """
    with _client(app, None) as client:
        person = client.send(oauth.exchange_for_60_days(app, person)).access_token
    wanted = {app.account_id} if app.account_id else {*info.account_ids}
    names: dict[str, None] = {}
    found: dict[str, tuple[str | None, Account]] = {}
    with _client(app, person) as client:
        for pages in listing.facebook_pages(client, info):
            names |= dict.fromkeys(repr(page.name) for page in pages)
            linked = {
                page.account.user_id: (page.access_token, page.account)
                for page in pages
                if page.account
            }
            found |= {
                user_id: one for user_id, one in linked.items() if one[0] or user_id not in found
            }
            if found and wanted <= found.keys():
                break
    more = "" if listing.PORTFOLIOS in info.scopes else _IN_PORTFOLIO
    if not found:
        unlinked = f"the Facebook Page {_named(list(names))}, which no professional Instagram account is linked to"
        raise PermissionDeniedError(
            f"The login reaches {unlinked if names else 'no Facebook Page'}.",
            hint="Switch the account to a professional account in the Instagram app, link it in the Page's settings, "
            f"under Linked accounts, and choose that Page and the account when you connect again.{more}",
        )
    reached = {
        user_id: f"@{account.username} ({user_id})" for user_id, (_, account) in found.items()
    }
    token, account = found[_chosen(app, reached, more)]
    if not token:
        raise PermissionDeniedError(
            f"Facebook gives no token for the Page of @{account.username}.",
            hint="Ask an admin of the Page for the task to create content on it. Then connect again.",
        )
    return token, account


def _chosen(app: LoginApp, reached: Mapping[str, str], more: str = "") -> str:
    """Return the id of the account to connect: the one that was asked for, or the only one.

    :param reached: The accounts that the login reaches, by their ids, as an error names them.
    :param more: What else may help, as a sentence after a space.
    """
    chosen = [app.account_id] if app.account_id else list(reached)
    # Unified Login may reach an account that Meta does not name, which the next call shows.
    if len(chosen) != 1 or (app.login is MetaLogin.FACEBOOK and chosen[0] not in reached):
        asked = f", not the account {app.account_id}" if app.account_id else ""
        raise PermissionDeniedError(
            f"The login reaches {_named(list(reached.values())) or 'no account that Meta names'}{asked}.",
            hint=f"Connect again, and enter the Instagram user id of the account to publish on.{more}",
        )
    return chosen[0]


def _named(names: Sequence[str]) -> str:
    """Return names as a sentence has them: the first ones, and how many more there are."""
    more = len(names) - MOST_NAMED
    parts = [*names[:MOST_NAMED], *([f"{more} more"] if more > 0 else [])]
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def _refused(app: LoginApp, granted: Sequence[str]) -> tuple[str, ...]:
    """Return what was asked for and not granted. ``granted`` is empty if that is not known."""
    refused = [scope for scope in app.all_scopes if granted and scope not in granted]
    if lacking := [scope for scope in refused if scope in app.needed_scopes]:
        raise PermissionDeniedError(
            f"Publishing needs the permission {' and '.join(lacking)}, which was not granted.",
            hint="Connect again, and leave all permissions switched on.",
        )
    return tuple(refused)
