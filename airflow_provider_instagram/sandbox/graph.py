"""The Graph API: ``/v26.0/…``, on accounts, containers and media."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from airflow_provider_instagram.sandbox import parameters, pipeline
from airflow_provider_instagram.sandbox.clock import graph_time
from airflow_provider_instagram.sandbox.errors import GraphError
from airflow_provider_instagram.sandbox.login import exchange_token, refresh_token
from airflow_provider_instagram.sandbox.pipeline import Call, Handler, graph_json
from airflow_provider_instagram.sandbox.versions import check_version

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from airflow_provider_instagram.sandbox.sandbox import Sandbox
    from airflow_provider_instagram.sandbox.state import Account, Container, Post

ACCOUNT_FIELDS: Final = (
    "id", "user_id", "username", "name", "account_type", "profile_picture_url", "followers_count", "follows_count",
    "media_count", "biography", "website",
)  # fmt: skip
CONTAINER_FIELDS: Final = ("id", "status_code", "status", "video_status", "copyright_check_status")
MEDIA_FIELDS: Final = (
    "id", "permalink", "shortcode", "caption", "timestamp", "media_type", "media_product_type", "media_url",
    "thumbnail_url", "is_shared_to_feed", "like_count", "comments_count", "username", "owner", "alt_text", "children",
    "is_comment_enabled",
)  # fmt: skip
LIMIT_FIELDS: Final = ("quota_usage", "config")
OnAccount: TypeAlias = "Callable[[Call, Account], Awaitable[Response]]"
PAGE_SIZE, PAGE_MAX = 25, 100
MAX_IDS: Final = 50

_STATUS_TEXT: Final = {
    "FINISHED": "Finished: Media has been uploaded and it is ready to be published.",
    "IN_PROGRESS": "In Progress: Media is still being processed.",
    "PUBLISHED": "Published: Media has been published.",
    "EXPIRED": "Expired: Media was not published within 24 hours.",
    "": "Error: Media download has failed.",
}


async def endpoint(sandbox: Sandbox, request: Request, path: str) -> Response:
    """Answer a call below a Graph host.

    :param sandbox: The sandbox that is called.
    :param request: The HTTP request.
    :param path: Its path, without the leading slash.
    """
    version, parts = _split(path)
    method = "GET" if request.method == "HEAD" else request.method
    operation, handler = _route(sandbox, method, parts, request)

    async def versioned(call: Call) -> Response:
        if version is not None:
            check_version(call.world, version)
            call.version = version
        return await handler(call)

    return await pipeline.run(sandbox, request, operation, versioned)


def _split(path: str) -> tuple[str | None, list[str]]:
    parts = [part for part in path.split("/") if part]
    if parts and re.fullmatch(r"v\d+\.\d+", parts[0]):
        return parts[0], parts[1:]
    return None, parts


def _route(sandbox: Sandbox, method: str, parts: list[str], request: Request) -> tuple[str, Handler]:
    if not parts and method == "GET" and "ids" in request.query_params:
        return "many", _many
    node, edge = (parts[0] if parts else ""), "/".join(parts[1:])
    if (method, node, edge) == ("GET", "access_token", ""):
        return "exchange_token", exchange_token
    if (method, node, edge) == ("GET", "refresh_access_token", ""):
        return "refresh", refresh_token
    edges: dict[tuple[str, str], tuple[str, OnAccount]] = {
        ("POST", "media"): ("create", _create),
        ("POST", "media_publish"): ("publish", _publish),
        ("POST", "mediapublish"): ("publish", _publish),  # as Meta's SDK spells it for Instagram Login
        ("GET", "media"): ("media_list", _media_list),
        ("GET", "content_publishing_limit"): ("limit", _limit),
    }
    if (method, edge) in edges and node:
        operation, on_account = edges[method, edge]
        return operation, _of_account(node, on_account)
    if method == "GET" and not edge and node:
        if node in sandbox.world.containers:
            return "status", _node(node)
        if node in sandbox.world.posts:
            return "media", _node(node)
        return ("account" if node == "me" or node in sandbox.world.accounts else "unknown"), _node(node)
    return "unknown", _unknown


async def _unknown(call: Call) -> Response:
    call.enter()
    path = call.request.url.path
    raise GraphError(2500, None, f"(#2500) Unknown path components: {path}")


def _of_account(node: str, handler: OnAccount) -> Handler:
    async def on_account(call: Call) -> Response:
        account, _ = call.enter()
        if node not in {"me", account.user_id}:
            raise _missing(node, call.request.method)
        return await handler(call, account)

    return on_account


def _missing(node: str, method: str) -> GraphError:
    return GraphError(
        100,
        33,
        f"Unsupported {method.lower()} request. Object with ID '{node}' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api",
    )


# Accounts


async def _create(call: Call, account: Account) -> Response:
    _require(call, "instagram_business_content_publish")
    media = parameters.check(call.params)
    if media.resumable and not account.resumable:
        raise GraphError(3)
    container = call.world.create(account.user_id, media)
    call.entry.container_id = container.id
    answer = {"id": container.id}
    if container.resumable:
        answer["uri"] = f"{call.base_url}/ig-api-upload/{call.version}/{container.id}"
    else:
        call.sandbox.processor.start(container)
    return graph_json(answer)


async def _publish(call: Call, account: Account) -> Response:
    _require(call, "instagram_business_content_publish")
    creation_id = str(call.params.get("creation_id", ""))
    if not creation_id.isdecimal():
        raise GraphError(100, None, "(#100) The parameter creation_id is required")
    unknown = set(call.params) - parameters.GLOBAL - {"creation_id"}
    if unknown:
        raise GraphError(100, None, f"(#100) Unexpected parameter {min(unknown)}")
    call.entry.container_id = creation_id
    post = call.world.publish(account.user_id, creation_id)
    call.entry.media_id = post.id
    return graph_json({"id": post.id})


def _require(call: Call, scope: str) -> None:
    token = call.world.authenticate(call.token_text())
    if scope not in token.scopes:
        raise GraphError(200, None, f"(#200) Requires {scope} permission")


async def _limit(call: Call, account: Account) -> Response:
    fields = _fields(call, LIMIT_FIELDS, "ContentPublishingLimitResponse", ("quota_usage",))
    row: dict[str, Any] = {"quota_usage": call.world.quota_usage(account.user_id)}
    row["config"] = {"quota_total": call.world.switches.quota_total, "quota_duration": 86400}
    return graph_json({"data": [{name: row[name] for name in fields if name in row}]})


async def _media_list(call: Call, account: Account) -> Response:
    fields = _fields(call, MEDIA_FIELDS, "Media", ("id",))
    posts = call.world.visible_posts(account.user_id)
    since, until = _moment(call, "since"), _moment(call, "until")
    posts = [
        p for p in posts if (since is None or p.published_at >= since) and (until is None or p.published_at < until)
    ]
    after = call.params.get("after")
    if after:
        places = [place for place, post in enumerate(posts) if post.id == after]
        if not places:
            raise GraphError(100, None, "(#100) Invalid cursor")
        posts = posts[places[0] + 1 :]
    size = min(_number(call, "limit", PAGE_SIZE), PAGE_MAX)
    page = posts[:size]
    answer: dict[str, Any] = {"data": [_media(call, post, fields) for post in page]}
    if page:
        answer["paging"] = {"cursors": {"before": page[0].id, "after": page[-1].id}}
        if len(posts) > size:
            # As the live API does, the link repeats the query of the call, and so a token that came in it.
            next_page = call.request.url.include_query_params(after=page[-1].id)
            answer["paging"]["next"] = str(next_page)
    return graph_json(answer)


def _moment(call: Call, name: str) -> float | None:
    value = str(call.params.get(name, ""))
    if not value:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    try:
        moment = datetime.fromisoformat(re.sub(r"(Z|\+0000)$", "+00:00", value))
    except ValueError:
        raise GraphError(100, None, f"(#100) Param {name} must be a UNIX timestamp or a date") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _number(call: Call, name: str, default: int) -> int:
    value = str(call.params.get(name, default))
    if not value.isdecimal() or int(value) < 1:
        raise GraphError(100, None, f"(#100) Param {name} must be a positive number")
    return int(value)


# Nodes


def _node(node: str) -> Handler:
    async def read(call: Call) -> Response:
        account, _ = call.enter()
        return graph_json(_read(call, account, node))

    return read


async def _many(call: Call) -> Response:
    ids = [part for part in str(call.params["ids"]).split(",") if part]
    account, _ = call.enter(weight=max(1, len(ids)))
    if not ids or len(ids) > MAX_IDS:
        raise GraphError(100, None, f"(#100) ids must be 1 to {MAX_IDS} ids")
    return graph_json({node: _read(call, account, node) for node in dict.fromkeys(ids)})


def _read(call: Call, account: Account, node: str) -> dict[str, Any]:
    if node in {"me", account.user_id}:
        return _account(call, account, of_me=node == "me")
    container = call.world.container(node, account.user_id)
    if container is not None:
        if call.sandbox.now < container.created_at + call.world.switches.fresh_id_unknown_s:
            raise _missing(node, "GET")
        call.entry.container_id = container.id
        return _container(call, container)
    post = call.world.posts.get(node)
    if post is None or post.user_id != account.user_id:
        raise _missing(node, "GET")
    if call.sandbox.now < post.published_at + call.world.switches.fresh_id_unknown_s:
        raise _missing(node, "GET")
    call.entry.media_id = post.id
    return _media(call, post, _fields(call, MEDIA_FIELDS, "Media", ("id",)))


def _fields(call: Call, known: tuple[str, ...], node_type: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """Return the fields asked for; each read adds the id. What is asked of a field's own fields does not count."""
    text = re.sub(r"\{[^{}]*\}", "", str(call.params.get("fields", "")))
    asked = [name.strip() for name in text.split(",") if name.strip()]
    for name in asked:
        if name not in known:
            raise GraphError(100, None, f"(#100) Tried accessing nonexisting field ({name}) on node type ({node_type})")
    names = tuple(dict.fromkeys(asked)) or default
    return names if "id" in names or "id" not in known else (*names, "id")


