"""Charts as SVG, drawn here. Colours are classes of console.css, since a page may hold no style; text stands
beside the picture, as HTML, so that the picture may be stretched to any width."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

HIGH = 100
# What a stretch of time is as wide as, and how much of that its column takes.
WIDE, COLUMN = 10, 8
LABELS = 4
SPARK_HIGH = 20

# A name for its class in the style sheet, and a number for each stretch of time; None is a gap.
Line = tuple[str, Sequence[float | None]]


def columns(
    starts: Sequence[datetime], stacked: Sequence[Line], told: Sequence[str], name: str, unit: str = ""
) -> SafeString:
    """Numbers for each stretch, one on the other. `told` is what each column says when pointed at."""
    totals = [sum(numbers[place] or 0 for _, numbers in stacked) for place in range(len(starts))]
    top = _round_up(max(totals, default=0))
    return _plot(starts, _stacks(stacked, top), told, top, name, lambda number: f"{_short(number)}{unit}")


def lines(
    starts: Sequence[datetime],
    drawn: Sequence[Line],
    told: Sequence[str],
    name: str,
    write: Callable[[float], str],
) -> SafeString:
    """Numbers that are compared rather than added, one line for each."""
    numbers = [number for _, line in drawn for number in line if number is not None]
    top = _round_up(max(numbers, default=0))
    paths = format_html_join(
        "", '<path class="line {}" d="{}"/>', ((kind, _path(line, top)) for kind, line in drawn)
    )
    return _plot(starts, paths, told, top, name, write)


def sparkline(stacked: Sequence[Line], name: str) -> SafeString:
    """A picture as small as a word: columns, without axes."""
    length = max((len(numbers) for _, numbers in stacked), default=0)
    top = max([sum(numbers[place] or 0 for _, numbers in stacked) for place in range(length)], default=0)
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        "<title>{}</title>{}</svg>",
        length * WIDE, HIGH, name, name, _stacks(stacked, top or 1),
    )  # fmt: skip


def _plot(
    starts: Sequence[datetime],
    drawing: SafeString,
    told: Sequence[str],
    top: float,
    name: str,
    write: Callable[[float], str],
) -> SafeString:
    return format_html(
        '<div class="plot"><div class="scale"><span>{}</span><span>{}</span><span>0</span></div>'
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<path class="grid" d="M0 .5H{}M0 50H{}M0 99.5H{}"/>{}{}</svg><div class="times">{}</div></div>',
        write(top), write(top / 2), len(starts) * WIDE, HIGH, name, *[len(starts) * WIDE] * 3, drawing,
        _pointed_at(told), _times(starts),
    )  # fmt: skip


def _stacks(stacked: Sequence[Line], top: float) -> SafeString:
    """The columns of each kind as one path."""
    ground = [float(HIGH)] * max((len(numbers) for _, numbers in stacked), default=0)
    paths = []
    for kind, numbers in stacked:
        words = []
        for place, number in enumerate(numbers):
            if number:
                height = max(number / top * HIGH, 1)
                left = place * WIDE + (WIDE - COLUMN) / 2
                words.append(f"M{left:g} {ground[place]:.1f}v-{height:.1f}h{COLUMN}v{height:.1f}z")
                ground[place] -= height
        paths.append((kind, "".join(words)))
    return format_html_join("", '<path class="bar {}" d="{}"/>', [path for path in paths if path[1]])


def _path(line: Sequence[float | None], top: float) -> str:
    """From the middle of one stretch to the middle of the next; a lone one is as wide as its stretch."""
    words, was_there = [], False
    for place, number in enumerate(line):
        if number is not None:
            middle, height = place * WIDE + WIDE / 2, HIGH - number / top * HIGH
            is_alone = not was_there and (place + 1 == len(line) or line[place + 1] is None)
            words.append(f"{'L' if was_there else 'M'}{middle:g} {height:.1f}")
            if is_alone:
                words[-1] = f"M{middle - WIDE / 3:.1f} {height:.1f}h{2 * WIDE / 3:.1f}"
        was_there = number is not None
    return "".join(words)


def _pointed_at(told: Sequence[str]) -> SafeString:
    """Over each stretch an area that says what is there."""
    areas = ((place * WIDE, WIDE, HIGH, text) for place, text in enumerate(told))
    return format_html_join(
        "", '<rect class="area" x="{}" y="0" width="{}" height="{}"><title>{}</title></rect>', areas
    )


def _times(starts: Sequence[datetime]) -> SafeString:
    step = max(1, len(starts) // LABELS)
    is_long = bool(starts) and (starts[-1] - starts[0]).days >= 1
    shown: Iterable[datetime] = [*starts[: step * LABELS : step], *starts[-1:]]
    return format_html_join(
        "", "<span>{}</span>", ((f"{at:%d %b %H:%M}" if is_long else f"{at:%H:%M}",) for at in shown)
    )


def _round_up(number: float) -> float:
    """To 1, 2, 4 or 5 and zeros, so that half of it is a number to read."""
    size = 1.0
    while size * 10 < number:
        size *= 10
    return next((size * step for step in (1, 2, 4, 5, 10) if size * step >= number), 1.0)


def _short(number: float) -> str:
    for size, unit in ((1_000_000, "M"), (1000, "k")):
        if number >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"
