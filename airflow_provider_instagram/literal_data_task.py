"""Text that is data goes out as it is; only what the DAG's author wrote is a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.definitions._internal.expandinput import ListOfDictsExpandInput
from airflow.sdk.definitions.mappedoperator import MappedOperator

if TYPE_CHECKING:
    from collections.abc import Iterable

    import jinja2
    from airflow.sdk import Context


class LiteralDataTask(BaseOperator):
    """A task that never renders a text which came to it as data."""

    #: Arguments whose template field has another name, because BaseOperator has a use for theirs.
    fields_of_arguments: ClassVar[dict[str, str]] = {}

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        """Render what the DAG's author wrote, and nothing that came as data.

        Airflow renders the strings of a dict that ``expand_kwargs`` took from an XCom: a caption in somebody's sheet
        could then read a secret and publish it.
        """
        data = self._fields_from_data(context)
        authored = [field for field in template_fields if field not in data]
        super()._do_render_template_fields(parent, authored, context, jinja_env, seen_oids)

    def _fields_from_data(self, context: Context) -> set[str]:
        task = self.dag.get_task(self.task_id)
        if not isinstance(task, MappedOperator) or not isinstance(task.expand_input, ListOfDictsExpandInput):
            return set()  # expand() tells data from templates by itself
        source = task.expand_input.value
        if isinstance(source, Sequence) and isinstance(source[context["ti"].map_index or 0], Mapping):
            return set()  # a dict written in the DAG file
        return set(self.template_fields) - {self.fields_of_arguments.get(name, name) for name in task.partial_kwargs}
