"""``airflow instagram webhook``: check Meta's notifications, and put what they tell into a queue.

It is a process of its own, because the internet reaches it: it answers two requests, knows the app secret, and writes
to one queue. DAGs read the queue.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.graph.fields import read_mapping, read_object, read_text

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request

#: Meta sends up to 1,000 changes at once. Source: Meta, Webhooks, Event Notifications.
MOST_BYTES: Final = 2_000_000
#: Meta sends a notification at once. Others may hold a connection open.
LONGEST_BODY_S: Final = 10
MOST_CONNECTIONS: Final = 100
#: What the name of a list of Redis follows, and how many events are kept there if nothing reads them.
REDIS: Final = "redis+pubsub://"
MOST_KEPT: Final = 10_000
SIGNATURE: Final = "x-hub-signature-256"
PATH: Final = "/"


def webhook(args: argparse.Namespace) -> None:
    """Run the receiver until it is interrupted, or print the verify token."""
    from airflow_provider_instagram.hooks.instagram import InstagramHook

    if not (secret := InstagramHook(args.conn_id).settings.app_secret):
        raise SystemExit(f"Connection {args.conn_id!r} has no app secret. Enter it in the field 'Meta app secret'.")
    if args.show_verify_token:
        print(verify_token(secret))
        return
    if not args.queue:
        raise SystemExit(f"Give the URL of an SQS queue, or the name of a list of Redis: --queue {REDIS}instagram")
    import uvicorn

    app = receiver(secret, putter(args.queue, args.queue_conn_id))
    uvicorn.run(
        app, host=args.host, port=args.port, limit_concurrency=MOST_CONNECTIONS, access_log=False, server_header=False
    )


def putter(queue: str, conn_id: str) -> Callable[[str], Any]:
    """Return what puts a text into a queue of SQS, or into a list of Redis, of which the channel of its name tells."""
    if not queue.startswith(REDIS):
        from airflow.providers.amazon.aws.hooks.sqs import SqsHook

        return partial(SqsHook(aws_conn_id=conn_id or SqsHook.default_conn_name).send_message, queue)
    from airflow.providers.redis.hooks.redis import RedisHook

    redis, name = RedisHook(conn_id or RedisHook.default_conn_name).get_conn(), queue.removeprefix(REDIS)

    def put(text: str) -> None:
        redis.rpush(name, text)
        redis.ltrim(name, -MOST_KEPT, -1)
        redis.publish(name, text)

    return put


def verify_token(app_secret: str) -> str:
    """Return the token that Meta's dashboard asks for, and that Meta sends when it checks the address."""
    return hmac.new(app_secret.encode(), b"verify token of the webhook", "sha256").hexdigest()[:32]


def receiver(app_secret: str, put: Callable[[str], Any]) -> Starlette:
    """Return the app that receives notifications. Source: Meta, Instagram Platform, Webhooks, 2026-10-20.

    A notification is answered with 200 once all that it tells is in the queue. Otherwise, Meta sends it again.

    """
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    async def verify(request: Request) -> Response:
        given = request.query_params
        if given.get("hub.mode") != "subscribe" or not _same(
            given.get("hub.verify_token", ""), verify_token(app_secret)
        ):
            return Response(status_code=403)
        return PlainTextResponse(given.get("hub.challenge", ""))

    async def receive(request: Request) -> Response:
        if SIGNATURE not in request.headers:
            return Response(status_code=403)
        try:
            body = await asyncio.wait_for(_body(request), LONGEST_BODY_S)
        except asyncio.TimeoutError:
            return Response(status_code=408)
        if body is None:
            return Response(status_code=413)
        signature = hmac.new(app_secret.encode(), body, "sha256").hexdigest()
        if not _same(request.headers[SIGNATURE], f"sha256={signature}"):
            return Response(status_code=403)
        for event in events_of(read_object(body)):
            await run_in_threadpool(put, json.dumps(event))
        return Response()

    return Starlette(routes=[Route(PATH, verify, methods=["GET"]), Route(PATH, receive, methods=["POST"])])


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())


async def _body(request: Request) -> bytes | None:
    """Read the body, unless it is too long."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)


def events_of(notification: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what a notification tells of accounts: their ``field`` with its ``value``, and when.

    A comment also has the names of an event of InstagramCommentTrigger. As there, replies and the account's own
    comments are left out.
    """
    entries = _objects(notification.get("entry")) if notification.get("object") == "instagram" else []
    for entry in entries:
        for change in _objects(entry.get("changes")) or [entry]:  # with Instagram Login, an entry is a change
            field, value = read_text(change, "field"), read_mapping(change, "value")
            if field is None:
                continue
            event = {"field": field, "ig_user_id": read_text(entry, "id"), "time": entry.get("time"), "value": value}
            if field != "comments":
                yield event
                continue
            author = read_mapping(value, "from")
            own_ids = {entry.get("id"), author.get("self_ig_scoped_id")} - {None}
            if author.get("id") not in own_ids and not value.get("parent_id"):
                yield event | {
                    "comment_id": read_text(value, "id"),
                    "media_id": read_text(read_mapping(value, "media"), "id"),
                    "text": read_text(value, "text"),
                    "username": read_text(author, "username"),
                }


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
