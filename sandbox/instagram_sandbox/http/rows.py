"""The fields of accounts, containers, media and comments, as a read returns them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

from instagram_sandbox.http import metrics
from instagram_sandbox.http.fields import Field, Node, Value, constant, edge, parse
from instagram_sandbox.simulator import comments, insights
from instagram_sandbox.simulator.clock import graph_time
from instagram_sandbox.simulator.errors import GraphError
from instagram_sandbox.simulator.scopes import INSIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instagram_sandbox.http.pipeline import Call
    from instagram_sandbox.simulator.sandbox import Sandbox
    from instagram_sandbox.simulator.state import Account, Child, Comment, Container, MediaFacts, Post

    T = TypeVar("T", Post, Child, Comment)

_MEDIA_UNSET: Final = frozenset(
    {"boost_ads_list", "boost_eligibility_info", "copyright_check_information", "current_live_viewer_count"}
    | {"has_poll", "has_slider", "legacy_instagram_media_id", "media_audio_type", "video_title"}
    | {"reposts_count", "saved_count", "shares_count", "view_count", "total_views_count", "product_tags"}
)
_NOT_OF_CHILDREN: Final = frozenset(
    {"audio_id", "caption", "children", "comments_count", "is_comment_enabled", "is_shared_to_feed", "like_count"}
)
_ACCOUNT_UNSET: Final = frozenset({"biography", "website", "has_profile_pic", "legacy_instagram_user_id"})
MOST_INSIDE: Final = 25

_STATUS_TEXT: Final = {
    "FINISHED": "Finished: Media has been uploaded and it is ready to be published.",
    "IN_PROGRESS": "In Progress: Media is still being processed.",
    "PUBLISHED": "Published: Media has been successfully published.",
    "EXPIRED": "Expired: Media was not published within 24 hours.",
    "": "Error: Media download has failed.",
}


def fields_of(call: Call) -> tuple[Field, ...]:
    """Return the fields that a call asks for: names with commas between them, or an array, also as JSON text."""
    asked = call.params.get("fields", "")
    if isinstance(asked, str) and asked.lstrip().startswith("["):
        try:
            asked = json.loads(asked)
        except ValueError:
            asked = str(asked)  # the parser says where it is wrong
    return parse(",".join(map(str, asked)) if isinstance(asked, list) else str(asked))


def _inside(field: Field, items: Sequence[T], node: Callable[[T], Node]) -> dict[str, Any]:
    """Return objects as the value of a field, with the cursors of this page.

    :param field: The field, whose modifiers ``limit`` and ``after`` choose the page.
    """
    limit = field.arguments.get("limit", "")
    most = min(int(limit), MOST_INSIDE) if limit.isdecimal() and len(limit) < 6 else MOST_INSIDE
    ids = [item.id for item in items]
    after = field.arguments.get("after")
    first = ids.index(after) + 1 if after in ids else 0
    shown = items[first : first + most]
    return edge([node(item).read(field.inner) for item in shown])


def account_node(call: Call, account: Account, *, of_me: bool = False) -> Node:
    """Return an account; ``/me`` has an app-scoped id. Two fields exist with Instagram Login only."""
    world, picture = call.world, f"{call.base_url}/u/{account.username}/picture.svg"
    values: dict[str, Value] = {
        "id": constant(account.app_scoped_id if of_me else account.user_id),
        "ig_id": constant(account.ig_id),
        "username": constant(account.username),
        "name": constant(account.name or account.username),
        "profile_picture_url": constant(picture),
        "followers_count": constant(account.audience),
        "follows_count": constant(0),
        "media_count": lambda _: len(world.visible_posts(account.user_id)),
        "media": lambda field: _inside(field, world.visible_posts(account.user_id), lambda p: post_node(call, p)),
        "stories": lambda field: _inside(
            field, world.visible_posts(account.user_id, stories=True), lambda p: post_node(call, p)
        ),
    }
    if call.host == "instagram":
        values |= {"user_id": constant(account.user_id), "account_type": constant(account.account_type)}
    else:
        values["business_discovery"] = lambda field: _discovered(call, field)
    return Node("IGUser", values, _ACCOUNT_UNSET)


def _discovered(call: Call, field: Field) -> dict[str, Any]:
    """Return another account of this sandbox by its username. Source: Meta, IG User Business Discovery."""
    name = field.arguments.get("username", "").strip()
    account = next((one for one in call.world.accounts.values() if one.username == name), None)
    if account is None:
        raise GraphError(110, 2207013)
    return account_node(call, account).read(field.inner)


def container_node(call: Call, container: Container) -> Node:
    """Return a container, and count the read."""
    container.polls += 1
    call.world.containers.keep(container)
    code = call.world.status_code(container)
    values: dict[str, Value] = {
        "id": constant(container.id),
        "status_code": constant(code),
        "status": lambda _: _status(call.sandbox, container, code),
        "video_status": lambda _: video_status(call.sandbox, container, code),
        "copyright_check_status": lambda _: _copyright(call.sandbox, container),
    }
    return Node("ShadowIGMediaBuilder", values)


def _copyright(sandbox: Sandbox, container: Container) -> dict[str, Any]:
    """Return where the search for another's work in a video stands. Source: Meta, IG Container reference."""
    found, status = "clear" if container.is_picture else container.processing.copyright, "completed"
    if not sandbox.world.is_processed(container):
        status = "not_started" if container.source_at is None else "in_progress"
    elif found == "error":
        status = "error"
    return {"status": status, "matches_found": status == "completed" and found == "match"}


