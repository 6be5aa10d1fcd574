"""The two clients that send calls, sync and async, around one core."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    InstagramError,
    TransientError,
    ValidationError,
)
from airflow_provider_instagram.graph import API_VERSION, oauth, origin
from airflow_provider_instagram.graph.answer import Answer, exchange, exchange_async
from airflow_provider_instagram.graph.errors import error_from_answer
from airflow_provider_instagram.graph.fields import cut
from airflow_provider_instagram.graph.redaction import redact, redact_http_logs
from airflow_provider_instagram.graph.usage import Usage
from airflow_provider_instagram.utils.urls import is_loopback

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from airflow_provider_instagram.graph.calls import Call
    from airflow_provider_instagram.graph.origin import TrustedHosts

T = TypeVar("T")

_CONNECT_TIMEOUT_S: Final = 5.0
_READ_TIMEOUT_S: Final = 60.0
_HEADERS: Final = {
    "User-Agent": "airflow-provider-instagram",
    "Accept": "application/json",
    # a small compressed answer may be large in memory
    "Accept-Encoding": "identity",
}
_ATTEMPTS: Final = 4
_LONGEST_PAUSE_S: Final = 10.0
#: Parameters that answers may echo.
_SECRETS: Final = ("access_token", "input_token", "fb_exchange_token", "client_secret", "code")

_log = logging.getLogger(__name__)


class ClientSettings(TypedDict, total=False):
    """The settings that both clients share.

    :param app_secret: The Meta app's secret, with which calls of Facebook Login are signed.
    :param reconnect_hint: What to do when the token is no longer valid, as the hint of the error.
    :param hosts: The hosts that may receive tokens and app secrets, beside Meta's and this machine.
    """

    base_url: str
    api_version: str
    app_secret: str | None
    reconnect_hint: str | None
    hosts: TrustedHosts


class _Core:
    """The parts of a client that do not depend on sync or async."""

    def __init__(
        self,
        access_token: str | None,
        *,
        base_url: str = origin.INSTAGRAM,
        api_version: str = API_VERSION,
        app_secret: str | None = None,
        reconnect_hint: str | None = None,
        hosts: TrustedHosts = origin.NO_EXTRA_HOSTS,
    ) -> None:
        if access_token is not None and not re.fullmatch(r"[!-~]+", access_token):
            raise ValidationError(
                "The access token is empty, or contains spaces or other invalid characters.",
                hint="Copy the whole token again, and nothing else, into the password of the Airflow connection.",
            )
        if not re.fullmatch(r"v\d+\.\d+", api_version):
            raise ValidationError(
                f"{api_version!r} is not a valid API version.", hint=f"Use the form {API_VERSION}."
            )
        redact_http_logs()
        self._access_token = access_token
        self._hosts = hosts
        self._base_url = origin.base_url(base_url, hosts=hosts)
        self._api_version = api_version
        self._app_secret = app_secret
        self._reconnect_hint = reconnect_hint
        #: The account's usage, from the last answer that reported it.
        self.usage: Usage | None = None
        #: The number of requests sent, including repeated ones.
        self.sent = 0
        #: How often another token replaced a refused one.
        self.renewals = 0

    def _options(self) -> dict[str, Any]:
        trust_env = not is_loopback(httpx.URL(self._base_url).host)
        return {
            "headers": _HEADERS,
            "timeout": httpx.Timeout(_READ_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S),
            "follow_redirects": False,
            # Requests to this machine must not go through a proxy.
            "trust_env": trust_env,
            # A proxy could read a token in a request over plain http, also to the host of a login.
            "mounts": {"http://": None},
            "verify": _tls(trust_env),
        }

    def _request(self, http: httpx.Client | httpx.AsyncClient, call: Call[Any]) -> httpx.Request:
        self.sent += 1
        base = origin.login_host(call.host, self._hosts) or self._base_url
        version = f"/{self._api_version}" if call.versioned else ""
        url = f"{base}{version}/{call.path}"
        params = dict(call.params)
        headers = {}
        if call.bearer:
            token = self._token(call.action)
            headers["Authorization"] = f"Bearer {token}"
            # Source: Meta, Securing Graph API calls.
            if self._app_secret and token.startswith(oauth.FACEBOOK_LOGIN):
                proof = hmac.new(self._app_secret.encode(), token.encode(), hashlib.sha256)
                params["appsecret_proof"] = proof.hexdigest()
        if call.method != "POST":
            return http.build_request(call.method, url, params=params, headers=headers)
        return http.build_request("POST", url, data=params, headers=headers)

    def _use_token(self, token: str | None) -> bool:
        if token is None or token == self._access_token:
            return False
        self._access_token = token
        self.renewals += 1
        return True

    def _token(self, action: str) -> str:
        if self._access_token is None:
            raise ValidationError(
                f"Cannot {action}: the connection has no access token.",
                hint="Enter it as the password of the Airflow connection.",
            )
        return self._access_token

    def _read(self, call: Call[T], answer: Answer) -> T:
        self.usage = Usage.read(answer.headers) or self.usage
        data = answer.data()
        has_failed = not answer.is_success or not isinstance(data, dict)
        if has_failed or isinstance(data.get("error"), dict):
            raise self._error_of(call.action, answer, changes=not call.safe, params=call.params)
        try:
            return call.read(data)
        except (ValueError, OverflowError) as error:
            raise TransientError(
                f"Cannot {call.action}: Instagram's answer is not in the documented form ({error}).",
                hint="Try again later.",
                outcome_unknown=not call.safe,
            ) from None

    def _error_of(
        self, action: str, answer: Answer, *, changes: bool, params: Mapping[str, str] | None = None
    ) -> InstagramError:
        body = answer.without_escapes()
        echoed = (
            self._access_token,
            self._app_secret,
            *((params or {}).get(name) for name in _SECRETS),
        )
        for secret in filter(None, echoed):
            body = body.replace(secret.encode(), b"***")
        error = error_from_answer(
            action, answer.status, answer.headers, body, changes=changes, host=answer.host
        )
        if self._reconnect_hint and isinstance(error, AuthenticationError):
            error.hint = self._reconnect_hint
        return error


@cache
def _tls(trust_env: bool) -> ssl.SSLContext:
    """Load the certificate authorities once, because they take over half a megabyte and a process has many clients."""
    return httpx.create_ssl_context(verify=True, trust_env=trust_env)


@contextmanager
def _network_errors(action: str, *, changes: bool) -> Iterator[None]:
    """Turn a network failure into an error that says whether the call may have arrived.

    The exception of httpx is not chained. Its frames hold headers and addresses with tokens, which
    error trackers show.
    """
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        raise TransientError(
            f"Cannot {action}: could not connect to {error.request.url.host} ({_cause(error)}). Nothing was sent.",
            hint="Check the host of the connection and the network.",
        ) from None
    except httpx.RequestError as error:
        unknown = " The request may have taken effect." if changes else ""
        raise TransientError(
            f"Cannot {action}: the answer from {error.request.url.host} was lost ({_cause(error)}).{unknown}",
            hint="Try again later." if not changes else None,
            outcome_unknown=changes,
        ) from None


def _cause(error: httpx.RequestError) -> str:
    return redact(cut(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__))


def _retry_options(call: Call[Any]) -> dict[str, Any]:
    """Return the retry policy of a call. Only reads are repeated, because a lost answer does not mean a lost change."""
    return {
        "stop": stop_after_attempt(_ATTEMPTS if call.safe else 1),
        "wait": wait_random_exponential(max=_LONGEST_PAUSE_S),
        "retry": retry_if_exception_type(TransientError),
        "before_sleep": _log_retry,
        "reraise": True,
    }


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    pause_s = state.next_action.sleep if state.next_action else 0.0
    _log.warning(
        "%s Retrying in %.1f s (attempt %d of %d).",
        error,
        pause_s,
        state.attempt_number + 1,
        _ATTEMPTS,
    )


def _may_repeat(call: Call[Any], error: AuthenticationError) -> bool:
    """Return whether a call that was refused for its token may be repeated with another token."""
    return call.bearer and not call.once and not error.outcome_unknown


class GraphClient(_Core):
    """Sends calls, one after the other. Several threads may use one client.

    :param access_token: The account's token. None for a login only.
    :param replacement_token: Called once when the token is refused. Returns another token, or None.
        The refused call is then repeated, unless it may be sent only once: Instagram checks the
        token before anything else.
    :param on_close: Called at the end with the number of requests sent.
    """

    def __init__(
        self,
        access_token: str | None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        replacement_token: Callable[[], str | None] | None = None,
        on_close: Callable[[int], None] | None = None,
        **settings: Unpack[ClientSettings],
    ) -> None:
        super().__init__(access_token, **settings)
        self.sleep = sleep
        self._replacement_token = replacement_token
        self._on_close = on_close
        self._renewing = threading.Lock()
        self._http = httpx.Client(**self._options())

    def send(self, call: Call[T]) -> T:
        """Send a call and read its answer.

        :raises InstagramError: If Instagram refused or the network failed. ``outcome_unknown`` is
            set if the call may have taken effect.
        """
        retrying = Retrying(sleep=self.sleep, **_retry_options(call))
        renewals = self.renewals
        try:
            answer: T = retrying(self._send_once, call)
        except AuthenticationError as error:
            if not _may_repeat(call, error) or not self._is_renewed_since(renewals):
                raise
            answer = retrying(self._send_once, call)
        return answer

    def renew(self) -> bool:
        """Replace the token by another one, if there is one. Works only once."""
        replacement_token = self._replacement_token
        self._replacement_token = None
        return replacement_token is not None and self._use_token(replacement_token())

    def _is_renewed_since(self, renewals: int) -> bool:
        """Renew the token, unless another thread has done so since a call was sent."""
        with self._renewing:
            return self.renewals > renewals or self.renew()

    def send_bytes(
        self,
        uri: str,
        chunks: Iterable[bytes],
        *,
        offset: int,
        total_bytes: int,
    ) -> None:
        """Stream the rest of a video to its container, in a single request that is not repeated.

        Source: Meta, IG User Media reference, resumable uploads.

        :raises ValidationError: If the token must not be sent to the URI. Nothing was sent.
        """
        action = "upload the video"
        url = origin.upload_url(uri, self._base_url)
        sizes = {
            "offset": str(offset),
            "file_size": str(total_bytes),
            "Content-Length": str(total_bytes - offset),
            "Content-Type": "application/octet-stream",
        }
        with _network_errors(action, changes=True):
            request = self._http.build_request(
                "POST",
                url,
                # no local variable holds a token
                headers={"Authorization": f"OAuth {self._token(action)}", **sizes},
                content=chunks,
            )
            answer = exchange(self._http, request)
        data = answer.data()
        if not answer.is_success or not isinstance(data, dict) or data.get("success") is not True:
            raise self._error_of(action, answer, changes=True)

    def _send_once(self, call: Call[T]) -> T:
        with _network_errors(call.action, changes=not call.safe):
            answer = exchange(self._http, self._request(self._http, call))
        return self._read(call, answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        if self._on_close is not None:
            self._on_close(self.sent)


class AsyncGraphClient(_Core):
    """Sends calls concurrently. The parameters are those of :class:`GraphClient`."""

    def __init__(
        self,
        access_token: str | None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        replacement_token: Callable[[], Awaitable[str | None]] | None = None,
        **settings: Unpack[ClientSettings],
    ) -> None:
        super().__init__(access_token, **settings)
        self.sleep = sleep
        self._replacement_token = replacement_token
        self._http = httpx.AsyncClient(**self._options())

    async def send(self, call: Call[T]) -> T:
        """Send a call and read its answer, as :meth:`GraphClient.send` does."""
        retrying = AsyncRetrying(sleep=self.sleep, **_retry_options(call))
        try:
            answer: T = await retrying(self._send_once, call)
        except AuthenticationError as error:
            if not _may_repeat(call, error) or not await self.renew():
                raise
            answer = await retrying(self._send_once, call)
        return answer

    async def renew(self) -> bool:
        """Replace the token by another one, as :meth:`GraphClient.renew` does."""
        replacement_token = self._replacement_token
        self._replacement_token = None
        return replacement_token is not None and self._use_token(await replacement_token())

    async def _send_once(self, call: Call[T]) -> T:
        with _network_errors(call.action, changes=not call.safe):
            answer = await exchange_async(self._http, self._request(self._http, call))
        return self._read(call, answer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()
