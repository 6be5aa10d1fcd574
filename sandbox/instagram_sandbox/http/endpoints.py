"""What the sandbox serves of the Graph API: one row for each call, with the logins and the permission that it needs.

The routes, the refusals and the table of the documentation are made from these rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from instagram_sandbox.http import (
    account_insights,
    audio,
    facebook,
    login,
    media,
    publishing,
    rows,
    webhooks,
)
from instagram_sandbox.http.fields import fields_of
from instagram_sandbox.http.pipeline import Call, graph_json
from instagram_sandbox.simulator import comments
from instagram_sandbox.simulator.audio import CATALOGUE, Audio
from instagram_sandbox.simulator.errors import GraphError
from instagram_sandbox.simulator.scopes import (
    BUSINESSES,
    COMMENTS,
    CONTENTS,
    ENGAGEMENT,
    INSIGHTS,
    PUBLISH,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response

    from instagram_sandbox.http.fields import Node
    from instagram_sandbox.simulator.journal import Operation
    from instagram_sandbox.simulator.sandbox import Settings
    from instagram_sandbox.simulator.scopes import Login, Permission
    from instagram_sandbox.simulator.state import (
        Account,
        Child,
        Comment,
        Container,
        Post,
        TokenKind,
    )
    from instagram_sandbox.simulator.world import World

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of objects that a path names first.

    :param name: Its name in the documentation; empty for calls that name no object.
    :param type: Its type, as errors name it.
    :param owns: Whether an id belongs to such an object, of any account.
    :param find: Return the object of the call's account; None if it has none with this id.
    :param show: Return its fields; None if it cannot be read.
    """

    name: str
    type: str
    owns: Callable[[World, str], bool]
    find: Callable[[Call, str], T | None]
    show: Callable[[Call, T], Node] | None = None

    async def read(self, call: Call, thing: T) -> Response:
        """Return the fields of an object that are asked for."""
        if self.show is None:
            raise missing(self.name, "GET")
        return graph_json(self.show(call, thing).read(fields_of(call)))


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[T]):
    """One call.

    :param method: The HTTP method.
    :param edge: The rest of the path; ``*`` stands for any last part.
    :param tokens: Whose tokens may call. :data:`LOGINS` says which login each kind of token belongs
        to.
    """

    method: str
    kind: Kind[T]
    edge: str
    operation: Operation
    handler: Callable[[Call, T], Awaitable[Response]]
    tokens: frozenset[TokenKind]
    permission: Permission | None = None

    @property
    def path(self) -> str:
        """The path, as documentation writes it."""
        return "/" + "/".join(filter(None, (self.kind.name, self.edge)))


def missing(node: str, method: str) -> GraphError:
    """Return the error of an object that does not exist for the caller."""
    return GraphError(
        100,
        33,
        f"Unsupported {method.lower()} request. Object with ID '{node}' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api",
    )


# Kinds


def _is_fresh(call: Call, since: float) -> bool:
    return call.sandbox.now < since + call.world.switches.fresh_id_unknown_s


def _account(call: Call, node: str) -> Account | None:
    own = call.account
    is_me = node == "me" and call.token.kind == "instagram"
    return own if is_me or node in {own.user_id, own.app_scoped_id} else None


def _page(call: Call, node: str) -> Account | None:
    is_me = node == "me" and call.token.kind == "page"
    return call.account if is_me or node == call.account.page_id else None


def _container(call: Call, node: str) -> Container | None:
    found = call.world.container(node, call.account.user_id)
    if found is None or _is_fresh(call, found.created_at):
        return None
    call.entry.container_id = found.id
    return found


def _post(call: Call, node: str) -> Post | None:
    found = call.world.post(node, call.account.user_id)
    if found is None or _is_fresh(call, found.published_at):
        return None
    call.entry.media_id = found.id
    return found


def _child(call: Call, node: str) -> Child | None:
    found = call.world.children.get(node)
    return found if found and call.world.post(found.post_id, call.account.user_id) else None


def _of_any_account(name: str) -> Callable[[World, str], bool]:
    return lambda world, node: any(node == getattr(one, name) for one in world.accounts.values())


