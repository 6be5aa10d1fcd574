"""The sandbox's pages: profiles, posts and the login, all without external content."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import FileResponse, HTMLResponse, Response

from instagram_sandbox.simulator import comments, insights
from instagram_sandbox.simulator.processing import refusal
from instagram_sandbox.simulator.switches import mode_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from instagram_sandbox.simulator.sandbox import Sandbox
    from instagram_sandbox.simulator.state import Account, Child, Container, Post


def _planned(**fault: Any) -> dict[str, Any]:
    return {"method": "POST", "path": "faults", "body": fault}


def _processed(**processing: Any) -> dict[str, Any]:
    return {"method": "POST", "path": "processing", "body": {"processing": processing}}


_FOLDER: Final = Path(__file__).parent / "templates"
_templates = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
)
JOURNAL_ROWS: Final = 40
ACTIONS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("Lose the answer to a publish", _planned(operation="publish", drop=True, when="after")),
    ("Publish: not ready", _planned(operation="publish", code=9007, subcode=2207027)),
    ("Status: Meta is down", _planned(operation="status", html=True)),
    (
        "Status: no container is shown",
        _planned(operation="status", code=100, subcode=33, times=0),
    ),
    ("Throttle a call", _planned(operation="*", code=80002)),
    ("Token expired", _planned(operation="*", code=190, subcode=0)),
    ("Cut an upload at 100 kB", _planned(operation="upload", cut_after_bytes=100_000)),
    ("Create: 10 s late", _planned(operation="create", delay_s=10)),
    ("Reject the next medium", _processed(outcome="error", subcode=2207026)),
    ("Never finish the next one", _processed(never=True)),
    ("Remove all faults", {"method": "DELETE", "path": "faults"}),
    ("An hour later", {"method": "POST", "path": "clock", "body": {"seconds": 3600}}),
    ("A day later", {"method": "POST", "path": "clock", "body": {"seconds": 86_400}}),
)
"""The buttons of the page, and the control route that each calls."""
_SECURITY: Final = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # without a referrer, a form's request has the origin "null"
    "Cache-Control": "no-store",
}


def _ago(epoch_s: float, now: float) -> str:
    seconds = int(now - epoch_s)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "just now"


def _clock(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, timezone.utc).strftime("%d %b %Y, %H:%M:%S UTC")


_templates.filters["clock"] = _clock


def page(
    request: Request,
    name: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
    allow_submit: bool = False,
) -> Response:
    """Render a page.

    :param allow_submit: Whether the page has a form, which may redirect to any app's URL.
    """
    html = _templates.get_template(name).render(base=str(request.base_url).rstrip("/"), **context)
    # form-action also governs where the answer to a form redirects, and that is the app's own
    # redirect_uri.
    form_action = "" if allow_submit else "form-action 'none'; "
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; script-src 'self'; "
        f"connect-src 'self'; {form_action}base-uri 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(html, status, headers=_SECURITY | {"Content-Security-Policy": policy})


FILES: Final[dict[str, dict[str, str]]] = {
    "_static": {
        "sandbox.css": "text/css",
        "sandbox.js": "text/javascript",
        "icon.svg": "image/svg+xml",
    },
    "samples": {"reel.mp4": "video/mp4", "picture.jpg": "image/jpeg"},
    "redirects": dict.fromkeys(
        ("redirect.cjs", "sandbox_redirect.py", "sandbox_redirect.php", "sandbox_redirect.go"),
        "text/plain",
    ),
}
"""What the sandbox serves beside pages and media, by its path: parts of the pages, samples, redirect helpers."""


class _File(FileResponse):
    """A file that ignores a ``Range`` that cannot be read. Source: RFC 9110, 14.2."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the whole file, or the ranges that are asked for."""
        headers = [
            (name, value)
            for name, value in scope["headers"]
            if name != b"range" or _is_range(value)
        ]
        await super().__call__({**scope, "headers": headers}, receive, send)


def _is_range(value: bytes) -> bool:
    spans = re.fullmatch(rb"bytes=((\d+-\d*|-\d+)(\s*,\s*(\d+-\d*|-\d+))*)", value)
    ends = [span.strip().split(b"-") for span in spans[1].split(b",")] if spans else []
    return bool(ends) and all(
        not first or not last or int(first) <= int(last) for first, last in ends
    )


def static_file(path: str, name: str) -> Response:
    """Return a file of the sandbox itself, in ranges if the client asks for them."""
    kind = FILES[path].get(name)
    if kind is None:
        return Response(status_code=404)
    folder = _FOLDER if path == "_static" else _FOLDER.parent / path
    return _File(folder / name, media_type=kind, headers={"Cache-Control": "no-cache"})


