"""Whether a link can be fetched at this moment, asked as Instagram asks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import httpx

from airflow_provider_instagram.exceptions import InstagramError, MediaNotFetchedError, ValidationError
from airflow_provider_instagram.files.download import THREAD, ranged_request
from airflow_provider_instagram.utils.locations import shown
from airflow_provider_instagram.utils.process import Cancel
from airflow_provider_instagram.utils.time_limit import run_with_time_limit

if TYPE_CHECKING:
    from airflow_provider_instagram.utils.time_limit import Connections

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 15.0
#: Refusals that a server takes back by itself, beside those of 500 and more.
TEMPORARY: Final = (408, 425, 429)


def check_link(link: str, kind: str) -> None:
    """Read the first byte behind a link, without redirects. A server that only Instagram can reach passes.

    :raises MediaNotFetchedError: If the server fails at this moment.
    :raises ValidationError: If it refuses, or answers with something else.
    """
    answers: list[httpx.Response] = []

    def ask(connections: Connections) -> None:
        with httpx.HTTPTransport() as transport:
            answer = transport.handle_request(ranged_request(link, connections, TIMEOUT_S))
            answer.close()
            answers.append(answer)

    try:
        run_with_time_limit(ask, TIMEOUT_S, Cancel(), THREAD)
    except (InstagramError, httpx.HTTPError, TimeoutError) as error:
        log.info("%s could not be checked from here: %s", shown(link), type(error).__name__)
        return
    status, content_type = answers[0].status_code, answers[0].headers.get("content-type", "no content type")
    if status in TEMPORARY or status >= 500:
        raise MediaNotFetchedError(f"{shown(link)} answers {status}.", hint="Its server must work again first.")
    if not answers[0].is_success:
        raise ValidationError(
            f"Instagram cannot fetch {shown(link)}, which answers {status} to this worker as well.",
            hint="Check that the link is right, public, not expired, and without redirects.",
        )
    if not content_type.lower().startswith(f"{kind}/"):
        raise ValidationError(
            f"Instagram cannot use {shown(link)}, which is served as {content_type[:80]}.",
            hint=f"Serve it with the content type of {'a picture' if kind == 'image' else 'a video'}.",
        )
