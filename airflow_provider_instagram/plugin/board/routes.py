"""The routes of the page *Posts*. Each checks who asks, and what Airflow's own pages allow that user."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Header, HTTPException, Query, Request
from fastapi import Path as InPath
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, Response

from airflow_provider_instagram.calendar.tasks.covers import NAME as COVER_NAME
from airflow_provider_instagram.plugin.board import acts, edits, media
from airflow_provider_instagram.plugin.board.boards import Boards, etag, read_etag
from airflow_provider_instagram.plugin.board.deletions import deletion_dag, question_about
from airflow_provider_instagram.plugin.board.detail import cannot, detail_of
from airflow_provider_instagram.plugin.board.rights import READ, VIEWER, may, may_act, may_edit, require_read
from airflow_provider_instagram.plugin.board.states import NOT_DELETED
from airflow_provider_instagram.plugin.pages import templates
from airflow_provider_instagram.plugin.state import BrowserState
from airflow_provider_instagram.plugin.users import PageUser, check_form
from airflow_provider_instagram.utils.pages import pages_path

#: Files that the page loads, with their types.
STATIC: Final = {"css": "text/css", "js": "text/javascript", "mjs": "text/javascript"}
FOLDER: Final = Path(__file__).with_name("static")
#: Airflow's pages may frame the page. Nobody else may, and nothing comes from elsewhere.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
JSON: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

#: What a user reads about a post with an unknown outcome who may not settle it.
SETTLED_BY: Final = (
    "To record whether it is live takes the rights to edit this DAG's task instances and assets. Ask somebody who has "
    "them, such as an administrator of Airflow."
)

router = APIRouter(prefix="/calendar")
boards = Boards()


@router.get("/")
def page(user: Any = VIEWER) -> Response:
    """Show the page. What it shows comes from the routes below, so that it needs no rights by itself."""
    version = str(int(max(file.stat().st_mtime for file in FOLDER.iterdir())))
    html = templates.get_template("board.html").render(
        root=pages_path(), form_token=BrowserState().form_token(user.id), version=version
    )
    return HTMLResponse(html, headers=HEADERS)


@router.get("/static/{version}/{name}.{kind}")
def static(
    name: Annotated[str, InPath(pattern="^[a-z]+$")], kind: Annotated[str, InPath(pattern="^(css|m?js)$")],
    user: Any = VIEWER,
) -> Response:  # fmt: skip
    """Return a module of the page's script, or its style. The version is in the path, so that modules share it."""
    file = FOLDER / f"{name}.{kind}"
    if not file.exists():
        raise HTTPException(404, "The page has no such file.")
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=86400"}
    return Response(file.read_bytes(), media_type=STATIC[kind], headers=headers)


@router.get("/{name}.svg")
def icon(name: Annotated[str, InPath(pattern="^icon(-dark)?$")], user: Any = VIEWER) -> Response:
    """Return the icon of the menu's entry."""
    headers = {**media.HARMLESS, "Cache-Control": "private, max-age=86400"}
    return Response((FOLDER / f"{name}.svg").read_bytes(), media_type="image/svg+xml", headers=headers)


@router.get("/api/posts")
def posts(
    user: Any = VIEWER,
    dag_id: str | None = None,
    if_none_match: Annotated[str, Header()] = "",
    first: Annotated[int, Query(alias="from")] = 0,
    last: Annotated[int, Query(alias="to")] = 2**40,
) -> Response:
    """Return the cards of the posts in a span of time. 304 if the page shows them already."""
    if dag_id is not None:
        require_read(user, dag_id)
    begun_s = time.perf_counter()
    tag, content = boards.answer(user, dag_id, (first, last), if_none_match)
    headers = {**JSON, "ETag": tag, "Server-Timing": f"cards;dur={1000 * (time.perf_counter() - begun_s):.1f}"}
    if content is None:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


@router.get("/api/post")
def post(dag_id: str, post_id: str, seen: str = "", user: Any = VIEWER) -> Response:
    """Return everything about one post, with what this user can do to it, unless the page shows it already."""
    require_read(user, dag_id)
    board = boards.board(dag_id, read_etag(seen)[0])
    try:
        content = detail_of(board, post_id)
    except KeyError:
        raise HTTPException(404, "The calendar has no such post any more.") from None
    offered = content["acts"]
    content["acts"] = [act for act in offered if may_act(user, dag_id, act)]
    content["cannot"] = cannot(board.facts.get(post_id), content["acts"])
    if "confirm_deletion" in content["acts"] and (asked := question_about(board.facts[post_id])) is not None:
        content["deletion"] = asdict(asked)
    if content["why"] == NOT_DELETED and may(user, deletion_dag(), READ):
        content |= board.facts[post_id].why_not_deleted
    if "live" in offered and "live" not in content["acts"]:
        content["hint"] = f"{content['hint']} {SETTLED_BY}".strip()
    if not board.is_sheet and may_edit(user, dag_id):
        content["edit"] = edits.offered(board, post_id)
    return JSONResponse(content, headers=JSON)


