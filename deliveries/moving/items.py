"""One document that is taken in, and where it stands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from deliveries.documents import Fields
from deliveries.fields import UNSTORABLE
from hookline import jsontext
from hookline.errors import Invalid
from hookline.times import EPOCH, MILLISECOND


@dataclass(frozen=True, slots=True)
class Item:
    """`place` names it to people, as in `endpoints.json, item 3`."""

    kind: str
    place: str
    fields: Fields

    def value(self, name: str) -> Any:
        """None if it is null or absent."""
        return jsontext.parse(self.fields[name]) if name in self.fields else None

    def id(self, *names: str) -> UUID:
        """The id under the first of these names that is given, of any version. Raises Invalid."""
        given = next((self.value(name) for name in names if self.value(name) is not None), None)
        if given is None:
            raise Invalid(f"Missing field: {names[0]}")
        try:
            found = UUID(given)
        except (ValueError, TypeError, AttributeError):
            found = None
        if found is None or str(found) != given.lower():
            raise Invalid(f"Invalid field '{names[0]}': must be a UUID")
        return found

    def moment(self, *names: str) -> datetime | None:
        """A time in milliseconds since 1970. Raises Invalid."""
        for name in names:
            if (given := self.value(name)) is not None:
                return _moment(name, given)
        return None

    def whole(self, name: str, default: int = 0) -> int:
        """A number that a column of 32 bits holds. Raises Invalid."""
        given = self.value(name)
        if given is None:
            return default
        if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given < 2**31:
            raise Invalid(f"Invalid field '{name}': must be a whole number from 0")
        return given

    def text(self, name: str, default: str = "", most: int | None = None) -> str:
        """Text that a database holds, cut where a column ends. Raises Invalid."""
        given = self.value(name)
        if given is None:
            return default
        if not isinstance(given, str) or UNSTORABLE.search(given):
            raise Invalid(f"Invalid field '{name}': must be text without NUL or half of a surrogate pair")
        return given[:most]


def _moment(name: str, given: Any) -> datetime:
    try:
        if isinstance(given, int) and not isinstance(given, bool):
            return EPOCH + MILLISECOND * given
    except OverflowError:
        pass
    raise Invalid(f"Invalid field '{name}': must be integer milliseconds since 1970")
