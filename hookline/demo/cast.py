"""Who plays: four customers with their events, and receivers that each have a story."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Make = Callable[[random.Random, int], dict[str, Any]]

HOUR = 3600
NEW_TOKEN = "Bearer contoso-2"  # noqa: S105 - of a receiver that plays
CITIES = ("Aachen", "Bergen", "Cork", "Delft", "Esbjerg", "Faro", "Graz")
PEOPLE = ("Ada Byron", "Grace Murray", "Alan Mathison", "Edsger Wybe", "Barbara Jane", "Niklaus Emil")


@dataclass(frozen=True)
class Topic:
    """What happens about so often, with a number of its own from `first` on. `began` is for how many
    seconds it has, where it did not always."""

    name: str
    weight: int
    make: Make
    key: str
    began: float | None = None
    ended: float | None = None


@dataclass(frozen=True)
class Rule:
    pattern: str
    filter: Mapping[str, Any] | None = None
    transform: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class Receiver:
    """How one answers: `well`, or since so many seconds as `fault` says."""

    name: str
    place: str
    rules: Sequence[Rule]
    fault: str = ""
    since: float = 0
    description: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Customer:
    id: str
    name: str
    topics: Sequence[Topic]
    receivers: Sequence[Receiver]


def order(dice: random.Random, number: int) -> dict[str, Any]:
    return {
        "order": f"NW-{number}",
        "total": f"{dice.lognormvariate(4, 0.8):.2f}",
        "currency": "EUR",
        "items": dice.randint(1, 6),
        "customer": {"name": dice.choice(PEOPLE), "city": dice.choice(CITIES)},
    }


def claim(dice: random.Random, number: int) -> dict[str, Any]:
    amount = round(dice.lognormvariate(7, 1.1))
    return {"claim": f"CLM-{number}", "policy": f"P{dice.randint(100_000, 999_999)}", "amount": amount}


def shipment(dice: random.Random, number: int) -> dict[str, Any]:
    return {
        "shipment": f"CT{number}DE",
        "weight_kg": round(dice.uniform(0.3, 31), 1),
        "from": dice.choice(CITIES),
        "to": dice.choice(CITIES),
    }


def payment(dice: random.Random, number: int) -> dict[str, Any]:
    return {
        "payment": f"pay_{number}",
        "amount": dice.randint(200, 90_000),
        "currency": dice.choice(("EUR", "SEK", "DKK")),
        "method": dice.choice(("card", "sepa", "invoice")),
    }


CUSTOMERS = (
    Customer(
        "nordwind",
        "Nordwind Outdoor",
        (
            Topic("order.created", 6, order, "order"),
            Topic("order.paid", 5, order, "order"),
            Topic("order.shipped", 4, order, "order"),
        ),
        (
            Receiver("Nordwind ERP", "erp.nordwind", (Rule("order.#"),)),
            Receiver("Nordwind warehouse", "warehouse.nordwind", (Rule("order.paid"),), "flaky", 90 * HOUR),
            Receiver(
                "Nordwind newsletter",
                "news.nordwind",
                (
                    Rule(
                        "order.paid",
                        {"gte": "payload.items", "value": 3},
                        [{"op": "remove_field", "field": "idempotency_key"}],
                    ),
                ),
            ),
        ),
    ),
    Customer(
        "initech",
        "Initech Insurance",
        (
            Topic("claim.opened", 4, claim, "claim"),
            Topic("claim.paid", 3, claim, "claim", ended=26 * HOUR),
            Topic("claim.paid.v2", 3, claim, "claim", began=26 * HOUR),
        ),
        (
            Receiver("Initech claims portal", "portal.initech", (Rule("claim.paid"),)),
            Receiver("Initech archive", "archive.initech", (Rule("claim.#"),)),
            Receiver(
                "Initech fraud desk",
                "fraud.initech",
                (Rule("claim.opened", {"gte": "payload.amount", "value": 5000}),),
            ),
        ),
    ),
    Customer(
        "contoso",
        "Contoso Logistics",
        (
            Topic("shipment.created", 4, shipment, "shipment"),
            Topic("shipment.delivered", 3, shipment, "shipment"),
        ),
        (
            Receiver(
                "Contoso track and trace",
                "track.contoso",
                (Rule("shipment.*"),),
                "locked",
                9 * HOUR,
                f"They changed their token last night. Header authorization: {NEW_TOKEN}",
                {"headers": {"authorization": "Bearer contoso-1"}},
            ),
            Receiver(
                "Contoso customs",
                "customs.contoso",
                (Rule("shipment.created"),),
                "limited",
                90 * HOUR,
                values={"rate_limit_rps": 5},
            ),
        ),
    ),
    Customer(
        "fabrikam",
        "Fabrikam Pay",
        (Topic("payment.succeeded", 7, payment, "payment"), Topic("payment.failed", 1, payment, "payment")),
        (
            Receiver(
                "Fabrikam ledger",
                "ledger.fabrikam",
                (Rule("payment.#"),),
                "hanging",
                2 * HOUR,
                values={"timeout_ms": 2000, "max_in_flight": 4, "retry_schedule": [30, 120, 600]},
            ),
            Receiver("Fabrikam risk", "risk.fabrikam", (Rule("payment.failed"),)),
            Receiver("Fabrikam old ledger", "ledger-v1.fabrikam", (Rule("payment.#"),), "gone", 5 * HOUR),
        ),
    ),
)
# What somebody rings up about: the first claim that was paid after the topic got another name.
MISSED = "claim.paid.v2"
