"""How well deliveries go, in a word and in a picture as small."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from deliveries.series import Series
from deliveries.traffic import DELIVERED, FAILED
from hookline.console import charts
from hookline.console.drawing import NOTHING


def sparkline(day: Series) -> SafeString:
    """The attempts of an endpoint by the hour, those that failed in their colour."""
    told = f"{day.total(DELIVERED):,} delivered and {day.total(FAILED):,} failed in 24 hours"
    return charts.sparkline([("good", day.of(DELIVERED)), ("bad", day.of(FAILED))], told)


def of_day(day: Series) -> SafeString:
    """Both, side by side."""
    return format_html('<span class="day">{} {}</span>', sparkline(day), rate(day))


def rate(day: Series) -> str:
    return percent(day.success_rate)


def percent(share: float | None) -> str:
    """Never 100 % where anything failed."""
    return NOTHING if share is None else f"{int(share * 10_000) / 100:.4g} %"
