"""Access tokens, and the accounts that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from airflow_provider_instagram.exceptions import PermissionDeniedError
from airflow_provider_instagram.graph.capabilities import MetaLogin
from airflow_provider_instagram.graph.fields import (
    MOST_SECONDS,
    ListPage,
    first_row,
    read_cursor,
    read_id,
    read_integer,
    read_mapping,
    read_names,
    read_rows,
    read_text,
)
from airflow_provider_instagram.utils.urls import safe_link

#: The logins, by the types of their tokens.
_LOGINS: Final = {"PAGE": MetaLogin.FACEBOOK, "USER": MetaLogin.FACEBOOK, "SYSTEM_USER": MetaLogin.UNIFIED}
_BASIC: Final = "instagram_basic"
_PAGES: Final = "pages_show_list"


@dataclass(frozen=True, slots=True)
class Token:
    """An access token. Its ``repr`` does not show the token itself.

    :param expires_in: Its remaining lifetime, or None if unknown.
    :param user_id: The account that it belongs to. Known only after a login.
    :param permissions: Its scopes. Known only after a login.
    """

    access_token: str = field(repr=False)
    expires_in: timedelta | None = None
    user_id: str | None = None
    permissions: tuple[str, ...] = ()

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Token:
        """Read a token from the flat answer, or from the nested one that Meta documents."""
        row = first_row(data)
        access_token = read_text(row, "access_token")
        if not access_token:
            raise ValueError("no access_token")
        expires_in_s = read_integer(row, "expires_in", MOST_SECONDS)
        return cls(
            access_token=access_token,
            expires_in=None if expires_in_s is None else timedelta(seconds=expires_in_s),
            user_id=read_id(row, "user_id") if row.get("user_id") else None,
            permissions=read_names(row.get("permissions")),
        )


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What Meta tells of a token. Instagram Login has no call for it. Source: Meta, Access Tokens, debug_token.

    :param login: The login that the token comes from, or None if its type is unknown.
    :param expires_at: When it expires, or None if it does not.
    :param data_access_ends_at: When Meta stops to answer it, 90 days after the person last used the app, or None.
    :param account_ids: The Instagram accounts that it reaches, if Meta names them.
    :param page_ids: The Facebook Pages that it reaches, if Meta names them.
    """

    login: MetaLogin | None
    expires_at: datetime | None
    scopes: tuple[str, ...]
    account_ids: tuple[str, ...] = ()
    data_access_ends_at: datetime | None = None
    page_ids: tuple[str, ...] = ()

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> TokenInfo:
        """Read what Meta answers. A token that is not valid is a ValueError."""
        row = read_mapping(data, "data")
        if row.get("is_valid") is not True:
            raise ValueError("the token is not valid")
        given = row.get("granular_scopes")
        granular = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
        reached = {str(each.get("scope")): read_names(each.get("target_ids")) for each in granular}
        return cls(
            login=_LOGINS.get(str(row.get("type"))),
            expires_at=_moment(row, "expires_at"),
            scopes=read_names(row.get("scopes")),
            account_ids=reached.get(_BASIC, ()),
            data_access_ends_at=_moment(row, "data_access_expires_at"),
            page_ids=reached.get(_PAGES, ()),
        )


def _moment(row: Mapping[str, Any], name: str) -> datetime | None:
    """Read a time, for which 0 stands for never."""
    seconds = read_integer(row, name, MOST_SECONDS)
    return datetime.fromtimestamp(seconds, timezone.utc) if seconds else None


@dataclass(frozen=True, slots=True)
class Account:
    """The Instagram account that a token belongs to.

    :param account_type: Its type, such as BUSINESS or MEDIA_CREATOR, or None if unknown.
    :param picture_url: The address of its picture, if the call requested it and a page may show it.
    """

    user_id: str
    username: str | None = None
    account_type: str | None = None
    picture_url: str | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Account:
        """Read the account from the flat answer, or from the nested one that Meta documents."""
        row = first_row(data)
        user_id, picture_url = read_id(row, "user_id"), safe_link(read_text(row, "profile_picture_url"))
        return cls(user_id, read_text(row, "username"), read_text(row, "account_type"), picture_url)

    @classmethod
    def read_of_id(cls, data: Mapping[str, Any]) -> Account:
        """Read the account that was asked for by its id."""
        return cls(read_id(data), read_text(data, "username"), None, safe_link(read_text(data, "profile_picture_url")))

    @classmethod
    def read_of_page(cls, data: Mapping[str, Any]) -> Account:
        """Read the account that a Facebook Page is linked to.

        :raises PermissionDeniedError: If the Page is not linked to an account.
        """
        if not (row := read_mapping(data, "instagram_business_account")):
            raise PermissionDeniedError(
                "The token's Facebook Page is not linked to a professional Instagram account.",
                hint="Link them in the Page's settings, under Linked accounts.",
            )
        return cls.read_of_id(row)


@dataclass(frozen=True, slots=True)
class FacebookPage:
    """A Facebook Page that a person manages.

    :param access_token: Its token, or None if the person has no task on the Page.
    :param account: The professional Instagram account that it is linked to, or None.
    """

    id: str
    name: str
    access_token: str | None = field(repr=False)
    account: Account | None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> FacebookPage:
        """Read a Page."""
        linked = read_mapping(data, "instagram_business_account")
        account = Account.read_of_id(linked) if linked else None
        return cls(read_id(data), read_text(data, "name") or "", read_text(data, "access_token"), account)


def read_facebook_pages(data: Mapping[str, Any]) -> ListPage[FacebookPage]:
    """Read a page of the Facebook Pages of a person or of a business portfolio."""
    return ListPage(tuple(map(FacebookPage.read, read_rows(data, "Pages"))), read_cursor(data))


def read_portfolios(data: Mapping[str, Any]) -> ListPage[str]:
    """Read a page of the ids of a person's business portfolios."""
    return ListPage(tuple(map(read_id, read_rows(data, "business portfolios"))), read_cursor(data))
