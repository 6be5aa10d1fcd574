"""The fields of accounts, containers, media and comments, as a read returns them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from instagram_sandbox.http import metrics
from instagram_sandbox.http.fields import Field, Node, Value, computed, constant, row_node
from instagram_sandbox.http.listing import link_to, moment, paged
from instagram_sandbox.simulator import comments, insights
from instagram_sandbox.simulator.clock import graph_time
from instagram_sandbox.simulator.errors import GraphError
from instagram_sandbox.simulator.scopes import INSIGHTS
from instagram_sandbox.simulator.state import Post, legacy_id
from instagram_sandbox.simulator.webhooks import mentioned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from instagram_sandbox.http.pipeline import Call
    from instagram_sandbox.simulator.sandbox import Sandbox
    from instagram_sandbox.simulator.state import (
        Account,
        Child,
        Collaborator,
        Comment,
        Container,
        MediaFacts,
    )
    from instagram_sandbox.simulator.world import World

T = TypeVar("T")

_MEDIA_UNSET: Final = frozenset(
    {
        "boost_ads_list",
        "boost_eligibility_info",
        "copyright_check_information",
        "current_live_viewer_count",
    }
    | {"has_poll", "has_slider", "legacy_instagram_media_id", "media_audio_type", "video_title"}
    | {
        "reposts_count",
        "saved_count",
        "shares_count",
        "view_count",
        "total_views_count",
        "product_tags",
    }
)
_NOT_OF_CHILDREN: Final = frozenset(
    {
        "audio_id",
        "caption",
        "children",
        "comments_count",
        "is_comment_enabled",
        "is_shared_to_feed",
        "like_count",
    }
)
_ACCOUNT_UNSET: Final = frozenset(
    {"biography", "website", "has_profile_pic", "legacy_instagram_user_id"}
)

_STATUS_TEXT: Final = {
    "FINISHED": "Finished: Media has been uploaded and it is ready to be published.",
    "IN_PROGRESS": "In Progress: Media is still being processed.",
    "PUBLISHED": "Published: Media has been successfully published.",
    "EXPIRED": "Expired: Media was not published within 24 hours.",
    "": "Error: Media download has failed.",
}


def media_of(call: Call, account: Account, arguments: Mapping[str, Any]) -> Sequence[Post]:
    """Return the posts of an account that a call or a field asks for, newest first.

    :param arguments: ``since`` and ``until``, if only those between two moments are asked for.
    """
    since = moment(arguments, "since")
    until = moment(arguments, "until")
    return [
        post
        for post in call.world.visible_posts(account.user_id)
        if (since is None or post.published_at >= since)
        and (until is None or post.published_at < until)
    ]


def account_node(call: Call, account: Account, *, of_me: bool = False) -> Node:
    """Return an account; ``/me`` has an app-scoped id. Two fields exist with Instagram Login only."""
    world = call.world
    picture = f"{call.base_url}/u/{account.username}/picture.svg"

    def listed(field: Field, posts: Sequence[Post]) -> dict[str, Any]:
        is_own = account in call.world.reached(call.token)
        link = link_to(call, f"{account.user_id}/{field.name}", field) if is_own else None
        return paged(call, posts, lambda post: post_node(call, post), field, link)

    values: dict[str, Value] = {
        "id": constant(account.app_scoped_id if of_me else account.user_id),
        "ig_id": constant(account.ig_id),
        "username": constant(account.username),
        "name": constant(account.name or account.username),
        "profile_picture_url": constant(picture),
        "followers_count": constant(account.audience),
        "follows_count": constant(0),
        "media_count": computed(lambda: len(world.visible_posts(account.user_id))),
        "media": lambda field: listed(field, media_of(call, account, field.arguments)),
        "stories": lambda field: listed(field, world.visible_posts(account.user_id, stories=True)),
        "tags": lambda field: listed(field, world.tagged_posts(account)),
    }
    if call.host == "instagram":
        values |= {
            "user_id": constant(account.user_id),
            "account_type": constant(account.account_type),
        }
    else:
        values |= {
            "business_discovery": lambda field: _discovered(call, field),
            "mentioned_media": lambda field: _mentioned_media(call, account, field),
            "mentioned_comment": lambda field: _mentioned_comment(call, account, field),
        }
    return Node("IGUser", values, _ACCOUNT_UNSET)


def _discovered(call: Call, field: Field) -> dict[str, Any]:
    """Return another account of this sandbox by its username. Source: Meta, IG User Business Discovery."""
    name = field.arguments.get("username", "")
    account = next((one for one in call.world.accounts.values() if one.username == name), None)
    if account is None:
        raise GraphError(110, 2207013)
    return account_node(call, account).read(field.inner)


def _mentioned_media(call: Call, account: Account, field: Field) -> dict[str, Any]:
    """Return a post whose caption mentions the account. Source: Meta, IG User Mentioned Media."""
    media_id = field.arguments.get("media_id", "")
    post = call.world.post(media_id)
    if post is None or account not in mentioned(call.world, post.caption):
        raise _does_not_exist(media_id)
    return post_node(call, post).read(field.inner)


def _mentioned_comment(call: Call, account: Account, field: Field) -> dict[str, Any]:
    """Return the comment that mentions the account. Source: Meta, IG User Mentioned Comment."""
    comment_id = field.arguments.get("comment_id", "")
    comment = call.world.comments.get(comment_id)
    if comment is None or account not in mentioned(call.world, comment.text):
        raise _does_not_exist(comment_id)
    return comment_node(call, comment).read(field.inner)


def _does_not_exist(node: str) -> GraphError:
    return GraphError(
        100, 33, f"Object with ID '{node}' does not exist, or does not mention the account"
    )


def container_node(call: Call, container: Container) -> Node:
    """Return a container, and count the read."""
    container.polls += 1
    call.world.containers.keep(container)
    code = call.world.status_code(container)
    values: dict[str, Value] = {
        "id": constant(container.id),
        "status_code": constant(code),
        "status": computed(lambda: _status(call.sandbox, container, code)),
        "video_status": computed(lambda: video_status(call.sandbox, container, code)),
        "copyright_check_status": computed(lambda: _copyright(call.sandbox, container)),
    }
    return Node("ShadowIGMediaBuilder", values)


def _copyright(sandbox: Sandbox, container: Container) -> dict[str, Any]:
    """Return where the search for another's work in a video stands. Source: Meta, IG Container reference."""
    found = "clear" if container.is_picture else container.processing.copyright
    status = "completed"
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
    failure = sandbox.world.failure(container)
    shown = sandbox.world.shown_failure(container)
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
        phases["processing"]["status"] = (
            "complete" if code in {"FINISHED", "PUBLISHED"} else "in_progress"
        )
    elif held or container.video_url:
        phases["uploading"]["status"] = "in_progress"
    if shown is not None:
        phases[shown.phase] |= {"status": "error", "errors": [_error(container, shown)]}
    return {f"{name}_phase": phase for name, phase in phases.items()}