ME: Final[Kind[Account]] = Kind(
    "me", "IGUser", lambda world, node: node == "me" or _of_any_account("app_scoped_id")(world, node),
    lambda call, node: _account(call, node) if node != call.account.user_id else None,
    lambda call, account: rows.account_node(call, account, of_me=True),
)  # fmt: skip
ACCOUNT: Final[Kind[Account]] = Kind(
    "{account}", "IGUser", lambda world, node: node in world.accounts or ME.owns(world, node), _account,
    rows.account_node,
)  # fmt: skip
SUBSCRIBER: Final[Kind[Account]] = Kind(
    "{account or page}", "IGUser", lambda world, node: ACCOUNT.owns(world, node) or PAGE.owns(world, node),
    lambda call, node: _account(call, node) or _page(call, node),
)  # fmt: skip
SENDER: Final[Kind[Account]] = Kind(
    "{account or page}", "IGUser", SUBSCRIBER.owns,
    lambda call, node: (_page if call.token.kind == "page" else _account)(call, node),
)  # fmt: skip
"""Who sends a message: the account, or with Facebook Login its Page (reported: ChatbotX, pull request 1122)."""
CONTAINER: Final[Kind[Container]] = Kind(
    "{container}", "ShadowIGMediaBuilder", lambda world, node: node in world.containers, _container,
    rows.container_node,
)  # fmt: skip
MEDIA: Final[Kind[Post]] = Kind(
    "{media}", "Media", lambda world, node: node in world.posts, _post, rows.post_node
)
CHILD: Final[Kind[Child]] = Kind(
    "{media of a carousel}",
    "Media",
    lambda world, node: node in world.children,
    _child,
    rows.child_node,
)
COMMENT: Final[Kind[Comment]] = Kind(
    "{comment}", "IGComment", lambda world, node: node in world.comments,
    lambda call, node: comments.comment_of(call.world, node, call.account.user_id), rows.comment_node,
)  # fmt: skip
PAGE: Final[Kind[Account]] = Kind(
    "{page}", "Page", _of_any_account("page_id"), _page, facebook.page_node
)
PERSON: Final[Kind[Account]] = Kind(
    "me", "User", lambda world, node: node == "me" or _of_any_account("person_id")(world, node),
    lambda call, node: call.account if node in {"me", call.account.person_id} else None, facebook.person_node,
)  # fmt: skip
BUSINESS: Final[Kind[Account]] = Kind(
    "{business}", "Business", _of_any_account("business_id"),
    lambda call, node: call.account if node == call.account.business_id else None,
)  # fmt: skip
SYSTEM_USER: Final[Kind[Account]] = Kind(
    "me", "SystemUser", lambda _, node: False, lambda call, node: call.account if node == "me" else None,
    facebook.system_user_node,
)  # fmt: skip
AUDIO: Final[Kind[Audio]] = Kind(
    "{audio}", "IGAudio", lambda _, node: node in CATALOGUE, lambda _, node: CATALOGUE.get(node)
)
SEARCH: Final[Kind[Account]] = Kind("", "", lambda _, node: True, lambda call, _: call.account)
APP: Final[Kind[Settings]] = Kind(
    "", "", lambda _, node: True, lambda call, _: call.sandbox.settings
)
"""Calls of the app itself, which neither need the token of an account nor count as its calls."""

NODES: Final[tuple[Kind[Any], ...]] = (ME, ACCOUNT, CONTAINER, CHILD, COMMENT, MEDIA)
"""What ``?ids=`` reads."""
OF_TOKEN: Final[dict[TokenKind, Kind[Account]]] = {
    "instagram": ME, "page": PAGE, "user": PERSON, "system": SYSTEM_USER,
}  # fmt: skip
"""What ``/me`` is."""
LOGINS: Final[dict[str, frozenset[TokenKind]]] = {
    "Instagram Login": frozenset({"instagram"}),
    "Facebook Login": frozenset({"page", "user"}),
    "Unified Login": frozenset({"system"}),
}

# Calls

