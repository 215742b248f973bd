"""Room in a lane, and what becomes of it afterwards, as tables."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from deliveries.limits import (
    FULL,
    IDLE,
    LEAST_WAIT_SECONDS,
    LIMITED,
    OFF,
    READY,
    UNLIMITED,
    OpenLane,
    Parked,
    park,
    share_out,
    split,
)

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
EMPTY = {"tokens": 0.0, "refilled_at": NOW}


def lane(**values: Any) -> OpenLane:
    """A lane of an endpoint that takes ten requests at a time and ten a second, at rest."""
    rested = {"in_flight": 0, "tokens": 0.0, "refilled_at": NOW - timedelta(days=1), "ramp": None}
    limits = {"is_enabled": True, "max_in_flight": 10, "rate_limit_rps": 10, "timeout_ms": 1000}
    place = {"endpoint_id": UUID(int=1), "tenant_id": "acme"}
    return OpenLane(**{**place, **rested, **limits, "changed_at": NOW, **values})


def orphan(**values: Any) -> OpenLane:
    gone = dict.fromkeys(["is_enabled", "max_in_flight", "rate_limit_rps", "timeout_ms", "changed_at"])
    return lane(**{**gone, **values})


@pytest.mark.parametrize(
    ("values", "share", "room"),
    [
        pytest.param({}, 100, 10, id="the least of the limits"),
        pytest.param({}, 4, 4, id="no more than its share of the batch"),
        pytest.param({"in_flight": 7}, 100, 3, id="what runs takes room"),
        pytest.param({"in_flight": 10}, 100, 0, id="full"),
        pytest.param({"in_flight": 12}, 100, 0, id="over its limit since that was lowered"),
        pytest.param({"ramp": 2}, 100, 2, id="recovering"),
        pytest.param({"ramp": 2, "in_flight": 2}, 100, 0, id="recovering and full"),
        pytest.param({"ramp": 50}, 100, 10, id="recovering beyond a limit that was lowered"),
        pytest.param({"max_in_flight": 100}, 100, 10, id="a second's worth of tokens at most"),
        pytest.param({"max_in_flight": 100, "rate_limit_rps": 0}, 70, 70, id="no rate limit"),
        pytest.param({"refilled_at": NOW, "tokens": 3.9}, 100, 3, id="whole tokens only"),
        pytest.param({"refilled_at": NOW - timedelta(seconds=0.25)}, 100, 2, id="a quarter of a second"),
        pytest.param({"refilled_at": NOW - timedelta(seconds=0.05)}, 100, 0, id="half a token"),
        pytest.param({"refilled_at": NOW + timedelta(hours=1), "tokens": 2}, 100, 2, id="clock set back"),
        pytest.param({"tokens": 99}, 100, 10, id="returned tokens do not pile up"),
        pytest.param({"is_enabled": False}, 100, 0, id="disabled"),
        pytest.param({"is_enabled": False, "is_probing": True}, 100, 1, id="disabled and tried once"),
        pytest.param(
            {"is_enabled": False, "is_probing": True, "in_flight": 10}, 100, 0, id="tried and still full"
        ),
    ],
)
def test_room_is_the_least_of_all_limits(values: dict[str, Any], share: int, room: int) -> None:
    assert lane(**values).room(NOW, share) == room


def test_a_deleted_endpoint_sets_no_limit() -> None:
    assert orphan(in_flight=50, tokens=0, refilled_at=NOW).room(NOW, 500) == 500


@pytest.mark.parametrize(
    ("values", "room", "taken", "state"),
    [
        pytest.param({}, 5, 5, READY, id="more may wait"),
        pytest.param({}, 5, 4, IDLE, id="the jobs ran out"),
        pytest.param({}, 10, 0, IDLE, id="there were none"),
        pytest.param({"max_in_flight": 5}, 5, 5, FULL, id="all it may have at once"),
        pytest.param({"in_flight": 10}, 0, 0, FULL, id="was full before"),
        pytest.param({"ramp": 1}, 1, 1, FULL, id="recovering"),
        pytest.param({"max_in_flight": 50}, 10, 10, LIMITED, id="the tokens ran out"),
        pytest.param(EMPTY, 0, 0, LIMITED, id="had no token"),
        pytest.param({"max_in_flight": 10}, 10, 10, FULL, id="both at once: settling wakes it"),
        pytest.param({"max_in_flight": 500, "rate_limit_rps": 0}, 300, 300, READY, id="no rate limit"),
        pytest.param({"is_enabled": False}, 0, 0, OFF, id="disabled"),
        pytest.param({"is_enabled": False, "is_probing": True}, 1, 1, OFF, id="disabled and tried once"),
        pytest.param({"is_enabled": False, "in_flight": 10}, 0, 0, OFF, id="disabled and full"),
    ],
)
def test_a_lane_is_parked_where_something_wakes_it(
    values: dict[str, Any], room: int, taken: int, state: int
) -> None:
    assert park(lane(**values), room, taken, NOW).state == state


@pytest.mark.parametrize("taken", [0, 7])
def test_the_lane_of_a_deleted_endpoint_is_never_full_nor_limited(taken: int) -> None:
    assert park(orphan(in_flight=50), 7, taken, NOW).state == (READY if taken == 7 else IDLE)


@pytest.mark.parametrize(
    ("rate", "tokens", "seconds"),
    [
        (1, 0.0, 1.0),
        (1, 0.75, 0.25),
        (10, 0.0, 0.1),
        (10, 0.9, LEAST_WAIT_SECONDS),
        (1000, 0.0, LEAST_WAIT_SECONDS),
    ],
)
def test_a_limited_lane_waits_for_its_next_token(rate: int, tokens: float, seconds: float) -> None:
    limited = lane(rate_limit_rps=rate, tokens=tokens, refilled_at=NOW, max_in_flight=5000)
    wake_at = park(limited, 0, 0, NOW).wake_at
    assert wake_at is not None
    assert (wake_at - NOW).total_seconds() == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("values", "taken", "tokens"),
    [
        ({}, 4, 6.0),
        ({"refilled_at": NOW, "tokens": 4.5}, 2, 2.5),
        ({"rate_limit_rps": 0}, 4, 0.0),
        ({"tokens": 500}, 1, 9.0),
    ],
)
def test_each_start_takes_one_token(values: dict[str, Any], taken: int, tokens: float) -> None:
    assert park(lane(**values), 10, taken, NOW).tokens == pytest.approx(tokens)


def test_over_any_time_no_more_starts_than_the_rate_and_one_burst() -> None:
    """A worker that visits at every moment it is allowed to, for ten seconds."""
    moment, started = NOW, 0
    current = lane(rate_limit_rps=7, max_in_flight=UNLIMITED)
    while moment < NOW + timedelta(seconds=10):
        room = current.room(moment, 100)
        parked = park(current, room, room, moment)
        started += room
        current = lane(rate_limit_rps=7, max_in_flight=UNLIMITED, tokens=parked.tokens, refilled_at=moment)
        moment = parked.wake_at or moment + timedelta(milliseconds=1)
    assert 7 * 10 <= started <= 7 * 10 + 7


def test_what_is_parked_says_nothing_of_waking_unless_a_time_does_it() -> None:
    assert park(lane(), 5, 5, NOW) == Parked(READY, 5.0, None)


@pytest.mark.parametrize(
    ("whole", "wants", "parts"),
    [
        (10, [100, 100], [5, 5]),
        (10, [1, 100], [1, 9]),
        (10, [1, 2, 100, 100], [1, 2, None, None]),
        (10, [2, 3], [2, 3]),
        (10, [0, 0, 7], [0, 0, 7]),
        (0, [5, 5], [0, 0]),
        (10, [], []),
    ],
)
def test_a_whole_is_split_evenly_and_nothing_is_left_that_somebody_wants(
    whole: int, wants: list[int], parts: list[int | None]
) -> None:
    got = split(whole, wants)
    assert all(part in (None, given) for part, given in zip(parts, got, strict=True))
    assert sum(got) == min(whole, sum(wants))


def test_what_does_not_divide_evenly_favours_nobody() -> None:
    got = [split(3, [9, 9]) for _ in range(200)]
    assert {tuple(parts) for parts in got} == {(1, 2), (2, 1)}


def test_a_tenant_gets_as_much_with_one_lane_as_with_many() -> None:
    lanes = [lane(rate_limit_rps=0, max_in_flight=100) for _ in range(4)]
    other = lane(rate_limit_rps=0, max_in_flight=100, tenant_id="globex")
    assert share_out([*lanes, other], 24, NOW) == [3, 3, 3, 3, 12]
    assert share_out([*lanes, lane(tenant_id="globex", max_in_flight=2)], 24, NOW)[-1] == 2
    assert sum(share_out([*lanes, lane(tenant_id="globex", max_in_flight=2)], 24, NOW)) == 24