def _account(call: Call, account: Account, *, of_me: bool) -> dict[str, Any]:
    fields = _fields(call, ACCOUNT_FIELDS, "IGUser", ("id",))
    row = {
        "id": account.app_scoped_id if of_me else account.user_id,
        "user_id": account.user_id,
        "username": account.username,
        "name": account.name or account.username,
        "account_type": account.account_type,
        "profile_picture_url": f"{call.base_url}/u/{account.username}/picture.svg",
        "followers_count": 0,
        "follows_count": 0,
        "media_count": len(call.world.visible_posts(account.user_id)),
    }
    flat = {name: row[name] for name in fields if name in row}
    return {"data": [flat]} if of_me and call.world.switches.me_answer == "data" else flat


def _container(call: Call, container: Container) -> dict[str, Any]:
    fields = _fields(call, CONTAINER_FIELDS, "ShadowIGMediaBuilder", ("id",))
    container.polls += 1
    call.world.keep(container)
    code = call.world.status_code(container)
    status = _STATUS_TEXT.get(code, "")
    if code == "ERROR":
        status = f"Error: Media upload has failed with error code {call.world.failure(container)}"
    row: dict[str, Any] = {
        "id": container.id,
        "status_code": code,
        "status": status,
        "video_status": video_status(call.sandbox, container, code),
        "copyright_check_status": {"status": "completed", "matches_found": False},
    }
    return {name: row[name] for name in fields}