@router.get("/api/covers/{name}.jpg")
def cover(
    name: Annotated[str, InPath(pattern=COVER_NAME)], dag_id: str, size: str = "small", user: Any = VIEWER
) -> Response:
    """Return the cover of a post, or of an item of its carousel."""
    require_read(user, dag_id)
    board = boards.board(dag_id)
    if not media.has_cover(board, name):  # another API server process has seen the card earlier
        board = boards.board(dag_id, is_fresh=True)
    return media.cover(board, name, is_small=size == "small")


@router.get("/api/video")
def video(
    request: Request, dag_id: str, post_id: str, item: Annotated[int, Query(ge=1, le=10)] = 1, user: Any = VIEWER
) -> Response:
    """Return a part of the video of a post, or of a video in its carousel."""
    require_read(user, dag_id)
    board = boards.board(dag_id)
    facts = board.facts.get(post_id)
    if facts is None or facts.run is None:
        raise HTTPException(404, "There is no transcoded video of this post.")
    return media.video(board, facts.post.account, facts.run, item, request.headers.get("range", ""))


@router.post("/api/acts")
async def act(request: Request, given: Annotated[dict[str, Any], Body()], user: Any = VIEWER) -> Response:
    """Do something to a post."""
    token = given.get("form_token")
    check_form(request, {"form_token": token if isinstance(token, str) else ""}, user)
    dag_id, post_id, name = (str(given.get(key) or "") for key in ("dag_id", "post_id", "act"))
    if name not in acts.DOES:
        raise HTTPException(422, f"{name!r} is nothing that can be done to a post.")
    board = await run_in_threadpool(_fresh_board, user, dag_id)
    facts = board.facts.get(post_id)
    if facts is None:
        raise HTTPException(404, "The calendar has no such post any more.")
    done = await acts.perform(acts.Act(name, board, facts, user, request, given))
    board = await run_in_threadpool(boards.board, dag_id, is_fresh=True)
    return JSONResponse({"done": done, "seen": etag(board.seen_s)}, headers=JSON)


@router.post("/api/edits")
async def edit(request: Request, given: edits.EditRequest, user: Any = VIEWER) -> Response:
    """Edit a post in the calendar's file."""
    check_form(request, {"form_token": given.form_token}, user)
    board = await run_in_threadpool(_editable_board, user, given.dag_id)
    return JSONResponse(await edits.edit(board, user, request, given), headers=JSON)


@router.post("/api/music")
def music(request: Request, given: edits.MusicRequest, user: Any = VIEWER) -> Response:
    """Search music for a reel. Nothing is changed, but Instagram is asked in the name of the account."""
    check_form(request, {"form_token": given.form_token}, user)
    board = _editable_board(user, given.dag_id)
    return JSONResponse({"music": edits.music(board, given)}, headers=JSON)


@router.get("/api/files")
def files(dag_id: str, user: Any = VIEWER) -> Response:
    """Return the files of which a post can be made, and the accounts that the calendar may name."""
    board = _editable_board(user, dag_id)
    content = {"files": edits.media_files(board), "accounts": list(board.calendar.accounts)}
    return JSONResponse(content, headers=JSON)


@router.post("/api/files")
async def upload(
    request: Request, dag_id: str, name: Annotated[str, Query(pattern=edits.FILE_NAME)],
    x_form_token: Annotated[str, Header()] = "", user: Any = VIEWER,
) -> Response:  # fmt: skip
    """Write a file into the calendar's folder."""
    check_form(request, {"form_token": x_form_token}, user)
    board = await run_in_threadpool(_editable_board, user, dag_id)
    return JSONResponse({"done": await edits.upload(board, user, request, name)}, headers=JSON)


def _editable_board(user: PageUser, dag_id: str) -> Any:
    if not may_edit(user, dag_id):
        raise HTTPException(403, f"You do not have permission to edit the posts of {dag_id!r}.")
    board = boards.board(dag_id, is_fresh=True)
    if board.is_sheet:
        raise HTTPException(409, "The plan of this calendar is a sheet on the web: edit it there. Nothing was changed.")
    return board


def _fresh_board(user: PageUser, dag_id: str) -> Any:
    require_read(user, dag_id)
    return boards.board(dag_id, is_fresh=True)
