"""What the charts are drawn from: counted as it passes, kept by minute and hour, read without the rows."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from deliveries import purge, series, telemetry, traffic
from deliveries.models import Endpoint, Traffic
from deliveries.series import WINDOWS
from deliveries.traffic import DEAD, DELIVERED, FAILED, PUBLISHED, bucket_end, bucket_of
from deliveries.work import Answer, Dead, Succeeded, Verdict
from hookline import database
from tenants.models import Tenant
from tests.api import api_of
from tests.factories import deliver, make_endpoint, make_subscription
from tests.queueing import AWAY, OK, give, make_target, settlement, take
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db

HOUR = WINDOWS["1h"]


@pytest.fixture(autouse=True)
def _counts_begin_here() -> None:
    traffic._tally.clear()


@pytest.fixture
def target(acme: Tenant) -> Endpoint:
    return make_target(acme)


def settle(target: Endpoint, *answers: tuple[Answer, Verdict]) -> None:
    give(target, len(answers))
    came = zip(take(), answers, strict=True)
    telemetry.count_settled([settlement(job, verdict, answer) for job, (answer, verdict) in came])
    traffic.flush()


def read(scope: str = "", window: series.Window = HOUR) -> series.Series:
    return series.of(scope, window, database.now())


def test_what_is_published_and_delivered_is_there_for_all_for_the_tenant_and_for_the_endpoint(
    target: Endpoint, globex: Tenant
) -> None:
    traffic.count_published("acme", 3)
    settle(target, (OK, Succeeded()), (AWAY, Dead("spent")), (OK, Succeeded()))
    for scope in ("", traffic.of_tenant("acme")):
        for window in WINDOWS.values():
            found = read(scope, window)
            assert [found.total(name) for name in (PUBLISHED, DELIVERED, FAILED, DEAD)] == [3, 2, 1, 1]
            assert found.success_rate == pytest.approx(2 / 3)
    [mine] = series.of_endpoints([target.id], database.now()).values()
    assert (mine.total(DELIVERED), mine.total(FAILED), mine.total(DEAD)) == (2, 1, 1)
    nothing = read(traffic.of_tenant("globex"))
    assert (nothing.total(DELIVERED), nothing.success_rate, nothing.quantiles()) == (0, None, [None] * 3)


def test_sums_of_several_processes_add_up(target: Endpoint) -> None:
    for _ in range(3):
        traffic.count_published("acme", 2)
        traffic.flush()
    assert read().total(PUBLISHED) == 6


def test_a_series_stands_on_the_grid_of_its_axis() -> None:
    moment = datetime(2026, 5, 4, 10, 30, 15, tzinfo=UTC)
    for minutes, number in ((0, 5), (59, 7), (60, 9), (-1, 11)):
        at = moment.replace(second=0) - timedelta(minutes=minutes)
        Traffic.objects.create(scope="", seconds=60, at=at, name=PUBLISHED, value=number)
    found = series.of("", HOUR, moment)
    assert (len(found.starts), found.starts[-1]) == (60, moment.replace(second=0))
    assert (found.of(PUBLISHED)[-1], found.of(PUBLISHED)[0], found.total(PUBLISHED)) == (5, 7, 12)


@pytest.mark.parametrize("milliseconds", [0, 1, 7, 8, 9, 15, 16, 19, 20, 999, 1000, 30_000, 59_999])
def test_a_duration_lies_in_its_bucket_and_buckets_are_narrow(milliseconds: int) -> None:
    least = bucket_of(milliseconds)
    assert least <= milliseconds < bucket_end(least)
    assert bucket_of(bucket_end(least)) == bucket_end(least)
    assert bucket_end(least) <= max(least * 1.25, least + 1)


def test_quantiles_are_those_of_the_durations_within_a_bucket(target: Endpoint) -> None:
    dice = random.Random(7)
    durations = sorted(int(dice.lognormvariate(4, 1)) for _ in range(400))
    settle(target, *((Answer(200, duration_ms=each), Succeeded()) for each in durations))
    for found, share in zip(read().quantiles(), series.QUANTILES, strict=True):
        assert found == pytest.approx(durations[int(400 * share)], rel=0.25)


def test_the_endpoints_that_failed_most_come_first(acme: Tenant, globex: Tenant) -> None:
    bad, worse, other = make_target(acme), make_target(acme), make_target(globex)
    for target, number in ((bad, 1), (worse, 3), (other, 2)):
        settle(target, *[(AWAY, Dead("spent"))] * number)
    moment = database.now()
    assert series.failed_most(HOUR, moment) == [(worse.id, 3), (other.id, 2), (bad.id, 1)]
    assert series.failed_most(HOUR, moment, [bad.id, other.id]) == [(other.id, 2), (bad.id, 1)]


def test_the_series_of_many_endpoints_are_one_query(acme: Tenant) -> None:
    ids = [make_target(acme).id for _ in range(5)]
    with CaptureQueriesContext(connection) as asked:
        found = series.of_endpoints(ids, database.now())
    assert len(asked.captured_queries) == 1
    assert set(found) == set(ids)


def test_old_sums_are_let_go_of() -> None:
    moment = database.now()
    for seconds, days in ((60, 1), (60, 0), (3600, 9), (3600, 3)):
        Traffic.objects.create(
            scope="", seconds=seconds, at=moment - timedelta(days=days), name=PUBLISHED, value=1
        )
    traffic.prune()
    kept = Traffic.objects.order_by("seconds", "at").values_list("seconds", flat=True)
    assert list(kept) == [60, 3600]


def test_a_tenant_that_is_deleted_leaves_no_sums(acme: Tenant) -> None:
    traffic.count_published("acme", 3)
    traffic.flush()
    purge.delete_tenant(acme, "the tests")
    assert read(traffic.of_tenant("acme")).total(PUBLISHED) == 0
    assert read().total(PUBLISHED) == 3


def test_what_could_not_be_written_is_kept(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    traffic.count_published("acme", 1)

    def fail(lines: object) -> None:
        raise OperationalError("away")

    with monkeypatch.context() as broken:
        broken.setattr(traffic, "_add", fail)
        with pytest.raises(OperationalError):
            traffic.flush()
    traffic.count_published("acme", 1)
    traffic.flush()
    assert read().total(PUBLISHED) == 2


def test_what_goes_over_the_api_and_through_the_pump_is_counted(acme: Tenant, receiver: Receiver) -> None:
    make_subscription(make_endpoint(acme, receiver.url()))
    assert api_of(acme).post("/v1/events", {"topic": "order"}).status == 201
    assert api_of(acme).post("/v1/events/batch", {"events": [{"topic": "order"}] * 2}).status == 201
    deliver()
    traffic.flush()
    assert (read().total(PUBLISHED), read().total(DELIVERED)) == (3, 3)
