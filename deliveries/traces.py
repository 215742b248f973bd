"""Whether publishes and attempts are traced. If not, nothing of OpenTelemetry is even imported."""

from django.conf import settings

ARE_MADE: bool = settings.OTEL_IS_ON

if ARE_MADE:
    from deliveries import spans

    __all__ = ["spans"]
