"""How an event fares with the rules of a subscription, which may be one that nobody has made yet."""

from dataclasses import dataclass

from deliveries.rules import filters, topics
from deliveries.rules.filters import Clause
from deliveries.rules.topics import Mismatch
from deliveries.rules.values import Document
from deliveries.why import sentences


@dataclass(frozen=True, slots=True)
class Match:
    """It matches where neither the topic nor a clause of the filter tells why not."""

    parting: Mismatch | None = None
    clauses: tuple[Clause, ...] = ()

    @property
    def holds(self) -> bool:
        return self.parting is None and not self.clauses

    @property
    def sentence(self) -> str:
        """Why not; nothing if it matches."""
        if self.parting:
            return sentences.of_mismatch(self.parting)
        return " ".join(map(sentences.of_clause, self.clauses))


def match(pattern: str, filter: str | None, topic: str, document: Document) -> Match:
    """The filter is only looked at where the topic fits, as when an event is published."""
    parting = topics.mismatch(pattern, topic)
    return Match(parting) if parting else Match(None, tuple(filters.failures(filter, document)))
