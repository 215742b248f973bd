"""What a Django team would write first: one Celery task for each delivery, one row at a time through
the ORM, one serializer for each event. It is the measure for our own figures, and it is well meant:
connections to receivers and to the database are kept.
"""

import hashlib
import hmac
import json
import os
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hookline.settings")
django.setup()  # models, and views of REST framework, can only be imported after this

import requests
from celery import Celery
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.urls import path
from rest_framework import serializers, status
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deliveries.models import Attempt, Event, Job, Subscription

TENANT = "naive"

settings.ROOT_URLCONF = __name__
app = Celery("naive", broker=settings.HL_REDIS_URL)
app.conf.update(task_ignore_result=True, task_default_queue="naive", worker_prefetch_multiplier=64)
# Else Celery would close the pool of connections after each task, which takes more than half of the rate.
app.conf["CELERY_DB_REUSE_MAX"] = 10**9
session = requests.Session()


@app.task(name="naive.deliver")
def deliver(job_id: str) -> None:
    job = Job.objects.select_related("event", "endpoint").get(id=job_id)
    body = json.dumps({"id": str(job.event.id), "topic": job.event.topic, "payload": job.event.payload})
    signature = hmac.new(b"secret", body.encode(), hashlib.sha256).hexdigest()
    began, started_at = time.monotonic(), datetime.now(UTC)
    answer = session.post(job.endpoint.url, body, headers={"x-signature": signature}, timeout=10)
    Attempt.objects.create(
        job=job, tenant_id=job.tenant_id, event_id=job.event_id, endpoint_id=job.endpoint_id, attempt_n=1,
        status="success" if answer.ok else "failure", http_status=answer.status_code, started_at=started_at,
        duration_ms=round((time.monotonic() - began) * 1000),
    )  # fmt: skip
    job.status, job.finished_at = Job.Status.SUCCEEDED, datetime.now(UTC)
    job.attempt_count += 1
    job.save()


class EventSerializer(serializers.ModelSerializer[Event]):
    payload = serializers.JSONField()

    class Meta:
        model = Event
        fields = ("id", "topic", "payload", "created_at")
        read_only_fields = ("id", "created_at")

    def create(self, values: dict[str, Any]) -> Event:
        now = datetime.now(UTC)
        payload = json.dumps(values.pop("payload"))
        times = {"occurred_at": int(now.timestamp() * 1000), "created_at": now}
        return Event.objects.create(**values, **times, payload=payload, tenant_id=TENANT)


class Events(APIView):
    authentication_classes = ()
    permission_classes = ()
    parser_classes = (JSONParser,)
    renderer_classes = (JSONRenderer,)

    def post(self, request: Request) -> Response:
        serializer = EventSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            event = serializer.save()
            for subscription in Subscription.objects.filter(tenant_id=TENANT):
                job = Job.objects.create(
                    event=event, tenant_id=TENANT, endpoint_id=subscription.endpoint_id,
                    next_attempt_at=datetime.now(UTC), created_at=datetime.now(UTC),
                )  # fmt: skip
                transaction.on_commit(partial(deliver.delay, str(job.id)))
        return Response(serializer.data, status=status.HTTP_201_CREATED)


urlpatterns = [path("events", Events.as_view())]
application = get_wsgi_application()
