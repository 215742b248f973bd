"""What an operator fills in to start a run: what it is about, and how fast it may go."""

from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q

from deliveries.models import Endpoint, Run
from deliveries.rules import topics
from deliveries.runs.control import DEFAULT_RATES, MOST_A_SECOND
from deliveries.runs.selection import Mode, Selection
from hookline.ids import NO_ID, parse_uuid
from hookline.times import milliseconds
from tenants.models import Tenant

MOST_IDS = 1000
# Above so many, the number has to be typed.
MANY = 1000
MODES = {
    Mode.ALL: "every endpoint that wants it today",
    Mode.FAILED: "where it is a dead letter now",
    Mode.MISSED: "where it neither arrived nor is on its way",
}


class Moment(forms.DateTimeField):
    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S")


class RunForm(forms.Form):
    """`selection` and `tenant_id` are what was asked for."""

    use_required_attribute = False
    tenant = forms.CharField(required=False, max_length=200, help_text="Empty: all tenants")
    endpoint = forms.CharField(
        required=False, max_length=2000, help_text="Its id, name or URL. Empty: all endpoints"
    )
    topic = forms.CharField(required=False, max_length=topics.LONGEST, help_text="Such as orders.*")
    since = Moment(required=False, label="From, in UTC")
    until = Moment(required=False, label="To, in UTC")
    ids = forms.CharField(
        required=False, max_length=50_000, label="Ids", help_text=f"Up to {MOST_IDS}, apart by spaces"
    )

    def clean_tenant(self) -> str:
        tenant_id = str(self.cleaned_data["tenant"])
        if tenant_id and not Tenant.objects.filter(id=tenant_id, status=Tenant.Status.ACTIVE).exists():
            raise forms.ValidationError("There is no such tenant.")
        return tenant_id

    def clean_endpoint(self) -> UUID | None:
        """By its id also one that was deleted, of which there may be letters."""
        text = str(self.cleaned_data["endpoint"])
        if not text or (id := parse_uuid(text.lower())) != NO_ID:
            return id if text else None
        called = Endpoint.objects.filter(Q(name=text) | Q(url=text))
        if tenant_id := self.cleaned_data.get("tenant"):
            called = called.filter(tenant_id=tenant_id)
        ids = list(called.values_list("id", flat=True)[:2])
        if len(ids) != 1:
            raise forms.ValidationError(f"{'More than one' if ids else 'No'} endpoint is called so.")
        return ids[0]

    def clean_ids(self) -> tuple[UUID, ...]:
        words = str(self.cleaned_data["ids"]).replace(",", " ").split()
        if len(words) > MOST_IDS:
            raise forms.ValidationError(f"These are more than {MOST_IDS}.")
        try:
            return tuple(map(UUID, words))
        except ValueError:
            raise forms.ValidationError("Not all of these are ids.") from None

    @property
    def tenant_id(self) -> str | None:
        return self.cleaned_data["tenant"] or None

    @property
    def selection(self) -> Selection:
        given: dict[str, Any] = self.cleaned_data
        return Selection(
            ids=given["ids"],
            endpoint_id=given["endpoint"],
            reason=given.get("reason", ""),
            topic=given["topic"],
            from_ms=milliseconds(given["since"]) if given["since"] else None,
            to_ms=milliseconds(given["until"]) if given["until"] else None,
            mode=Mode(given.get("mode") or Mode.ALL),
        )


class LettersForm(RunForm):
    reason = forms.CharField(required=False, max_length=100, help_text="Such as http_404")
    field_order = ("tenant", "endpoint", "reason", "topic", "since", "until", "ids")


class EventsForm(RunForm):
    mode = forms.ChoiceField(required=False, label="To whom", choices=MODES.items())
    field_order = ("tenant", "endpoint", "mode", "topic", "since", "until", "ids")


FORMS: dict[str, type[RunForm]] = {
    Run.Verb.REQUEUE: LettersForm,
    Run.Verb.DISCARD: LettersForm,
    Run.Verb.REPLAY: EventsForm,
}


class StartForm(forms.Form):
    """`seen` is the number that the page showed, and `there` how many there are now."""

    use_required_attribute = False
    rate = forms.IntegerField(min_value=1, max_value=MOST_A_SECOND)
    seen = forms.IntegerField(min_value=0)
    typed = forms.CharField(required=False, max_length=30)

    def __init__(self, data: Any = None, *, verb: str, there: int) -> None:
        super().__init__(data, initial={"rate": DEFAULT_RATES[Run.Verb(verb)]})
        self.there = there

    @property
    def is_many(self) -> bool:
        return self.there > MANY

    def clean(self) -> None:
        typed = self.cleaned_data.get("typed", "").strip().replace(",", "")
        if self.is_many and typed != str(self.cleaned_data.get("seen")):
            self.add_error("typed", "Type the number, to say that you mean so many.")
