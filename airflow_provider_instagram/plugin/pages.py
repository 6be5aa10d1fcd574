"""The pages as HTML: one style, nothing from elsewhere, in no frame of others."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from airflow.configuration import conf
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.responses import HTMLResponse

from airflow_provider_instagram.plugin import PAGES

_FOLDER: Final = Path(__file__).with_name("templates")
_templates: Final = Environment(loader=FileSystemLoader(_FOLDER), autoescape=select_autoescape(), trim_blocks=True)
_STYLE: Final = (_FOLDER / "style.css").read_text()
#: Where Instagram's pictures of accounts come from.
_PICTURES: Final = "https://*.cdninstagram.com https://*.fbcdn.net"
#: Where the answer to our form may lead: to Meta's login, or to a sandbox on this machine.
_LOGINS: Final = "https://www.instagram.com http://127.0.0.1:* http://localhost:*"


def root() -> str:
    """Give the path below which our pages are."""
    return f"{urlsplit(conf.get('api', 'base_url', fallback='')).path.rstrip('/')}{PAGES}"


def page(name: str, *, status: int = 200, hosts: str = "", **context: Any) -> HTMLResponse:
    """Make a page.

    :param name: Its template.
    :param status: Its HTTP status.
    :param hosts: Origins that its pictures and its form may lead to, beside Instagram's.
    :param context: What the template needs.
    """
    nonce = secrets.token_urlsafe(16)
    html = _templates.get_template(name).render(style=_STYLE, nonce=nonce, root=root(), **context)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data: {_PICTURES} {hosts}; "
        f"form-action 'self' {_LOGINS} {hosts}; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(html, status, headers=headers)


def problem(title: str, text: str, *, hint: str = "", status: int = 400, **context: Any) -> HTMLResponse:
    """Say that something did not work, and what to do."""
    return page("problem.html", status=status, title=title, text=text, hint=hint, **context)
