"""The pages as HTML: one style, nothing from elsewhere, in no frame of others."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from airflow.configuration import conf
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.responses import HTMLResponse

from airflow_provider_instagram.graph.addresses import Origin, safe_link
from airflow_provider_instagram.plugin import PAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

_FOLDER: Final = Path(__file__).with_name("templates")
_templates: Final = Environment(loader=FileSystemLoader(_FOLDER), autoescape=select_autoescape(), trim_blocks=True)
_templates.filters["safe_link"] = safe_link
_STYLE: Final = (_FOLDER / "style.css").read_text()
#: Browsers and proxies refuse long headers. Instagram's own pictures need no source of their own.
MOST_SOURCES: Final = 100
#: Where Instagram's pictures of accounts come from.
_PICTURES: Final = "https://*.cdninstagram.com https://*.fbcdn.net"
#: Where the answer to our form may lead: to Meta's login, or to a sandbox on this machine.
_LOGINS: Final = "https://www.instagram.com http://127.0.0.1:* http://localhost:*"


def root() -> str:
    """Give the path below which our pages are."""
    return f"{urlsplit(conf.get('api', 'base_url', fallback='')).path.rstrip('/')}{PAGES}"


def page(
    name: str,
    *,
    status: int = 200,
    pictures: Iterable[str | None] = (),
    logins: Iterable[str | None] = (),
    **context: Any,
) -> HTMLResponse:
    """Make a page.

    :param name: Its template.
    :param status: Its HTTP status.
    :param pictures: Addresses of its pictures, whose origins are allowed beside Instagram's.
    :param logins: Hosts that the answer to its form may lead to, beside Meta's: read by us, never as they came.
    :param context: What the template needs.
    """
    nonce = secrets.token_urlsafe(16)
    html = _templates.get_template(name).render(style=_STYLE, nonce=nonce, root=root(), **context)
    # Of two directives of one name the first counts, so nothing that comes later can allow a script.
    policy = (
        f"script-src 'none'; default-src 'none'; style-src 'nonce-{nonce}'; "
        f"img-src data: {_PICTURES}{_sources(map(_origin, pictures))}; "
        f"form-action 'self' {_LOGINS}{_sources(logins)}; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(html, status, headers=headers)


def _origin(address: str | None) -> str | None:
    origin = Origin.of(address)
    return None if origin is None else str(origin)


def _sources(sources: Iterable[str | None]) -> str:
    return "".join(f" {source}" for source in sorted(set(filter(None, sources)))[:MOST_SOURCES])


def problem(title: str, text: str, *, hint: str = "", status: int = 400, **context: Any) -> HTMLResponse:
    """Say that something did not work, and what to do."""
    return page("problem.html", status=status, title=title, text=text, hint=hint, **context)
