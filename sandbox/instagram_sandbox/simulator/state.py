"""The sandbox's records: accounts, tokens, containers, posts. The rules are in ``world``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from typing_extensions import Self

Scope = Literal[
    "instagram_business_basic",
    "instagram_business_content_publish",
    "instagram_business_manage_comments",
    "instagram_business_manage_messages",
    "instagram_business_manage_insights",
]
Outcome = Literal["inspected", "finished", "error", "phase_error", "download_failed"]
Phase = Literal["uploading", "processing"]
Subcode190 = Literal[0, 458, 459, 460, 463, 464, 467, 492]

UNSUPPORTED, NOT_FETCHED, TOO_SLOW, BAD_COVER_OFFSET, NO_TRIAL = 2207026, 2207052, 2207003, 2207057, 2207081
LONGEST_S: Final = 10 * 366 * 86_400.0

UserId = Annotated[str, Field(pattern=r"^\d{15,20}$")]
TokenText = Annotated[str, Field(pattern=r"^IG[A-Za-z0-9_-]{2,500}$")]
AnyTokenText = Annotated[str, Field(pattern=r"^(IG|EA)[A-Za-z0-9_-]{2,500}$")]
#: Who a token belongs to: an account by Instagram Login, its Facebook Page, or a person who manages the Page.
TokenKind = Literal["instagram", "page", "user"]
Duration = Annotated[float, Field(ge=0, le=LONGEST_S)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000_000)]
Minutes = Annotated[int, Field(ge=0, le=100_000)]
Subcode = Annotated[int, Field(ge=1, le=99_999_999)]


class Record(BaseModel):
    """A record that is kept, and written to the state folder when there is one.

    Values of another type and numbers that JSON cannot hold are refused, so that every record can be read again.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Processing(Record):
    """How a container gets from its source to its end.

    ``outcome`` ``inspected`` is what the inspection of the real video says; the others are forced. With ``never`` it
    stays IN_PROGRESS until it expires; with ``after_polls`` time does not count, but the number of status reads does.
    ``phase`` is where a ``phase_error`` shows; without a ``subcode``, 2207026 is named.
    """

    after_s: Duration | None = None
    after_polls: Count | None = None
    never: bool = False
    outcome: Outcome = "inspected"
    phase: Phase = "processing"
    subcode: Subcode | None = None

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        if sum((self.never, self.after_polls is not None, self.after_s is not None)) > 1:
            raise ValueError("give at most one of after_s, after_polls and never")
        if self.phase != "processing" and self.outcome != "phase_error":
            raise ValueError("phase needs the outcome phase_error")
        if self.subcode is not None and self.outcome not in {"error", "phase_error"}:
            raise ValueError("subcode needs the outcome error or phase_error")
        return self


class PlannedProcessing(Record):
    """How the next containers are processed, in order."""

    next: list[Processing] = []


class Account(Record):
    """A professional account. ``resumable`` is whether its tokens may use the upload host."""

    user_id: UserId
    username: str = Field(pattern=r"^[A-Za-z0-9._]{1,30}$")
    name: str = Field(default="", max_length=100)
    account_type: Literal["BUSINESS", "MEDIA_CREATOR", "PERSONAL"] = "BUSINESS"
    app_scoped_id: str = Field(default="", pattern=r"^\d*$")
    resumable: bool = True
    trial_reels: bool = True
    restricted: bool = False


class Token(Record):
    """An access token: whose, how long it lives, what it may do. ``revoked`` is the subcode it answers with.

    A Page's token does not end, whatever ``expires_at`` says.
    """

    token: AnyTokenText
    kind: TokenKind = "instagram"
    user_id: str
    issued_at: float
    expires_at: float
    long_lived: bool = True
    scopes: list[Scope] = ["instagram_business_basic", "instagram_business_content_publish"]
    revoked: Subcode190 | None = None


class LoginCode(Record):
    """An authorization code of the login page: single use, one hour, one redirect URI."""

    code: str
    user_id: str
    app_id: str
    redirect_uri: str
    scopes: list[Scope]
    issued_at: float
    used: bool = False


class MediaFacts(Record):
    """What the inspection of a video found. ``subcode`` is None when the video is fit for a reel.

    ``phase`` is where a failure lies: in the fetch of the media, or in what came after it.
    """

    subcode: int | None = None
    reason: str = ""
    phase: Phase = "processing"
    duration_ms: int = 0
    width: int = 0
    height: int = 0


class Container(Record):
    """A media container and where its processing stands."""

    id: str
    user_id: str
    created_at: float
    media_type: str
    caption: str = ""
    video_url: str | None = None
    image_url: str | None = None
    cover_url: str | None = None
    thumb_offset_ms: int = 0
    share_to_feed: bool | None = None
    is_carousel_item: bool = False
    children: list[str] = []
    resumable: bool = False
    file_size: int | None = None
    processing: Processing = Processing()
    source_at: float | None = None  # when the whole source was here
    facts: MediaFacts | None = None  # None until the inspection is done
    polls: int = 0
    post_ids: list[str] = []
    visible_at: float | None = None  # when the effect of the first publish shows


class Post(Record):
    """A post on the profile. ``container_id`` is None for one made by other means, in the app for example."""

    id: str
    user_id: str
    container_id: str | None
    caption: str
    shortcode: str
    published_at: float
    visible_at: float
    media_type: str = "VIDEO"
    media_product_type: str = "REELS"
    share_to_feed: bool = True
    has_video: bool = False
    has_cover: bool = False
    width: int = 0
    height: int = 0

    @property
    def path(self) -> str:
        """Where the post's page is, as in its permalink."""
        return f"/{'reel' if self.media_product_type == 'REELS' else 'p'}/{self.shortcode}/"


class Switches(Record):
    """How the sandbox answers where Meta leaves a choice or is silent, set to the harshest answer."""

    processing: Processing = Processing(after_s=5.0)
    visible_after_s: float = Field(default=10.0, ge=0, le=120)
    republish: Literal["second_post", "error", "same_id"] = "second_post"
    quota_total: Count = 100
    containers_per_24_h: Count = 400
    calls_per_24_h: Count = Field(default=4800, ge=1)
    regain_minutes: Minutes | None = None
    usage_header: Literal["business", "app", "none"] = "business"
    refresh_changes_token: bool = True
    refresh_revokes_old: bool = True
    login_answer: Literal["flat", "data"] = "flat"
    me_answer: Literal["flat", "data"] = "flat"
    login: Literal["instagram", "facebook"] = "instagram"
    require_appsecret_proof: bool = False
    expired_version: Literal["error", "upgrade"] = "error"
    fresh_id_unknown_s: float = Field(default=2.0, ge=0, le=600)
    not_ready_after_finished_s: float = Field(default=0.0, ge=0, le=120)
    fetch_timeout_s: float = Field(default=20.0, gt=0, le=600)
    require_range: bool = True
    edit_lists: Literal["refuse", "accept"] = "refuse"
    max_video_bytes: Count = Field(default=300_000_000, ge=1)
