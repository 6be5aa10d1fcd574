"""The sandbox's records: accounts, tokens, containers, posts, comments. The rules are in ``world``."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from instagram_sandbox.simulator.scopes import Login, Scope

if TYPE_CHECKING:
    from typing_extensions import Self

Outcome = Literal["inspected", "finished", "error", "phase_error", "download_failed"]
Phase = Literal["uploading", "processing"]
Subcode190 = Literal[0, 458, 459, 460, 463, 464, 467, 492]

UNSUPPORTED = 2207026
NOT_FETCHED = 2207052
TOO_SLOW = 2207003
BAD_COVER_OFFSET = 2207057
NO_TRIAL = 2207081
TOO_LARGE = 2207004
NOT_MIXED = 2207082
NOT_READY: Final = frozenset({2207027, 2207055})
DATA_ACCESS_S: Final = 90 * 86_400
LONGEST_S: Final = 10 * 366 * 86_400.0

UserId = Annotated[str, Field(pattern=r"^\d{15,20}$")]
TokenText = Annotated[str, Field(pattern=r"^IG[A-Za-z0-9_-]{2,500}$")]
AnyTokenText = Annotated[str, Field(pattern=r"^(IG|EA)[A-Za-z0-9_-]{2,500}$")]
Username = Annotated[str, Field(pattern=r"^[A-Za-z0-9._]{1,30}$")]
Digits = Annotated[str, Field(pattern=r"^\d{10,20}$")]
#: Who a token belongs to: an account by Instagram Login, its Facebook Page, a person who manages
#: the Page, or the system user of a business integration (Unified Login), which has no Page.
TokenKind = Literal["instagram", "page", "user", "system"]
Duration = Annotated[float, Field(ge=0, le=LONGEST_S)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000_000)]
Minutes = Annotated[int, Field(ge=0, le=100_000)]
Subcode = Annotated[int, Field(ge=1, le=99_999_999)]


def legacy_id(of: str) -> str:
    """Return the id that an object had in an earlier API, which cannot be made from the present one."""
    return str(10**9 + int.from_bytes(sha256(of.encode()).digest()[:4], "big"))


class Record(BaseModel):
    """A record that is kept, and written to the state folder when there is one.

    Values of another type and numbers that JSON cannot hold are refused, so that every record can
    be read again.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Processing(Record):
    """How a container gets from its source to its end.

    ``outcome`` ``inspected`` is what the inspection of the real video says; the others are forced.
    With ``never`` it stays IN_PROGRESS until it expires; with ``after_polls`` time does not count,
    but the number of status reads does. ``phase`` is where a ``phase_error`` shows; without a
    ``subcode``, 2207026 is named. ``copyright`` is what the check of a video finds, which does not
    stop it from being published.
    """

    after_s: Duration | None = None
    after_polls: Count | None = None
    never: bool = False
    outcome: Outcome = "inspected"
    phase: Phase = "processing"
    subcode: Subcode | None = None
    copyright: Literal["clear", "match", "error"] = "clear"

    def but(self, changed_to: dict[str, Any]) -> dict[str, Any]:
        """Return the values with changes: a way to end replaces another, and an outcome its phase and subcode."""
        ends = {"after_s", "after_polls", "never"}
        of_outcome = {"phase", "subcode"}
        replaced = ends if ends & changed_to.keys() else set()
        replaced |= of_outcome if "outcome" in changed_to else set()
        return self.model_dump(exclude=replaced) | changed_to

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        if sum((self.never, self.after_polls is not None, self.after_s is not None)) > 1:
            raise ValueError("give at most one of after_s, after_polls and never")
        if self.phase != "processing" and self.outcome != "phase_error":
            raise ValueError("phase needs the outcome phase_error")
        if self.subcode is not None and self.outcome not in {"error", "phase_error"}:
            raise ValueError("subcode needs the outcome error or phase_error")
        if self.subcode in NOT_READY:
            raise ValueError(
                f"{self.subcode} is of a container in progress, not of one that failed: plan never instead"
            )
        return self


class Account(Record):
    """A professional account.

    ``resumable`` is whether its tokens may use the upload host, ``unified_login`` whether
    Facebook's dialog gives tokens of a system user, ``managed_with`` another account whose Page the
    same person manages, ``portfolio`` whether the person reaches the Page only through a business
    portfolio that owns it or whose client does, ``audience`` how many follow it, which is about how
    many see a post, and ``refused_metrics`` the insights that it cannot read.
    """

    user_id: UserId
    username: Username
    name: str = Field(default="", max_length=100)
    account_type: Literal["BUSINESS", "MEDIA_CREATOR", "PERSONAL"] = "BUSINESS"
    app_scoped_id: str = Field(default="", pattern=r"^\d*$")
    resumable: bool = True
    unified_login: bool = False
    managed_with: str = Field(default="", pattern=r"^\d*$")
    portfolio: Literal["", "owned", "client"] = ""
    trial_reels: bool = True
    restricted: bool = False
    audience: Count = 1000
    refused_metrics: list[str] = []
    subscribed_fields: list[str] = []  # of webhooks

    @property
    def page_id(self) -> str:
        """The id of the Facebook Page that the account is linked to."""
        return "10" + self.user_id[-13:]

    @property
    def person_id(self) -> str:
        """The id of the person who manages the Page."""
        return "20" + (self.managed_with or self.user_id)[-13:]

    @property
    def business_id(self) -> str:
        """The id of the business portfolio that owns the Page."""
        return "30" + self.user_id[-13:]

    @property
    def ig_id(self) -> str:
        """The legacy id of the account. Source: Meta, IG User reference, ig_id."""
        return legacy_id(self.user_id)


