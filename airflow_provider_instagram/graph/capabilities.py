"""What an account can do: one table of Meta's logins, the types of accounts and the scopes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.posts.kinds import PostKind

_NAME: Final = re.compile(r"[a-z][a-z_]{2,79}")
_OF_INSTAGRAM_LOGIN: Final = "instagram_business_"
BUSINESS: Final = ("BUSINESS",)
#: The account types that can publish through the API. Source: Meta, Instagram API with Instagram
#: Login, /me.
PROFESSIONAL: Final = ("BUSINESS", "MEDIA_CREATOR", "CREATOR")


class MetaLogin(str, Enum):
    """One of Meta's logins for Instagram, as ``login_type`` in the extra of a connection names it.

    Source: Meta, Instagram Webhooks setup, 2026-10-20, which compares the three.
    """

    INSTAGRAM = "instagram"
    FACEBOOK = "facebook"
    UNIFIED = "unified"

    __str__ = str.__str__

    @property
    def in_words(self) -> str:
        """Its name in Meta's documentation."""
        return f"{self.value.title()} Login"

    @property
    def gives_refreshable_tokens(self) -> bool:
        """Whether Meta documents that its tokens can be refreshed."""
        return self is MetaLogin.INSTAGRAM


class Missing(NamedTuple):
    """What an account lacks for something, and what to do, as sentences."""

    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"


@dataclass(frozen=True, slots=True)
class Capability:
    """Something that an account may be used for: a row of the table.

    :param name: Its name in sentences, and in the scopes that a connection asks for.
    :param instagram: The scopes that it needs with Instagram Login; empty if that login does not
        have it.
    :param facebook: The scopes with Facebook Login. Unified Login checks the same permissions.
    :param source: Meta's page, with the date of its last change.
    :param parameters: Meta's parameters of a new container that need it.
    :param account_types: The types of accounts that have it.
    :param is_in_unified: Whether Meta documents it for Unified Login. If not, Meta's answer
        decides.
    """

    name: str
    instagram: tuple[str, ...]
    facebook: tuple[str, ...]
    source: str
    parameters: tuple[str, ...] = ()
    account_types: tuple[str, ...] = PROFESSIONAL
    is_in_unified: bool = True

    def scopes(self, login: MetaLogin) -> tuple[str, ...]:
        """Return the scopes that it needs with a login; empty if the login does not have it."""
        return self.instagram if login is MetaLogin.INSTAGRAM else self.facebook

    def needs_more_than(self, other: Capability) -> bool:
        """Return whether fewer accounts have it than have another one, whatever their scopes."""
        return (self.account_types, self.is_in_unified) != (
            other.account_types,
            other.is_in_unified,
        )


_PUBLISH_INSTAGRAM: Final = ("instagram_business_basic", "instagram_business_content_publish")
_PUBLISH_FACEBOOK: Final = ("instagram_basic", "instagram_content_publish")
_BOTH: Final = (_PUBLISH_INSTAGRAM, _PUBLISH_FACEBOOK)

