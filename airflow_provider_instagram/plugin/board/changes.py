"""Changes of several posts at once, as the Posts page sends them."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_instagram.plugin.board.edits import EditRequest


class Change(BaseModel):
    """A change of one post, with the fields of an :class:`EditRequest`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    post_id: str = Field(max_length=250)
    seen: dict[str, Any] = Field(default_factory=dict)
    fields: dict[str, Any] = Field(default_factory=dict)


class ChangesRequest(BaseModel):
    """Changes of several posts of a calendar.

    :param sure: Whether the user knows that approvals are asked for again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    form_token: str = ""
    dag_id: str = Field(max_length=250)
    changes: tuple[Change, ...] = Field(min_length=1, max_length=1_000)
    sure: bool = False

    def requests(self) -> list[EditRequest]:
        """Return a request for each post.

        :raises HTTPException: If one of them has a value that its field does not take.
        """
        about: dict[str, Any] = {"dag_id": self.dag_id, "do": "change", "sure": self.sure}
        try:
            return [EditRequest(**about, **dict(one)) for one in self.changes]
        except ValueError:
            raise HTTPException(
                422, "A change has a value that its field does not take. Nothing was changed."
            ) from None