class Token(Record):
    """An access token: whose, how long it lives, what it may do. ``revoked`` is the subcode it answers with.

    With ``ends=False``, as a Page's token has it, it lives on after ``expires_at``.
    """

    token: AnyTokenText
    kind: TokenKind = "instagram"
    user_id: str
    issued_at: float
    expires_at: float
    ends: bool = True
    long_lived: bool = True
    scopes: list[Scope] = []
    revoked: Subcode190 | None = None

    @property
    def login(self) -> Login:
        """The login that issued it, whose host takes it."""
        return "instagram" if self.kind == "instagram" else "facebook"

    @property
    def data_access_ends_at(self) -> int:
        """When it gets no more data: 90 days after its person last used the app; 0: never.

        Source: Meta, Authentication Versus Data Access.
        """
        return int(self.issued_at) + DATA_ACCESS_S if self.kind in {"page", "user"} else 0


class Subscription(Record):
    """What the app wants to hear of an object, and its callback on this machine."""

    object: str
    callback_url: str
    fields: list[str]


class LoginCode(Record):
    """An authorization code of the login page: single use, one hour, one redirect URI."""

    code: str
    login: Login = "instagram"
    user_id: str
    app_id: str
    redirect_uri: str
    scopes: list[Scope]
    issued_at: float
    used: bool = False


class MediaFacts(Record):
    """What the inspection of a medium found. ``subcode`` is None when Meta accepts it.

    ``phase`` is where a failure lies: in the fetch of the media, or in what came after it. ``told``
    is what Meta's text says of a picture, and ``warning`` what is accepted although Meta documents
    otherwise, with the remedy.
    """

    subcode: int | None = None
    reason: str = ""
    phase: Phase = "processing"
    has_sound: bool = True
    duration_ms: int = 0
    width: int = 0
    height: int = 0
    told: dict[str, str] = {}
    warning: str = ""


class AudioConfiguration(Record):
    """The audio asset of a reel, and the volumes of the asset and of the video's own sound."""

    audio_id: str
    audio_volume: int = 100
    video_volume: int = 100


class Details(Record):
    """What a post has from the call that created its container."""

    alt_text: str = ""
    is_ai_generated: bool = False
    is_paid_partnership: bool = False
    sponsors: list[str] = []  # the ids of the accounts that paid
    poll: list[str] = []  # the options of the caption's poll
    poll_is_endless: bool = False
    has_prompt: bool = False  # whether the caption asks for comments
    tagged: list[str] = []  # the usernames in its tags


class NewMedia(Details):
    """What a create call asks for."""

    media_type: str
    caption: str = ""
    video_url: str | None = None
    image_url: str | None = None
    cover_url: str | None = None
    thumb_offset_ms: int = 0
    share_to_feed: bool | None = None
    collaborators: list[Username] = []
    audio: AudioConfiguration | None = None
    is_carousel_item: bool = False
    children: list[str] = []
    resumable: bool = False
    trial: bool = False


class Container(NewMedia):
    """A media container and where its processing stands."""

    id: str
    user_id: str
    created_at: float
    file_size: int | None = None
    processing: Processing = Processing()
    is_planned: bool = False  # whether a test planned the processing
    source_at: float | None = None  # when the whole source was here
    facts: MediaFacts | None = None  # None until the inspection is done
    polls: int = 0
    post_ids: list[str] = []
    visible_at: float | None = None  # when the effect of the first publish shows

    @property
    def is_picture(self) -> bool:
        """Whether the medium is a picture, not a video and not a carousel."""
        return self.image_url is not None

    def link(self, *, cover: bool = False) -> dict[str, str]:
        """Return the link of the medium, or of its cover, for Meta's text; nothing of a medium that is uploaded."""
        uri = self.cover_url if cover else self.video_url or self.image_url
        return {"uri": uri} if uri else {}


class Collaborator(Record):
    """An account that was invited to a post, and its answer. Source: Meta, IG Media Collaborators."""

    id: str
    username: Username
    invite_status: Literal["Pending", "Accepted", "Declined"] = "Pending"


class Child(Record):
    """One medium of a carousel that was published, with a media id of its own."""

    id: str
    post_id: str
    user_id: str
    container_id: str
    published_at: float
    media_type: Literal["IMAGE", "VIDEO"]
    shortcode: str
    alt_text: str = ""
    width: int = 0
    height: int = 0


class Post(Details):
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
    is_comment_enabled: bool = True
    children: list[str] = []
    collaborators: list[Collaborator] = []
    audio_id: str | None = None
    metrics: dict[str, Count] = {}  # insights that a test has fixed
    heard: Count = 0  # how many comments its audience has written
    deleted: bool = False

    @property
    def ig_id(self) -> str:
        """The post's id of an earlier API, which is in a story's permalink."""
        return legacy_id(self.id)

    def path(self, username: str) -> str:
        """Return where the post's page is, as in its permalink."""
        if self.is_story:
            return f"/stories/{username}/{self.ig_id}"
        return f"/{'reel' if self.media_product_type == 'REELS' else 'p'}/{self.shortcode}/"

    @property
    def is_story(self) -> bool:
        """Whether the post is a story, which is shown for 24 hours and in a list of its own."""
        return self.media_product_type == "STORY"


class Comment(Record):
    """A comment on a post, or a reply to one. ``parent_id`` is the comment that a reply answers."""

    id: str
    media_id: str
    username: Username
    user_id: str
    text: str
    created_at: float
    visible_at: float
    parent_id: str | None = None
    hidden: bool = False
    like_count: Count = 0


class Message(Record):
    """A private reply to a comment."""

    id: str
    comment_id: str
    username: Username
    text: str
    created_at: float