PERSONS: Final[frozenset[TokenKind]] = frozenset({"user"})
PAGE_TOKENS: Final[frozenset[TokenKind]] = frozenset({"page"})
OURS, PAGES, UNIFIED = LOGINS.values()
FACEBOOK: Final = PAGES | UNIFIED
ALL: Final = OURS | FACEBOOK
OF_HOST: Final[dict[Login, frozenset[TokenKind]]] = {"instagram": OURS, "facebook": FACEBOOK}


async def _me(call: Call, account: Account) -> Response:
    """Return the account of ``/me``, in the shape that the switch says."""
    row = rows.account_node(call, account, of_me=True).read(fields_of(call))
    is_in_data = call.request.url.path.endswith("/me") and call.world.switches.me_answer == "data"
    return graph_json({"data": [row]} if is_in_data else row)


ENDPOINTS: Final[tuple[Endpoint[Any], ...]] = (
    Endpoint("GET", APP, "access_token", "exchange_token", login.exchange_token, OURS),
    Endpoint("GET", APP, "refresh_access_token", "refresh", login.refresh_token, OURS),
    Endpoint("GET", APP, "debug_token", "page", facebook.debug_token, FACEBOOK),
    Endpoint("GET", APP, "app", "page", webhooks.show_app, ALL),
    Endpoint("GET", APP, "app/subscriptions", "subscribe", webhooks.app_subscriptions, ALL),
    Endpoint("POST", APP, "app/subscriptions", "subscribe", webhooks.subscribe_app, ALL),
    Endpoint("DELETE", APP, "app/subscriptions", "subscribe", webhooks.unsubscribe_app, ALL),
    Endpoint("GET", SEARCH, "pages/search", "page", facebook.search_places, FACEBOOK),
    Endpoint("GET", ME, "", "account", _me, OURS),
    Endpoint("GET", PERSON, "", "page", PERSON.read, PERSONS),
    Endpoint("GET", SYSTEM_USER, "", "page", SYSTEM_USER.read, UNIFIED),
    Endpoint("GET", PERSON, "accounts", "page", facebook.pages, PERSONS | UNIFIED),
    Endpoint("GET", PERSON, "businesses", "page", facebook.businesses, PERSONS, BUSINESSES),
    Endpoint("GET", PERSON, "permissions", "page", facebook.permissions, PERSONS),
    Endpoint("DELETE", PERSON, "permissions", "page", facebook.revoke, PERSONS),
    Endpoint("DELETE", PERSON, "permissions/*", "page", facebook.revoke, PERSONS),
    Endpoint("GET", BUSINESS, "owned_pages", "page", facebook.owned_pages, PERSONS, BUSINESSES),
    Endpoint("GET", BUSINESS, "client_pages", "page", facebook.client_pages, PERSONS, BUSINESSES),
    Endpoint("GET", PAGE, "", "page", PAGE.read, PAGES),
    Endpoint("GET", ACCOUNT, "", "account", ACCOUNT.read, ALL),
    Endpoint("POST", ACCOUNT, "media", "create", publishing.create, ALL, PUBLISH),
    Endpoint("POST", ACCOUNT, "media_publish", "publish", publishing.publish, ALL, PUBLISH),
    # Meta's SDK spells it so
    Endpoint("POST", ACCOUNT, "mediapublish", "publish", publishing.publish, ALL, PUBLISH),
    Endpoint("GET", ACCOUNT, "media", "media_list", media.media_list, ALL),
    Endpoint("GET", ACCOUNT, "stories", "stories", media.stories, ALL),
    Endpoint("GET", ACCOUNT, "tags", "media_list", media.tags, ALL),
    Endpoint("GET", ACCOUNT, "live_media", "media_list", media.nothing, ALL),
    Endpoint("GET", ACCOUNT, "content_publishing_limit", "limit", publishing.limit, ALL),
    Endpoint("GET", ACCOUNT, "insights", "insights", account_insights.read_insights, ALL, INSIGHTS),
    Endpoint("POST", SUBSCRIBER, "subscribed_apps", "subscribe", webhooks.subscribe, ALL),
    Endpoint("GET", SUBSCRIBER, "subscribed_apps", "subscribe", webhooks.subscriptions, ALL),
    Endpoint("DELETE", SUBSCRIBER, "subscribed_apps", "subscribe", webhooks.unsubscribe, ALL),
    Endpoint(
        "POST", SENDER, "messages", "message", media.private_reply, OURS | PAGE_TOKENS, COMMENTS
    ),
    Endpoint("GET", CONTAINER, "", "status", CONTAINER.read, ALL),
    Endpoint("GET", MEDIA, "", "media", MEDIA.read, ALL),
    Endpoint("GET", CHILD, "", "media", CHILD.read, ALL),
    Endpoint("POST", MEDIA, "", "moderate", media.change, ALL, COMMENTS),
    Endpoint("DELETE", MEDIA, "", "delete", media.delete, FACEBOOK, CONTENTS),
    Endpoint("GET", MEDIA, "children", "children", media.children, ALL),
    Endpoint("GET", MEDIA, "comments", "comments", media.list_comments, ALL, COMMENTS),
    Endpoint("POST", MEDIA, "comments", "comment", media.write_comment, ALL, COMMENTS),
    Endpoint("GET", MEDIA, "insights", "insights", media.read_insights, ALL, INSIGHTS),
    Endpoint(
        "GET", MEDIA, "collaborators", "collaborators", media.collaborators, FACEBOOK, ENGAGEMENT
    ),
    Endpoint("GET", MEDIA, "poll_attachment", "add_on", media.poll_attachment, FACEBOOK),
    Endpoint("GET", MEDIA, "prompt_response", "add_on", media.prompt_response, FACEBOOK),
    Endpoint("GET", SEARCH, "ig_audio", "audio", audio.search, FACEBOOK, PUBLISH),
    Endpoint("GET", AUDIO, "", "audio", audio.read, FACEBOOK, PUBLISH),
    Endpoint("GET", COMMENT, "", "comments", COMMENT.read, ALL),
    Endpoint("POST", COMMENT, "", "moderate", media.hide, ALL, COMMENTS),
    Endpoint("DELETE", COMMENT, "", "moderate", media.delete_comment, ALL, COMMENTS),
    Endpoint("GET", COMMENT, "replies", "comments", media.list_replies, ALL, COMMENTS),
    Endpoint("POST", COMMENT, "replies", "comment", media.write_reply, ALL, COMMENTS),
)


