"""Each API endpoint in use as a value: method, path, parameters, and how to read the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph.fields import (
    Data,
    Reader,
    as_mapping,
    read_id,
    read_success,
    read_text,
)
from airflow_provider_instagram.graph.models import (
    Account,
    Audio,
    Comment,
    CommentCount,
    Container,
    ContainerStatus,
    FacebookPage,
    Media,
    Page,
    Place,
    PublishingLimit,
    TokenInfo,
    page_of,
    read_audio,
    read_insights,
    read_places,
)

T = TypeVar("T")

_MEDIA_FIELDS = "id,permalink,shortcode,caption,timestamp,media_type,media_product_type,username"
_PAGE_FIELDS = "name,access_token,instagram_business_account{id,username,profile_picture_url}"
_COUNT_FIELDS = "id,comments_count,username"


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request to the Graph API, and how to read its answer.

    :param action: What the call does, as the end of "Cannot …" in error messages.
    :param path: Path below the API version, or below the host if ``versioned`` is False.
    :param params: Query of a GET or a DELETE, form of a POST. May contain secrets.
    :param read: Turns the answer's JSON object into a value. Raises ValueError if it is not in the
        documented form.
    :param safe: Whether the client may repeat the call by itself, because the call changes nothing.
    :param once: Whether the client must not repeat the call in any case, not even with another
        token.
    :param versioned: Whether the path is below the API version. The OAuth endpoints have no
        version.
    :param bearer: Whether to send the client's token in the ``Authorization`` header.
    """

    action: str
    method: Literal["GET", "POST", "DELETE"]
    path: str
    params: Mapping[str, str] = field(repr=False)
    read: Reader[T]
    safe: bool
    once: bool = False
    versioned: bool = True
    bearer: bool = True
    host: str | None = None


def account() -> Call[Account]:
    """Read the account of the token. Source: Meta, Instagram API with Instagram Login, /me."""
    fields = "user_id,username,account_type,profile_picture_url"
    return _get("read the account", "me", Account.read, fields=fields)


def page_account() -> Call[Account]:
    """Read the account of a Page token. Source: Meta, Facebook Login, Page, instagram_business_account."""
    return _get(
        "read the Page's Instagram account",
        "me",
        Account.read_of_page,
        fields="instagram_business_account{id,username,profile_picture_url}",
    )


def facebook_pages(
    owner: str = "me", edge: str = "accounts", *, after: str | None = None
) -> Call[Page[FacebookPage]]:
    """Read a page of the Facebook Pages of a person, with their tokens. Source: Meta, User, Accounts.

    :param owner: The id of a business portfolio, to read those of it instead. Needs
        ``business_management``. Source: Meta, Business.
    :param edge: For a portfolio, ``owned_pages`` or ``client_pages``.
    """
    return _get(
        "list the Facebook Pages",
        f"{owner}/{edge}",
        page_of(FacebookPage.read, "Pages"),
        fields=_PAGE_FIELDS,
        limit=100,
        after=after,
    )


def facebook_page(page_id: str) -> Call[FacebookPage]:
    """Read a Facebook Page of a person, with its token. Source: Meta, Page reference."""
    path = _id(page_id, "id of a Facebook Page")
    return _get("read the Facebook Page", path, FacebookPage.read, fields=_PAGE_FIELDS)


def portfolios(*, after: str | None = None) -> Call[Page[str]]:
    """Read a page of a person's business portfolios. Needs ``business_management``. Source: Meta, User, Businesses."""
    return _get(
        "list the business portfolios",
        "me/businesses",
        page_of(read_id, "business portfolios"),
        fields="id",
        limit=100,
        after=after,
    )


def account_of_id(ig_user_id: str) -> Call[Account]:
    """Read an account by its id. With Unified Login, ``/me`` is a system user.

    Source: Meta, Instagram Webhooks setup, 2026-10-20, account identifier; IG User reference.
    """
    path = _id(ig_user_id, "Instagram user id")
    fields = "id,username,profile_picture_url"
    return _get("read the account", path, Account.read_of_id, fields=fields)


def account_of_name(ig_user_id: str, user_name: str) -> Call[Account]:
    """Find a professional account by its user name. Source: Meta, IG User Business Discovery."""
    path = _id(ig_user_id, "Instagram user id")
    fields = f"business_discovery.username({user_name}){{id,username}}"
    return _get(f"find the account @{user_name}", path, _read_discovered, fields=fields)


def create_container(ig_user_id: str, parameters: Mapping[str, Any]) -> Call[Container]:
    """Create a container, of a picture unless there is a media type. Source: Meta, IG User Media reference."""
    path = f"{_id(ig_user_id, 'Instagram user id')}/media"
    return _post("create the container", path, Container.read, **parameters)


def container_status(container_id: str, *, with_copyright: bool = False) -> Call[ContainerStatus]:
    """Read the status of a container. Source: Meta, IG Container reference."""
    path = _id(container_id, "container id")
    fields = "status_code,status,video_status"
    if with_copyright:
        fields += ",copyright_check_status"
    return _get(f"read container {path}", path, ContainerStatus.read, fields=fields)


