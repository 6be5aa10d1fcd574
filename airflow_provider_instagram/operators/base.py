"""The base class of operators and sensors that work with one Instagram account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.bases.operator import TriggerFailureReason, get_merged_defaults

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.operators.literal_templates import LiteralTemplateMixin
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import AssetAlias, Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial


class InstagramBaseOperator(LiteralTemplateMixin):
    """Base class of tasks that work with one account.

    The connection is a constant of the DAG, so that every kind of task can reach the account's ledger, also with
    ``.partial().expand()``, which ignores what a constructor sets.

    :param instagram_conn_id: The Airflow connection of the account, as plain text. It cannot be templated or mapped.
    :param inlets: Further inlets. The account's ledger is added to them.
    :param outlets: Further outlets. The account's posts are added to them if the task publishes posts.
    """

    #: The aliases through which the task emits events: ``ledger_alias`` keeps the ledger after the DAG is deleted.
    aliases: ClassVar[tuple[Callable[[str], AssetAlias], ...]] = ()

    def __init__(
        self, *, instagram_conn_id: str = DEFAULT_CONN_ID, inlets: Any = None, outlets: Any = None, **kwargs: Any
    ) -> None:
        self.instagram_conn_id = constant_conn_id(instagram_conn_id)
        super().__init__(
            inlets=_with_assets(inlets, self.account_inlets(instagram_conn_id)),
            outlets=_with_assets(outlets, self.account_aliases(instagram_conn_id)),
            **kwargs,
        )

    @classmethod
    def account_inlets(cls, conn_id: str) -> list[Any]:
        """Return the task's inlets: the account's ledger, which holds its state, and the assets that it emits."""
        return [ledger_asset(conn_id), *cls.account_aliases(conn_id)]

    @classmethod
    def account_aliases(cls, conn_id: str) -> list[Any]:
        """Return the task's aliases, which are its outlets."""
        return [alias(conn_id) for alias in cls.aliases]

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Continue after a wait. After its timeout, the task begins again, and looks itself.

        The scheduler ends a wait by its timeout although no triggerer runs, or none has capacity left.
        """
        if (next_kwargs or {}).get("error") == TriggerFailureReason.TRIGGER_TIMEOUT:
            next_method, next_kwargs = "execute", None
        return super().resume_execution(next_method, next_kwargs, context)

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Map the task. All map indexes use the same account; a mapped ``instagram_conn_id`` is rejected."""
        partial = super().partial(**kwargs)
        defaults, _ = get_merged_defaults(
            partial.kwargs["dag"], partial.kwargs["task_group"], None, kwargs.get("default_args")
        )
        conn_id = partial.kwargs.setdefault("instagram_conn_id", defaults.get("instagram_conn_id", DEFAULT_CONN_ID))
        constant_conn_id(conn_id)
        partial.kwargs["inlets"] = _with_assets(partial.kwargs["inlets"], cls.account_inlets(conn_id))
        partial.kwargs["outlets"] = _with_assets(partial.kwargs["outlets"], cls.account_aliases(conn_id))
        return partial


def constant_conn_id(conn_id: object) -> str:
    """Check that a connection id is known when the DAG is parsed.

    :param conn_id: The value of ``instagram_conn_id``.
    :return: The id.
    :raises ValidationError: If the value is a template, an XCom, a mapped argument or empty.
    """
    if isinstance(conn_id, str) and conn_id and "{{" not in conn_id:
        return conn_id
    raise ValidationError(
        f"instagram_conn_id must be the id of a connection as plain text, not {conn_id!r}.",
        hint="Airflow must know the connection when it parses the DAG, so it cannot be templated or mapped. For "
        "several accounts, create one task or one task group for each account in a Python loop.",
    )


def _with_assets(given: Any, ours: list[Any]) -> list[Any]:
    listed = list(given) if isinstance(given, (list, tuple)) else [given] if given else []
    return [*listed, *(asset for asset in ours if asset not in listed)]
