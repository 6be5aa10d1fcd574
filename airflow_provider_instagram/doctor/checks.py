"""The checks of a machine and of an account.

A machine has programs, a disk, and places that it shares with other machines. An account has a
connection, a token, and the way from this machine to Instagram.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import httpx
from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

from airflow_provider_instagram.doctor.findings import Finding, judged, unchecked
from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.graph import calls, origin
from airflow_provider_instagram.graph.capabilities import PUBLISHING, MetaLogin, read_scopes
from airflow_provider_instagram.hooks.instagram import AccountSettings, InstagramHook
from airflow_provider_instagram.hooks.scopes import AccountScopes, known_scopes
from airflow_provider_instagram.hooks.token_store import EXPIRY_WARNING, StoredToken
from airflow_provider_instagram.ledger.seal import fingerprint, has_key
from airflow_provider_instagram.utils.clock import WORTH_A_WARNING, ServerClock, utc_now
from airflow_provider_instagram.utils.connection import no_connection
from airflow_provider_instagram.utils.pages import reconnect_hint
from airflow_provider_instagram.utils.urls import is_local, local_path, shown

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import Account
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
        to_do = (
            no_connection(conn_id) if isinstance(error, AirflowNotFoundException) else str(error)
        )
        yield from (Finding("connection", False, to_do), *unchecked(*_CONNECTION_CHECKS))
    else:
        yield Finding(
            "connection", True, f"{conn_id} at {settings.base_url}, API {settings.api_version}"
        )
        yield from _account(hook, settings)
        yield _clock(settings.base_url)
        yield _upload_host(settings.base_url)


def _account(hook: InstagramHook, settings: AccountSettings) -> Iterator[Finding]:
    try:
        with hook.get_readonly_conn() as client:
            account = hook.read_account(client)
            quota = _quota(client, account)
    except InstagramError as error:
        yield from (Finding("token", False, _refusal(error)), *unchecked(*_TOKEN_CHECKS))
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
    left = token.time_left(utc_now())
    if left is None and token.scopes and not manager.can_refresh:
        return Finding("token", True, "works and does not expire")
    if left is None:
        to_do = "Enter the app id and the app secret, and Meta will report it"
        if manager.can_refresh:
            to_do = f"Run: airflow instagram refresh {manager.conn_id}"
        return Finding("token", None, f"works, but its expiry date is unknown. {to_do}")
    works = f"works for {left // timedelta(days=1)} more days"
    is_good = left > EXPIRY_WARNING
    if manager.can_refresh:
        return judged("token", is_good, works, "Turn on the DAG refresh_instagram_tokens")
    return judged("token", is_good, f"{works}: it {token.end}", reconnect_hint(manager.conn_id))


def _quota(client: GraphClient, account: Account) -> Finding:
    try:
        limit = client.send(calls.publishing_limit(account.user_id))
    except InstagramError as error:
        return Finding("quota", False, _refusal(error))
    used = f"{limit.quota_usage} of {limit.quota_total} posts used in the last 24 h"
    to_do = "Wait: publishing continues when older posts leave the 24 hours"
    return judged("quota", limit.quota_usage < limit.quota_total, used, to_do)


def _refusal(error: InstagramError) -> str:
    """Return what an error says, and until when Instagram takes no calls, if it says that."""
    if error.retry_after is None:
        return str(error)
    until = utc_now() + error.retry_after
    return f"{error} Instagram takes no calls until {until:%Y-%m-%d %H:%M} UTC"


def _scopes(scopes: AccountScopes, asked_for: str) -> Finding:
    try:
        asked = read_scopes(asked_for, scopes.login)
    except InstagramError as error:
        return Finding("scopes", False, f"{error} Correct the field Scopes of the connection")
    if scopes.granted is None:
        why = "Meta did not return them"
        if scopes.login is MetaLogin.INSTAGRAM:
            why = "the token was pasted. Connect the account to record them"
        return Finding("scopes", None, f"unknown, because {why}")
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
    said = (
        f"@{account.username}, {account.account_type or 'account type unknown'}, {account.user_id}"
    )
    to_do = "Switch it to a professional account in the Instagram app"
    return judged("account", account.account_type != "PERSONAL", said, to_do)


def _clock(base_url: str) -> Finding:
    """Compare this machine's clock with the Graph host's. Triggerers and schedulers start tasks by such a clock."""
    try:
        difference = abs(ServerClock().compare(base_url))
    except (httpx.HTTPError, LookupError, TimeoutError) as error:
        return Finding(
            "clock",
            None,
            f"cannot be compared with the clock of {base_url} ({type(error).__name__})",
        )
    off = f"differs from Instagram's by {difference.total_seconds():.0f} s"
    return judged(
        "clock", difference < WORTH_A_WARNING, off, "Synchronize this machine's clock with NTP"
    )


def _upload_host(base_url: str) -> Finding:
    host = base_url if base_url not in (origin.INSTAGRAM, origin.FACEBOOK) else origin.UPLOAD
    url = httpx.URL(host)
    try:
        with socket.create_connection((url.host, url.port or 443), timeout=_TIMEOUT_S):
            return Finding("upload host", True, f"{url.host} can be reached")
    except OSError as error:
        return Finding(
            "upload host",
            False,
            f"{url.host} cannot be reached ({error}). Allow it in the firewall",
        )


#: Room for a long source video and its result.
_LITTLE_SPACE_BYTES: Final = 2 * 10**9
# Source: Airflow's configuration reference, [scheduler].
_QUEUED_TIMEOUT_S = 600.0
_QUEUED_AGAIN = 2
#: The ``max_lateness`` of a calendar whose author gives none.
MAX_LATENESS_S: Final = 3600.0


def host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


def versions() -> dict[str, str]:
    """Return what must be the same on every machine: versions, and Airflow's key, of which only a digest is shown."""
    return {
        "Airflow": version("apache-airflow-core"),
        "airflow-provider-instagram": version("airflow-provider-instagram"),
        "Python": platform.python_version(),
        "ffmpeg": _program_version("ffmpeg") or "none",
        "fernet_key": fingerprint(),
    }