def _error(container: Container, failure: MediaFacts) -> dict[str, Any]:
    if container.processing.outcome == "download_failed":
        return {"message": "Media download has failed."}  # as captured: no code tells why
    return {
        "code": failure.subcode,
        "message": f"Media upload has failed with error code {failure.subcode}",
    }


def _medium(call: Call, medium: Post | Child, post: Post, *, has_video: bool) -> dict[str, Value]:
    """Return what a post and a carousel's medium have in common."""
    account = call.world.accounts[post.user_id]
    return {
        "id": constant(medium.id),
        "ig_id": constant(legacy_id(medium.id)),
        "permalink": constant(call.base_url + post.path(account.username)),
        "shortcode": constant(medium.shortcode),
        "timestamp": constant(graph_time(medium.published_at)),
        "media_type": constant(medium.media_type),
        "thumbnail_url": constant(_file_url(call, medium, "jpg") if has_video else None),
        "alt_text": constant(medium.alt_text or None),
        "username": constant(account.username),
        "owner": lambda field: account_node(call, account).read(field.inner),
    }


def post_node(call: Call, post: Post) -> Node:
    """Return a post. Source: Meta, IG Media reference."""
    world = call.world
    children = [world.children[child] for child in post.children]
    of_comment = partial(comment_node, call)
    values = _medium(call, post, post, has_video=post.has_video) | {
        "media_product_type": constant(post.media_product_type),
        "media_url": constant(_media_url(call, post, children)),
        "is_shared_to_feed": constant(post.share_to_feed),
        "is_ai_generated": constant(post.is_ai_generated),
        "audio_id": constant(post.audio_id),
        "caption": constant(post.caption or None),
        "is_comment_enabled": constant(post.is_comment_enabled),
        "children": lambda field: _edge(call, post.id, children, partial(child_node, call), field),
        "comments": lambda field: _edge(
            call, post.id, comments.shown_on(world, post.id), of_comment, field
        ),
        "insights": lambda field: _insights(call, post, field),
    }
    for total in ("", "total_"):
        values[f"{total}like_count"] = computed(lambda: insights.value(world, post, "likes"))
        values[f"{total}comments_count"] = computed(lambda: len(comments.on_post(world, post.id)))
    if call.host == "facebook":
        values["collaborators"] = lambda field: _edge(
            call, post.id, post.collaborators, collaborator_node, field
        )
    return Node("Media", values, _MEDIA_UNSET)


