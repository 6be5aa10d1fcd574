"""What takes several calls to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.graph.listing import facebook_pages
from airflow_provider_instagram.graph.models import TokenInfo

if TYPE_CHECKING:
    from tests.unit.graph.conftest import WebServer

SCOPES = ("pages_show_list", "business_management")


def page(page_id: str) -> dict[str, Any]:
    return {"id": page_id, "name": f"Café {page_id}", "access_token": "EAApage"}


def more(after: str) -> dict[str, Any]:
    return {"next": f"https://graph.facebook.com/x?access_token=EAAsecret&after={after}", "cursors": {"after": after}}


def about(scopes: tuple[str, ...], *pages: str) -> TokenInfo:
    granular = [{"scope": "pages_show_list", "target_ids": pages}]
    return TokenInfo.read({"is_valid": True, "scopes": scopes, "granular_scopes": granular})


def read(server: WebServer, info: TokenInfo, lists: int | None = None) -> list[list[str]]:
    """Return the ids of the Pages, list by list, from as many lists as are wanted."""
    with GraphClient("EAAperson0123456789abcdefgh", base_url=server.url, sleep=lambda _: None) as client:
        found = facebook_pages(client, info)
        return (
            [[page.id for page in next(found)] for _ in range(lists)]
            if lists
            else [[page.id for page in pages] for pages in found]
        )


def paths(server: WebServer) -> list[str]:
    return [f"{one.path.partition('/v')[2].partition('/')[2]}?{one.query.get('after', '')}" for one in server.requests]


def test_the_pages_of_a_person_are_read_to_the_end_and_then_those_of_each_portfolio(server: WebServer) -> None:
    server.answer({"data": [page("1")], "paging": more("A")})
    server.answer({"data": [page("2")]})
    server.answer({"data": [{"id": "31"}], "paging": more("B")})
    server.answer({"data": [page("3")], "paging": more("C")})
    for each in ([page("4")], [], [{"id": "32"}], [page("5")], []):
        server.answer({"data": each})
    found = read(server, about(SCOPES))
    assert found == [["1", "2"], [], ["3", "4"], [], ["5"], []]
    assert paths(server) == [
        *("me/accounts?", "me/accounts?A"),
        *("me/businesses?", "31/owned_pages?", "31/owned_pages?C", "31/client_pages?"),
        *("me/businesses?B", "32/owned_pages?", "32/client_pages?"),
    ]
    assert {one.query["limit"] for one in server.requests} == {"100"}


def test_without_the_permission_the_pages_that_the_token_names_are_read(server: WebServer) -> None:
    """One that was deleted, or that the person has left, is left out."""
    server.answer({"data": [page("1")]})
    server.answer(page("2"))
    server.answer({"error": {"code": 100, "error_subcode": 33, "message": "Unsupported get request."}}, 400)
    assert read(server, about(SCOPES[:1], "1", "2", "3")) == [["1"], ["2"]]
    assert paths(server) == ["me/accounts?", "2?", "3?"]


def test_nothing_more_is_asked_for_than_what_is_wanted(server: WebServer) -> None:
    server.answer({"data": [page("1")]})
    assert read(server, about(SCOPES, "7"), lists=1) == [["1"]]
    assert paths(server) == ["me/accounts?"]


@pytest.mark.parametrize("scope", ["pages_show_list", "instagram_basic"])
def test_a_token_names_the_pages_and_the_accounts_that_it_reaches(scope: str) -> None:
    granular = [{"scope": scope, "target_ids": ["11", "12"]}, {"scope": "business_management"}]
    info = TokenInfo.read({"data": {"is_valid": True, "granular_scopes": granular}})
    is_pages = scope == "pages_show_list"
    assert (info.page_ids, info.account_ids) == (("11", "12"), ()) if is_pages else ((), ("11", "12"))
