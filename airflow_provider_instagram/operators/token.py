"""The task that renews an account's access token before it ends, and the same for all accounts."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException

from airflow_provider_instagram.account_task import AccountTask
from airflow_provider_instagram.exceptions import AuthenticationError, InstagramError
from airflow_provider_instagram.ledger import Owner
from airflow_provider_instagram.retry_policy import InstagramRetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context, RetryPolicy

    from airflow_provider_instagram.hooks.instagram import InstagramHook


class RefreshTokenOperator(AccountTask):
    """Refresh the access token of an account, and keep the new one encrypted in an Airflow Variable.

    A long-lived token refreshes itself: once it is 24 hours old and as long as it lives, for 60 new days. Run it daily.
    Returns ``{"refreshed": …, "expires_at": …}``.

    :param instagram_conn_id: The account's connection, as plain text.
    :param on_token_ending: Notifiers, or functions of the context, that are called when the token is dead, or was not
        refreshed and ends within 10 days. They find ``instagram_token`` in the context, with ``conn_id``, ``days_left``
        (None when it is dead or not known), ``expires_at``, ``problem`` and ``connect_page``.
    :param retries: Tries after the first.
    :param retry_policy: Which failures are tried again, and when.
    """

    ui_color = "#fdf1f6"

    def __init__(
        self,
        *,
        on_token_ending: Sequence[Callable[[Context], Any]] = (),
        retries: int = 3,
        retry_policy: RetryPolicy | None = InstagramRetryPolicy(),  # noqa: B008
        **kwargs: Any,
    ) -> None:
        super().__init__(retries=retries, retry_policy=retry_policy, **kwargs)
        self.on_token_ending = on_token_ending

    @classmethod
    def account_inlets(cls, conn_id: str) -> list[Any]:
        """Name no assets: a token has nothing to do with the ledger."""
        return []

    def execute(self, context: Context) -> dict[str, Any]:
        """Refresh the token unless it is younger than 24 hours."""
        return refresh_token(self.instagram_conn_id, context, self.on_token_ending)


def refresh_token(
    conn_id: str, context: Context, on_token_ending: Sequence[Callable[[Context], Any]]
) -> dict[str, Any]:
    """Refresh the token of a connection, and send an alert when its end is near.

    :param conn_id: The connection.
    :param context: The context of the task that does it.
    :param on_token_ending: Whom to tell.
    """
    from airflow_provider_instagram.hooks.instagram import InstagramHook

    hook = InstagramHook(conn_id)
    try:
        done = hook.refresh_token(str(Owner.of(context)))
    except InstagramError as error:
        ti = context["ti"]
        if not error.retryable or ti.try_number > ti.max_tries:
            _alert(hook, context, error, on_token_ending)
        raise
    expires_at = done.token.expires_at
    hook.log.info(
        "The token of %s was %s; it is good until %s",
        conn_id,
        "refreshed" if done.refreshed else "left alone",
        expires_at or "nobody knows when",
    )
    return {"refreshed": done.refreshed, "expires_at": expires_at}


def _alert(
    hook: InstagramHook, context: Context, problem: InstagramError, on_token_ending: Sequence[Callable[[Context], Any]]
) -> None:
    """Call those who asked to be told that a token ends."""
    from airflow_provider_instagram.hooks.instagram import connect_page
    from airflow_provider_instagram.tokens import ENDING

    token = None if isinstance(problem, AuthenticationError) else hook.token_life().known()
    left = token.left(datetime.now(timezone.utc)) if token else None
    if left is not None and left > ENDING:
        return
    told: Any = {
        **context,
        "instagram_token": {
            "conn_id": hook.instagram_conn_id,
            "days_left": None if left is None else round(left.total_seconds() / 86400, 1),
            "expires_at": token.expires_at if token else None,
            "problem": str(problem),
            "connect_page": connect_page(hook.instagram_conn_id),
        },
    }
    for tell in on_token_ending:
        tell(told)


def refresh_tokens(
    *, connections: str = "connections", on_token_ending: Sequence[Callable[[Context], Any]] = ()
) -> None:
    """Add tasks to a DAG that refresh the tokens of several accounts, each in a mapped task of its own.

    :param connections: The run parameter that lists the connections. Where it is empty, those are taken that were
        connected, used or refreshed before, and those of the environment.
    :param on_token_ending: As for :class:`RefreshTokenOperator`.
    """

    @task
    def list_connections(params: dict[str, Any] | None = None) -> list[str]:
        """Name the connections whose tokens are refreshed."""
        from airflow_provider_instagram.accounts import found_connections

        return list((params or {}).get(connections) or found_connections())

    @task(retries=3, retry_policy=InstagramRetryPolicy(), map_index_template="{{ conn_id }}")
    def refresh(conn_id: str, **context: Any) -> dict[str, Any]:
        """Refresh one token."""
        context["conn_id"] = conn_id
        try:
            return refresh_token(conn_id, context, on_token_ending)  # type: ignore[arg-type]
        except AirflowNotFoundException as error:
            if conn_id in (context["params"].get(connections) or ()):
                raise
            from airflow_provider_instagram.tokens import VARIABLE_PREFIX

            variable = f"{VARIABLE_PREFIX}{conn_id}"
            raise AirflowSkipException(f"{error}. Was it deleted? Then delete the Variable {variable!r}.") from None

    refresh.expand(conn_id=list_connections())