PUBLISHING: Final = Capability("publishing", *_BOTH, "Overview, 2026-06-30")
STORIES: Final = Capability(
    "stories", *_BOTH, "Instagram API with Facebook Login, 2025-03-03", account_types=BUSINESS
)
TRIAL_REELS: Final = Capability("trial reels", *_BOTH, "IG User Media", ("trial_params",))
COLLABORATORS: Final = Capability("collaborators", *_BOTH, "IG User Media", ("collaborators",))
MUSIC: Final = Capability(
    "licensed music",
    (),
    _PUBLISH_FACEBOOK,
    "Instagram Audio API, 2026-06-16",
    ("audio_configuration",),
    is_in_unified=False,
)
POLLS: Final = Capability(
    "polls",
    (),
    _PUBLISH_FACEBOOK,
    "Caption Add-ons, 2026-09-28",
    ("poll_attachment", "is_poll_duration_extended"),
    is_in_unified=False,
)
COMMENT_PROMPTS: Final = Capability(
    "comment prompts",
    (),
    _PUBLISH_FACEBOOK,
    "Caption Add-ons, 2026-09-28",
    ("is_comment_prompt_used",),
    is_in_unified=False,
)
PAID_PARTNERSHIPS: Final = Capability(
    "paid partnership labels",
    (),
    _PUBLISH_FACEBOOK,
    "Content Publishing, 2026-04-22",
    ("is_paid_partnership", "branded_content_sponsor_ids"),
    is_in_unified=False,
)
COMMENTS: Final = Capability(
    "comments",
    ("instagram_business_manage_comments",),
    ("instagram_manage_comments",),
    "IG Media Comments",
)
INSIGHTS: Final = Capability(
    "insights",
    ("instagram_business_manage_insights",),
    ("instagram_manage_insights",),
    "IG Media Insights",
)
DELETION: Final = Capability(
    "deletion",
    (),
    ("instagram_basic", "instagram_manage_contents"),
    "Instagram API Updates, 2025-12-03",
)

#: What an account can or cannot do, as the documentation shows it.
CAPABILITIES: Final = (
    PUBLISHING,
    STORIES,
    TRIAL_REELS,
    COLLABORATORS,
    MUSIC,
    POLLS,
    COMMENT_PROMPTS,
    PAID_PARTNERSHIPS,
    COMMENTS,
    INSIGHTS,
    DELETION,
)
#: What has scopes of its own, so that a connection asks for it by its name.
FEATURES: Final = (PUBLISHING, COMMENTS, INSIGHTS, DELETION)


def missing(login: MetaLogin, account_type: str | None, what: Capability) -> Missing | None:
    """Return what an account is known to lack for something, whatever it has granted, or None."""
    if not what.scopes(login):
        others = " or ".join(each.in_words for each in MetaLogin if what.scopes(each))
        remedy = f"Connect the account by {others}, or do without {what.name}."
        return Missing(f"{login.in_words} has no {what.name}.", remedy)
    if account_type is not None and account_type.upper() not in what.account_types:
        wanted = "professional" if what.account_types == PROFESSIONAL else "business"
        return Missing(
            f"The account's type is {account_type.lower()}. A {wanted} account is needed for {what.name}.",
            f"In the Instagram app, choose Settings, Account type, and switch to a {wanted} account.",
        )
    return None


def needed_by(parameters: Mapping[str, object]) -> tuple[Capability, ...]:
    """Return what an account needs to create a container with these parameters of Meta."""
    special = [each for each in CAPABILITIES if not parameters.keys().isdisjoint(each.parameters)]
    if parameters.get("media_type") == PostKind.STORY.media_type:
        special.append(STORIES)
    return (PUBLISHING, *special)


def read_scopes(text: str, login: MetaLogin) -> tuple[str, ...]:
    """Read the scopes that a connection asks for, beyond those of publishing.

    :param text: Names of features or Meta's names of scopes, separated by commas or spaces.
    :raises ValidationError: If a name is not valid, or belongs to another login.
    """
    scopes = dict.fromkeys(PUBLISHING.scopes(login))
    features = {feature.name: feature for feature in FEATURES if feature.scopes(login)}
    for name in text.replace(",", " ").split():
        if (feature := features.get(name)) is not None:
            scopes |= dict.fromkeys(feature.scopes(login))
        elif _NAME.fullmatch(name) and name.startswith(_OF_INSTAGRAM_LOGIN) == (
            login is MetaLogin.INSTAGRAM
        ):
            scopes[name] = None
        else:
            raise ValidationError(
                f"{name[:80]!r} is not a scope of {login.in_words}.",
                hint=f"Use comments, insights, or one of Meta's names such as {COMMENTS.scopes(login)[0]}, separated "
                "by commas.",
            )
    return tuple(scope for scope in scopes if scope not in PUBLISHING.scopes(login))
