"""How many requests a process may have under way.

A request costs time when it starts and when it ends; while it waits for its receiver it costs a
little memory. So requests that have waited for long leave their slots to prompt ones, until there
are very many of them, and then each endpoint is held to a few: hundreds that hang at the same time
must not take all slots from those that answer.
"""

from dataclasses import dataclass

# Beyond this a receiver is not prompt.
PATIENT_SECONDS = 0.25
MOST_PATIENT = 16
FEW = 2


@dataclass(frozen=True, slots=True)
class Slots:
    """`prompt` slots, and if `extends`, so many times that for requests that wait."""

    prompt: int
    extends: bool = True

    def free(self, in_flight: int, patient: int) -> int:
        """How many requests may start beside those in flight, of which some are patient."""
        if not self.extends:
            return max(0, self.prompt - in_flight)
        return max(0, min(self.prompt - (in_flight - patient), self.prompt * MOST_PATIENT - in_flight))

    def per_endpoint(self, patient: int) -> int | None:
        """The most that one endpoint may have in flight at present; None if only its own limit counts."""
        return FEW if self.extends and patient >= self.prompt else None
