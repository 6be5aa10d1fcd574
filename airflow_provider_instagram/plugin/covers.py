"""The covers shown in the approvals of a calendar's posts, for users who are logged in."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import get_user
from fastapi import APIRouter, Depends, HTTPException
from fastapi import Path as InPath
from starlette.responses import Response

from airflow_provider_instagram.calendar.tasks.covers import cover_file
from airflow_provider_instagram.files import storage

router = APIRouter()


@router.get("/covers/{version}.jpg", dependencies=[Depends(get_user)])
def cover(version: Annotated[str, InPath(pattern="^[0-9a-f]{16}$")]) -> Any:
    """Return a cover."""
    content = storage.read(cover_file(version))
    if content is None:
        raise HTTPException(404, "[instagram] calendar_snapshots does not contain this cover on this machine.")
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})
