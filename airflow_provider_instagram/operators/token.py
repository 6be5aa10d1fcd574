"""The operator that refreshes an account's access token before it expires, and a DAG that does so for all accounts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow.sdk import DAG, Context, Param, task
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    InstagramError,
    ValidationError,
)
from airflow_provider_instagram.ledger.records import Owner
from airflow_provider_instagram.operators.authored import InstagramBaseOperator
from airflow_provider_instagram.operators.base import InstagramRetryPolicy
from airflow_provider_instagram.utils.clock import CLOCK

if TYPE_CHECKING:
    from airflow_provider_instagram.hooks.instagram import InstagramHook

#: Notifiers or functions, which are called with the context.
Notifiers: TypeAlias = Sequence[Callable[[Context], Any]]


class RefreshTokenOperator(InstagramBaseOperator):
    """Refresh the access token of an account, and store the new one encrypted in an Airflow Variable.

    A long-lived token that is at least 24 hours old and has not expired can be extended to 60 days.
    Run this operator daily. Returns ``{"refreshed": …, "expires_at": …}``.

    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    :param on_token_ending: Notifiers or functions that are called with the context if the token is
        no longer valid, or if it could not be refreshed and expires within 14 days. The context has
        ``instagram_token``, with ``conn_id``, ``days_left`` (None if the token is not valid or its
        expiry is unknown), ``expires_at``, ``problem`` and ``connect_page``.
    :param multiple_outputs: Whether each part of the result is an XCom too, as in
        ``refresh.output["expires_at"]``.
    """

    ui_color = "#fdf1f6"

    def __init__(
        self,
        *,
        on_token_ending: Sequence[Callable[[Context], Any]] = (),
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)
        self.on_token_ending = _notifiers(on_token_ending)

    @classmethod
    def account_inlets(cls, conn_id: str) -> list[Any]:
        """Return no assets, because the task does not use the ledger."""
        return []

    def execute(self, context: Context) -> dict[str, Any]:
        """Refresh the token unless it is younger than 24 hours."""
        return refresh_token(self.instagram_conn_id, context, self.on_token_ending)


def _notifiers(
    on_token_ending: Notifiers,
) -> Notifiers:
    if isinstance(on_token_ending, (list, tuple)) and all(map(callable, on_token_ending)):
        return on_token_ending
    raise ValidationError(
        f"on_token_ending must be a list of notifiers or functions, not {on_token_ending!r}.",
        hint="Write on_token_ending=[notify].",
    )


def refresh_token(
    conn_id: str, context: Context, on_token_ending: Notifiers | None
) -> dict[str, Any]:
    """Refresh the token of a connection, and send an alert if the token expires soon.

    A token of Facebook or Unified Login cannot be refreshed. Meta tells when it expires.

    :param on_token_ending: Notifiers. If None, a token that cannot be refreshed and expires soon is
        an error.
    """
    from airflow_provider_instagram.hooks.instagram import InstagramHook
    from airflow_provider_instagram.utils.pages import reconnect_hint

    hook = InstagramHook(conn_id)
    try:
        done = hook.refresh_token(str(Owner.of(context)))
    except InstagramError as error:
        ti = context["ti"]
        if not error.retryable or ti.try_number > ti.max_tries:
            _alert(hook, context, error, on_token_ending or ())
        raise
    if done.token.expires and not hook.token_manager().can_refresh:
        ends = InstagramError(
            f"The token of connection {conn_id!r} {done.token.end}, and cannot be refreshed.",
            hint=reconnect_hint(conn_id),
        )
        is_ending = _alert(hook, context, ends, on_token_ending or ())
        if is_ending and on_token_ending is None:
            raise ends
    what = "refreshed" if done.refreshed else "not refreshed"
    expires = done.token.expires
    hook.log.info("The token of %s was %s; it %s", conn_id, what, done.token.end)
    return {"refreshed": done.refreshed, "expires_at": expires.isoformat() if expires else None}


def _alert(
    hook: InstagramHook,
    context: Context,
    problem: InstagramError,
    on_token_ending: Notifiers,
) -> bool:
    """Call the notifiers if the token is no longer valid or expires soon, and return whether that is so."""
    from airflow_provider_instagram.hooks.token_store import EXPIRY_WARNING
    from airflow_provider_instagram.utils.pages import connect_page

    token = (
        None if isinstance(problem, AuthenticationError) else hook.token_manager().current_token()
    )
    left = token.time_left(CLOCK.now()) if token else None
    if left is not None and left > EXPIRY_WARNING:
        return False
    alert_context: Any = {
        **context,
        "instagram_token": {
            "conn_id": hook.instagram_conn_id,
            "days_left": None if left is None else round(left.total_seconds() / 86400, 1),
            "expires_at": token.expires.isoformat() if token and token.expires else None,
            "problem": str(problem),
            "connect_page": connect_page(hook.instagram_conn_id),
        },
    }
    for notify in on_token_ending:
        notify(alert_context)
    return True


def token_refresh_dag(
    dag_id: str = "refresh_instagram_tokens",
    *,
    on_token_ending: Sequence[Callable[[Context], Any]] | None = None,
    **dag_arguments: Any,
) -> DAG:
    """Return a DAG that refreshes the tokens of all accounts daily, each in a task of its own.

    Its run parameter ``connections`` names the accounts. If it is empty, the DAG refreshes every
    connection that was connected, used or refreshed before, and those of the environment.

    :param on_token_ending: As for :class:`RefreshTokenOperator`. By default, the task of a token
        that cannot be refreshed fails during the last 14 days.
    :param dag_arguments: Arguments of the DAG.
    """
    if on_token_ending is not None:
        _notifiers(on_token_ending)

    accounts = Param(
        [],
        type="array",
        items={"type": "string"},
        title="Connections",
        description="If empty, all connections that are found.",
    )
    own: dict[str, Any] = {
        "schedule": "@daily",
        "catchup": False,
        "max_active_runs": 1,
        "tags": ["instagram"],
        "params": {"connections": accounts},
    }
    with DAG(dag_id, **{**own, **dag_arguments}) as dag:
        _refresh_each(on_token_ending)
    return dag


def _refresh_each(on_token_ending: Notifiers | None) -> None:
    """Add the tasks to the DAG that refresh the tokens of several accounts."""

    @task
    def list_connections(params: dict[str, Any] | None = None) -> list[str]:
        """Return the connections whose tokens to refresh."""
        from airflow_provider_instagram.hooks.token_store import visible_connections

        return list((params or {}).get("connections") or visible_connections())

    @task(retries=3, retry_policy=InstagramRetryPolicy(), map_index_template="{{ conn_id }}")
    def refresh(conn_id: str, **context: Any) -> dict[str, Any]:
        """Refresh one token."""
        context["conn_id"] = conn_id
        try:
            return refresh_token(conn_id, context, on_token_ending)  # type: ignore[arg-type]
        except AirflowNotFoundException as error:
            if conn_id in (context["params"].get("connections") or ()):
                raise
            from airflow_provider_instagram.hooks.token_store import VARIABLE_PREFIX

            variable = f"{VARIABLE_PREFIX}{conn_id}"
            raise AirflowSkipException(
                f"{error}. If it was deleted, delete the Variable {variable!r} too."
            ) from None

    refresh.expand(conn_id=list_connections())
