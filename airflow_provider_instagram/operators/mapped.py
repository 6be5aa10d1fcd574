"""What the tasks of DAG authors need of Airflow's insides, above all if they are mapped. No other module uses these.

* ``MappableTask.partial`` adds the defaults of the constructors, which Airflow 3.3.0 and 3.3.1 leave out of a mapped
  task. It can go when 3.3.2 is the oldest version that the provider takes.
* ``_do_render_template_fields`` can go when Airflow renders no text that ``expand_kwargs`` takes from an XCom.
* ``_Partial`` can go when Airflow asks the class of a mapped task about the lists of ``expand`` and ``expand_kwargs``.
* ``_set_xcomargs_dependencies`` can go when Airflow calls a public method once a task is complete.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.sdk import BaseOperator, Context, TaskGroup, conf
from airflow.sdk.bases.operator import get_merged_defaults
from airflow.sdk.definitions._internal.expandinput import ListOfDictsExpandInput
from airflow.sdk.definitions.mappedoperator import MappedOperator, OperatorPartial, validate_mapping_kwargs

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.operators.base import (
    AccountTask,
    InstagramTask,
    constant_conn_id,
    mask_addresses,
)
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import DAG


class MappableTask(InstagramTask):
    """Base class of tasks for DAG authors, alone or mapped: arguments are checked early, and data is never rendered."""

    #: Arguments whose template field has another name, because BaseOperator uses theirs.
    template_field_aliases: ClassVar[dict[str, str]] = {}
    #: How arguments are read.
    argument_readers: ClassVar[dict[str, Callable[[str, Any], Any]]] = {}

    @classmethod
    def check_arguments(cls, known: Mapping[str, Any]) -> None:
        """Check arguments by the rules of a run, as far as their values are known when the DAG is parsed.

        :param known: The arguments whose values are final, by their names.
        :raises ValidationError: If a run would refuse them.
        """
        for name, read in cls.argument_readers.items():
            if name in known:
                read(name, known[name])

    @classmethod
    def check_known_arguments(cls, values: Mapping[str, Any], dag: DAG | None) -> None:
        """Check arguments when the DAG is parsed, as far as they are known then. A task is never an argument.

        :param values: The arguments, by their names. An absent one is not known.
        """
        for name, value in values.items():
            _check_is_no_task(name, value)
        if dag is None or not dag.jinja_environment_kwargs:  # with them, templates may begin otherwise
            cls.check_arguments({name: value for name, value in values.items() if arguments.is_known(value)})

    @classmethod
    def argument_fields(cls) -> dict[str, str]:
        """Return the template fields, by the names of their arguments."""
        names = {field: name for name, field in cls.template_field_aliases.items()}
        return {names.get(field, field): field for field in cls.template_fields}

    def _set_xcomargs_dependencies(self) -> None:
        """Check the known arguments. Airflow calls this once, after the constructors of a task that is not mapped."""
        values = {name: getattr(self, field) for name, field in self.argument_fields().items()}
        self.check_known_arguments(values, self.get_dag())
        super()._set_xcomargs_dependencies()

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Map the task, with its constructor's defaults, which Airflow 3.3.0 and 3.3.1 leave out of a mapped task."""
        partial = super().partial(**kwargs)
        partial.__class__ = _Partial
        cls.check_known_arguments(kwargs, partial.kwargs["dag"])
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
            mask_addresses(getattr(parent, field, None))

    def _fields_from_data(self, context: Context) -> set[str]:
        task = self.dag.get_task(self.task_id)
        if not isinstance(task, MappedOperator) or not isinstance(task.expand_input, ListOfDictsExpandInput):
            return set()  # expand() itself renders no data
        source = task.expand_input.value
        if isinstance(source, Sequence) and isinstance(source[context["ti"].map_index or 0], Mapping):
            return set()  # a dict written in the DAG file
        return set(self.template_fields) - {self.template_field_aliases.get(name, name) for name in task.partial_kwargs}


