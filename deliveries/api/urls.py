"""The routes of the line, below /v1/."""

from django.urls import path

from deliveries.api import (
    admin,
    attempts,
    dlq,
    endpoints,
    events,
    inbox,
    replays,
    stream,
    subscriptions,
    uploads,
)

urlpatterns = [
    path("events", events.Events.as_view()),
    path("events/batch", events.EventBatch.as_view()),
    path("events/<event_id>", events.EventDetail.as_view()),
    path("endpoints", endpoints.Endpoints.as_view()),
    path("endpoints/<endpoint_id>", endpoints.EndpointDetail.as_view()),
    path("endpoints/<endpoint_id>/secret/rotate", endpoints.SecretRotation.as_view()),
    path("subscriptions", subscriptions.Subscriptions.as_view()),
    path("subscriptions/<subscription_id>", subscriptions.SubscriptionDetail.as_view()),
    path("deliveries", attempts.Deliveries.as_view()),
    path("deliveries/<attempt_id>", attempts.DeliveryDetail.as_view()),
    path("dlq", dlq.DeadLetters.as_view()),
    path("dlq/<job_id>", dlq.DeadLetterDetail.as_view()),
    path("dlq/<job_id>/requeue", dlq.Requeue.as_view()),
    path("replay", replays.Replays.as_view()),
    path("replay/<replay_id>", replays.ReplayDetail.as_view()),
    path("stream", stream.LiveEvents.as_view()),
    path("dev/inbox", inbox.Inbox.as_view()),
    path("dev/inbox/messages", inbox.InboxMessages.as_view()),
    path("dev/inbox/messages/<message_id>", inbox.InboxMessageDetail.as_view()),
    path("dev/inbox/receive/<token>", inbox.InboxReceive.as_view()),
    path("dev/inbox/ui", inbox.InboxPage.as_view()),
    path("admin/stats", admin.Stats.as_view()),
    path("admin/compact", admin.Compact.as_view()),
    path("admin/store/pause-claims", admin.PauseClaims.as_view()),
    path("admin/store/resume-claims", admin.ResumeClaims.as_view()),
    path("admin/rotate-secrets", admin.RotateSecrets.as_view()),
    path("admin/audit", admin.Audit.as_view()),
    path("uploads", uploads.Uploads.as_view()),
    path("uploads/<path:rest>", uploads.Uploads.as_view()),
]