def _status(sandbox: Sandbox, container: Container, code: str) -> str:
    if code != "ERROR":
        return _STATUS_TEXT[code]
    failure = sandbox.world.failure(container)
    return f"Error: Media upload has failed with error code {failure.subcode if failure else ''}"


def video_status(sandbox: Sandbox, container: Container, code: str) -> dict[str, Any]:
    """Return the phases of a container's upload and processing. Source: SDK, IGResumableVideoUploadStatus.

    A failure belongs to one of the phases, and shows there once its time has come.
    """
    failure, shown = sandbox.world.failure(container), sandbox.world.shown_failure(container)
    arrived = container.source_at is not None and (failure is None or failure.phase == "processing")
    phases: dict[str, dict[str, Any]] = {
        "uploading": {"status": "not_started"},
        "processing": {"status": "not_started"},
    }
    held = sandbox.processor.held_bytes(container.id)
    if held or not arrived:  # absent for a planned outcome, which has no media
        phases["uploading"]["bytes_transferred"] = held
    if container.file_size is not None:
        phases["uploading"]["source_file_size"] = container.file_size
    if arrived:
        phases["uploading"]["status"] = "complete"
        phases["processing"]["status"] = "complete" if code in {"FINISHED", "PUBLISHED"} else "in_progress"
    elif held or container.video_url:
        phases["uploading"]["status"] = "in_progress"
    if shown is not None:
        phases[shown.phase] |= {"status": "error", "errors": [_error(container, shown)]}
    return {f"{name}_phase": phase for name, phase in phases.items()}


def _error(container: Container, failure: MediaFacts) -> dict[str, Any]:
    if container.processing.outcome == "download_failed":
        return {"message": "Media download has failed."}  # as captured: no code tells why
    return {"code": failure.subcode, "message": f"Media upload has failed with error code {failure.subcode}"}


def _medium(call: Call, medium: Post | Child, path: str, *, has_video: bool) -> dict[str, Value]:
    """Return what a post and a carousel's medium have in common."""
    account, base = call.world.accounts[medium.user_id], call.base_url
    return {
        "id": constant(medium.id),
        "ig_id": constant(medium.id[-15:]),
        "permalink": constant(base + path),
        "shortcode": constant(medium.shortcode),
        "timestamp": constant(graph_time(medium.published_at)),
        "media_type": constant(medium.media_type),
        "thumbnail_url": constant(f"{base}/media/{medium.id}.jpg" if has_video else None),
        "alt_text": constant(medium.alt_text or None),
        "username": constant(account.username),
        "owner": lambda field: account_node(call, account).read(field.inner),
    }


