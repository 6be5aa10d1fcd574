"""The base classes of tasks for DAG authors: arguments are checked early, and what comes as data is never rendered."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from airflow.sdk import BaseOperator, Context, TaskGroup
from airflow.sdk.definitions.mappedoperator import OperatorPartial

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.operators.base import (
    AccountTask,
    InstagramTask,
    constant_conn_id,
)
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import DAG, XComArg
    from airflow.sdk.definitions.mappedoperator import MappedOperator


#: What is known only in the run: the text of a template, or the result of a task.
Templated: TypeAlias = "str | XComArg"

#: The arguments of a task, by their names, and how they are read.
Arguments: TypeAlias = Mapping[str, Any]
Readers: TypeAlias = dict[str, Callable[[str, Any], Any]]


class AuthoredTask(InstagramTask):
    """Base class of tasks for DAG authors, alone or mapped.

    The constructor of each such task ends with :meth:`check`. Airflow calls the constructor of a
    mapped task in the run, so what it is mapped over is checked then, and the arguments of
    ``partial`` when the DAG is parsed.
    """

    #: Arguments whose template field has another name, because BaseOperator uses theirs.
    template_field_aliases: ClassVar[dict[str, str]] = {}
    #: How arguments are read.
    argument_readers: ClassVar[Readers] = {}

    @classmethod
    def check_arguments(cls, known: Arguments) -> None:
        """Check arguments by the rules of a run, as far as their values are known when the DAG is parsed.

        :param known: The arguments whose values are final, by their names.
        :raises ValidationError: If a run would refuse them.
        """
        for name, read in cls.argument_readers.items():
            if name in known:
                read(name, known[name])

    @classmethod
    def argument_fields(cls) -> dict[str, str]:
        """Return the template fields, by the names of their arguments."""
        names = {field: name for name, field in cls.template_field_aliases.items()}
        return {names.get(field, field): field for field in cls.template_fields}

    def check(self) -> None:
        """Check the known arguments. This is the last line of a constructor."""
        values = {name: getattr(self, field) for name, field in self.argument_fields().items()}
        _check_known(type(self), values, self.get_dag())

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Map the task, with the defaults of its constructor: Airflow leaves some of them out of a mapped task."""
        partial = super().partial(**kwargs)
        fields = cls.argument_fields()
        _check_known(
            cls, {name: kwargs[name] for name in fields if name in kwargs}, partial.kwargs["dag"]
        )
        given = _given(partial, kwargs)
        defaults = {
            name: default for name, default in _constructor_defaults(cls) if name in partial.kwargs
        }
        partial.kwargs.update(
            {name: default for name, default in defaults.items() if name not in given}
        )
        return partial

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render what the DAG's author wrote, and nothing that came as data.

        Airflow renders the strings of a dict that ``expand_kwargs`` takes from an XCom. A caption
        in a spreadsheet could then read a secret and publish it.
        """
        if any(content is getattr(self, field, None) for field in self._fields_from_data(context)):
            return content
        return super().render_template(content, context, jinja_env, seen_oids)

    def _fields_from_data(self, context: Context) -> set[str]:
        task: Any = self.dag.get_task(self.task_id)
        if not task.is_mapped:
            return set()
        source = task.expand_input.value
        if isinstance(source, Sequence):
            source = source[context["ti"].map_index or 0]
        if isinstance(source, Mapping):
            return set()  # expand() renders no data, and this dict was written in the DAG file
        return set(self.template_fields) - {
            self.template_field_aliases.get(name, name) for name in task.partial_kwargs
        }


class InstagramBaseOperator(AuthoredTask, AccountTask):
    """Base class of operators and sensors that work with one account.

    The connection is a constant of the DAG, so that every kind of task can reach the account's
    ledger, also with ``.partial().expand()``, which ignores what a constructor sets.
    """

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Map the task. All map indexes use the same account; a mapped ``instagram_conn_id`` is rejected."""
        partial = super().partial(**kwargs)
        conn_id = constant_conn_id(
            _given(partial, kwargs).get("instagram_conn_id", DEFAULT_CONN_ID)
        )
        partial.kwargs.update(
            cls.with_assets(conn_id, partial.kwargs["inlets"], partial.kwargs["outlets"])
        )
        partial.kwargs["instagram_conn_id"] = conn_id
        partial.__class__ = _OneAccount
        return partial


class _OneAccount(OperatorPartial):
    """A task to be mapped, but not over accounts: Airflow's refusal does not say what to do instead."""

    __slots__ = ()

    def expand(self, **mapped_kwargs: Any) -> MappedOperator:
        """Map the task over arguments."""
        if "instagram_conn_id" in mapped_kwargs:
            constant_conn_id(mapped_kwargs["instagram_conn_id"])
        return super().expand(**mapped_kwargs)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:
        """Map the task over sets of arguments. Those that another task returns are checked in the run."""
        for one in kwargs if isinstance(kwargs, Sequence) else ():
            if isinstance(one, Mapping) and "instagram_conn_id" in one:
                constant_conn_id([one["instagram_conn_id"]])
        return super().expand_kwargs(kwargs, strict=strict)


def are_empty(known: Arguments, *names: str) -> bool:
    """Return whether these arguments are known to be not set."""
    return all(name in known and arguments.given(known[name]) is None for name in names)


def _check_known(task: type[AuthoredTask], values: Arguments, dag: DAG | None) -> None:
    """Check arguments as far as they are known. A task is never an argument.

    :param values: The arguments, by their names. An absent one is not known.
    """
    for name, value in values.items():
        _check_is_no_task(name, value)
    if dag is None or not dag.jinja_environment_kwargs:  # with them, templates may begin otherwise
        task.check_arguments(
            {name: value for name, value in values.items() if arguments.is_known(value)}
        )


def _given(partial: OperatorPartial, kwargs: Arguments) -> dict[str, Any]:
    """Return what the author of a DAG gives to a mapped task: to itself, its task group or its DAG."""
    parents = (partial.kwargs["dag"], partial.kwargs["task_group"])
    given: dict[str, Any] = {}
    for defaults in (
        *(parent.default_args for parent in parents if parent is not None),
        kwargs.get("default_args"),
    ):
        given |= defaults or {}
    return {**given, **kwargs}


def _constructor_defaults(task: type) -> Iterator[tuple[str, Any]]:
    """Yield the defaults of a task's constructors, those of its base classes first."""
    for base in reversed(task.mro()[: task.mro().index(BaseOperator)]):
        if "__init__" in vars(base):
            for name, parameter in inspect.signature(vars(base)["__init__"]).parameters.items():
                if parameter.default is not parameter.empty:
                    yield name, parameter.default


def _check_is_no_task(name: str, value: Any) -> None:
    """Check that no task stands where its result is meant."""
    if isinstance(value, (Mapping, list, tuple, set)):
        for part in value.values() if isinstance(value, Mapping) else value:
            _check_is_no_task(name, part)
    elif isinstance(value, BaseOperator) or getattr(value, "is_mapped", None) is True:
        own = value.node_id.rpartition(".")[2]
        raise ValidationError(
            f"{name} is the task {value.node_id!r}, not its result.",
            hint=f"Write its output: {name}={own}.output.",
        )
    elif isinstance(value, TaskGroup):
        raise ValidationError(
            f"{name} is the task group {value.node_id!r}, not a result.",
            hint="Write the output of one of its tasks.",
        )
    elif hasattr(value, "override"):  # what @task makes of a function
        own = value.function.__name__
        raise ValidationError(
            f"{name} is the task {own!r}, which is not called.", hint=f"Call it: {name}={own}()."
        )