def machine_findings(test_file: str) -> Iterator[Finding]:
    """Check this machine. ``test_file`` is written below ``[instagram] work_prefix``."""
    said = ", ".join(
        f"{name} {one}" for name, one in versions().items() if name not in ("ffmpeg", "fernet_key")
    )
    yield Finding("machine", True, f"{host_name()}: {said}")
    yield from (_program(name) for name in ("ffmpeg", "ffprobe"))
    yield _disk()
    yield _work_prefix(test_file)
    yield _public_prefix()
    yield _snapshots()
    yield _queued_tasks()
    yield _fernet_key()


def _fernet_key() -> Finding:
    text = "is set" if has_key() else "is not set"
    to_do = "Airflow stores passwords as plain text, and who may write assets can forge the ledger. Set it everywhere"
    return judged("fernet_key", has_key(), f"[core] fernet_key {text}", to_do)


def _program(name: str) -> Finding:
    command = conf.get("instagram", name, fallback=name)
    path = shutil.which(command)
    if path is None:
        return Finding(
            name,
            False,
            f"{command} was not found. Install ffmpeg on the workers, or set [instagram] {name}",
        )
    number = _program_version(name)
    return Finding(
        name, number is not None, f"{number} at {path}" if number else f"{path} does not run"
    )


def _program_version(name: str) -> str | None:
    path = shutil.which(conf.get("instagram", name, fallback=name))
    if path is None:
        return None
    said = subprocess.run(
        [path, "-version"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    ).stdout
    match = re.search(r"version (\S+)", said)
    return match.group(1) if match else None


def _disk() -> Finding:
    folder = tempfile.gettempdir()
    free_bytes = shutil.disk_usage(folder).free
    said = f"{folder} has {free_bytes / 1e9:,.1f} GB free for copies"
    return judged(
        "disk",
        free_bytes >= _LITTLE_SPACE_BYTES,
        said,
        "Free some space, or set TMPDIR to another disk",
    )


def work_file(name: str) -> str:
    """Return the location of a file below ``[instagram] work_prefix``."""
    return f"{conf.get('instagram', 'work_prefix').rstrip('/')}/doctor/{name}"


def _work_prefix(test_file: str) -> Finding:
    location = work_file(test_file)
    try:
        storage.write(location, test_file.encode())
        if storage.read(location) != test_file.encode():
            return Finding(
                "work_prefix",
                False,
                f"{shown(location)} was written, and cannot be read. Check the storage",
            )
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own
        why = f"{type(error).__name__}: {shown(str(error))}"
        to_do = "Check [instagram] work_prefix, its rights and its connection"
        return Finding(
            "work_prefix", False, f"{shown(location)} cannot be written ({why}). {to_do}"
        )
    return Finding(
        "work_prefix",
        True,
        f"{shown(conf.get('instagram', 'work_prefix'))} can be written and read",
    )


def _public_prefix() -> Finding:
    """Check whether Instagram can get a link to a local picture. Calendars and DAGs of videos alone need none."""
    prefix = conf.get("instagram", "public_prefix", fallback="")
    why = storage.why_no_link(has_keys=True)
    if why is None:
        return Finding("public_prefix", True, f"links to local pictures come from {shown(prefix)}")
    text = f"{why}, so posts with local pictures fail. {storage.SET_PUBLIC_PREFIX}"
    return Finding("public_prefix", False if prefix else None, text)


def read_work_file(name: str) -> bool:
    """Return whether this machine can read a file that a check wrote, perhaps on another machine, and remove it."""
    try:
        is_same = storage.read(work_file(name)) == name.encode()
        storage.remove(work_file(name))
    except Exception:  # noqa: BLE001 -- each storage has errors of its own
        return False
    return is_same


def _snapshots() -> Finding:
    location = conf.get("instagram", "calendar_snapshots")
    if not is_local(location):
        if (reason := storage.unwritable_because(location.rstrip("/"))) is None:
            return Finding("snapshots", True, f"{shown(location)} can be written")
        text = f"{shown(location)} cannot be written to ({reason}): edits made within the lead time are not published."
        remedy = "Make it writable for Airflow, or name another in [instagram] calendar_snapshots."
        return Finding("snapshots", False, f"{text} {remedy}")
    folder = local_path(location)
    if not folder.is_dir():
        said = (
            f"{folder} is not on this machine. Calendars with an approval need it on every machine"
        )
        return Finding("snapshots", None, said)
    if not os.access(folder, os.R_OK | os.X_OK):
        return Finding(
            "snapshots",
            False,
            f"{folder} cannot be read. Give read access to the user that runs tasks",
        )
    return Finding("snapshots", True, f"{folder} can be read")


def _queued_tasks() -> Finding:
    """Check how long workers may be away before Airflow fails a queued task for good, whatever its retries."""
    timeout_s = conf.getfloat("scheduler", "task_queued_timeout", fallback=_QUEUED_TIMEOUT_S)
    tries = 1 + conf.getint("scheduler", "num_stuck_in_queued_retries", fallback=_QUEUED_AGAIN)
    said = f"Airflow fails a queued task for good after {tries * timeout_s / 60:,.0f} minutes without a worker"
    if tries * timeout_s > MAX_LATENESS_S:
        return Finding("queued tasks", True, said)
    to_do = "Raise [scheduler] num_stuck_in_queued_retries, so that it is longer than the max_lateness of calendars"
    return Finding("queued tasks", None, f"{said}. {to_do}")