def video_status(sandbox: Sandbox, container: Container, code: str) -> dict[str, Any]:
    """Tell how far a container's upload and processing are. Source: SDK, IGResumableVideoUploadStatus."""
    held = sandbox.processor.held_bytes(container.id)
    uploading: dict[str, Any] = {"status": "not_started", "bytes_transferred": held}
    if container.source_at is not None:
        uploading["status"] = "complete"
    elif held or container.video_url:
        uploading["status"] = "in_progress"
    if container.file_size is not None:
        uploading["source_file_size"] = container.file_size
    processing: dict[str, Any] = {"status": "not_started"}
    failure = sandbox.world.failure(container)
    if code in {"FINISHED", "PUBLISHED"}:
        processing["status"] = "complete"
    elif code == "ERROR" or sandbox.world.failed_phase(container):
        message = f"Media upload has failed with error code {failure}"
        processing = {"status": "error", "errors": [{"code": failure, "message": message}]}
    elif container.source_at is not None:
        processing["status"] = "in_progress"
    return {"uploading_phase": uploading, "processing_phase": processing}


def _media(call: Call, post: Post, fields: tuple[str, ...]) -> dict[str, Any]:
    account = call.world.accounts[post.user_id]
    base = call.base_url
    row: dict[str, Any] = {
        "id": post.id,
        "permalink": base + post.path,
        "shortcode": post.shortcode,
        "timestamp": graph_time(post.published_at),
        "media_type": post.media_type,
        "media_product_type": post.media_product_type,
        "is_shared_to_feed": post.share_to_feed,
        "like_count": 0,
        "comments_count": 0,
        "username": account.username,
        "owner": {"id": account.user_id},
        "is_comment_enabled": True,
    }
    if post.caption:
        row["caption"] = post.caption
    if post.has_video:
        row["media_url"] = f"{base}/media/{post.id}.mp4"
        row["thumbnail_url"] = f"{base}/media/{post.id}.jpg"
    return {name: row[name] for name in fields if name in row}
