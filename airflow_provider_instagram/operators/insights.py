"""The operator that reads the metrics of posts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from airflow_provider_instagram.exceptions import RateLimitError, ValidationError
from airflow_provider_instagram.operators.authored import (
    InstagramBaseOperator,
    Readers,
    Templated,
)
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.clock import CLOCK
from airflow_provider_instagram.utils.deferral import shortest_deferral

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.graph.capabilities import MetaLogin
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import Media
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.quota.call_budget import InsightsBudget

#: A row of the result, or its part that names a medium.
Row: TypeAlias = dict[str, Any]
#: How many posts are read if no media are given.
NEWEST: Final = 25


class InsightsOperator(InstagramBaseOperator):
    """Read the metrics of posts: views, reach, likes and so on.

    * A value that does not exist yet is null, never 0, and ``reason`` says why: ``no_data``,
      ``too_few_viewers``, ``refused`` or ``gone``. None of them is a failure.
    * A metric that Instagram refuses to the account or the kind of medium has the reason
      ``refused``, and is asked for again after a day.
    * Reading uses at most 15 % of the account's calls of an hour. If they are used up, the task is
      deferred until some are free, and keeps what it has read.

    Returns a list of rows, one for each medium and metric: ``conn_id``, ``user_id``, ``media_id``,
    ``post_key``, ``kind``, ``permalink``, ``published_at``, ``read_at``, ``metric``, ``value`` and
    ``reason``.

    :param media_ids: The posts: media ids, or what PublishOperator returns. None reads the newest
        25 posts of the account and its stories.
    :param metrics: The names of the metrics. None reads all that each medium has.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    """

    argument_readers: ClassVar[Readers] = {
        "media_ids": lambda _, value: read_media_ids(value),
        "metrics": lambda _, value: read_metrics(value),
    }
    template_fields: Sequence[str] = tuple(argument_readers)
    ui_color = "#e9f3fb"

    def __init__(
        self,
        *,
        media_ids: Sequence[Any] | Templated | None = None,
        metrics: Sequence[str] | Templated | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.media_ids = media_ids
        self.metrics = metrics
        self.check()

    def execute(
        self,
        context: Context,
        event: Any = None,
        pending: list[Row] | None = None,
        rows: Sequence[Row] = (),
    ) -> list[Row]:
        """Read the metrics of all posts, as far as the calls of this hour suffice, and wait for further calls.

        :param pending: The media that are left after a wait.
        :param rows: What was read before it.
        """
        from airflow_provider_instagram.graph.capabilities import INSIGHTS
        from airflow_provider_instagram.hooks.instagram import InstagramHook
        from airflow_provider_instagram.hooks.scopes import known_scopes
        from airflow_provider_instagram.ledger.ledger import Ledger
        from airflow_provider_instagram.quota.call_budget import InsightsBudget

        if pending is None:
            known_scopes(self.instagram_conn_id).require(INSIGHTS)
        hook = InstagramHook(self.instagram_conn_id)
        ledger = Ledger.of(context, self.instagram_conn_id, is_lenient=True)
        budget = InsightsBudget(ledger.store, ledger.clock, hook.settings.limits.calls_per_hour)
        read = list(rows)
        with hook.get_conn() as client:
            budget.charge(client)
            try:
                account = _Account(client, ledger, hook.ig_user_id(client), hook.settings.login)
                if pending is None:
                    pending = account.media(read_media_ids(self.media_ids))
                pending = self._read(account, budget, pending, read)
            finally:
                budget.save()
        if pending:
            self._wait_for_calls(budget, pending, read)
        self.log.info("Read %d values of %s", len(read), self.instagram_conn_id)
        return read

    def _read(
        self,
        account: _Account,
        budget: InsightsBudget,
        pending: list[Row],
        rows: list[Row],
    ) -> list[Row]:
        """Read media, add their rows, and return the media for which the calls do not suffice."""
        metrics = read_metrics(self.metrics)
        for number, medium in enumerate(pending):
            if not budget.left():
                return pending[number:]
            try:
                rows += account.rows(medium, metrics)
            except RateLimitError as error:
                budget.stop(error.retry_after)
                return pending[number:]
        return []

    def _wait_for_calls(self, budget: InsightsBudget, pending: list[Row], rows: list[Row]) -> None:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        moment = max(budget.available_at(), CLOCK.now() + shortest_deferral())
        self.log.info(
            "The calls for insights of this hour are used up. Reading %d media at %s",
            len(pending),
            moment,
        )
        self.defer(
            trigger=DateTimeTrigger(moment=moment),
            method_name="execute",
            kwargs={"pending": pending, "rows": rows},
        )


def read_metrics(given: Any) -> list[str] | None:
    """Read the names of metrics. None stands for all."""
    names = arguments.sequence("metrics", given)
    if not names:
        return None
    from airflow_provider_instagram.graph.models import MEDIA_METRICS

    known = list(dict.fromkeys(chain(*MEDIA_METRICS.values())))
    for name in names:
        if name not in known:
            similar = get_close_matches(str(name), known, 1)
            question = (
                f"Did you mean {similar[0]!r}?" if similar else f"Use some of {', '.join(known)}."
            )
            raise ValidationError(
                f"Instagram has no metric {arguments.in_quotes(name)} of posts.", hint=question
            )
    return names


def read_media_ids(given: Any) -> list[str] | None:
    """Read media ids, each of them once. None stands for the newest posts."""
    given = arguments.given(given)
    if given is None:
        return None
    listed = [given] if isinstance(given, dict) else arguments.sequence("media_ids", given)
    return list(dict.fromkeys(arguments.media_id("media_id", one) for one in listed))


@dataclass(frozen=True)
class _Account:
    """The account whose media are read."""

    client: GraphClient
    ledger: Ledger
    user_id: str
    login: MetaLogin

    def media(self, media_ids: Sequence[str] | None) -> list[Row]:
        """Return the part of their rows that names media. None stands for the newest posts, and the stories."""
        from airflow_provider_instagram.graph import calls
        from airflow_provider_instagram.graph.listing import LONGEST_PAGE

        if media_ids is None:
            posts = self.client.send(calls.media_list(self.user_id, limit=NEWEST)).items
            stories = self.client.send(calls.stories(self.user_id)).items
            return [_named(media) for media in (*stories, *posts)]
        newest = {}
        if len(media_ids) > 1:  # the list saves a call for each of them
            page = self.client.send(calls.media_list(self.user_id, limit=LONGEST_PAGE))
            newest = {media.id: media for media in page.items}
        return [_named(newest.get(one) or self.client.send(calls.media(one))) for one in media_ids]

    def rows(self, medium: Row, metrics: list[str] | None) -> list[Row]:
        """Read the metrics of a medium. None stands for all that it has."""
        from airflow_provider_instagram.graph.insight_reader import InsightReader
        from airflow_provider_instagram.graph.models import metrics_of
        from airflow_provider_instagram.ledger.insights import StoredRefusals
        from airflow_provider_instagram.posts.kinds import PostKind

        kind = PostKind(medium["kind"])
        of_kind = metrics_of(kind, self.login)
        reader = InsightReader(self.client, StoredRefusals(self.ledger.store, self.ledger.clock))
        reading = reader.of_media(medium["media_id"], kind.value, metrics or of_kind)
        common = {
            "conn_id": self.ledger.conn_id,
            "user_id": self.user_id,
            "post_key": self.ledger.key_of_media(medium["media_id"]),
            **medium,
            "read_at": self.ledger.now(),
        }
        return [
            {**common, "metric": metric, "value": value, "reason": reading.reason_of(metric)}
            for metric, value in reading.values.items()
        ]


def _named(media: Media) -> Row:
    return {
        "media_id": media.id,
        "kind": media.kind.value,
        "permalink": media.permalink,
        "published_at": media.timestamp.isoformat() if media.timestamp else None,
    }