def publish(ig_user_id: str, container_id: str) -> Call[str]:
    """Publish a finished container. The answer is the media id. Source: Meta, IG User Media Publish reference."""
    params = {"creation_id": _id(container_id, "container id")}
    path = f"{_id(ig_user_id, 'Instagram user id')}/media_publish"
    action = f"publish container {container_id}"
    return Call(action, "POST", path, params, read_id, safe=False, once=True)


def publishing_limit(ig_user_id: str) -> Call[PublishingLimit]:
    """Read how many posts the account may still publish. Source: Meta, IG User Content Publishing Limit reference."""
    path = f"{_id(ig_user_id, 'Instagram user id')}/content_publishing_limit"
    fields = "quota_usage,config"
    return _get("read the publishing limit", path, PublishingLimit.read, fields=fields)


def media(media_id: str) -> Call[Media]:
    """Read a post and its permalink. Source: Meta, IG Media reference."""
    path = _id(media_id, "media id")
    return _get(f"read media {path}", path, Media.read, fields=_MEDIA_FIELDS)


def delete_media(media_id: str) -> Call[bool]:
    """Delete a post. Source: Meta, IG Media reference, Deleting; Instagram API Updates, 2025-12-03."""
    path = _id(media_id, "media id")
    return Call(f"delete media {path}", "DELETE", path, {}, read_success, safe=False, once=True)


def stories(ig_user_id: str, *, after: str | None = None) -> Call[Page[Media]]:
    """Read a page of the stories of 24 hours, which no media list has. Source: Meta, IG User Stories reference."""
    return _get(
        "list the account's stories",
        f"{_id(ig_user_id, 'Instagram user id')}/stories",
        page_of(Media.read, "media"),
        fields=_MEDIA_FIELDS,
        after=after,
    )


