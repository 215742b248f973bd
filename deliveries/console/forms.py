"""Forms of the console. What they hold is judged by the same fields as the API's documents."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from django import forms

from deliveries.fields import EndpointFields, Strict, SubscriptionFields
from deliveries.models import Endpoint
from deliveries.models.endpoints import PayloadFormat
from deliveries.sending import signatures
from hookline import jsontext
from hookline.console.once import OnceForm
from hookline.errors import InvalidField
from hookline.jsontext import BadJson
from tenants.models import Tenant

LONGEST_TEXT = 100_000
# How long the old secret may go on signing, in hours.
OVERLAPS = [
    (24, "a day"), (1, "an hour"), (168, "a week"), (720, "30 days"), (0, "not at all: it may have leaked"),
]  # fmt: skip
WHOLE = ("timeout_ms", "max_in_flight", "rate_limit_rps", "max_retries")


class Line(forms.CharField):
    """Text as it was typed; what it may be is judged elsewhere."""

    widget: forms.Widget = forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"})

    def __init__(self, label: str, help_text: str = "", **options: Any) -> None:
        super().__init__(
            label=label, help_text=help_text, required=False, max_length=LONGEST_TEXT, **options
        )  # fmt: skip


class Lines(Line):
    widget = forms.Textarea(attrs={"rows": 6, "spellcheck": "false"})


class DocumentForm(forms.Form):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"label_suffix": "", **options})

    def judge(self, fields: type[Strict], document: Mapping[str, Any]) -> None:
        """Puts each fault beside its field."""
        for name, value in document.items():
            try:
                fields.read({name: value}, only_given=True)
            except InvalidField as fault:
                self.add_error(name if name in self.fields else None, f"It {fault.sentence}.")


class EndpointForm(DocumentForm):
    """`document` is what the API would be sent."""

    document: dict[str, Any]
    name = Line("Name")
    url = Line("URL", "Where deliveries are sent, such as https://example.com/hooks")
    description = Line("Description")
    max_in_flight = Line("Requests at a time", "How many may be under way together")
    rate_limit_rps = Line("Requests a second", "0 means no limit")
    timeout_ms = Line("Time-out in ms", "For connecting, sending and the whole answer together")
    retry_schedule = Line(
        "Retry schedule", "Delays such as 5s 30s 2m 1h. Empty: the installation's", empty_value=None
    )
    max_retries = Line("Attempts at most", "Empty: as many as the schedule has", empty_value=None)
    payload_format = forms.ChoiceField(label="Format", choices=PayloadFormat.choices)
    headers = Lines(
        "Add or replace headers",
        "One a line, as in Authorization: Bearer 123. Values are encrypted, and never shown again",
    )

    def __init__(self, *arguments: Any, kept: Mapping[str, str] | None = None, **options: Any) -> None:
        """`kept` are the headers that there are already, of which only the names are shown."""
        super().__init__(*arguments, **options)
        self.kept = kept or {}
        if self.kept:
            names = [(name, name) for name in self.kept]
            self.fields["keep"] = forms.MultipleChoiceField(
                label="Headers to keep", choices=names, initial=list(self.kept), required=False,
                widget=forms.CheckboxSelectMultiple,
            )  # fmt: skip

    def clean(self) -> None:
        given, names = self.cleaned_data, map(str, EndpointFields().fields)
        document = {name: given[name] for name in names if name in given}
        document |= {name: _number(document[name]) for name in WHOLE if name in document}
        document["headers"] = self._headers(given.get("headers", ""))
        self.judge(EndpointFields, document)
        self.document = document

    def _headers(self, text: str) -> dict[str, str]:
        new = dict(_header(line) for line in text.splitlines() if line.strip())
        replaced = {name.lower() for name in new}
        kept = [name for name in self.cleaned_data.get("keep", ()) if name.lower() not in replaced]
        return {name: self.kept[name] for name in kept} | new


def _header(line: str) -> tuple[str, str]:
    """A line without a colon is a name that no header may have, which is then told."""
    name, colon, text = line.partition(":")
    return (name.strip(), text.strip()) if colon else (line, "")


def _number(text: str | None) -> Any:
    """The number; what is none comes out as it is, to be told so."""
    is_number = text is not None and text.strip().isascii() and text.strip().isdecimal()
    return int(text.strip()[:20]) if is_number and text else text


class NewEndpointForm(OnceForm, EndpointForm):
    """`once` becomes the id of the endpoint."""

    tenant = Line("Tenant", "Its id")
    is_signed = forms.BooleanField(
        label="Sign its deliveries",
        help_text="A secret is made, and shown once",
        required=False,
        initial=True,
    )
    field_order = ("tenant", "name", "url", "is_signed")

    def clean(self) -> None:
        super().clean()
        tenants = Tenant.objects.filter(id=self.cleaned_data.get("tenant", ""), status=Tenant.Status.ACTIVE)
        if not tenants.exists():
            self.add_error("tenant", "There is no such tenant.")
        if self.cleaned_data.get("is_signed"):
            self.document["secret"] = signatures.new_secret()


class RotationForm(forms.Form):
    """`seen` is when the endpoint was last changed: sent again, the form would replace the new secret."""

    overlap = forms.TypedChoiceField(label="The old one goes on signing for", choices=OVERLAPS, coerce=int)
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, endpoint: Endpoint, data: Any) -> None:
        super().__init__(data, initial={"seen": str(endpoint.updated_at)}, label_suffix="")
        self.endpoint = endpoint
        if not endpoint.secret_box:
            del self.fields["overlap"]

    def clean_seen(self) -> None:
        if self.cleaned_data["seen"] != str(self.endpoint.updated_at):
            raise forms.ValidationError("The endpoint was changed since. Load the page again.")


class RulesForm(DocumentForm):
    """The rules of a subscription, and an event to try them on. `columns` are what to store of it."""

    event = Line("Event", "Its id. Empty: the newest of the tenant")
    endpoint = Line("Endpoint", widget=forms.HiddenInput)
    topic_pattern = Line("Topic pattern", "Such as orders.* or orders.#")
    filter = Lines("Filter", 'Such as {"gte": "payload.amount", "value": 100}. Empty: everything passes')
    transform = Lines("Transform", 'Such as {"op": "remove_field", "field": "x"}. Empty: nothing is changed')
    description = Line("Description")
    columns: dict[str, Any]

    def clean(self) -> None:
        texts = {name: self.cleaned_data.get(name, "") for name in ("topic_pattern", "description")}
        fields = {name: msgspec.json.encode(text) for name, text in texts.items()}
        fields |= {"endpoint_id": b'"judged elsewhere"'} | dict(self._rules())
        if not self.errors:
            try:
                self.columns = SubscriptionFields.read_text(fields)
                self.columns.pop("endpoint_id")
            except InvalidField as fault:
                self.add_error(fault.name, f"It {fault.sentence}.")

    def _rules(self) -> Iterator[tuple[str, bytes]]:
        for rule in SubscriptionFields.RULES:
            if raw := self.cleaned_data.get(rule, "").encode():
                try:
                    jsontext.parse(raw)
                    yield rule, raw
                except BadJson as fault:
                    self.add_error(rule, f"It is no JSON: {fault}.")
