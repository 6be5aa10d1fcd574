"""The routes of the Posts page. Each checks who asks, and what Airflow's own pages allow that user."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, HTTPException, Query, Request
from fastapi import Path as InPath
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from airflow_provider_instagram.plugin import users
from airflow_provider_instagram.plugin.board import acts, edits, forms, media, uploads
from airflow_provider_instagram.plugin.board.boards import Boards, etag, read_etag
from airflow_provider_instagram.plugin.board.detail import cannot, deletion_of, detail_of
from airflow_provider_instagram.plugin.bodies import Json, json_body
from airflow_provider_instagram.plugin.pages import templates
from airflow_provider_instagram.utils.pages import pages_path

#: Files that the page loads, with their types.
STATIC: Final = {
    "css": "text/css",
    "js": "text/javascript",
    "mjs": "text/javascript",
    "svg": "image/svg+xml",
}
FOLDER: Final = Path(__file__).with_name("static")
#: Airflow's pages may frame the page. Nobody else may, and nothing comes from elsewhere.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
#: What a user reads about a post with an unknown outcome who may not settle it.
SETTLED_BY: Final = (
    "To record whether it is live takes the rights to edit this DAG's task instances and assets. Ask somebody who has "
    "them, such as an administrator of Airflow."
)

#: Later than any post, in seconds since the epoch.
LATEST: Final = 2**40

router = APIRouter(prefix="/calendar")
boards = Boards()


@router.get("/")
def page(user: users.Viewer) -> Response:
    """Show the page. What it shows comes from the routes below, so that it needs no rights by itself."""
    version = str(int(max(file.stat().st_mtime for file in FOLDER.iterdir())))
    html = templates.get_template("board.html").render(
        root=pages_path(), form_token=user.form_token, user=user.id, version=version
    )
    headers = {"Content-Security-Policy": POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return HTMLResponse(html, headers=headers)


@router.get("/static/{version}/{name}.{kind}")
def static(
    name: Annotated[str, InPath(pattern="^[a-z-]+$")],
    kind: Annotated[str, InPath(pattern="^(css|m?js|svg)$")],
    user: users.Viewer,
) -> Response:
    """Return a module of the page's script, its style, or an icon. Modules share the version."""
    file = FOLDER / f"{name}.{kind}"
    if not file.exists():
        raise HTTPException(404, "The page has no such file.")
    headers = {**media.HARMLESS, "Cache-Control": "private, max-age=86400"}
    return Response(file.read_bytes(), media_type=STATIC[kind], headers=headers)


@router.get("/api/posts")
def posts(
    user: users.Viewer,
    dag_id: str | None = None,
    if_none_match: Annotated[str, Header()] = "",
    first: Annotated[int, Query(alias="from", le=LATEST, ge=-LATEST)] = 0,
    last: Annotated[int, Query(alias="to", le=LATEST, ge=-LATEST)] = LATEST,
    q: Annotated[str, Query(max_length=300)] = "",
) -> Response:
    """Return the cards of the posts in a span of time, and those that a search finds. 304 if the page shows them."""
    if dag_id is not None:
        users.require_read(user, dag_id)
    tag, content = boards.answer(user, dag_id, (first, last), if_none_match, q)
    headers = {"ETag": tag}
    if content is None:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


@router.get("/api/post")
def post(user: users.Viewer, dag_id: str, post_id: str, seen: str = "") -> Json:
    """Return everything about one post, with what this user can do to it, unless the page shows it already."""
    users.require_read(user, dag_id)
    board = boards.board(dag_id, read_etag(seen)[0])
    try:
        content = detail_of(board, post_id)
    except KeyError:
        raise HTTPException(404, "The calendar has no such post any more.") from None
    offered = content["acts"]
    content["acts"] = [act for act in offered if users.may_act(user, dag_id, act)]
    content["cannot"] = cannot(board, post_id, content["acts"])
    content["deletion"] = deletion_of(board, post_id, user)
    if "live" in offered and "live" not in content["acts"]:
        content["hint"] = f"{content['hint']} {SETTLED_BY}".strip()
    if not board.is_edited_elsewhere and users.may_edit(user, dag_id):
        content["edit"] = forms.offered(board, post_id)
    return content


