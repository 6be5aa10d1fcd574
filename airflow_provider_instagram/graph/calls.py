"""Each API endpoint in use as a value: method, path, parameters, and how to read the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph.fields import (
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
    read: Callable[[Mapping[str, Any]], T]
    safe: bool
    once: bool = False
    versioned: bool = True
    bearer: bool = True
    host: str | None = None


def account(*, with_picture: bool = False) -> Call[Account]:
    """Read the account of the token. Source: Meta, Instagram API with Instagram Login, /me."""
    params = {
        "fields": "user_id,username,account_type" + (",profile_picture_url" if with_picture else "")
    }
    return Call("read the account", "GET", "me", params, Account.read, safe=True)


def page_account() -> Call[Account]:
    """Read the account of a Page token. Source: Meta, Facebook Login, Page, instagram_business_account."""
    params = {"fields": "instagram_business_account{id,username,profile_picture_url}"}
    return Call(
        "read the Page's Instagram account", "GET", "me", params, Account.read_of_page, safe=True
    )


def facebook_pages(
    portfolio_id: str | None = None, edge: str = "accounts", *, after: str | None = None
) -> Call[Page[FacebookPage]]:
    """Read a page of the Facebook Pages of a person, with their tokens. Source: Meta, User, Accounts.

    :param portfolio_id: Read those of a business portfolio instead. Needs ``business_management``.
        Source: Meta, Business.
    :param edge: For a portfolio, ``owned_pages`` or ``client_pages``.
    """
    owner = "me" if portfolio_id is None else _id(portfolio_id, "id of a business portfolio")
    params = _params(fields=_PAGE_FIELDS, limit=100, after=after)
    return Call(
        "list the Facebook Pages",
        "GET",
        f"{owner}/{edge}",
        params,
        page_of(FacebookPage.read, "Pages"),
        safe=True,
    )


def facebook_page(page_id: str) -> Call[FacebookPage]:
    """Read a Facebook Page of a person, with its token. Source: Meta, Page reference."""
    path = _id(page_id, "id of a Facebook Page")
    return Call(
        "read the Facebook Page",
        "GET",
        path,
        {"fields": _PAGE_FIELDS},
        FacebookPage.read,
        safe=True,
    )


def portfolios(*, after: str | None = None) -> Call[Page[str]]:
    """Read a page of a person's business portfolios. Needs ``business_management``. Source: Meta, User, Businesses."""
    params = _params(fields="id", limit=100, after=after)
    return Call(
        "list the business portfolios",
        "GET",
        "me/businesses",
        params,
        page_of(read_id, "business portfolios"),
        safe=True,
    )


def account_of_id(ig_user_id: str) -> Call[Account]:
    """Read an account by its id. With Unified Login, ``/me`` is a system user.

    Source: Meta, Instagram Webhooks setup, 2026-10-20, account identifier; IG User reference.
    """
    params = {"fields": "id,username,profile_picture_url"}
    return Call(
        "read the account",
        "GET",
        _id(ig_user_id, "Instagram user id"),
        params,
        Account.read_of_id,
        safe=True,
    )


def account_of_name(ig_user_id: str, user_name: str) -> Call[Account]:
    """Find a professional account by its user name. Source: Meta, IG User Business Discovery."""
    path = _id(ig_user_id, "Instagram user id")
    params = {"fields": f"business_discovery.username({user_name}){{id,username}}"}
    return Call(f"find the account @{user_name}", "GET", path, params, _read_discovered, safe=True)


def create_container(ig_user_id: str, parameters: Mapping[str, Any]) -> Call[Container]:
    """Create a container, of a picture unless there is a media type. Source: Meta, IG User Media reference."""
    path = f"{_id(ig_user_id, 'Instagram user id')}/media"
    return Call(
        "create the container", "POST", path, _params(**parameters), Container.read, safe=False
    )


def container_status(container_id: str, *, with_copyright: bool = False) -> Call[ContainerStatus]:
    """Read the status of a container. Source: Meta, IG Container reference."""
    params = {
        "fields": "status_code,status,video_status"
        + (",copyright_check_status" if with_copyright else "")
    }
    path = _id(container_id, "container id")
    return Call(f"read container {path}", "GET", path, params, ContainerStatus.read, safe=True)


def publish(ig_user_id: str, container_id: str) -> Call[str]:
    """Publish a finished container. The answer is the media id. Source: Meta, IG User Media Publish reference."""
    params = {"creation_id": _id(container_id, "container id")}
    path = f"{_id(ig_user_id, 'Instagram user id')}/media_publish"
    action = f"publish container {container_id}"
    return Call(action, "POST", path, params, read_id, safe=False, once=True)


