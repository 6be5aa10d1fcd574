"""The scopes of Meta's two logins, and which of them each feature needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from airflow_provider_instagram.exceptions import ValidationError

_NAME: Final = re.compile(r"[a-z][a-z_]{2,79}")
_OF_INSTAGRAM_LOGIN: Final = "instagram_business_"


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that an account may be used for.

    Source: Meta, Instagram API with Instagram Login and with Facebook Login, permissions.
    """

    name: str
    instagram: tuple[str, ...]
    facebook: tuple[str, ...]

    def scopes(self, *, is_facebook_login: bool) -> tuple[str, ...]:
        """Return the scopes that it needs with one of the logins."""
        return self.facebook if is_facebook_login else self.instagram


PUBLISHING: Final = Feature(
    "publishing",
    ("instagram_business_basic", "instagram_business_content_publish"),
    ("instagram_basic", "instagram_content_publish"),
)
COMMENTS: Final = Feature("comments", ("instagram_business_manage_comments",), ("instagram_manage_comments",))
INSIGHTS: Final = Feature("insights", ("instagram_business_manage_insights",), ("instagram_manage_insights",))
FEATURES: Final = (PUBLISHING, COMMENTS, INSIGHTS)


def read_scopes(text: str, *, is_facebook_login: bool = False) -> tuple[str, ...]:
    """Read the scopes that a connection asks for, beyond those of publishing.

    :param text: Names of features or Meta's names of scopes, separated by commas or spaces.
    :raises ValidationError: If a name is not valid, or belongs to the other login.
    """
    scopes = dict.fromkeys(PUBLISHING.scopes(is_facebook_login=is_facebook_login))
    features = {feature.name: feature for feature in FEATURES}
    for name in text.replace(",", " ").split():
        if (feature := features.get(name)) is not None:
            scopes |= dict.fromkeys(feature.scopes(is_facebook_login=is_facebook_login))
        elif _NAME.fullmatch(name) and name.startswith(_OF_INSTAGRAM_LOGIN) != is_facebook_login:
            scopes[name] = None
        else:
            login = "Facebook" if is_facebook_login else "Instagram"
            raise ValidationError(
                f"{name[:80]!r} is not a scope of {login} Login.",
                hint=f"Use comments, insights, or one of Meta's names such as "
                f"{COMMENTS.scopes(is_facebook_login=is_facebook_login)[0]}, separated by commas.",
            )
    return tuple(scope for scope in scopes if scope not in PUBLISHING.scopes(is_facebook_login=is_facebook_login))
