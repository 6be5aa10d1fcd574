"""Access tokens, and the accounts that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, PlainValidator
from pydantic.dataclasses import dataclass

from airflow_provider_instagram.exceptions import PermissionDeniedError
from airflow_provider_instagram.graph.capabilities import MetaLogin
from airflow_provider_instagram.graph.fields import (
    Duration,
    Id,
    Link,
    ListPage,
    Model,
    Moment,
    Name,
    Names,
    Text,
    as_mapping,
    read_cursor,
    read_id,
    read_names,
    read_rows,
)

#: The logins, by the types of their tokens.
_LOGINS: Final = {
    "PAGE": MetaLogin.FACEBOOK,
    "USER": MetaLogin.FACEBOOK,
    "SYSTEM_USER": MetaLogin.UNIFIED,
}
_BASIC: Final = "instagram_basic"
_PAGES: Final = "pages_show_list"
_LINKED: Final = "instagram_business_account"


@dataclass(frozen=True, slots=True)
class Token(Model):
    """An access token. Its ``repr`` does not show the token itself.

    :param expires_in: Its remaining lifetime, or None if unknown.
    :param user_id: The account that it belongs to. Known only after a login.
    :param permissions: Its scopes. Known only after a login.
    """

    access_token: str = Field(repr=False, min_length=1)
    expires_in: Duration | None = None
    user_id: Id | None = None
    permissions: Names = ()


def _targets(value: object) -> Mapping[str, tuple[str, ...]]:
    """Return the ids that each scope reaches."""
    scopes = map(as_mapping, value if isinstance(value, list) else ())
    return {str(one.get("scope")): read_names(one.get("target_ids")) for one in scopes}


@dataclass(frozen=True, slots=True)
class TokenInfo(Model):
    """What Meta tells of a token. Instagram Login has no call for it. Source: Meta, Access Tokens, debug_token.

    :param expires_at: When it expires, or None if it does not.
    :param data_access_ends_at: When Meta stops to answer it, 90 days after the person last used the
        app, or None.
    :param granular_scopes: The ids that its scopes reach, if Meta names them.
    """

    is_valid: Literal[True]
    type: Name = ""
    expires_at: Moment = None
    scopes: Names = ()
    granular_scopes: Annotated[Mapping[str, tuple[str, ...]], PlainValidator(_targets)] = Field(
        default_factory=dict
    )
    data_access_ends_at: Moment = Field(default=None, validation_alias="data_access_expires_at")

    @property
    def login(self) -> MetaLogin | None:
        """The login that the token comes from, or None if its type is unknown."""
        return _LOGINS.get(self.type)

    @property
    def account_ids(self) -> tuple[str, ...]:
        """The Instagram accounts that it reaches, if Meta names them."""
        return self.granular_scopes.get(_BASIC, ())

    @property
    def page_ids(self) -> tuple[str, ...]:
        """The Facebook Pages that it reaches, if Meta names them."""
        return self.granular_scopes.get(_PAGES, ())


@dataclass(frozen=True, slots=True)
class Account(Model):
    """The Instagram account that a token belongs to.

    :param account_type: Its type, such as BUSINESS or MEDIA_CREATOR, or None if unknown.
    :param picture_url: The address of its picture, if the call requested it and a page may show it.
    """

    user_id: Id
    username: Text = None
    account_type: Text = None
    picture_url: Link = Field(default=None, validation_alias="profile_picture_url")

    @classmethod
    def read_of_id(cls, data: Mapping[str, Any]) -> Account:
        """Read the account that was asked for by its id."""
        return cls.read({**data, "user_id": data.get("id")})

    @classmethod
    def read_of_page(cls, data: Mapping[str, Any]) -> Account:
        """Read the account that a Facebook Page is linked to.

        :raises PermissionDeniedError: If the Page is not linked to an account.
        """
        if (linked := _linked(data.get(_LINKED))) is None:
            raise PermissionDeniedError(
                "The token's Facebook Page is not linked to a professional Instagram account.",
                hint="Link them in the Page's settings, under Linked accounts.",
            )
        return linked


def _linked(value: object) -> Account | None:
    return Account.read_of_id(row) if (row := as_mapping(value)) else None


@dataclass(frozen=True, slots=True)
class FacebookPage(Model):
    """A Facebook Page that a person manages.

    :param access_token: Its token, or None if the person has no task on the Page.
    :param account: The professional Instagram account that it is linked to, or None.
    """

    id: Id
    name: Name = ""
    access_token: Text = Field(default=None, repr=False)
    account: Annotated[Account | None, PlainValidator(_linked)] = Field(
        default=None, validation_alias=_LINKED
    )


def read_facebook_pages(data: Mapping[str, Any]) -> ListPage[FacebookPage]:
    """Read a page of the Facebook Pages of a person or of a business portfolio."""
    return ListPage(tuple(map(FacebookPage.read, read_rows(data, "Pages"))), read_cursor(data))


def read_portfolios(data: Mapping[str, Any]) -> ListPage[str]:
    """Read a page of the ids of a person's business portfolios."""
    return ListPage(tuple(map(read_id, read_rows(data, "business portfolios"))), read_cursor(data))
