"""What every task of one Instagram account has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.operator import get_merged_defaults

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.ledger import ledger_asset
from airflow_provider_instagram.literal_data_task import LiteralDataTask

if TYPE_CHECKING:
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from airflow_provider_instagram.ledger import Post

DEFAULT_CONN_ID = "instagram_default"


class AccountTask(LiteralDataTask):
    """A task that works with one account.

    Its connection is a constant of the DAG, and its ledger is reachable in every shape of task, also under
    ``.partial().expand()``, which ignores what a constructor sets.

    :param instagram_conn_id: Id of the account's connection, as plain text: never templated or mapped.
    :param inlets: The author's own inlets; the account's ledger is added.
    :param outlets: The author's own outlets; the account's posts are added where the task makes posts.
    """

    def __init__(
        self, *, instagram_conn_id: str = DEFAULT_CONN_ID, inlets: Any = None, outlets: Any = None, **kwargs: Any
    ) -> None:
        self.instagram_conn_id = constant_conn_id(instagram_conn_id)
        super().__init__(
            inlets=_added(inlets, self.account_inlets(instagram_conn_id)),
            outlets=_added(outlets, self.account_outlets(instagram_conn_id)),
            **kwargs,
        )

    @classmethod
    def account_inlets(cls, conn_id: str) -> list[Any]:
        """Name what the task reads: the account's ledger, on which it keeps state, and events like those it emits."""
        return [ledger_asset(conn_id), *cls.account_outlets(conn_id)]

    @classmethod
    def account_outlets(cls, conn_id: str) -> list[Any]:
        """Name the assets that the task emits events of: none, unless a subclass says so."""
        return []

    def another_account(self, post: Post) -> str | None:
        """Tell which account the connection leads to now, when a post was made on another.

        :param post: The post, as the ledger has it.
        :return: The account's Instagram user id; None when it is the same, or nothing says.
        """
        from airflow_provider_instagram.hooks.instagram import InstagramHook

        try:
            user_id = InstagramHook(self.instagram_conn_id).settings.ig_user_id
        except Exception:  # noqa: BLE001 -- that the connection cannot be read changes nothing about a post that is live
            return None
        return None if post.ig_user_id in (None, user_id) else user_id

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Map the task. The account is the same for all map indexes; a mapped ``instagram_conn_id`` is refused."""
        partial = super().partial(**kwargs)
        defaults, _ = get_merged_defaults(
            partial.kwargs["dag"], partial.kwargs["task_group"], None, kwargs.get("default_args")
        )
        conn_id = partial.kwargs.setdefault("instagram_conn_id", defaults.get("instagram_conn_id", DEFAULT_CONN_ID))
        constant_conn_id(conn_id)
        partial.kwargs["inlets"] = _added(partial.kwargs["inlets"], cls.account_inlets(conn_id))
        partial.kwargs["outlets"] = _added(partial.kwargs["outlets"], cls.account_outlets(conn_id))
        return partial


def constant_conn_id(conn_id: object) -> str:
    """Accept only a connection id that is known when the DAG is parsed.

    :param conn_id: What the DAG's author gave as ``instagram_conn_id``.
    :return: The id.
    :raises ValidationError: When it is a template, an XCom, a mapped argument or empty.
    """
    if isinstance(conn_id, str) and conn_id and "{{" not in conn_id:
        return conn_id
    raise ValidationError(
        f"instagram_conn_id must be the id of a connection as plain text, not {conn_id!r}.",
        hint="It names the account's ledger, which Airflow must know when it reads the DAG: it cannot be templated or "
        "mapped. For several accounts, make one task or one task group for each of them in a Python loop.",
    )


def _added(given: Any, ours: list[Any]) -> list[Any]:
    listed = list(given) if isinstance(given, (list, tuple)) else [given] if given else []
    return [*listed, *(asset for asset in ours if asset not in listed)]