def post_node(call: Call, post: Post) -> Node:
    """Return a post. Source: Meta, IG Media reference."""
    world = call.world
    children = [world.children[child] for child in post.children]
    values = _medium(call, post, post.path, has_video=post.has_video) | {
        "media_product_type": constant(post.media_product_type),
        "media_url": constant(_media_url(call.base_url, post, children)),
        "is_shared_to_feed": constant(post.share_to_feed),
        "is_ai_generated": constant(post.is_ai_generated),
        "audio_id": constant(post.audio_id),
        "caption": constant(post.caption or None),
        "is_comment_enabled": constant(post.is_comment_enabled),
        "children": lambda field: _inside(field, children, lambda c: child_node(call, c)) if children else None,
        "comments": lambda field: _inside(field, comments.shown_on(world, post.id), lambda c: comment_node(call, c)),
        "insights": lambda field: _insights(call, post, field),
    }
    for total in ("", "total_"):
        values[f"{total}like_count"] = lambda _: insights.value(world, post, "likes")
        values[f"{total}comments_count"] = lambda _: len(comments.on_post(world, post.id))
    if call.host == "facebook":
        values["collaborators"] = lambda _: {"data": [one.model_dump() for one in post.collaborators]}
    return Node("Media", values, _MEDIA_UNSET)


def _insights(call: Call, post: Post, field: Field) -> dict[str, Any]:
    """Return insights as a field of a post, as in ``insights.metric(views,reach){name,values}``."""
    call.require(INSIGHTS)
    found = metrics.of_post(call.world, post, field.arguments.get("metric", ""), call.host)
    names = {one.name for one in field.inner} | {"id"}
    return {"data": [{key: row[key] for key in row if not field.inner or key in names} for row in found]}


def _media_url(base: str, post: Post, children: list[Child]) -> str | None:
    if children:
        return _child_url(base, children[0])
    if post.has_video:
        return f"{base}/media/{post.id}.mp4"
    return f"{base}/media/{post.id}.jpg" if post.has_cover else None


def _child_url(base: str, child: Child) -> str:
    return f"{base}/media/{child.id}.{'mp4' if child.media_type == 'VIDEO' else 'jpg'}"


def child_node(call: Call, child: Child) -> Node:
    """Return one medium of a carousel."""
    post, is_video = call.world.posts[child.post_id], child.media_type == "VIDEO"
    values = _medium(call, child, post.path, has_video=is_video) | {
        "media_product_type": constant("FEED"),
        "media_url": constant(_child_url(call.base_url, child)),
    }
    return Node("Media", values, _MEDIA_UNSET | _NOT_OF_CHILDREN)


def comment_node(call: Call, comment: Comment) -> Node:
    """Return a comment. Source: Meta, IG Comment reference."""
    world = call.world
    media: Callable[[Field], Any] = lambda field: post_node(call, world.posts[comment.media_id]).read(field.inner)  # noqa: E731
    own = comment.user_id in world.accounts
    values: dict[str, Value] = {
        "id": constant(comment.id),
        "text": constant(comment.text),
        "timestamp": constant(graph_time(comment.created_at)),
        "username": constant(comment.username),
        "from": constant({"id": comment.user_id, "username": comment.username}),
        "user": constant({"id": comment.user_id} if own else None),
        "hidden": constant(comment.hidden),
        "like_count": constant(comment.like_count),
        "media": media,
        "parent_id": constant(comment.parent_id),
        "replies": lambda field: _replies(call, comment, field),
    }
    return Node("IGComment", values, frozenset({"legacy_instagram_comment_id"}), default=("id", "text", "timestamp"))


def _replies(call: Call, comment: Comment, field: Field) -> dict[str, Any] | None:
    found = comments.replies(call.world, comment)
    return _inside(field, found, lambda reply: comment_node(call, reply)) if found else None
