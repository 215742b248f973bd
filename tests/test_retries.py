"""When a delivery is tried again and when it is given up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from deliveries.retries import decide
from deliveries.work import Answer, Dead, Policy, RetryAt, Succeeded, Verdict

pytestmark = pytest.mark.embedded

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
HOUR = 3600.0
POLICY = Policy([5.0, 30.0, 7200.0])


def answer(status: int, error: str | None = "http_5xx", retry_after: str | None = None) -> Answer:
    headers = (("Retry-After", retry_after),) if retry_after is not None else ()
    return Answer(status, error, headers=headers)


def delay_of(verdict: Verdict) -> float:
    assert isinstance(verdict, RetryAt)
    return (verdict.moment - NOW).total_seconds()


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 226, 299])
@pytest.mark.parametrize("attempt", [1, 4, 99])
def test_a_2xx_is_the_end_of_it(status: int, attempt: int) -> None:
    assert decide(answer(status, None), POLICY, attempt, NOW, 0.5) == Succeeded()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422])
@pytest.mark.parametrize("attempt", [1, 3, 4])
def test_a_permanent_refusal_is_given_up_at_once(status: int, attempt: int) -> None:
    assert decide(answer(status, "http_4xx"), POLICY, attempt, NOW, 0.5) == Dead(f"http_{status}")


def test_gone_is_given_up_and_disables_the_endpoint() -> None:
    verdict = decide(answer(410, "http_4xx"), POLICY, 1, NOW, 0.5)
    assert verdict == Dead("http_410", disables="The endpoint answered 410 Gone.")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *(
            (status, "http_4xx")
            for status in (402, 406, 407, 408, 409, 411, 413, 418, 421, 423, 425, 429, 451, 499)
        ),
        *((status, "http_5xx") for status in (500, 501, 502, 503, 504, 507, 599)),
        *((status, "redirect") for status in (300, 301, 302, 303, 304, 307, 308)),
        *((status, "protocol") for status in (100, 101, 103, 600, 999)),
        *((0, error) for error in ("dns", "connect", "tls", "timeout", "blocked_address", "protocol")),
    ],
)
def test_everything_else_is_tried_again_until_the_schedule_is_spent(status: int, error: str) -> None:
    failure = answer(status, error)

    assert [delay_of(decide(failure, POLICY, attempt, NOW, 0.0)) for attempt in (1, 2, 3)] == [5, 30, 7200]
    assert decide(failure, POLICY, 4, NOW, 0.0) == Dead("max_attempts_exceeded")
    assert decide(failure, POLICY, 5, NOW, 0.0) == Dead("max_attempts_exceeded")


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 30.0), (0.5, 33.0), (0.999999, 36.0)])
def test_chance_lengthens_a_delay_by_up_to_a_fifth(chance: float, delay: float) -> None:
    assert delay_of(decide(answer(500), POLICY, 2, NOW, chance)) == pytest.approx(delay, abs=0.001)


@pytest.mark.parametrize(
    ("delays", "most", "attempts"),
    [
        ([5.0, 30.0], None, 3),
        ([5.0, 30.0], 2, 2),
        ([5.0, 30.0], 1, 1),
        ([5.0, 30.0], 100, 3),
        ([], None, 1),
        ([], 5, 1),
    ],
)
def test_a_policy_makes_one_attempt_more_than_it_has_delays_and_never_more_than_the_most(
    delays: list[float], most: int | None, attempts: int
) -> None:
    policy = Policy(delays, most)

    assert policy.attempts == attempts
    assert decide(answer(500), policy, attempts, NOW, 0.0) == Dead("max_attempts_exceeded")
    assert all(isinstance(decide(answer(500), policy, n, NOW, 0.0), RetryAt) for n in range(1, attempts))


def in_http(moment: datetime) -> str:
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


@pytest.mark.parametrize(
    ("text", "delay"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("120.5", 5),
        ("0", 5),
        ("4", 5),
        ("3600", HOUR),
        ("3601", HOUR),
        ("99999999999999", HOUR),
        ("9" * 400, HOUR),
        (in_http(NOW + timedelta(seconds=90)), 90),
        (in_http(NOW - timedelta(days=1)), 5),
        (in_http(NOW + timedelta(days=900)), HOUR),
        ("Tue, 03 Feb 2026 05:06:36 +0100", 90),
        ("Tuesday, 03-Feb-26 04:06:36 GMT", 90),
        ("Tue, 03 Feb 2026 04:06:36 -0000", 5),  # a time of no known zone
        ("-120", 5),
        ("+120", 5),
        ("1e3", 5),
        ("9e99", 5),
        ("0x78", 5),
        ("inf", 5),
        ("nan", 5),
        ("soon", 5),
        ("", 5),
        ("120, 240", 5),
        ("²", 5),
        ("Mon, 01 Jan 99999999999999 00:00:00 GMT", 5),
        ("Mon, 01 Jan 2026 00:00:00 +99999999999999", 5),
        ("Mon, 01 Jan 2026 99999999999:00:00 GMT", 5),
        ("Mon, 31 Feb 2026 00:00:00 GMT", 5),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_may_ask_for_a_longer_wait_up_to_an_hour(status: int, text: str, delay: float) -> None:
    verdict = decide(answer(status, "http_5xx", text), POLICY, 1, NOW, 0.0)
    assert delay_of(verdict) == delay


def test_a_receiver_may_ask_for_as_much_as_the_next_delay_where_that_is_longer_than_an_hour() -> None:
    long = Policy([7200.0])
    assert delay_of(decide(answer(503, retry_after="86400"), long, 1, NOW, 0.0)) == 7200
    assert delay_of(decide(answer(503, retry_after="86400"), long, 1, NOW, 0.5)) == 7920


@pytest.mark.parametrize("status", [500, 502, 408, 302])
def test_others_are_not_asked_how_long_to_wait(status: int) -> None:
    assert delay_of(decide(answer(status, retry_after="120"), POLICY, 1, NOW, 0.0)) == 5


def test_asking_to_wait_does_not_lengthen_the_schedule() -> None:
    assert decide(answer(503, retry_after="1"), POLICY, 4, NOW, 0.0) == Dead("max_attempts_exceeded")


dates = some.from_regex(
    r"\A[A-Z][a-z]{2}, \d{1,20} (Jan|Xyz) \d{1,20} \d{1,12}:\d{1,3}(:\d{2})? ([+-]\d{1,20}|GMT)\Z"
)
header_texts = some.text(some.characters(max_codepoint=255), max_size=60) | dates


@given(header_texts, some.floats(0, 1, exclude_max=True))
def test_whatever_a_receiver_asks_for_the_wait_is_between_the_delay_and_an_hour(
    text: str, chance: float
) -> None:
    delay = delay_of(decide(answer(503, retry_after=text), POLICY, 1, NOW, chance))

    assert 5 <= delay <= HOUR
