"""Draws days of weather as an SVG: a band of temperature above bars of precipitation."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import NamedTuple
from xml.sax.saxutils import escape

MINUS = "\N{MINUS SIGN}"

# Lengths are px of the viewBox.
WIDTH, HEIGHT = 960, 540
LEFT, RIGHT = 52, 936
TEMP_TOP, TEMP_BOTTOM = 116, 346
RAIN_TOP, RAIN_BOTTOM = 396, 476
NARROW_DAY, NARROW_MONTH = 6, 40

STYLE = """
  text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #57606a }
  .page { fill: #ffffff } .title { font-size: 20px; font-weight: 600; fill: #1f2328 }
  .head { font-weight: 600; fill: #1f2328 }
  .mark { font-weight: 600; fill: #1f2328; stroke: #ffffff; stroke-width: 4; paint-order: stroke }
  .grid { stroke: #d8dee4 } .zero { stroke: #8c959f } .month { stroke: #eaeef2 }
  .mean { fill: none; stroke: #1f2328; stroke-width: 1.4; stroke-linejoin: round }
  .ring { fill: #ffffff; stroke: #1f2328; stroke-width: 1.5 } .rain { fill: #2f81c4 }
  .mid { text-anchor: middle } .end { text-anchor: end }
  @media (prefers-color-scheme: dark) {
    text { fill: #9aa4af } .page { fill: #0d1117 } .title, .head, .mark { fill: #e6edf3 }
    .mark { stroke: #0d1117 }
    .grid { stroke: #2a313a } .zero { stroke: #6e7681 } .month { stroke: #1c232c }
    .mean { stroke: #f0f6fc } .ring { fill: #0d1117; stroke: #f0f6fc } .rain { fill: #58a6e8 }
  }
"""
HOTTEST, COLDEST = 35, -15
COLOURS = ("#c8403f", "#e8833a", "#e9c04f", "#6fb3a2", "#4a90c2", "#4a63a8")  # in equal steps between the two


class Period(NamedTuple):
    """A day or a month, all stations together: °C, mm, m/s; None where nothing was reported."""

    start: date
    low: float | None
    mean: float | None
    high: float | None
    rain: float | None
    gust: float | None


class Scale(NamedTuple):
    """Values from `low` to `high` onto px from `bottom` up to `top`."""

    low: float
    high: float
    bottom: float
    top: float

    def __call__(self, value: float) -> float:
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top)


class Days(NamedTuple):
    """Days onto px from left to right. Narrow days touch, so that they read as one band."""

    first: date
    width: float

    def left(self, day: date) -> float:
        return LEFT + (day - self.first).days * self.width

    @property
    def bar(self) -> float:
        return self.width * 0.8 if self.width > NARROW_DAY else self.width

    def middle(self, day: date) -> float:
        return self.left(day) + self.bar / 2


def svg(title: str, period: str, days: list[Period], months: list[Period]) -> str:
    """The chart as one SVG document, readable in light and in dark. At least one day; in order of time."""
    first, last = days[0].start, days[-1].start
    x = Days(first, (RIGHT - LEFT) / ((last - first).days + 1))
    title = escape(title)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        ' aria-labelledby="title desc">',
        f'<title id="title">{title}, {period}</title>',
        f'<desc id="desc">{describe(months)}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
        text(LEFT, 40, title, "title"),
        text(LEFT, 62, period),
        *month_axis(months, x, last + timedelta(days=1)),
        *temperature(days, x),
        *precipitation(days, x),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def describe(months: list[Period]) -> str:
    """The chart in words, for those who do not see it."""
    return " ".join(
        f"{month.start:%B %Y}: {number(month.low)} to {number(month.high)} °C, {number(month.rain, 0)} mm."
        for month in months
    )


def temperature(days: list[Period], x: Days) -> list[str]:
    """A bar from the coldest to the warmest hour of each day, the line of the means, both extremes marked."""
    warm = [(day.start, day.low, day.high) for day in days if day.low is not None and day.high is not None]
    cold_day, low, _ = min(warm, key=lambda day: day[1], default=(days[0].start, 0.0, 0.0))
    hot_day, _, high = max(warm, key=lambda day: day[2], default=(days[0].start, 0.0, 0.0))
    y = Scale(10 * math.floor(low / 10), 10 * math.floor(high / 10) + 10, TEMP_BOTTOM, TEMP_TOP)
    band = "".join(bar(x, day, y(high), y(low)) for day, low, high in warm)
    parts = [
        *gradient(y),
        *heading(TEMP_TOP, "Temperature, °C", "coldest to warmest hour of each day; line: the day’s mean"),
        *grid(y, 10),
        f'<path fill="url(#warmth)" d="{band}"/>',
        f'<path class="mean" d="{mean_line(days, x, y)}"/>',
    ]
    if warm:
        parts += mark(x.middle(hot_day), y(high), -9, f"{number(high)} °C on {day_name(hot_day)}")
        parts += mark(x.middle(cold_day), y(low), 19, f"{number(low)} °C on {day_name(cold_day)}")
    return parts


def precipitation(days: list[Period], x: Days) -> list[str]:
    """A bar for each day with rain or snow, the wettest marked."""
    wet = [(day.start, day.rain) for day in days if day.rain]
    wet_day, most = max(wet, key=lambda day: day[1], default=(days[0].start, 1.0))
    step = nice_step(most / 3)
    y = Scale(0, step * math.ceil(most / step), RAIN_BOTTOM, RAIN_TOP)
    bars = "".join(bar(x, day, y(mm), y(0)) for day, mm in wet)
    parts = [
        *heading(RAIN_TOP, "Precipitation, mm", "each day, and in all by month; mean of the stations"),
        *grid(y, step),
        f'<path class="rain" d="{bars}"/>',
    ]
    if wet:
        parts += mark(x.middle(wet_day), y(most), -8, f"{number(most)} mm on {day_name(wet_day)}")
    return parts


def bar(x: Days, day: date, top: float, bottom: float) -> str:
    return f"M{x.left(day):.1f} {top:.1f}h{x.bar:.2f}V{bottom:.1f}h{-x.bar:.2f}z"


def mean_line(days: list[Period], x: Days, y: Scale) -> str:
    """Through the means of the days; interrupted where a day has none or is missing."""
    path, before = "", None
    for day in days:
        if day.mean is None:
            continue
        joined = before is not None and day.start - before == timedelta(days=1)
        path += f"{'L' if joined else 'M'}{x.middle(day.start):.1f} {y(day.mean):.1f}"
        before = day.start
    return path


def month_axis(months: list[Period], x: Days, end: date) -> list[str]:
    """A line where a month begins; below, its name and its precipitation in all, as far as there is room."""
    parts = []
    for month in months:
        following = (month.start + timedelta(days=31)).replace(day=1)
        left, right = x.left(max(month.start, x.first)), x.left(min(following, end))
        parts.append(line("month", left, TEMP_TOP, left, RAIN_BOTTOM))
        if right - left >= NARROW_MONTH:
            parts.append(text((left + right) / 2, RAIN_BOTTOM + 22, f"{month.start:%b}", "mid head"))
            parts.append(text((left + right) / 2, RAIN_BOTTOM + 40, f"{number(month.rain, 0)} mm", "mid"))
        elif month.start.month == 1:
            parts.append(text(left, RAIN_BOTTOM + 22, str(month.start.year), "head"))
    return parts


def heading(top: float, what: str, how: str) -> list[str]:
    words = f'<tspan class="head">{what}</tspan><tspan dx="8">{how}</tspan>'
    return [text(LEFT, top - 22, words)]


def grid(y: Scale, step: float) -> list[str]:
    parts = []
    for index in range(round((y.high - y.low) / step) + 1):
        value = y.low + index * step
        parts.append(line("zero" if value == 0 else "grid", LEFT, y(value), RIGHT, y(value)))
        parts.append(text(LEFT - 8, y(value) + 4, f"{value:g}".replace("-", MINUS), "end"))
    return parts


def mark(x: float, y: float, dy: float, label: str) -> list[str]:
    """A ring at a notable value, its label above or below, kept inside the chart."""
    side = "" if x < LEFT + 70 else "end" if x > RIGHT - 70 else "mid"
    ring = f'<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
    return [ring, text(x, y + dy, label, f"mark {side}".rstrip())]


def gradient(y: Scale) -> list[str]:
    """The colour of each temperature, whatever the scale: so that two charts compare."""
    ends = f'x1="0" x2="0" y1="{y(HOTTEST):.1f}" y2="{y(COLDEST):.1f}"'
    stops = "".join(
        f'<stop offset="{index / (len(COLOURS) - 1):g}" stop-color="{colour}"/>'
        for index, colour in enumerate(COLOURS)
    )
    return [f'<linearGradient id="warmth" gradientUnits="userSpaceOnUse" {ends}>{stops}</linearGradient>']


def nice_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, 50 … that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(max(least, 1)))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= least)


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def text(x: float, y: float, words: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{words}</text>'


def day_name(day: date) -> str:
    return f"{day.day} {day:%B}"


def number(value: float | None, digits: int = 1) -> str:
    """Rounded, with a true minus sign; n/a where there is none."""
    return "n/a" if value is None else f"{value:.{digits}f}".replace("-", MINUS)
