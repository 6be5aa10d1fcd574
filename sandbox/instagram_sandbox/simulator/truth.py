"""The real state for tests: posts, containers and counts, whether or not the API shows them yet."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class PostTruth(BaseModel):
    """A post that really exists, whether or not the API shows it yet."""

    model_config = ConfigDict(frozen=True)
    media_id: str
    user_id: str
    container_id: str | None
    caption: str
    permalink: str
    published_at: datetime
    visible: bool
    share_to_feed: bool
    media_type: str
    media_product_type: str
    children: list[str]


class ContainerTruth(BaseModel):
    """A container in its real state: its status, the result of the inspection, and its posts."""

    model_config = ConfigDict(frozen=True)
    container_id: str
    user_id: str
    status_code: str
    subcode: int | None
    reason: str
    caption: str
    created_at: datetime
    bytes_received: int
    post_ids: list[str]


class CommentTruth(BaseModel):
    """A comment that really exists, whether or not the API shows it yet."""

    model_config = ConfigDict(frozen=True)
    comment_id: str
    media_id: str
    username: str
    text: str
    parent_id: str | None
    hidden: bool
    created_at: datetime
    visible: bool


class MessageTruth(BaseModel):
    """A private reply that was really sent."""

    model_config = ConfigDict(frozen=True)
    message_id: str
    comment_id: str
    username: str
    text: str
    created_at: datetime


class Truth(BaseModel):
    """The number of posts that really exist, per container and per caption."""

    model_config = ConfigDict(frozen=True)
    per_container: dict[str, int]
    per_caption: dict[str, int]
