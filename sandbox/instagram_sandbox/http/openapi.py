"""The description of the control routes, for clients in other languages and for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from instagram_sandbox.http.control_bodies import body_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instagram_sandbox.simulator.state import Record

_REFERENCE: Final = "#/components/schemas/{model}"


def document(routes: Sequence[Any]) -> dict[str, Any]:
    """Return the OpenAPI description of routes, with the bodies that they read themselves.

    :param routes: The routes to describe.
    """
    described = [route for route in routes if isinstance(route, APIRoute) and route.include_in_schema]
    spec = get_openapi(title="instagram-sandbox: control routes", version="1", routes=described)
    models = {route.path: model for route in described if (model := _model(route)) is not None}
    by_model, definitions = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models.values())], ref_template=_REFERENCE
    )
    schemas = spec.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in definitions.get("$defs", {}).items():
        schemas.setdefault(name, schema)
    for route in described:
        for method in route.methods:
            operation = spec["paths"][route.path][method.lower()]
            if method == "PATCH":
                operation["requestBody"] = _body({"type": "object"})
            elif method == "POST" and route.path in models:
                operation["requestBody"] = _body(by_model[models[route.path], "validation"])
    return spec


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _model(route: APIRoute) -> type[Record] | None:
    calls = [dependency.call for dependency in route.dependant.dependencies]
    found = [model for call in calls if call is not None and (model := body_model(call)) is not None]
    return found[0] if found and "POST" in route.methods else None