NOT_SERVED: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("ig_hashtag_search", "recent_media", "recently_searched_hashtags", "top_media"), "hashtags"
    ),
    "mentions": "answers to mentions",
    **dict.fromkeys(("conversations", "messages", "message_attachments"), "conversations"),
    **dict.fromkeys(("collaboration_invites", "invites"), "invitations"),
    **dict.fromkeys(
        ("available_catalogs", "catalog_product_search", "product_appeal", "product_tags"), "shops"
    ),
    **dict.fromkeys(("instagram_oembed", "oembed_post"), "oEmbed"),
    **dict.fromkeys(("scheduled_media", "upcoming_events"), "events and plans"),
    **dict.fromkeys(("async_batch_requests", "asyncadrequests"), "asynchronous batches"),
}
"""Calls that Meta documents, and the sandbox knows by name alone."""


def endpoint_of(world: World, method: str, node: str, edge: str) -> Endpoint[Any] | None:
    """Return the row of a call.

    :return: The row; for an id that nothing has, that of any object with this edge; None if no
        object has the edge.
    """
    for of_no_object in _BY_CALL.get((method, f"{node}/{edge}".rstrip("/")), ()):
        if not of_no_object.kind.name:
            return of_no_object
    found = (
        _BY_CALL.get((method, edge)) or _BY_CALL.get((method, f"{edge.partition('/')[0]}/*")) or []
    )
    found = [one for one in found if one.kind.name]
    owned = next((one for one in found if one.kind.owns(world, node)), None)
    if owned is not None or not found or (method, edge) == ("GET", ""):
        return owned
    return found[0] if node.isdecimal() or found[0].kind is ACCOUNT else None


_BY_CALL: Final[dict[tuple[str, str], list[Endpoint[Any]]]] = {}
for _one in ENDPOINTS:
    _BY_CALL.setdefault((_one.method, _one.edge), []).append(_one)
