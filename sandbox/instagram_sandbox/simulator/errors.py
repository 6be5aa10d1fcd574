"""The shapes of Meta's errors, by the host of the request."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from html import escape
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import HTMLResponse, JSONResponse, Response

from instagram_sandbox.simulator.error_texts import code_of, for_users, text_of

if TYPE_CHECKING:
    from instagram_sandbox.simulator.scopes import Login

OF_INSTAGRAM: Final = frozenset({(100, None), (2500, None)})
"""Errors whose type names Instagram's own API, on its host. Source: captured by authors of clients."""


class ApiError(Exception, ABC):
    """An error that ends a call, with the response for the client."""

    @abstractmethod
    def response(self) -> Response:
        """Return the error as a response."""

    @abstractmethod
    def summary(self) -> str:
        """Return the error's name in the journal."""


class GraphError(ApiError):
    """The Graph API's envelope. Source: Meta, Graph API, Handling Errors.

    :param code: Meta's error code.
    :param subcode: Meta's subcode; without one, the key is absent from the body.
    :param message: Replaces the usual message of the code and subcode.
    :param told: What the call sent, for the text for users.
    """

    def __init__(
        self, code: int, subcode: int | None = None, message: str | None = None, **told: object
    ) -> None:
        self.code = code
        self.subcode = subcode
        text = text_of(code, subcode)
        self.status = text.status
        self.body: dict[str, Any] = {
            "message": message or text.message,
            "type": text.type,
            "code": code,
            "is_transient": text.is_transient,
            "fbtrace_id": "A" + secrets.token_urlsafe(16),
        }
        if subcode is not None:
            self.body["error_subcode"] = subcode
        if text.title:
            self.body |= {"error_user_title": text.title, "error_user_msg": for_users(text, told)}
        super().__init__(self.body["message"])

    @classmethod
    def of_medium(cls, subcode: int, **told: object) -> GraphError:
        """Return the error of a medium that was refused, by the subcode that its container shows."""
        return cls(code_of(subcode), subcode, None, **told)

    def by_host(self, host: Login) -> GraphError:
        """Set the type that this host answers, and return the error."""
        if (self.code, self.subcode) in OF_INSTAGRAM and host == "instagram":
            self.body["type"] = "IGApiException"
        return self

    def response(self) -> Response:
        """Return the error as a response."""
        return JSONResponse({"error": self.body}, self.status)

    def summary(self) -> str:
        """Return the error's name in the journal."""
        return f"{self.code}/{self.subcode}" if self.subcode is not None else str(self.code)


def invalid(what: str) -> GraphError:
    """Return the error of a parameter that is missing, or not as documented."""
    return GraphError(100, None, f"(#100) {what}")


class LoginError(ApiError):
    """The shape of ``api.instagram.com/oauth``. Source: Meta, Instagram API with Instagram Login."""

    def __init__(self, message: str, error_type: str = "OAuthException") -> None:
        self.message = message
        self.error_type = error_type
        super().__init__(message)

    def response(self) -> Response:
        """Return the error as a response."""
        return JSONResponse(
            {"error_type": self.error_type, "code": 400, "error_message": self.message}, 400
        )

    def summary(self) -> str:
        """Return the error's name in the journal."""
        return self.error_type


class HostError(ApiError):
    """What a host of Meta's answers to a path that it does not serve: a page that is not found."""

    def response(self) -> Response:
        """Return the error as a response."""
        return HTMLResponse(f"<title>Page not found</title><p>{escape(str(self))}</p>", 404)

    def summary(self) -> str:
        """Return the error's name in the journal."""
        return "not found"


class UploadError(ApiError):
    """The upload host's shape. Source: Meta, Resumable Upload Protocol.

    :param kind: ``ProcessingFailedError``, ``NotAuthorizedError``, ``OffsetInvalidError`` or
        ``PartialRequestError``.
    :param message: What was wrong.
    :param retriable: Whether the client may repeat the same request.
    """

    def __init__(self, kind: str, message: str, *, retriable: bool = False) -> None:
        self.kind = kind
        self.message = message
        self.retriable = retriable
        super().__init__(message)

    def response(self) -> Response:
        """Return the error as a response."""
        body = {"retriable": self.retriable, "type": self.kind, "message": self.message}
        return JSONResponse({"debug_info": body}, 401 if self.kind == "NotAuthorizedError" else 400)

    def summary(self) -> str:
        """Return the error's name in the journal."""
        return self.kind
