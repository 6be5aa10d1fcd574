"""The base class of tasks that do not render data as templates, and that mask the secret parts of web addresses."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.bases.operator import get_merged_defaults
from airflow.sdk.definitions._internal.expandinput import ListOfDictsExpandInput
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.log import mask_secret

from airflow_provider_instagram.files import storage
from airflow_provider_instagram.retry_policy import InstagramRetryPolicy
from airflow_provider_instagram.utils import arguments, locations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import jinja2
    from airflow.sdk import Context, RetryPolicy
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from airflow_provider_instagram.utils.process import Cancel


class LiteralTemplateMixin(BaseOperator):
    """Base class of tasks that never render text from data, and that mask the signatures of links.

    A try that cannot even start, because Airflow's API server is down, uses up a retry, and no policy is asked. The
    retries therefore span an outage of 55 minutes: their delays are 1, 2, 4, 8 and then 10 minutes.

    :param retries: The number of retries.
    :param retry_delay: The delay before the first retry, if the policy sets none.
    :param retry_exponential_backoff: The factor by which each further delay is longer.
    :param max_retry_delay: The longest delay.
    :param retry_policy: Decides which failures of a running task are retried, and when.
    :param weight_rule: The rule of ``priority_weight``; see :mod:`~airflow_provider_instagram.operators.priority`.
    """

    #: Arguments whose template field has another name, because BaseOperator uses theirs.
    template_field_aliases: ClassVar[dict[str, str]] = {}
    #: Ends what the task does in other processes.
    cancel: Cancel | None = None
    #: How arguments are read.
    argument_readers: ClassVar[dict[str, Callable[[str, Any], Any]]] = {}

    def __init__(
        self,
        *,
        retries: int = 8,
        retry_delay: timedelta = timedelta(minutes=1),
        retry_exponential_backoff: float = 2,
        max_retry_delay: timedelta | None = timedelta(minutes=10),
        retry_policy: RetryPolicy | None = InstagramRetryPolicy(),  # noqa: B008
        weight_rule: str = "absolute",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            retries=retries,
            retry_delay=retry_delay,
            retry_exponential_backoff=retry_exponential_backoff,
            max_retry_delay=max_retry_delay,
            retry_policy=retry_policy,
            weight_rule=weight_rule,
            **kwargs,
        )

    def on_kill(self) -> None:
        """Stop the programs that the task has started, and remove its copies of remote files."""
        if self.cancel is not None:
            self.cancel.cancel()
        storage.abandon_copies()

    @classmethod
    def check_arguments(cls, known: Mapping[str, Any]) -> None:
        """Check arguments by the rules of a run, as far as their values are known when the DAG is parsed.

        :param known: The arguments whose values are final, by their names.
        :raises ValidationError: If a run would refuse them.
        """
        for name, read in cls.argument_readers.items():
            if name in known:
                read(name, known[name])

    def _set_xcomargs_dependencies(self) -> None:
        """Check the known arguments. Airflow calls this once, after the constructors of a task that is not mapped."""
        super()._set_xcomargs_dependencies()
        if (dag := self.get_dag()) is not None and dag.jinja_environment_kwargs:
            return  # templates may begin otherwise
        names = {field: name for name, field in self.template_field_aliases.items()}
        values = {names.get(field, field): getattr(self, field) for field in self.template_fields}
        self.check_arguments(_known(values))

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Map the task, with the retries and the other defaults of its own constructor.

        Airflow 3.3.0 and 3.3.1 leave these out of a mapped task.
        """
        partial = super().partial(**kwargs)
        cls.check_arguments(_known(kwargs))
        given, _ = get_merged_defaults(
            partial.kwargs["dag"], partial.kwargs["task_group"], None, kwargs.get("default_args")
        )
        own = {name: default for name, default in _constructor_defaults(cls) if name in partial.kwargs}
        partial.kwargs.update({name: own[name] for name in own.keys() - kwargs.keys() - given.keys()})
        return partial

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        """Render the fields that the DAG's author wrote, and no field that came as data.

        Airflow renders the strings of a dict that ``expand_kwargs`` takes from an XCom. A caption in a spreadsheet
        could then read a secret and publish it.
        """
        fields = list(template_fields)
        data = self._fields_from_data(context)
        authored = [field for field in fields if field not in data]
        super()._do_render_template_fields(parent, authored, context, jinja_env, seen_oids)
        for field in fields:
            _mask_addresses(getattr(parent, field, None))

    def _fields_from_data(self, context: Context) -> set[str]:
        task = self.dag.get_task(self.task_id)
        if not isinstance(task, MappedOperator) or not isinstance(task.expand_input, ListOfDictsExpandInput):
            return set()  # expand() itself renders no data
        source = task.expand_input.value
        if isinstance(source, Sequence) and isinstance(source[context["ti"].map_index or 0], Mapping):
            return set()  # a dict written in the DAG file
        return set(self.template_fields) - {self.template_field_aliases.get(name, name) for name in task.partial_kwargs}


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if arguments.is_known(value)}


def _mask_addresses(value: Any) -> None:
    """Mask the query of each web address among a field's values.

    Airflow stores rendered fields and shows them to every user who may see the run, so they are masked before that.
    A text that only mentions an address, such as a caption, is not masked: it will be public.
    """
    for text in _texts(value):
        if locations.is_web(text) and not any(letter.isspace() for letter in text.strip()):
            for secret in locations.secrets_in(text.strip()):
                mask_secret(secret)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        if value.lstrip().startswith("["):  # a list of files, as the text that a template gives
            with suppress(ValueError, RecursionError):
                yield from _texts(json.loads(value))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, (list, tuple, set)):
        for part in value:
            yield from _texts(part)


def _constructor_defaults(task: type) -> Iterator[tuple[str, Any]]:
    """Yield the defaults of a task's constructors, those of its base classes first."""
    for base in reversed(task.mro()[: task.mro().index(BaseOperator)]):
        if "__init__" in vars(base):
            for name, parameter in inspect.signature(vars(base)["__init__"]).parameters.items():
                if parameter.default is not parameter.empty:
                    yield name, parameter.default