def media_list(
    ig_user_id: str,
    *,
    since: datetime | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> Call[Page[Media]]:
    """Read a page of the account's posts, newest first. Source: Meta, IG User Media reference.

    :param since: Earliest time of publication, with a time zone.
    :param limit: Posts on a page, 1-100. Meta's default is 25.
    """
    return _get(
        "list the account's media",
        f"{_id(ig_user_id, 'Instagram user id')}/media",
        page_of(Media.read, "media"),
        fields=_MEDIA_FIELDS,
        since=int(since.timestamp()) if since else None,
        after=after,
        limit=limit,
    )


def media_insights(media_id: str, metrics: Sequence[str]) -> Call[dict[str, int | float]]:
    """Read metrics of a post. Source: Meta, Instagram Media Insights.

    :param metrics: The names of the metrics. One name that the post does not have makes Meta refuse
        all of them.
    """
    path = f"{_id(media_id, 'media id')}/insights"
    action = f"read the insights of media {media_id}"
    return _get(action, path, read_insights, metric=",".join(metrics))


def account_insights(
    ig_user_id: str, metrics: Sequence[str], *, since: datetime, until: datetime
) -> Call[dict[str, int | float]]:
    """Read totals about an account. Source: Meta, Instagram User Insights.

    :param since: The beginning of the period, with a time zone.
    :param until: Its end: at most 30 days later.
    """
    return _get(
        "read the insights of the account",
        f"{_id(ig_user_id, 'Instagram user id')}/insights",
        read_insights,
        metric=",".join(metrics),
        period="day",
        metric_type="total_value",
        since=int(since.timestamp()),
        until=int(until.timestamp()),
    )


def search_audio(
    ig_user_id: str, audio_type: str, query: str | None = None
) -> Call[tuple[Audio, ...]]:
    """Search audio for a reel. Source: Meta, Instagram Audio API, 2026-06-16.

    :param audio_type: ``music``, or ``original_sound``: that of other reels.
    :param query: Words of the title or the creator. Without any, Instagram returns what is
        trending.
    """
    return _get(
        "search audio",
        "ig_audio",
        read_audio,
        audio_type=audio_type,
        user_id=_id(ig_user_id, "Instagram user id"),
        search_query=query,
    )


def search_places(query: str) -> Call[tuple[Place, ...]]:
    """Search Facebook Pages with a location. Source: Meta, Pages Search.

    :param query: Words of the name or the address.
    """
    fields = "id,name,location,link"
    return _get("search places", "pages/search", read_places, q=query, fields=fields)


def write_comment(media_id: str, message: str) -> Call[str]:
    """Write a comment on a post. Two equal calls make two comments. Source: Meta, IG Media Comments."""
    path = f"{_id(media_id, 'media id')}/comments"
    return _post(f"comment on media {media_id}", path, read_id, message=message)


def comment_list(media_id: str, *, after: str | None = None) -> Call[Page[Comment]]:
    """Read a page of a post's comments, newest first, without replies. Source: Meta, IG Media Comments."""
    path = f"{_id(media_id, 'media id')}/comments"
    return _comments(f"read the comments of media {media_id}", path, after)


def comment(comment_id: str) -> Call[Comment]:
    """Read a comment, with the post that it is on. Source: Meta, IG Comment reference."""
    path = _id(comment_id, "comment id")
    fields = "id,text,timestamp,username,hidden,media,parent_id"
    return _get(f"read comment {path}", path, Comment.read, fields=fields)


def write_reply(comment_id: str, message: str) -> Call[str]:
    """Reply to a comment. A reply to a reply joins the replies to the comment. Source: Meta, IG Comment Replies."""
    path = f"{_id(comment_id, 'comment id')}/replies"
    return _post(f"reply to comment {comment_id}", path, read_id, message=message)


def hide_comment(comment_id: str) -> Call[bool]:
    """Hide a comment from everybody but who wrote it. Source: Meta, IG Comment reference, Updating."""
    path = _id(comment_id, "comment id")
    return _post(f"hide comment {path}", path, read_success, hide=True)


def switch_off_comments(media_id: str) -> Call[bool]:
    """Switch off the comments of a post. Source: Meta, IG Media reference, Updating."""
    path = _id(media_id, "media id")
    action = f"switch off the comments of media {path}"
    return _post(action, path, read_success, comment_enabled=False)


def is_comment_enabled(media_id: str) -> Call[bool]:
    """Read whether the comments of a post are switched on. Source: Meta, IG Media reference."""
    path = _id(media_id, "media id")
    name = "is_comment_enabled"
    action = f"read whether media {path} takes comments"
    return _get(action, path, lambda data: data.get(name) is not False, fields=name)


def private_reply(sender: str, comment_id: str, message: str) -> Call[str]:
    """Send a message to who wrote a comment: one for each comment. Source: Meta, Private Replies, 2026-06-30.

    :param sender: The account's Instagram user id. With Facebook Login ``me``, the Page: the
        account does not have this edge (reported: ChatbotX, pull request 1122, 2026-09-09).
    """
    return _post(
        f"reply privately to comment {comment_id}",
        f"{sender if sender == 'me' else _id(sender, 'Instagram user id')}/messages",
        _read_message_id,
        recipient={"comment_id": _id(comment_id, "comment id")},
        message={"text": message},
    )


def reply_list(comment_id: str, *, after: str | None = None) -> Call[Page[Comment]]:
    """Read a page of the replies to a comment. Source: Meta, IG Comment Replies."""
    path = f"{_id(comment_id, 'comment id')}/replies"
    return _comments(f"read the replies to comment {comment_id}", path, after)


def comment_count(media_id: str) -> Call[CommentCount]:
    """Read how many comments a post has. Source: Meta, IG Media reference."""
    path = _id(media_id, "media id")
    action = f"read the number of comments of media {path}"
    return _get(action, path, CommentCount.read, fields=_COUNT_FIELDS)


def comment_counts(ig_user_id: str) -> Call[Page[CommentCount]]:
    """Read how many comments the account's latest 25 posts have. Source: Meta, IG User Media reference."""
    path = f"{_id(ig_user_id, 'Instagram user id')}/media"
    counts = page_of(CommentCount.read, "media")
    return _get("read the numbers of comments", path, counts, fields=_COUNT_FIELDS, limit=25)


def token_info(access_token: str) -> Call[TokenInfo]:
    """Read the login, scopes and end of a token of Facebook's host. Source: Meta, Access Tokens, debug_token."""
    return _get("ask about the token", "debug_token", TokenInfo.read, input_token=access_token)


def _get(action: str, path: str, read: Reader[T], /, **params: object) -> Call[T]:
    """Return a call that changes nothing, so the client may repeat it."""
    return Call(action, "GET", path, _sent(params), read, safe=True)


def _post(action: str, path: str, read: Reader[T], /, **params: object) -> Call[T]:
    """Return a call that changes something."""
    return Call(action, "POST", path, _sent(params), read, safe=False)


def _comments(action: str, path: str, after: str | None) -> Call[Page[Comment]]:
    fields = "id,text,timestamp,username"
    page = page_of(Comment.read, "comments")
    return _get(action, path, page, fields=fields, limit=50, after=after)


def _read_discovered(data: Data) -> Account:
    return Account.read_of_id(as_mapping(data.get("business_discovery")))


def _read_message_id(data: Data) -> str:
    if (message_id := read_text(data.get("message_id"))) is None:
        raise ValueError("no message_id")
    return message_id


def _id(value: str, what: str) -> str:
    """Check an id, which becomes part of a path."""
    if not (value.isascii() and value.isdigit()):
        raise ValidationError(
            f"{value[:40]!r} is not a valid {what}.",
            hint="Use a decimal number such as 17841400000000001.",
        )
    return value


def _sent(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters that are set. Lists and objects are sent as JSON text inside a form."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in params.items()
        if value is not None
    }
