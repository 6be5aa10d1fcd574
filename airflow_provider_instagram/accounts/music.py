"""Search music on behalf of users of the page *Posts*, within bounds."""

from __future__ import annotations

import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTimeError
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Final

from airflow.sdk.exceptions import AirflowException

from airflow_provider_instagram.accounts.overview import kept_from
from airflow_provider_instagram.exceptions import (
    PermissionDeniedError,
    RateLimitError,
    TransientError,
    ValidationError,
)
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.capabilities import MUSIC
from airflow_provider_instagram.graph.usage import SLOW_FROM_PERCENT
from airflow_provider_instagram.hooks.instagram import InstagramHook

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.audio import Audio

#: The share of the account's calls of any hour that searches in one API server process may use.
SHARE: Final = 0.1
#: How long a user waits for Instagram.
LONGEST_WAIT_S: Final = 15
#: Searches at one time in a process, whose threads also answer all other requests.
MOST_SEARCHES: Final = 4
#: Those of one account, so that a slow one leaves places for the others.
MOST_OF_AN_ACCOUNT: Final = 2
AGAIN: Final = "Try again."

_pool = ThreadPoolExecutor(MOST_SEARCHES, thread_name_prefix="instagram-music")
_places: Final = BoundedSemaphore(MOST_SEARCHES)
_places_of: Final[dict[str, BoundedSemaphore]] = defaultdict(lambda: BoundedSemaphore(MOST_OF_AN_ACCOUNT))
_lock = Lock()
#: When each account was asked within the last hour, in seconds.
_asked_s: Final[dict[str, list[float]]] = defaultdict(list)


def why_no_music(conn_id: str) -> str:
    """Return why an account is known to be unable to use music; empty if nothing is known."""
    return kept_from(conn_id, dict.fromkeys(MUSIC.parameters))


def search_music(conn_id: str, words: str) -> tuple[Audio, ...]:
    """Search licensed music by words of its title or artist. Without any, return what is trending.

    :raises InstagramError: If the account is known to have no music, if its searches are used up, if too many people
        search now, or if Instagram refuses or does not answer in time.
    """
    if why := why_no_music(conn_id):
        raise PermissionDeniedError(why)
    own = _places_of[conn_id]
    if not own.acquire(blocking=False):
        raise RateLimitError(f"{MOST_OF_AN_ACCOUNT} searches of this account are running already.", hint=AGAIN)
    if not _places.acquire(blocking=False):
        own.release()
        raise RateLimitError(f"{MOST_SEARCHES} searches are running already.", hint=AGAIN)
    search = _pool.submit(_search, conn_id, words)
    search.add_done_callback(lambda _: own.release())
    search.add_done_callback(lambda _: _places.release())
    try:
        return search.result(LONGEST_WAIT_S)
    except NotInTimeError:
        raise TransientError(f"Instagram did not answer within {LONGEST_WAIT_S} s.", hint=AGAIN) from None
    except AirflowException as error:
        raise ValidationError(f"The connection {conn_id!r} cannot be read ({type(error).__name__}).") from None


def _search(conn_id: str, words: str) -> tuple[Audio, ...]:
    hook = InstagramHook(conn_id)
    most = max(1, int(hook.settings.limits.calls_per_hour * SHARE))
    _take(conn_id, most)
    with hook.get_readonly_conn() as client:
        try:
            found = client.send(calls.search_audio(hook.ig_user_id(client), "music", words or None))
        except RateLimitError:
            _take(conn_id, most, all_of_them=True)
            raise
        finally:
            with _lock:  # a read whose answer is lost is repeated, and Instagram counts each request
                _asked_s[conn_id].extend([time.monotonic()] * (client.sent - 1))
        if client.usage is not None and client.usage.percent >= SLOW_FROM_PERCENT:
            _take(conn_id, most, all_of_them=True)
    return found


def _take(conn_id: str, most: int, *, all_of_them: bool = False) -> None:
    """Take a search of an account, or all that are left in this hour, because posts need the calls.

    :raises RateLimitError: If none is left.
    """
    now_s = time.monotonic()
    with _lock:
        asked_s = _asked_s[conn_id] = [at_s for at_s in _asked_s[conn_id] if at_s > now_s - 3600]
        if all_of_them:
            asked_s.extend([now_s] * (most - len(asked_s)))
        elif len(asked_s) < most:
            asked_s.append(now_s)
        else:
            minutes = 1 + int((asked_s[0] + 3600 - now_s) / 60)
            raise RateLimitError(
                f"The {most} searches an hour of this account are used up, so that its posts have calls left.",
                hint=f"Try again in {minutes} minutes, or enter the id that airflow instagram audio prints.",
            )
