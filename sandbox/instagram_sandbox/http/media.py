"""Lists of posts, and calls on a post: children, comments, insights, collaborators, switching off, deleting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from instagram_sandbox.http import listing, metrics, rows
from instagram_sandbox.http.pipeline import Call, graph_json
from instagram_sandbox.simulator import comments, insights, parameters, values
from instagram_sandbox.simulator.accounts import DAY_S
from instagram_sandbox.simulator.clock import graph_time
from instagram_sandbox.simulator.errors import invalid

if TYPE_CHECKING:
    from starlette.responses import Response

    from instagram_sandbox.simulator.state import Account, Child, Comment, Post

POLL_LASTS_S: Final = 3 * DAY_S


async def media_list(call: Call, account: Account) -> Response:
    """Return a page of an account's posts, newest first."""
    return listing.page(
        call, rows.media_of(call, account, call.params), lambda post: rows.post_node(call, post)
    )


async def stories(call: Call, account: Account) -> Response:
    """Return an account's stories of the last 24 hours, newest first."""
    found = call.world.visible_posts(account.user_id, stories=True)
    return listing.page(call, found, lambda post: rows.post_node(call, post))


async def tags(call: Call, account: Account) -> Response:
    """Return other accounts' posts in which an account is tagged, newest first. Source: Meta, IG User Tags."""
    found = call.world.tagged_posts(account)
    return listing.page(call, found, lambda post: rows.post_node(call, post))


async def nothing(call: Call, account: Account) -> Response:
    """Return the empty list of an edge on which no account of this sandbox has anything, such as ``live_media``."""
    return listing.page(call, [], lambda post: rows.post_node(call, post))


async def children(call: Call, post: Post) -> Response:
    """Return the media of a carousel. Source: Meta, IG Media Children."""
    found: list[Child] = [call.world.children[child] for child in post.children]
    return listing.page(call, found, lambda child: rows.child_node(call, child))


async def list_comments(call: Call, post: Post) -> Response:
    """Return the comments on a post, newest first, without replies. Source: Meta, IG Media Comments."""
    return listing.page(
        call, comments.shown_on(call.world, post.id), lambda c: rows.comment_node(call, c)
    )


async def write_comment(call: Call, post: Post) -> Response:
    """Comment on a post. Two equal calls make two comments. Source: Meta, IG Media Comments."""
    comment = comments.write(call.world, post, call.account, values.text(call.params, "message"))
    return graph_json({"id": comment.id})


async def change(call: Call, post: Post) -> Response:
    """Switch the comments of a post on or off. Source: Meta, IG Media, Updating."""
    post.is_comment_enabled = _flag(call, "comment_enabled")
    call.world.posts.keep(post)
    return graph_json({"success": True})


async def delete(call: Call, post: Post) -> Response:
    """Delete a post, which Facebook Login alone can do. Source: Meta, IG Media, Deleting."""
    call.world.delete_post(post)
    return graph_json({"success": True})


async def collaborators(call: Call, post: Post) -> Response:
    """Return who was invited to a post, with Facebook Login. Source: Meta, IG Media Collaborators."""
    return listing.page(call, post.collaborators, rows.collaborator_node)


async def poll_attachment(call: Call, post: Post) -> Response:
    """Return the poll of a post with the shares of its votes, or null. Source: Meta, IG Media Poll Attachment."""
    _check_has_caption(post)
    if not post.poll:
        return graph_json(None)
    weights = [insights.spread(call.world, post.id, option) for option in post.poll]
    found: dict[str, str | float] = {}
    ends_at = post.published_at + POLL_LASTS_S
    if not post.poll_is_endless:
        in_seconds = call.params.get("date_format") == "U"
        found["expiration_timestamp"] = int(ends_at) if in_seconds else graph_time(ends_at)
    for name, option, weight in zip(parameters.POLL_OPTIONS, post.poll, weights, strict=False):
        found |= {name: option, f"{name}_votes_percentage": round(weight / sum(weights), 2)}
    return graph_json(found)


async def prompt_response(call: Call, post: Post) -> Response:
    """Return the comments that answer a post's prompt, or null. Source: Meta, Caption Add-ons, without a sample."""
    _check_has_caption(post)
    return await list_comments(call, post) if post.has_prompt else graph_json(None)


def _check_has_caption(post: Post) -> None:
    if post.is_story:
        raise invalid("Story media is not supported")


async def read_insights(call: Call, post: Post) -> Response:
    """Return numbers about a post. Source: Meta, Instagram Media Insights."""
    return graph_json({"data": metrics.of_post(call.world, post, call.params, call.host)})


# Comments


async def list_replies(call: Call, comment: Comment) -> Response:
    """Return the replies to a comment. Source: Meta, IG Comment Replies."""
    return listing.page(
        call, comments.replies(call.world, comment), lambda c: rows.comment_node(call, c)
    )


async def write_reply(call: Call, comment: Comment) -> Response:
    """Reply to a comment. Source: Meta, IG Comment Replies."""
    post = call.world.posts[comment.media_id]
    reply = comments.write(
        call.world, post, call.account, values.text(call.params, "message"), comment
    )
    return graph_json({"id": reply.id})


async def hide(call: Call, comment: Comment) -> Response:
    """Hide a comment or show it again. One's own comment is always shown. Source: Meta, IG Comment, Updating."""
    comment.hidden = _flag(call, "hide") and comment.user_id != call.account.user_id
    call.world.comments.keep(comment)
    return graph_json({"success": True})


async def private_reply(call: Call, account: Account) -> Response:
    """Send a message to who wrote a comment. Source: Meta, Private Replies, 2026-06-30."""
    recipient, message = (
        values.json_object(call.params, name) for name in ("recipient", "message")
    )
    comment = comments.comment_of(call.world, str(recipient.get("comment_id")), account.user_id)
    if comment is None:
        raise invalid("The recipient must be a comment on a post of the account")
    sent = comments.answer_privately(call.world, comment, str(message.get("text", "")))
    return graph_json({"recipient_id": comment.user_id, "message_id": sent.id})


async def delete_comment(call: Call, comment: Comment) -> Response:
    """Delete a comment on one's own post. Source: Meta, IG Comment, Deleting."""
    comments.delete(call.world, comment)
    return graph_json({"success": True})


def _flag(call: Call, name: str) -> bool:
    found = values.flag(call.params, name)
    if found is None:
        raise invalid(f"Param {name} must be a boolean")
    return found
