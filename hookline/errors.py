"""What can be wrong with a request. Each becomes an answer in one place, `hookline.api`.

ApiError
├── Invalid           400 validation_error
├── InvalidJson       400 invalid_json
├── BadRequest        400 bad_request
├── Unauthorized      401 unauthorized
├── Forbidden         403 forbidden
├── InsufficientScope 403 forbidden, with the scope that is missing
├── NotFound          404 not_found
├── Conflict          409 conflict
├── TooLarge          413 payload_too_large
├── Overloaded        429 overloaded
└── Unavailable       503 unavailable: the store could not be reached
"""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    status = 500
    code = "internal_error"
    headers: Mapping[str, str] = {}

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail

    def body(self) -> dict[str, Any]:
        return {"error": self.code, "detail": self.detail}


class Invalid(ApiError):
    status, code = 400, "validation_error"


class InvalidField(Invalid):
    """One field of a document. `sentence` is what follows its name."""

    def __init__(self, name: str, sentence: str, detail: str = "") -> None:
        super().__init__(detail or f"Invalid field '{name}': {sentence}")
        self.name, self.sentence = name, sentence


class InvalidJson(ApiError):
    status, code = 400, "invalid_json"


class BadRequest(ApiError):
    status, code = 400, "bad_request"


class Unauthorized(ApiError):
    status, code = 401, "unauthorized"
    headers = {"WWW-Authenticate": "Bearer"}

    def body(self) -> dict[str, Any]:
        return {"error": self.code, "code": "AUTH_REQUIRED"}


class Forbidden(ApiError):
    status, code = 403, "forbidden"


class InsufficientScope(Forbidden):
    def body(self) -> dict[str, Any]:
        return {"error": self.code, "code": "INSUFFICIENT_SCOPE", "required_scope": self.detail}


class NotFound(ApiError):
    status, code = 404, "not_found"


class Conflict(ApiError):
    status, code = 409, "conflict"


class TooLarge(ApiError):
    status, code = 413, "payload_too_large"

    def __init__(self) -> None:
        super().__init__("Request body exceeds maximum allowed size")


class Overloaded(ApiError):
    status, code = 429, "overloaded"
    headers = {"Retry-After": "5"}

    def __init__(self) -> None:
        super().__init__("Queue depth exceeded; retry after 5 seconds")


class Unavailable(ApiError):
    status, code = 503, "unavailable"
    headers = {"Retry-After": "1"}
