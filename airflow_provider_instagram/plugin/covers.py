"""The covers shown in the approvals of a calendar's posts, for users who are logged in."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import get_user
from fastapi import APIRouter, Depends, HTTPException
from fastapi import Path as InPath
from starlette.responses import FileResponse

from airflow_provider_instagram.calendar.tasks.covers import cover_file

router = APIRouter()


@router.get("/covers/{version}.jpg", dependencies=[Depends(get_user)])
def cover(version: Annotated[str, InPath(pattern="^[0-9a-f]{16}$")]) -> Any:
    """Return a cover."""
    file = cover_file(version)
    if not file.is_file():
        raise HTTPException(404, "This machine does not have this cover.")
    return FileResponse(file, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})
