"""The checks of an account: its connection, its token, and the way from this machine to Instagram."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

import httpx
from airflow.sdk.exceptions import AirflowException

from airflow_provider_instagram.doctor.findings import Finding, unchecked
from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.graph import calls, origin
from airflow_provider_instagram.graph.capabilities import PUBLISHING, MetaLogin, read_scopes
from airflow_provider_instagram.hooks.instagram import AccountSettings, InstagramHook
from airflow_provider_instagram.hooks.scopes import AccountScopes, known_scopes
from airflow_provider_instagram.hooks.token_store import EXPIRY_WARNING, StoredToken
from airflow_provider_instagram.utils.pages import reconnect_hint
from airflow_provider_instagram.utils.server_clock import WORTH_A_WARNING, ServerClock

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.accounts import Account
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.hooks.token_refresh import TokenManager

_TIMEOUT_S: Final = 10
#: What can be checked only with a working token, and only with a readable connection.
_TOKEN_CHECKS: Final = ("scopes", "account", "quota")
_CONNECTION_CHECKS: Final = ("token", *_TOKEN_CHECKS, "clock", "upload host")


def account_findings(conn_id: str) -> Iterator[Finding]:
    """Check everything that an account needs on this machine."""
    hook = InstagramHook(conn_id)
    try:
        settings = hook.settings
    except InstagramError as error:
        yield from (Finding("connection", False, str(error)), *unchecked(*_CONNECTION_CHECKS))
    except AirflowException as error:
        to_do = f"{error}. Create it: airflow instagram connect {conn_id}"
        yield from (Finding("connection", False, to_do), *unchecked(*_CONNECTION_CHECKS))
    else:
        yield Finding("connection", True, f"{conn_id} at {settings.base_url}, API {settings.api_version}")
        yield from _account(hook, settings)
        yield _clock(settings.base_url)
        yield _upload_host(settings.base_url)


def _account(hook: InstagramHook, settings: AccountSettings) -> Iterator[Finding]:
    try:
        with hook.get_readonly_conn() as client:
            account = hook.read_account(client)
            quota = _quota(client, account)
    except InstagramError as error:
        yield from (Finding("token", False, str(error)), *unchecked(*_TOKEN_CHECKS))
        return
    manager = hook.token_manager()
    try:
        yield _token(manager, manager.look_up(at_most_old=timedelta()))
    except InstagramError as error:
        yield Finding("token", False, str(error))
    yield _scopes(known_scopes(hook.instagram_conn_id), settings.scopes)
    yield _account_type(account, settings.ig_user_id)
    yield quota


def _token(manager: TokenManager, token: StoredToken) -> Finding:
    left = token.time_left(datetime.now(timezone.utc))
    if left is None and token.scopes and not manager.can_refresh:
        return Finding("token", True, "works and does not expire")
    if left is None:
        tell = f"Run: airflow instagram refresh {manager.conn_id}"
        to_do = tell if manager.can_refresh else "Enter the app id and the app secret, with which Meta tells it"
        return Finding("token", None, f"works, but its expiry date is unknown. {to_do}")
    ends = f"works for {left // timedelta(days=1)} more days"
    to_do = "Turn on the DAG refresh_instagram_tokens" if manager.can_refresh else reconnect_hint(manager.conn_id)
    return Finding("token", left > EXPIRY_WARNING, ends if left > EXPIRY_WARNING else f"{ends}. {to_do}")


def _quota(client: GraphClient, account: Account) -> Finding:
    try:
        limit = client.send(calls.publishing_limit(account.user_id))
    except InstagramError as error:
        return Finding("quota", False, str(error))
    ok = limit.quota_usage < limit.quota_total
    used = f"{limit.quota_usage} of {limit.quota_total} posts used in the last 24 h"
    return Finding(
        "quota", ok, used if ok else f"{used}. Wait: publishing continues when older posts leave the 24 hours"
    )


def _scopes(scopes: AccountScopes, asked_for: str) -> Finding:
    try:
        asked = read_scopes(asked_for, scopes.login)
    except InstagramError as error:
        return Finding("scopes", False, f"{error} Correct the field Scopes of the connection")
    if scopes.granted is None:
        if scopes.login is not MetaLogin.INSTAGRAM:
            return Finding("scopes", None, "unknown, because Meta did not return them")
        return Finding("scopes", None, "unknown, because the token was pasted. Connect the account to record them")
    needed = (*PUBLISHING.scopes(scopes.login), *asked)
    if missing := [scope for scope in needed if scope not in scopes.granted]:
        return Finding("scopes", False, f"missing: {', '.join(missing)}. Reconnect the account")
    off = [feature.name for feature in scopes.features_off]
    text = ", ".join(sorted(scopes.granted))
    return Finding("scopes", True, f"{text}; off: {', '.join(off)}" if off else text)


def _account_type(account: Account, ig_user_id: str | None) -> Finding:
    if ig_user_id and ig_user_id != account.user_id:
        wrong = (
            f"the connection has the user id {ig_user_id}, but the token belongs to {account.user_id}. Correct the "
            "connection's user id, or leave it empty"
        )
        return Finding("account", False, wrong)
    said = f"@{account.username}, {account.account_type or 'account type unknown'}, {account.user_id}"
    if account.account_type == "PERSONAL":
        return Finding("account", False, f"{said}. Switch it to a professional account in the Instagram app")
    return Finding("account", True, said)


def _clock(base_url: str) -> Finding:
    """Compare this machine's clock with the Graph host's. Triggerers and schedulers start tasks by such a clock."""
    try:
        difference = abs(ServerClock().compare(base_url))
    except (httpx.HTTPError, LookupError) as error:
        return Finding("clock", None, f"cannot be compared with the clock of {base_url} ({type(error).__name__})")
    good = difference < WORTH_A_WARNING
    off = f"differs from Instagram's by {difference.total_seconds():.0f} s"
    return Finding("clock", good, off if good else f"{off}. Synchronize this machine's clock with NTP")


def _upload_host(base_url: str) -> Finding:
    host = base_url if base_url not in (origin.INSTAGRAM, origin.FACEBOOK) else origin.UPLOAD
    url = httpx.URL(host)
    try:
        with socket.create_connection((url.host, url.port or 443), timeout=_TIMEOUT_S):
            return Finding("upload host", True, f"{url.host} can be reached")
    except OSError as error:
        return Finding("upload host", False, f"{url.host} cannot be reached ({error}). Allow it in the firewall")