class InstagramBaseOperator(MappableTask, AccountTask):
    """Base class of operators and sensors that work with one account.

    The connection is a constant of the DAG, so that every kind of task can reach the account's ledger, also with
    ``.partial().expand()``, which ignores what a constructor sets.
    """

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Map the task. All map indexes use the same account; a mapped ``instagram_conn_id`` is rejected."""
        partial = super().partial(**kwargs)
        defaults, _ = get_merged_defaults(
            partial.kwargs["dag"], partial.kwargs["task_group"], None, kwargs.get("default_args")
        )
        conn_id = partial.kwargs.setdefault("instagram_conn_id", defaults.get("instagram_conn_id", DEFAULT_CONN_ID))
        constant_conn_id(conn_id)
        partial.kwargs.update(cls.with_assets(conn_id, partial.kwargs["inlets"], partial.kwargs["outlets"]))
        return partial


class _Partial(OperatorPartial):
    """A task that is to be mapped. What it is mapped over is checked as far as it is known when the DAG is parsed."""

    __slots__ = ()

    def expand(self, **mapped_kwargs: Any) -> MappedOperator:
        """Map the task over lists."""
        for name, values in mapped_kwargs.items():
            _check_is_no_task(name, values)
        lists = {name: _elements(values) for name, values in mapped_kwargs.items()}
        known = {name: values for name, values in lists.items() if values is not None}
        most = conf.getint("core", "max_map_length")
        for row in islice(product(*known.values()), most):
            self._check(dict(zip(known, row, strict=True)), mapped_kwargs)
        return super().expand(**mapped_kwargs)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:
        """Map the task over a list of arguments."""
        for given in _elements(kwargs) or ():
            if isinstance(given, Mapping):
                validate_mapping_kwargs(self.operator_class, "expand_kwargs", dict(given))  # type: ignore[arg-type]
                self._check(given, given)
        return super().expand_kwargs(kwargs, strict=strict)

    def _check(self, known: Mapping[str, Any], mapped: Collection[str]) -> None:
        task = cast("type[MappableTask]", self.operator_class)
        constant = {**dict(_constructor_defaults(task)), **self.kwargs}
        names = task.argument_fields()
        values = {name: value for name, value in constant.items() if name in names and name not in mapped}
        task.check_known_arguments({**values, **known}, self.kwargs["dag"])


def _elements(values: Any) -> list[Any] | None:
    """Return the elements that a task is mapped over, or None if they are not known when the DAG is parsed."""
    if isinstance(values, Mapping):
        return list(values.items())
    return list(values) if isinstance(values, Sequence) and not isinstance(values, str) else None


def _check_is_no_task(name: str, value: Any) -> None:
    """Check that no task stands where its result is meant."""
    if isinstance(value, (Mapping, list, tuple, set)):
        for part in value.values() if isinstance(value, Mapping) else value:
            _check_is_no_task(name, part)
    elif isinstance(value, (BaseOperator, MappedOperator)):
        own = value.node_id.rpartition(".")[2]
        raise ValidationError(
            f"{name} is the task {value.node_id!r}, not its result.", hint=f"Write its output: {name}={own}.output."
        )
    elif isinstance(value, TaskGroup):
        raise ValidationError(
            f"{name} is the task group {value.node_id!r}, not a result.", hint="Write the output of one of its tasks."
        )
    elif hasattr(value, "_airflow_is_task_decorator"):
        own = value.function.__name__
        raise ValidationError(f"{name} is the task {own!r}, which is not called.", hint=f"Call it: {name}={own}().")


def _constructor_defaults(task: type) -> Iterator[tuple[str, Any]]:
    """Yield the defaults of a task's constructors, those of its base classes first."""
    for base in reversed(task.mro()[: task.mro().index(BaseOperator)]):
        if "__init__" in vars(base):
            for name, parameter in inspect.signature(vars(base)["__init__"]).parameters.items():
                if parameter.default is not parameter.empty:
                    yield name, parameter.default
