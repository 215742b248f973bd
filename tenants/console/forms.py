"""What people fill in about tenants and keys. It is judged by what judges it for the API."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django import forms

from hookline.console.once import OnceForm
from hookline.database import now
from hookline.errors import Invalid
from tenants import names, scopes
from tenants.models import Tenant

EVERYTHING = "*"
NEVER = "never"
ENDS = {
    NEVER: "never",
    "7": "in 7 days",
    "30": "in 30 days",
    "90": "in 90 days",
    "365": "in a year",
}
OVERLAPS = {"0": "at once", "3600": "after an hour", "86400": "after a day", "604800": "after a week"}


class NewTenant(OnceForm):
    id = forms.CharField(
        required=False, max_length=200, help_text="How programs name it, for ever. Made up if left out."
    )
    name = forms.CharField(required=False, max_length=200, help_text="For people.")

    def clean_id(self) -> str:
        text = self.cleaned_data["id"]
        return judged(names.tenant_id, text) if text else str(self.cleaned_data.get("once", ""))

    def clean_name(self) -> str:
        return names.printable(self.cleaned_data["name"]) or "unnamed"


class Settings(forms.Form):
    name = forms.CharField(max_length=200)
    max_queue_depth = forms.IntegerField(
        required=False, min_value=0, max_value=2**31 - 1, label="Jobs that may wait",
        help_text="Beyond that its publishes are answered with 429.",
    )  # fmt: skip

    def clean_name(self) -> str:
        if not (name := names.printable(self.cleaned_data["name"])):
            raise forms.ValidationError("A name is something that can be read.")
        return name


class NewKey(OnceForm):
    tenant = forms.ModelChoiceField(
        Tenant.objects.filter(status=Tenant.Status.ACTIVE), widget=forms.TextInput, help_text="Its id."
    )
    name = forms.CharField(required=False, max_length=200, help_text="What it is for.")
    scopes = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        choices=[(EVERYTHING, "everything of this tenant"), *((name, name) for name in scopes.known())],
        help_text="“admin” reaches every tenant.",
    )
    ends = forms.ChoiceField(choices=list(ENDS.items()), initial=NEVER)

    def clean_name(self) -> str:
        return names.printable(self.cleaned_data["name"]) or "default"

    def clean_ends(self) -> datetime | None:
        days = self.cleaned_data["ends"]
        return None if days == NEVER else now() + timedelta(days=int(days))


class Rotation(OnceForm):
    overlap = forms.ChoiceField(
        choices=list(OVERLAPS.items()), initial="86400", label="The old key ends",
        help_text="Until then both work.",
    )  # fmt: skip

    def clean_overlap(self) -> timedelta:
        return timedelta(seconds=int(self.cleaned_data["overlap"]))


def judged(judge: Callable[[Any], Any], value: Any) -> Any:
    try:
        return judge(value)
    except Invalid as fault:
        raise forms.ValidationError(fault.detail.partition(": ")[2].capitalize() + ".") from None
