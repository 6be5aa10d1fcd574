"""Webhooks: what happens to an account is sent, signed, to the callback of the app. Source: Meta, Webhooks.

Callbacks on this machine alone are called.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import secrets
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import httpcore

from instagram_sandbox.simulator.addresses import is_loopback, web_address
from instagram_sandbox.simulator.errors import GraphError, invalid
from instagram_sandbox.simulator.fetch import trusted
from instagram_sandbox.simulator.journal import Journal, without_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from instagram_sandbox.simulator.state import Account, Post
    from instagram_sandbox.simulator.world import World

OF_ACCOUNT: Final = (
    *(
        "comments",
        "live_comments",
        "mentions",
        "message_edit",
        "message_reactions",
        "messages",
        "messaging_handover",
    ),
    *(
        "messaging_optins",
        "messaging_postbacks",
        "messaging_referral",
        "messaging_seen",
        "standby",
        "story_insights",
    ),
)
OF_PAGE: Final = (
    *(
        "feed",
        "mention",
        "name",
        "picture",
        "category",
        "description",
        "conversations",
        "messages",
        "messaging_optins",
    ),
    *(
        "message_deliveries",
        "message_reads",
        "messaging_postbacks",
        "messaging_referrals",
        "message_reactions",
    ),
    *("leadgen", "ratings", "standby"),
)
"""Fields that an account or a Page can be subscribed to. A Page has no comments of Instagram: captured."""
TRIES: Final = 2
ANSWER_S: Final = 5.0


def mentioned(world: World, text: str) -> list[Account]:
    """Return the accounts of this sandbox that a text mentions."""
    names = {name.rstrip(".") for name in re.findall(r"(?<!\w)@([\w.]+)", text)}
    return [account for account in world.accounts.values() if account.username in names]


def tell_mentions(world: World, post: Post, text: str, **more: str) -> None:
    """Send a webhook to each account that a caption or a comment mentions on a post of another account."""
    for account in mentioned(world, text):
        if account.user_id != post.user_id:
            world.tell(account, "mentions", {"media_id": post.id, **more})


def check_callback(url: str) -> None:
    """Check that a callback is on this machine.

    :raises GraphError: 100: it is elsewhere.
    """
    parts = web_address(url)
    if parts is None or not is_loopback(str(parts.hostname)):
        raise invalid(
            "Param callback_url must be on this machine, such as http://127.0.0.1:8000/: the sandbox calls no other"
        )


async def verify(url: str, token: str) -> None:
    """Send a challenge to a callback, which must repeat it.

    :raises GraphError: 2200: it does not.
    """
    challenge = str(secrets.randbelow(10**9))
    asked = urlencode(
        {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": token}
    )
    status, body = await _request("GET", f"{url}{'&' if '?' in url else '?'}{asked}", {}, b"")
    if status != 200 or body.decode("utf-8", "replace").strip() != challenge:
        what = f"HTTP Status Code = {status}; it must be 200, and the answer the value of hub.challenge"
        raise GraphError(
            2200, None, f"(#2200) Callback verification failed with the following errors: {what}"
        )


async def _request(
    method: str, url: str, headers: Mapping[bytes | str, bytes | str], body: bytes
) -> tuple[int | None, bytes]:
    """Call a callback, and return its status and answer; without a status if there is none."""
    waits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), ANSWER_S)}
    try:
        async with httpcore.AsyncConnectionPool(
            trusted() if url.lower().startswith("https:") else None
        ) as pool:
            answer = await pool.request(
                method, url, headers=headers, content=body, extensions=waits
            )
            return answer.status, answer.content
    except Exception as error:  # noqa: BLE001 -- every error is a fault of the callback
        return None, f"{type(error).__name__}: {error}".encode()


class Deliveries:
    """Sends webhooks, each of them twice at most; the journal has every try.

    :param secret: The app's secret, which signs them.
    """

    def __init__(self, world: World, journal: Journal, secret: str) -> None:
        self._world = world
        self._journal = journal
        self._secret = secret
        self._tasks: set[asyncio.Task[None]] = set()
        world.tell = self.send

    def send(self, account: Account, field: str, value: dict[str, Any]) -> None:
        """Send what happened to an account, if the app has subscribed to it."""
        target = self._world.subscriptions.get("instagram")
        own = set(account.subscribed_fields)
        if target is None or field not in target.fields or not (field in own or own & set(OF_PAGE)):
            return
        change = {"field": field, "value": value}
        entry = {"id": account.user_id, "time": int(self._world.clock.now()), "changes": [change]}
        # signed with its escapes, as Meta does
        body = json.dumps({"object": "instagram", "entry": [entry]}).encode()
        task = asyncio.create_task(self._deliver(account.user_id, target.callback_url, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait until all webhooks are sent."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def stop(self) -> None:
        """Cancel what is not sent yet."""
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _deliver(self, user_id: str, url: str, body: bytes) -> None:
        headers: dict[bytes | str, bytes | str] = {"Content-Type": "application/json"}
        for header, digest in (("X-Hub-Signature", "sha1"), ("X-Hub-Signature-256", "sha256")):
            headers[header] = (
                f"{digest}={hmac.new(self._secret.encode(), body, digest).hexdigest()}"
            )
        for _ in range(TRIES):
            now = self._world.clock.now()
            path = without_query(url)
            entry = self._journal.open(
                now, operation="webhook", method="POST", path=path, account=user_id
            )
            entry.status, answer = await _request("POST", url, headers, body)
            is_taken = entry.status is not None and 200 <= entry.status < 300
            entry.outcome = "ok" if is_taken else "refused"
            entry.effect = is_taken
            if entry.status is None:
                entry.outcome = "no answer"
                entry.warnings = [answer.decode()]
            self._journal.keep(entry)
            if is_taken:
                return
