"""The rules of comments: what a comment may hold, and which comments a post shows.

Source: Meta, IG Comment reference and IG Media Comments.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from instagram_sandbox.simulator import audience
from instagram_sandbox.simulator.accounts import DAY_S
from instagram_sandbox.simulator.errors import GraphError, invalid
from instagram_sandbox.simulator.state import Comment, Message
from instagram_sandbox.simulator.webhooks import tell_mentions

if TYPE_CHECKING:
    from instagram_sandbox.simulator.state import Account, Post
    from instagram_sandbox.simulator.world import World

MAX_CHARACTERS = 300
MAX_HASHTAGS = 4
MAX_LINKS = 1
MAX_BYTES_OF_MESSAGE = 1000
PRIVATE_REPLY_WITHIN_S = 7 * DAY_S
STRANGER_ID: Final = "17841499999999999"


def check_text(text: str) -> None:
    """Check the text of a comment against Meta's limits.

    :raises GraphError: 100: the text is empty, too long, only capitals, or has too many hashtags or
        links.
    """
    if not text.strip():
        raise invalid("The parameter message is required")
    if len(text) > MAX_CHARACTERS:
        raise invalid(f"A comment has at most {MAX_CHARACTERS} characters")
    if len(re.findall(r"#\w+", text)) > MAX_HASHTAGS:
        raise invalid(f"A comment has at most {MAX_HASHTAGS} hashtags")
    if len(re.findall(r"https?://|\bwww\.", text, re.IGNORECASE)) > MAX_LINKS:
        raise invalid(f"A comment has at most {MAX_LINKS} link")
    if text.isupper():
        raise invalid("A comment must not consist of capital letters only")


def write(
    world: World, post: Post, account: Account, text: str, parent: Comment | None = None
) -> Comment:
    """Write a comment through the API, as the account that owns the post.

    :param parent: The comment to reply to.
    :raises GraphError: The text breaks a limit, the comments of the post are switched off, or the
        comment is hidden.
    """
    check_text(text)
    if parent is not None and parent.hidden:
        raise invalid("You cannot reply to hidden comments")
    if not post.is_comment_enabled:
        raise GraphError(10, None, "(#10) Comments are turned off for this media")
    late_s = world.switches.comment_visible_after_s
    return _add(world, post, text, (account.username, account.user_id), parent, late_s=late_s)


def answer_privately(world: World, comment: Comment, text: str) -> Message:
    """Send the one private reply that a comment can have. Source: Meta, Private Replies, 2026-06-30.

    :raises GraphError: The text is empty or too long, the comment is older than 7 days or the
        account's own, or it has a private reply. Which errors these are is not documented.
    """
    now = world.clock.now()
    if not text.strip() or len(text.encode()) > MAX_BYTES_OF_MESSAGE:
        raise invalid(f"The text of a message must have 1 to {MAX_BYTES_OF_MESSAGE} bytes")
    if comment.user_id in world.accounts or comment.created_at < now - PRIVATE_REPLY_WITHIN_S:
        raise invalid("The comment cannot be answered privately")
    if any(one.comment_id == comment.id for one in world.messages.values()):
        raise invalid("The comment has a private reply")
    message_id = "aWdf" + world.new_id("178")
    return world.messages.keep(
        Message(
            id=message_id,
            comment_id=comment.id,
            username=comment.username,
            text=text,
            created_at=now,
        )
    )


def add_foreign(
    world: World, post: Post, text: str, username: str, parent: Comment | None = None
) -> Comment:
    """Add a comment of another person, as if it was written in the app."""
    return _add(world, post, text, (username, STRANGER_ID), parent)


def _add(
    world: World,
    post: Post,
    text: str,
    author: tuple[str, str],
    parent: Comment | None,
    late_s: float = 0.0,
) -> Comment:
    now = world.clock.now()
    comment = Comment(
        id=world.new_id("178"),
        media_id=post.id,
        username=author[0],
        user_id=author[1],
        text=text,
        created_at=now,
        visible_at=now + late_s,
        # a reply to a reply joins the same thread
        parent_id=(parent.parent_id or parent.id) if parent else None,
    )
    world.comments.keep(comment)
    _tell(world, post, comment)
    return comment


def _tell(world: World, post: Post, comment: Comment) -> None:
    """Send webhooks of a comment: to the owner of the post, and to those whom it mentions. Source: Meta, Webhooks."""
    value = {
        "id": comment.id,
        "from": {"id": comment.user_id, "username": comment.username},
        "text": comment.text,
        "media": {"id": post.id, "media_product_type": post.media_product_type},
    }
    parent = {"parent_id": comment.parent_id} if comment.parent_id else {}
    world.tell(world.accounts[post.user_id], "comments", value | parent)
    tell_mentions(world, post, comment.text, comment_id=comment.id)


def delete(world: World, comment: Comment) -> None:
    """Delete a comment and its replies."""
    for gone in [comment, *replies(world, comment)]:
        world.comments.forget(gone)


def on_post(world: World, media_id: str) -> list[Comment]:
    """Return all comments on a post, with replies, oldest first, including those that the API does not show yet."""
    _let_followers_speak(world, media_id)
    found = [comment for comment in world.comments.values() if comment.media_id == media_id]
    return sorted(found, key=lambda comment: (comment.created_at, comment.id))


def _let_followers_speak(world: World, media_id: str) -> None:
    """Add the comments that the followers have written since the last read, if the account has an audience."""
    post = world.post(media_id)
    if post is None or post.is_story or not post.is_comment_enabled or not audience.is_on(world):
        return
    due = audience.comments_due(world, post)
    for username, text in due[post.heard :]:
        add_foreign(world, post, text, username)
    if len(due) > post.heard:
        post.heard = len(due)
        world.posts.keep(post)


def shown_on(world: World, media_id: str) -> list[Comment]:
    """Return the comments that a read of a post shows: without replies, newest first."""
    now = world.clock.now()
    return [
        c for c in reversed(on_post(world, media_id)) if c.parent_id is None and c.visible_at <= now
    ]


def replies(world: World, comment: Comment) -> list[Comment]:
    """Return the replies to a comment that are visible now, oldest first."""
    now = world.clock.now()
    return [
        c
        for c in on_post(world, comment.media_id)
        if c.parent_id == comment.id and c.visible_at <= now
    ]


def comment_of(world: World, comment_id: str, user_id: str) -> Comment | None:
    """Return a comment on a post of an account."""
    found = world.comments.get(comment_id)
    if (
        found is None
        or world.post(found.media_id, user_id) is None
        or found.visible_at > world.clock.now()
    ):
        return None
    return found
