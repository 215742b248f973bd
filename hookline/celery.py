"""Celery: it schedules pumps and chores, never single deliveries.

A message carries nothing and may be lost or doubled. The rows are the queue.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hookline.settings")

app = Celery("hookline")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["deliveries"])
app.autodiscover_tasks(["hookline"], related_name="worker")
