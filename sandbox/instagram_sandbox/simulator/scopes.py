"""The permissions of both logins, what each allows, and which of them a call needs."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, Field

Login = Literal["instagram", "facebook"]

SCOPES: Final[dict[Login, dict[str, str]]] = {
    "instagram": {
        "instagram_business_basic": "See the profile and the posts",
        "instagram_business_content_publish": "Create posts and publish them",
        "instagram_business_manage_comments": "Read and answer comments",
        "instagram_business_manage_messages": "Read and answer messages",
        "instagram_business_manage_insights": "See insights of the profile and the posts",
    },
    "facebook": {
        "instagram_basic": "See the Instagram profile and its posts",
        "instagram_content_publish": "Create posts on Instagram and publish them",
        "instagram_manage_comments": "Read and answer comments on Instagram",
        "instagram_manage_insights": "See insights of the Instagram profile and its posts",
        "instagram_manage_contents": "Delete posts on Instagram",
        "instagram_manage_messages": "Read and answer messages on Instagram",
        "pages_show_list": "See the list of your Pages",
        "pages_read_engagement": "See what your Pages publish",
        "pages_read_user_content": "See what others publish on your Pages",
        "pages_manage_metadata": "Change the settings of your Pages",
        "pages_manage_posts": "Publish on your Pages",
        "pages_manage_engagement": "Manage comments and likes on your Pages",
        "pages_manage_ads": "Manage ads of your Pages",
        "pages_messaging": "Read and answer messages of your Pages",
        "read_insights": "See insights of your Pages",
        "business_management": "Manage your business portfolio",
        "ads_management": "Manage your ads",
        "ads_read": "See your ads",
        "catalog_management": "Manage your product catalogs",
        "instagram_branded_content_brand": "Manage branded content as a brand",
        "instagram_branded_content_creator": "Manage branded content as a creator",
        "instagram_branded_content_ads_brand": "Manage ads of branded content",
        "instagram_shopping_tag_products": "Tag products in Instagram posts",
        "instagram_manage_upcoming_events": "Manage upcoming events on Instagram",
        "publish_video": "Publish live videos",
        "user_posts": "See your posts on Facebook",
        "user_photos": "See your photos on Facebook",
        "user_videos": "See your videos on Facebook",
        "public_profile": "See your name and picture",
        "email": "See your e-mail address",
    },
}
"""What each permission means to the person who is asked for it."""
_ALL: Final = [name for names in SCOPES.values() for name in names]


def _known(name: str) -> str:
    if name not in _ALL:
        raise ValueError(f"it must be one of {', '.join(_ALL)}")
    return name


Scope: TypeAlias = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": _ALL})]

BASIC: Final[dict[Login, str | None]] = {"instagram": "instagram_business_basic", "facebook": None}
"""The permission without which a login makes no sense. Source: Meta, Business Login for Instagram."""

Permission: TypeAlias = tuple[str | None, str]
"""What a call needs: its name with Instagram Login (None: it does not exist), and with Facebook Login."""

PUBLISH: Final[tuple[str, str]] = (
    "instagram_business_content_publish",
    "instagram_content_publish",
)
COMMENTS: Final[tuple[str, str]] = (
    "instagram_business_manage_comments",
    "instagram_manage_comments",
)
INSIGHTS: Final[tuple[str, str]] = (
    "instagram_business_manage_insights",
    "instagram_manage_insights",
)
CONTENTS: Final[Permission] = (None, "instagram_manage_contents")
ENGAGEMENT: Final[Permission] = (None, "pages_read_engagement")
BUSINESSES: Final[Permission] = (None, "business_management")

USUAL: Final[dict[Login, tuple[str, ...]]] = {
    "instagram": ("instagram_business_basic", PUBLISH[0], COMMENTS[0], INSIGHTS[0]),
    "facebook": (
        *("instagram_basic", PUBLISH[1], COMMENTS[1], INSIGHTS[1], CONTENTS[1]),
        *("pages_show_list", "pages_read_engagement", "business_management"),
    ),
}
"""The permissions of a token that a test makes without naming any."""
