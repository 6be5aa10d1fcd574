"""Start a sandbox as a process and control it from a test."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import httpx

from instagram_sandbox.options import (
    DEFAULT_APP_ID,
    DEFAULT_APP_SECRET,
    DEFAULT_TOKEN,
    DEFAULT_USER_ID,
)
from instagram_sandbox.simulator.journal import Entry
from instagram_sandbox.simulator.truth import (
    CommentTruth,
    ContainerTruth,
    MessageTruth,
    PostTruth,
    Truth,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

START_LIMIT_S: Final = 60
#: Tests publish more posts in an hour than a person does, and must not wait for room.
TEST_POSTS: Final = 500


class SandboxHandle:
    """Controls a running sandbox.

    :param url: The sandbox's base URL.
    :param token: The access token of its first account.
    :param user_id: The Instagram user id of its first account.
    :param authority: The file of the authority that its https needs; None for http.
    """

    def __init__(
        self,
        url: str,
        token: str = DEFAULT_TOKEN,
        user_id: str = DEFAULT_USER_ID,
        authority: Path | None = None,
    ) -> None:
        self.url = url
        self.token = token
        self.user_id = user_id
        self.app_id = DEFAULT_APP_ID
        self.app_secret = DEFAULT_APP_SECRET
        self.authority = authority
        verify = ssl.create_default_context(cafile=authority) if authority else True
        self._http = httpx.Client(base_url=url, timeout=120, trust_env=False, verify=verify)

    @property
    def connection(self) -> dict[str, Any]:
        """The Airflow connection to this sandbox, as ``AIRFLOW_CONN_…`` takes it in JSON."""
        return {
            "conn_type": "instagram",
            "login": self.user_id,
            "password": self.token,
            "host": self.url,
            "extra": {
                "app_id": self.app_id,
                "app_secret": self.app_secret,
                "oauth_host": self.url,
                "posts_per_hour": TEST_POSTS,
                "posts_per_day": TEST_POSTS,
            },
        }

    @property
    def posts(self) -> list[PostTruth]:
        """All posts made through the API, oldest first, including those that the API does not show yet."""
        posts = [PostTruth.model_validate(row) for row in reversed(self._control("GET", "posts"))]
        return [post for post in posts if post.container_id is not None]

    @property
    def containers(self) -> list[ContainerTruth]:
        """All containers in their real state, oldest first."""
        return [ContainerTruth.model_validate(row) for row in self._control("GET", "containers")]

    @property
    def truth(self) -> Truth:
        """The number of posts that really exist, per container and per caption."""
        return Truth.model_validate(self._control("GET", "truth"))

    def journal(self, operation: str | None = None, **only: str | int) -> list[Entry]:
        """Return the calls that reached the sandbox, in order.

        :param operation: One of :data:`~instagram_sandbox.simulator.journal.Operation`; None for
            all.
        :param only: ``account``, ``container_id``, ``after`` (an entry's number), or ``warned=1``
            (with a warning).
        """
        chosen: dict[str, str | int] = {"operation": operation} if operation else {}
        return [
            Entry.model_validate(row)
            for row in self._control("GET", "journal", params=chosen | only)
        ]

    def calls(self, operation: str | None = None) -> int:
        """Return how many calls of an operation reached the sandbox."""
        return len(self.journal(operation))

    @property
    def warnings(self) -> list[str]:
        """What the journal warns of, in order: ignored parameters, versions that are gone, links that were refused."""
        return [
            f"{entry.operation}: {warning}"
            for entry in self.journal(warned=1)
            for warning in entry.warnings
        ]

    def fail(
        self,
        operation: str,
        code: int | None = None,
        subcode: int | None = None,
        *,
        drop: Literal["before", "after"] | None = None,
        when: Literal["before", "after"] = "before",
        nth: int = 1,
        times: int = 1,
        **more: Any,
    ) -> None:
        """Plan a fault for later calls.

        ``sandbox.fail("publish", drop="after")`` makes a post and loses its answer.

        :param operation: Which calls are hit, as in :meth:`journal`; ``*`` for all.
        :param code: Answer with this error code of the Graph API.
        :param subcode: The subcode for ``code``.
        :param drop: Close the connection before or after the call takes effect.
        :param when: For the other faults: before or after the effect.
        :param nth: The first call that is hit.
        :param times: How many calls are hit in a row; 0 for all that follow.
        :param more: ``delay_s``, ``html=True``, ``status`` with ``body``, ``cut_after_bytes``,
            ``account``; with a code, ``regain_minutes``.
        """
        fault = {
            "operation": operation,
            "code": code,
            "subcode": subcode,
            "nth": nth,
            "times": times,
            **more,
        }
        self._control(
            "POST", "faults", json=fault | {"drop": drop is not None, "when": drop or when}
        )

    def process_next(self, *, times: int = 1, **processing: Any) -> None:
        """Set how the next containers are processed.

        :param times: How many containers.
        :param processing: ``after_s``, ``after_polls``, ``never``, ``outcome`` (``inspected``,
            ``finished``, ``error``, ``phase_error``, ``download_failed``), ``subcode``; with a
            ``phase_error`` also its ``phase`` (``processing``, ``uploading``); ``copyright``
            (``clear``, ``match``, ``error``). Without any of these, containers are processed
            normally.
        """
        how = processing or {"outcome": "inspected"}
        self._control("POST", "processing", json={"processing": how, "times": times})

    def switch(self, **switches: Any) -> None:
        """Set how the sandbox behaves where Meta's behaviour is open; the documentation lists the switches."""
        self._control("PATCH", "switches", json=switches)

    def advance(self, how_far: timedelta | float) -> None:
        """Wait for running inspections, then move the sandbox's clock forward.

        :param how_far: A duration, or seconds.
        """
        seconds = how_far.total_seconds() if isinstance(how_far, timedelta) else how_far
        self._control("POST", "clock", json={"seconds": seconds})

    def settle(self) -> None:
        """Wait for all running inspections and webhooks."""
        self._control("POST", "settle")

    def now(self) -> float:
        """Return the sandbox's time in seconds since the epoch."""
        return float(self._control("GET", "clock")["now"])

    def add_account(self, user_id: str, username: str, **more: Any) -> str:
        """Create another account and return its token.

        :param more: ``token``, ``resumable``, ``unified_login``, ``trial_reels``, ``restricted``,
            ``account_type``, ``audience``, ``refused_metrics``, ``managed_with``, ``portfolio``.
        """
        return str(
            self._control(
                "POST", "accounts", json={"user_id": user_id, "username": username} | more
            )["token"]
        )

    def change_account(self, user_id: str, **changes: Any) -> None:
        """Change an account: what :meth:`add_account` takes, except its token."""
        self._control("PATCH", f"accounts/{user_id}", json=changes)

    def add_token(self, user_id: str, **more: Any) -> str:
        """Issue a token: ``token``, ``long_lived``, ``ends``, ``age_s``, ``scopes``, ``kind``."""
        return str(self._control("POST", "tokens", json={"user_id": user_id} | more)["token"])

    def revoke(self, token: str, subcode: int = 460) -> None:
        """Make a token answer 190 with this subcode from now on."""
        self._control("POST", "tokens/revoke", json={"token": token, "subcode": subcode})

    def add_foreign_post(
        self, caption: str, age_s: float = 0, user_id: str | None = None, tagged: Sequence[str] = ()
    ) -> str:
        """Add a post as if it was made in the app, and return its media id.

        :param tagged: The usernames that are tagged in it: it is among the ``tags`` of these
            accounts.
        """
        body = {
            "user_id": user_id or self.user_id,
            "caption": caption,
            "age_s": age_s,
            "tagged": list(tagged),
        }
        return str(self._control("POST", "posts", json=body)["media_id"])

    def comments(self, media_id: str | None = None) -> list[CommentTruth]:
        """Return all comments, oldest first, including those that the API does not show yet.

        :param media_id: Only those on this post.
        """
        chosen = {"media_id": media_id} if media_id else {}
        return [
            CommentTruth.model_validate(row)
            for row in self._control("GET", "comments", params=chosen)
        ]

    def add_comment(
        self, media_id: str, text: str, username: str = "a_follower", parent_id: str | None = None
    ) -> CommentTruth:
        """Add a comment of another person, as if it was written in the app.

        :param parent_id: The comment that this one answers.
        """
        body = {"media_id": media_id, "text": text, "username": username, "parent_id": parent_id}
        return CommentTruth.model_validate(self._control("POST", "comments", json=body))

    def messages(self) -> list[MessageTruth]:
        """Return all private replies, oldest first."""
        return [MessageTruth.model_validate(row) for row in self._control("GET", "messages")]

    def insights(self, media_id: str) -> dict[str, int]:
        """Return all numbers about a post as they are now, whether or not the API shows them yet."""
        return {
            str(name): int(value)
            for name, value in self._control("GET", f"insights/{media_id}").items()
        }

    def set_insights(self, media_id: str, **metrics: int) -> None:
        """Fix numbers about a post, which then exist at once and no longer grow: ``views=120, likes=7``."""
        self._control("PATCH", f"insights/{media_id}", json=metrics)

    def answer_invite(self, media_id: str, username: str, invite_status: str = "Accepted") -> None:
        """Set the answer of an invited account: ``Accepted``, ``Declined`` or ``Pending``."""
        body = {"username": username, "invite_status": invite_status}
        self._control("POST", f"posts/{media_id}/collaborators", json=body)

    def reset(self) -> None:
        """Reset the sandbox to its initial state and to the real time."""
        self._control("POST", "reset")

    def close(self) -> None:
        """Close the connections to the sandbox."""
        self._http.close()

    def _control(self, method: str, path: str, **request: Any) -> Any:
        answer = self._http.request(method, f"/_sandbox/{path}", **request)
        if answer.is_error:
            raise ValueError(f"The sandbox refused {method} /_sandbox/{path}: {answer.text}")
        return answer.json()


@contextmanager
def sandbox_process(
    *options: str,
    strict: bool = True,
    token: str = DEFAULT_TOKEN,
    user_id: str = DEFAULT_USER_ID,
    port: int = 0,
    login: Literal["instagram", "facebook"] = "instagram",
) -> Iterator[SandboxHandle]:
    """Run a sandbox in a process of its own.

    :param options: More options of ``instagram-sandbox``.
    :param strict: Whether open questions get harsh answers, as a test of one's own client should
        have it.
    :param token: The first account's token, which is passed in the environment, not on the command
        line.
    :param user_id: The first account's Instagram user id.
    :param port: Port to listen on, or 0 for any free port.
    :param login: The login that the handle's token comes from: with ``facebook``, it is that of the
        account's Page.
    """
    with tempfile.TemporaryDirectory(prefix="instagram-sandbox-") as folder:
        port_file = Path(folder) / "port"
        command = [sys.executable, "-m", "instagram_sandbox", "--port", str(port)]
        with_tls = ["--state", folder] if "--tls" in options and "--state" not in options else []
        command += [
            *with_tls,
            "--port-file",
            str(port_file),
            "--account",
            user_id,
            *(["--strict"] if strict else []),
            *options,
        ]
        environment = os.environ | {"INSTAGRAM_SANDBOX_TOKEN": token}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            port = _port(process, port_file)
            authority = Path(folder) / "authority.pem" if with_tls else None
            url = f"http{'s' if authority else ''}://127.0.0.1:{port}"
            with closing(SandboxHandle(url, token, user_id, authority)) as handle:
                if login == "facebook":
                    handle.switch(login=login)
                    handle.token = handle.add_token(user_id, kind="page")
                yield handle
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(process: subprocess.Popen[bytes], port_file: Path) -> int:
    deadline = time.monotonic() + START_LIMIT_S
    while not port_file.exists():
        if process.poll() is not None:
            raise RuntimeError(
                f"The sandbox ended with exit code {process.returncode}. See its message on stderr."
            )
        if time.monotonic() > deadline:
            raise TimeoutError(f"The sandbox did not start within {START_LIMIT_S} s.")
        time.sleep(0.02)
    return int(port_file.read_text())


def connection_json(handle: SandboxHandle) -> str:
    """Return the Airflow connection to a sandbox as JSON, for an environment variable."""
    return json.dumps(handle.connection)