def publishing_limit(ig_user_id: str) -> Call[PublishingLimit]:
    """Read how many posts the account may still publish. Source: Meta, IG User Content Publishing Limit reference."""
    params = {"fields": "quota_usage,config"}
    path = f"{_id(ig_user_id, 'Instagram user id')}/content_publishing_limit"
    return Call("read the publishing limit", "GET", path, params, PublishingLimit.read, safe=True)


def media(media_id: str) -> Call[Media]:
    """Read a post and its permalink. Source: Meta, IG Media reference."""
    path = _id(media_id, "media id")
    return Call(f"read media {path}", "GET", path, {"fields": _MEDIA_FIELDS}, Media.read, safe=True)


def delete_media(media_id: str) -> Call[bool]:
    """Delete a post. Source: Meta, IG Media reference, Deleting; Instagram API Updates, 2025-12-03."""
    path = _id(media_id, "media id")
    return Call(f"delete media {path}", "DELETE", path, {}, read_success, safe=False, once=True)


def stories(ig_user_id: str, *, after: str | None = None) -> Call[Page[Media]]:
    """Read a page of the stories of 24 hours, which no media list has. Source: Meta, IG User Stories reference."""
    path = f"{_id(ig_user_id, 'Instagram user id')}/stories"
    params = _params(fields=_MEDIA_FIELDS, after=after)
    return Call(
        "list the account's stories", "GET", path, params, page_of(Media.read, "media"), safe=True
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
    since_s = int(since.timestamp()) if since else None
    params = _params(fields=_MEDIA_FIELDS, since=since_s, after=after, limit=limit)
    path = f"{_id(ig_user_id, 'Instagram user id')}/media"
    return Call(
        "list the account's media", "GET", path, params, page_of(Media.read, "media"), safe=True
    )


def media_insights(media_id: str, metrics: Sequence[str]) -> Call[dict[str, int | float]]:
    """Read metrics of a post. Source: Meta, Instagram Media Insights.

    :param metrics: The names of the metrics. One name that the post does not have makes Meta refuse
        all of them.
    """
    path = f"{_id(media_id, 'media id')}/insights"
    params = _params(metric=",".join(metrics))
    return Call(
        f"read the insights of media {media_id}", "GET", path, params, read_insights, safe=True
    )


def account_insights(
    ig_user_id: str, metrics: Sequence[str], *, since: datetime, until: datetime
) -> Call[dict[str, int | float]]:
    """Read totals about an account. Source: Meta, Instagram User Insights.

    :param since: The beginning of the period, with a time zone.
    :param until: Its end: at most 30 days later.
    """
    path = f"{_id(ig_user_id, 'Instagram user id')}/insights"
    since_s, until_s = int(since.timestamp()), int(until.timestamp())
    params = _params(
        metric=",".join(metrics),
        period="day",
        metric_type="total_value",
        since=since_s,
        until=until_s,
    )
    return Call("read the insights of the account", "GET", path, params, read_insights, safe=True)


def search_audio(
    ig_user_id: str, audio_type: str, query: str | None = None
) -> Call[tuple[Audio, ...]]:
    """Search audio for a reel. Source: Meta, Instagram Audio API, 2026-06-16.

    :param audio_type: ``music``, or ``original_sound``: that of other reels.
    :param query: Words of the title or the creator. Without any, Instagram returns what is
        trending.
    """
    user_id = _id(ig_user_id, "Instagram user id")
    params = _params(audio_type=audio_type, user_id=user_id, search_query=query)
    return Call("search audio", "GET", "ig_audio", params, read_audio, safe=True)


def search_places(query: str) -> Call[tuple[Place, ...]]:
    """Search Facebook Pages with a location. Source: Meta, Pages Search.

    :param query: Words of the name or the address.
    """
    params = {"q": query, "fields": "id,name,location,link"}
    return Call("search places", "GET", "pages/search", params, read_places, safe=True)


def write_comment(media_id: str, message: str) -> Call[str]:
    """Write a comment on a post. Two equal calls make two comments. Source: Meta, IG Media Comments."""
    path = f"{_id(media_id, 'media id')}/comments"
    return Call(
        f"comment on media {media_id}", "POST", path, {"message": message}, read_id, safe=False
    )


def comment_list(media_id: str, *, after: str | None = None) -> Call[Page[Comment]]:
    """Read a page of a post's comments, newest first, without replies. Source: Meta, IG Media Comments."""
    params = _params(fields="id,text,timestamp,username", limit=50, after=after)
    path = f"{_id(media_id, 'media id')}/comments"
    return Call(
        f"read the comments of media {media_id}",
        "GET",
        path,
        params,
        page_of(Comment.read, "comments"),
        safe=True,
    )


def comment(comment_id: str) -> Call[Comment]:
    """Read a comment, with the post that it is on. Source: Meta, IG Comment reference."""
    path = _id(comment_id, "comment id")
    params = {"fields": "id,text,timestamp,username,hidden,media,parent_id"}
    return Call(f"read comment {path}", "GET", path, params, Comment.read, safe=True)


def write_reply(comment_id: str, message: str) -> Call[str]:
    """Reply to a comment. A reply to a reply joins the replies to the comment. Source: Meta, IG Comment Replies."""
    path = f"{_id(comment_id, 'comment id')}/replies"
    return Call(
        f"reply to comment {comment_id}", "POST", path, {"message": message}, read_id, safe=False
    )


def hide_comment(comment_id: str) -> Call[bool]:
    """Hide a comment from everybody but who wrote it. Source: Meta, IG Comment reference, Updating."""
    path = _id(comment_id, "comment id")
    return Call(f"hide comment {path}", "POST", path, {"hide": "true"}, read_success, safe=False)


def switch_off_comments(media_id: str) -> Call[bool]:
    """Switch off the comments of a post. Source: Meta, IG Media reference, Updating."""
    path = _id(media_id, "media id")
    action = f"switch off the comments of media {path}"
    return Call(action, "POST", path, {"comment_enabled": "false"}, read_success, safe=False)


def is_comment_enabled(media_id: str) -> Call[bool]:
    """Read whether the comments of a post are switched on. Source: Meta, IG Media reference."""
    path, name = _id(media_id, "media id"), "is_comment_enabled"
    action = f"read whether media {path} takes comments"
    return Call(
        action, "GET", path, {"fields": name}, lambda data: data.get(name) is not False, safe=True
    )


def private_reply(sender: str, comment_id: str, message: str) -> Call[str]:
    """Send a message to who wrote a comment: one for each comment. Source: Meta, Private Replies, 2026-06-30.

    :param sender: The account's Instagram user id. With Facebook Login ``me``, the Page: the
        account does not have this edge (reported: ChatbotX, pull request 1122, 2026-09-09).
    """
    to = _params(recipient={"comment_id": _id(comment_id, "comment id")}, message={"text": message})
    path = f"{sender if sender == 'me' else _id(sender, 'Instagram user id')}/messages"
    return Call(
        f"reply privately to comment {comment_id}", "POST", path, to, _read_message_id, safe=False
    )


def reply_list(comment_id: str, *, after: str | None = None) -> Call[Page[Comment]]:
    """Read a page of the replies to a comment. Source: Meta, IG Comment Replies."""
    params = _params(fields="id,text,timestamp,username", limit=50, after=after)
    path = f"{_id(comment_id, 'comment id')}/replies"
    return Call(
        f"read the replies to comment {comment_id}",
        "GET",
        path,
        params,
        page_of(Comment.read, "comments"),
        safe=True,
    )


def comment_count(media_id: str) -> Call[CommentCount]:
    """Read how many comments a post has. Source: Meta, IG Media reference."""
    path = _id(media_id, "media id")
    action = f"read the number of comments of media {path}"
    return Call(action, "GET", path, {"fields": _COUNT_FIELDS}, CommentCount.read, safe=True)


def comment_counts(ig_user_id: str) -> Call[Page[CommentCount]]:
    """Read how many comments the account's latest 25 posts have. Source: Meta, IG User Media reference."""
    path = f"{_id(ig_user_id, 'Instagram user id')}/media"
    params = _params(fields=_COUNT_FIELDS, limit=25)
    return Call(
        "read the numbers of comments",
        "GET",
        path,
        params,
        page_of(CommentCount.read, "media"),
        safe=True,
    )


def token_info(access_token: str) -> Call[TokenInfo]:
    """Read the login, scopes and end of a token of Facebook's host. Source: Meta, Access Tokens, debug_token."""
    return Call(
        "ask about the token",
        "GET",
        "debug_token",
        {"input_token": access_token},
        TokenInfo.read,
        True,
    )


def _read_discovered(data: Mapping[str, Any]) -> Account:
    return Account.read_of_id(as_mapping(data.get("business_discovery")))


def _read_message_id(data: Mapping[str, Any]) -> str:
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


def _params(
    **values: str | int | bool | Sequence[Any] | Mapping[str, str] | None,
) -> dict[str, str]:
    """Return the parameters that are set. Lists and objects are sent as JSON text inside a form."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
        if value is not None
    }
