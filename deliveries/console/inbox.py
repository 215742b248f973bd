"""What arrived at the development inbox."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import display

from deliveries.models import InboxMessage
from hookline.console.drawing import as_text
from hookline.console.rows import Rows


@admin.register(InboxMessage)
class InboxMessageAdmin(Rows):
    list_display = ("id", "token", "received_at")
    known_by = ()
    narrowed_by = ("token",)
    indexed_by = ("token",)
    fields = ("id", "token", "received_at", "headers", "content")
    readonly_fields = fields

    @display(description="body")
    def content(self, message: InboxMessage) -> Any:
        return as_text(message.body)