@router.get("/api/video")
def video(
    request: Request,
    user: users.Viewer,
    dag_id: str,
    post_id: str,
    item: Annotated[int, Query(ge=1, le=10)] = 1,
) -> Response:
    """Return a part of the video of a post, or of a video in its carousel."""
    users.require_read(user, dag_id)
    board = boards.board(dag_id)
    facts = board.facts.get(post_id)
    if facts is None:
        raise HTTPException(404, "There is no transcoded video of this post.")
    return media.video_part(board, facts, item, request.headers.get("range", ""))


@router.post("/api/acts")
async def act(
    request: Request,
    given: Annotated[acts.ActRequest, json_body(acts.ActRequest)],
    user: users.Viewer,
) -> Json:
    """Do something to a post."""
    board = await run_in_threadpool(_fresh_board, user, given.dag_id)
    facts = board.facts.get(given.post_id)
    if facts is None:
        raise HTTPException(404, "The calendar has no such post any more.")
    done = await acts.perform(acts.Act(board, facts, user, request, given))
    board = await run_in_threadpool(boards.board, given.dag_id, is_fresh=True)
    return {"done": done, "seen": etag(board.seen_s)}


@router.post("/api/edits")
async def edit(
    given: Annotated[edits.EditRequest, json_body(edits.EditRequest)], user: users.Viewer
) -> Json:
    """Edit a post in the calendar's file."""
    board = await run_in_threadpool(editable_board, user, given.dag_id)
    return await edits.edit(board, user, given)


@router.post("/api/changes")
def change_all(
    given: Annotated[edits.ChangesRequest, json_body(edits.ChangesRequest)], user: users.Viewer
) -> Json:
    """Change several posts in the calendar's file at once."""
    board = editable_board(user, given.dag_id)
    return edits.change_all(board, user, given.requests())


@router.get("/api/fill")
def proposed_times(dag_id: str, user: users.Viewer) -> Json:
    """Return which times the posts without one would get."""
    board = editable_board(user, dag_id)
    return edits.fill(board, user)


@router.post("/api/fill")
def fill_in(
    given: Annotated[edits.FillRequest, json_body(edits.FillRequest)], user: users.Viewer
) -> Json:
    """Write proposed times into the calendar's file."""
    board = editable_board(user, given.dag_id)
    return edits.fill(board, user, given.proposal)


@router.get("/api/files")
def files(dag_id: str, user: users.Viewer) -> Json:
    """Return what a form needs: files, accounts and fields."""
    return forms.for_form(editable_board(user, dag_id))


@router.get("/api/file")
def shown_file(request: Request, user: users.Viewer, dag_id: str, name: str) -> Response:
    """Return a picture, or a part of a video, from the calendar's folder. Who may edit may choose any of them."""
    return media.file_part(editable_board(user, dag_id), name, request.headers.get("range", ""))


@router.post("/api/files")
async def upload(
    request: Request,
    dag_id: str,
    name: str,
    user: users.Viewer,
    x_form_token: Annotated[str, Header()] = "",
) -> Json:
    """Write a file into the calendar's folder."""
    users.check_form(request, x_form_token, user)
    board = await run_in_threadpool(editable_board, user, dag_id)
    return await uploads.upload(board, user, request, name)


def editable_board(user: users.PageUser, dag_id: str) -> Any:
    """Return the board of a calendar that a user may edit, as it is now.

    :raises HTTPException: If the user may not, or the calendar is edited elsewhere.
    """
    if not users.may_edit(user, dag_id):
        raise HTTPException(403, f"You do not have permission to edit the posts of {dag_id!r}.")
    board = boards.board(dag_id, is_fresh=True)
    if board.is_edited_elsewhere:
        raise HTTPException(
            409, "The page edits YAML only: edit this calendar where it is. Nothing was changed."
        )
    return board


def _fresh_board(user: users.PageUser, dag_id: str) -> Any:
    users.require_read(user, dag_id)
    return boards.board(dag_id, is_fresh=True)
