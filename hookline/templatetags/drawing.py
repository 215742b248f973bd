"""What `hookline.console.drawing` draws, for templates: `{% load drawing %}`, `{{ row.made_at|moment }}`."""

from django import template

from hookline.console import drawing

register = template.Library()

for draw in (
    drawing.moment,
    drawing.milliseconds,
    drawing.short,
    drawing.copied,
    drawing.as_text,
    drawing.status,
):
    register.filter(draw.__name__, draw)

for place in (drawing.link, drawing.narrowed):
    register.simple_tag(place)
