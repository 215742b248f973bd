"""Forms that do something once, however often a browser sends them."""

from typing import Any

from django import forms

from hookline.ids import NO_ID, parse_uuid, uuid7


class OnceForm(forms.Form):
    """`once` stands for this form in the store, so that it does nothing when it is sent again."""

    once = forms.CharField(widget=forms.HiddenInput, initial=uuid7)

    def clean_once(self) -> Any:
        once = parse_uuid(self.cleaned_data["once"])
        if once == NO_ID:
            raise forms.ValidationError("Load the page again.")
        return once
