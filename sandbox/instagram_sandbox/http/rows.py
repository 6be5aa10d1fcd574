"""The fields of an account, a container and a post, as a read returns them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from instagram_sandbox.simulator.clock import graph_time
from instagram_sandbox.simulator.errors import GraphError

if TYPE_CHECKING:
    from instagram_sandbox.http.pipeline import Call
    from instagram_sandbox.simulator.sandbox import Sandbox
    from instagram_sandbox.simulator.state import Account, Container, MediaFacts, Post, Token

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

_STATUS_TEXT: Final = {
    "FINISHED": "Finished: Media has been uploaded and it is ready to be published.",
    "IN_PROGRESS": "In Progress: Media is still being processed.",
    "PUBLISHED": "Published: Media has been published.",
    "EXPIRED": "Expired: Media was not published within 24 hours.",
    "": "Error: Media download has failed.",
}


def fields_of(call: Call, known: tuple[str, ...], node_type: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """Return the requested fields, plus the id. Subfields are ignored."""
    text = re.sub(r"\{[^{}]*\}", "", str(call.params.get("fields", "")))
    asked = [name.strip() for name in text.split(",") if name.strip()]
    for name in asked:
        if name not in known:
            raise GraphError(100, None, f"(#100) Tried accessing nonexisting field ({name}) on node type ({node_type})")
    names = tuple(dict.fromkeys(asked)) or default
    return names if "id" in names or "id" not in known else (*names, "id")


def media_fields(call: Call) -> tuple[str, ...]:
    """Return the requested fields of posts."""
    return fields_of(call, MEDIA_FIELDS, "Media", ("id",))


def account_row(call: Call, account: Account, *, of_me: bool) -> dict[str, Any]:
    """Return an account's row; ``/me`` has an app-scoped id."""
    fields = fields_of(call, ACCOUNT_FIELDS, "IGUser", ("id",))
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


def facebook_row(call: Call, account: Account, token: Token) -> dict[str, Any]:
    """Return the owner of a Facebook Login token: a Page with its Instagram account, or a person.

    Source: Meta, Page reference, instagram_business_account; User reference.
    """
    linked = ("instagram_business_account",) if token.kind == "page" else ()
    fields = fields_of(call, ("id", "name", *linked), "Page" if linked else "User", ("id", "name"))
    inner = re.search(r"instagram_business_account\{([^{}]*)\}", str(call.params.get("fields", "")))
    asked = {name.strip() for name in inner[1].split(",")} if inner else set()
    picture = f"{call.base_url}/u/{account.username}/picture.svg"
    known = {"username": account.username, "name": account.name, "profile_picture_url": picture}
    row = {
        "id": "10" + account.user_id[-13:],
        "name": account.name or account.username,
        "instagram_business_account": {name: known[name] for name in known if name in asked} | {"id": account.user_id},
    }
    return {name: row[name] for name in fields}


def container_row(call: Call, container: Container) -> dict[str, Any]:
    """Return a container's row, and count the read."""
    fields = fields_of(call, CONTAINER_FIELDS, "ShadowIGMediaBuilder", ("id",))
    container.polls += 1
    call.world.keep(container)
    code = call.world.status_code(container)
    status = _STATUS_TEXT.get(code, "")
    if code == "ERROR":
        failure = call.world.failure(container)
        status = f"Error: Media upload has failed with error code {failure.subcode if failure else ''}"
    row: dict[str, Any] = {
        "id": container.id,
        "status_code": code,
        "status": status,
        "video_status": video_status(call.sandbox, container, code),
        "copyright_check_status": {"status": "completed", "matches_found": False},
    }
    return {name: row[name] for name in fields}


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


def media_row(call: Call, post: Post, fields: tuple[str, ...]) -> dict[str, Any]:
    """Return a post's row."""
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