def profile(sandbox: Sandbox, request: Request, username: str | None) -> Response:
    """Show an account as Instagram shows a profile."""
    accounts = list(sandbox.world.accounts.values())
    account = next(
        (a for a in accounts if a.username == username), accounts[0] if username is None else None
    )
    if account is None:
        return page(
            request,
            "problem.html",
            {"problem": f"This sandbox has no account {username}."},
            status=404,
        )
    context = {
        "account": account,
        "accounts": accounts,
        "posts": [p for p in sandbox.world.existing_posts(account.user_id) if not p.is_story],
        "stories": [p for p in sandbox.world.existing_posts(account.user_id) if p.is_story],
        "waiting": _waiting(sandbox, account),
        "quota_usage": sandbox.world.quota_usage(account.user_id),
        "quota_total": sandbox.world.switches.quota_total,
        "actions": ACTIONS,
        "faults": sandbox.faults,
        "switches": _switches(sandbox),
        "entries": list(islice(sandbox.journal.newest(), JOURNAL_ROWS)),
        "now": sandbox.now,
        "ago": _ago,
    }
    return page(request, "profile.html", context)


def _switches(sandbox: Sandbox) -> list[tuple[str, str, str]]:
    """Return each switch with its value, and the mode that it belongs to."""
    values = sandbox.world.switches
    shown = values.model_dump(mode="json", exclude_none=True)
    return [
        (name, json.dumps(shown.get(name)).replace('"', ""), mode_of(name, getattr(values, name)))
        for name in type(values).model_fields
    ]


def picture(sandbox: Sandbox, username: str) -> Response:
    """Return an account's picture: its initial on Instagram's colours."""
    if all(account.username != username for account in sandbox.world.accounts.values()):
        return Response(status_code=404)
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96"><defs><linearGradient id="g" x2="1" y2="0" y1="1">'
        '<stop stop-color="#ffb457"/><stop offset=".5" stop-color="#e2346f"/><stop offset="1" stop-color="#7d3bdc"/>'
        '</linearGradient></defs><rect width="96" height="96" fill="url(#g)"/><text x="48" y="63" fill="#fff" '
        f'font-family="sans-serif" font-size="42" text-anchor="middle">{username[0].upper()}</text></svg>'
    )
    return Response(svg, media_type="image/svg+xml", headers={"X-Content-Type-Options": "nosniff"})


def _waiting(sandbox: Sandbox, account: Account) -> list[tuple[Container, str, str]]:
    """Return the containers that are not published yet, with their state and what is wrong with them."""
    rows = []
    for container in sandbox.world.containers.values():
        code = sandbox.world.status_code(container)
        if (
            container.user_id == account.user_id
            and not container.post_ids
            and not container.is_carousel_item
        ):
            failure = sandbox.world.shown_failure(container)
            rows.append(
                (container, code or "ERROR", refusal(container, failure) if failure else "")
            )
    return sorted(rows, key=lambda row: row[0].created_at, reverse=True)[:6]


def post_page(sandbox: Sandbox, request: Request, name: str) -> Response:
    """Show one post, as its permalink does.

    :param name: Its shortcode, or the number of a story.
    """
    world = sandbox.world
    post = next((p for p in world.existing_posts() if name in {p.shortcode, p.ig_id}), None)
    if post is None:
        return page(request, "problem.html", {"problem": "This page isn't available."}, status=404)
    names = insights.BY_PRODUCT[post.media_product_type]
    context = {
        "post": post,
        "children": [world.children[child] for child in post.children],
        "comments": _threads(sandbox, post),
        "numbers": [
            (insights.METRICS[name].title, insights.value(world, post, name)) for name in names
        ],
        "account": world.accounts[post.user_id],
        "sponsors": [
            world.accounts[one].username if one in world.accounts else one for one in post.sponsors
        ],
        "now": sandbox.now,
        "ago": _ago,
    }
    return page(request, "post.html", context)


def _threads(sandbox: Sandbox, post: Post) -> list[Any]:
    """Return the comments on a post, each followed by its replies."""
    found = comments.on_post(sandbox.world, post.id)
    return sorted(found, key=lambda c: (c.parent_id or c.id, c.parent_id is not None, c.created_at))


def media_file(sandbox: Sandbox, name: str) -> Response:
    """Return the video or picture of a post or a carousel's child, in ranges if the browser asks for them."""
    media_id, _, ending = name.partition(".")
    world = sandbox.world
    medium: Post | Child | None = world.post(media_id) or world.children.get(media_id)
    if medium is None or medium.container_id is None:
        return Response(status_code=404)
    container = world.containers[medium.container_id]
    source = container.children[0] if container.children else container.id
    files = {
        "mp4": (sandbox.processor.video(source), "video/mp4"),
        "jpg": (sandbox.processor.cover(source), "image/jpeg"),
    }
    path, kind = files.get(ending, (None, ""))
    if path is None or not path.exists():
        return Response(status_code=404)
    return _File(path, media_type=kind, headers={"X-Content-Type-Options": "nosniff"})
