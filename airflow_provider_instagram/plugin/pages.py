"""Render the pages as HTML, with one style, no external content, and no way to frame them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse

from airflow_provider_instagram.utils.pages import pages_path
from airflow_provider_instagram.utils.urls import safe_link

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FOLDER: Final = Path(__file__).with_name("templates")
#: StrictUndefined, because a name that a template misspells must fail a test, not vanish from the
#: page.
templates: Final = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=select_autoescape(),
    trim_blocks=True,
    undefined=StrictUndefined,
)
templates.filters["safe_link"] = safe_link
_STYLE: Final = (_FOLDER / "style.css").read_text()
#: Headers of all answers, unless they have others: what they contain is read once, by our own pages.
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: Browsers and proxies refuse long headers.
MOST_SOURCES: Final = 100
#: Where Instagram's pictures of accounts come from, and those of a sandbox on this machine.
_PICTURES: Final = (
    "https://*.cdninstagram.com https://*.fbcdn.net http://127.0.0.1:* http://localhost:*"
)
#: Where our form may redirect to: Meta's login, or a sandbox on this machine.
_LOGINS: Final = (
    "https://www.instagram.com https://www.facebook.com http://127.0.0.1:* http://localhost:*"
)


def page(
    name: str,
    *,
    status: int = 200,
    logins: Iterable[str | None] = (),
    **context: Any,
) -> HTMLResponse:
    """Render a page.

    :param logins: Sources that its form may redirect to, in addition to Meta's. They must be
        parsed, never raw input.
    """
    nonce = secrets.token_urlsafe(16)
    html = templates.get_template(name).render(
        style=_STYLE, nonce=nonce, root=pages_path(), **context
    )
    # The first of two directives with the same name counts, so nothing that follows can allow a
    # script.
    policy = (
        f"script-src 'none'; default-src 'none'; style-src 'nonce-{nonce}'; "
        f"img-src data: {_PICTURES}; "
        f"form-action 'self' {_LOGINS}{_sources(logins)}; base-uri 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(
        html, status, {"Content-Security-Policy": policy, "X-Frame-Options": "DENY"}
    )


def _sources(sources: Iterable[str | None]) -> str:
    return "".join(f" {source}" for source in sorted(set(filter(None, sources)))[:MOST_SOURCES])


def problem(
    title: str,
    text: str,
    *,
    hint: str = "",
    status: int = 400,
    conn_id: str = "",
    login: str = "",
    has_pages: bool = True,
) -> HTMLResponse:
    """Render a page that says what went wrong and what to do.

    :param login: The address of Airflow's login, for a user who is not logged in.
    """
    links: dict[str, Any] = {"conn_id": conn_id, "login": login, "has_pages": has_pages}
    return page("problem.html", status=status, title=title, text=text, hint=hint, **links)


class OwnHeaders:
    """Middleware that adds the headers of our pages. No error is kept: its cause may be gone by the next request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if message["status"] >= 400:
                    headers["Cache-Control"] = "no-store"
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)