def collaborator_node(one: Collaborator) -> Node:
    """Return an account that was invited to a post, with its answer."""
    return row_node("IGUser", one.model_dump(), ("id", "username", "invite_status"))


def _edge(
    call: Call, of: str, items: Sequence[T], node: Callable[[T], Node], field: Field
) -> dict[str, Any]:
    """Return a list that a post or a comment has, by its id."""
    return paged(call, items, node, field, link_to(call, f"{of}/{field.name}", field))


def _insights(call: Call, post: Post, field: Field) -> dict[str, Any]:
    """Return insights as a field of a post, as in ``insights.metric(views,reach){name,values}``."""
    call.require(INSIGHTS)
    found = metrics.of_post(call.world, post, field.arguments, call.host)
    names = {one.name for one in field.inner} | {"id"}
    return {
        "data": [{key: row[key] for key in row if not field.inner or key in names} for row in found]
    }


def _media_url(call: Call, post: Post, children: Sequence[Child]) -> str | None:
    if children:
        return _child_url(call, children[0])
    if post.has_video:
        return None if _has_licensed_sound(call.world, post) else _file_url(call, post, "mp4")
    return _file_url(call, post, "jpg") if post.has_cover else None


def _has_licensed_sound(world: World, medium: Post | Child) -> bool:
    """Return whether a video has the sound of another, so that its URL is withheld. Source: Meta, 2026-07-30."""
    made_of = world.containers.get(medium.container_id or "")
    has_match = made_of is not None and made_of.processing.copyright == "match"
    return has_match or (isinstance(medium, Post) and medium.audio_id is not None)


def _child_url(call: Call, child: Child) -> str | None:
    if child.media_type == "IMAGE":
        return _file_url(call, child, "jpg")
    return None if _has_licensed_sound(call.world, child) else _file_url(call, child, "mp4")


def _file_url(call: Call, medium: Post | Child, ending: str) -> str:
    """Return the link of a file, which ends. As in Meta's links, ``oe`` says when."""
    ends = int(call.sandbox.now + call.world.switches.media_url_life_s)
    return f"{call.base_url}/media/{medium.id}.{ending}?oe={ends:X}"


def child_node(call: Call, child: Child) -> Node:
    """Return one medium of a carousel."""
    post = call.world.posts[child.post_id]
    is_video = child.media_type == "VIDEO"
    values = _medium(call, child, post, has_video=is_video) | {
        "media_product_type": constant("FEED"),
        "media_url": constant(_child_url(call, child)),
    }
    return Node("Media", values, _MEDIA_UNSET | _NOT_OF_CHILDREN)


def comment_node(call: Call, comment: Comment) -> Node:
    """Return a comment. Source: Meta, IG Comment reference."""
    world = call.world
    own = comment.user_id in world.accounts
    of_comment = partial(comment_node, call)
    values: dict[str, Value] = {
        "id": constant(comment.id),
        "text": constant(comment.text),
        "timestamp": constant(graph_time(comment.created_at)),
        "username": constant(comment.username),
        "from": constant({"id": comment.user_id, "username": comment.username}),
        "user": constant({"id": comment.user_id} if own else None),
        "hidden": constant(comment.hidden),
        "like_count": constant(comment.like_count),
        "media": lambda field: post_node(call, world.posts[comment.media_id]).read(field.inner),
        "parent_id": constant(comment.parent_id),
        "replies": lambda field: _edge(
            call, comment.id, comments.replies(world, comment), of_comment, field
        ),
    }
    return Node(
        "IGComment",
        values,
        frozenset({"legacy_instagram_comment_id"}),
        default=("id", "text", "timestamp"),
    )
