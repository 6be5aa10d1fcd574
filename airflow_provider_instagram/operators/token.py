"""The task that renews an account's access token before it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.account_task import AccountTask
from airflow_provider_instagram.ledger import Owner
from airflow_provider_instagram.retry_policy import InstagramRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryPolicy


class RefreshTokenOperator(AccountTask):
    """Refresh the access token of an account, and keep the new one encrypted in an Airflow Variable.

    A long-lived token refreshes itself: once it is 24 hours old and as long as it lives, for 60 new days. Run it daily.
    Returns ``{"refreshed": …, "expires_at": …}``.

    :param instagram_conn_id: The account's connection, as plain text.
    :param retries: Tries after the first.
    :param retry_policy: Which failures are tried again, and when.
    """

    ui_color = "#fdf1f6"

    def __init__(
        self,
        *,
        retries: int = 3,
        retry_policy: RetryPolicy | None = InstagramRetryPolicy(),  # noqa: B008
        **kwargs: Any,
    ) -> None:
        super().__init__(retries=retries, retry_policy=retry_policy, **kwargs)

    @classmethod
    def account_inlets(cls, conn_id: str) -> list[Any]:
        """Name no assets: a token has nothing to do with the ledger."""
        return []

    def execute(self, context: Context) -> dict[str, Any]:
        """Refresh the token unless it is younger than 24 hours."""
        from airflow_provider_instagram.hooks.instagram import InstagramHook

        refreshed, token = InstagramHook(self.instagram_conn_id).refresh_token(str(Owner.of(context)))
        expires_at = token.expires_at if token else None
        self.log.info("Token %s; it is good until %s", "refreshed" if refreshed else "left alone", expires_at)
        return {"refreshed": refreshed, "expires_at": expires_at}
