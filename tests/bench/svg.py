"""Plots as SVG, with nothing but text: bars with their spread, and lines.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import math
from xml.sax.saxutils import escape

COLOURS = ('#1b6ca8', '#3aa17e', '#d1495b', '#edae49', '#7a5195', '#66717e',
           '#8c6d31', '#e377c2')
WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 44, 96
LEGEND_COLUMNS, LEGEND_ROW = 4, 20
# A line ends where there is nothing for so long, and begins again after it.
GAP = 0.07


def _ticks(low, high, count=6):
    """Round numbers from low to high."""
    raw = (high - low) / count or 1
    power = 10 ** math.floor(math.log10(raw))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power)
                if step >= raw)
    first = math.ceil(low / step)
    return [n * step for n in range(first, math.floor(high / step) + 1)]


class Plot:
    """A frame with axes; what is added goes into it."""

    def __init__(self, title, x_label, y_label, x_range, y_range,
                 x_ticks=None):
        self.x_range, self.y_range = x_range, y_range
        self.names = []
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} '
            f'{HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
        self._text(WIDTH / 2, 18, title, 'middle', 'font-weight="bold"')
        for value in _ticks(*y_range):
            y = self.y(value)
            self._line(LEFT, y, WIDTH - RIGHT, y, '#dddddd')
            self._text(LEFT - 6, y + 4, f'{value:g}', 'end')
        for value in _ticks(*x_range) if x_ticks is None else x_ticks:
            self._text(self.x(value), HEIGHT - BOTTOM + 16, f'{value:g}',
                       'middle')
        self._text(WIDTH / 2, HEIGHT - BOTTOM + 34, x_label, 'middle')
        self._text(16, HEIGHT / 2, y_label, 'middle',
                   f'transform="rotate(-90 16 {HEIGHT / 2:.0f})"')
        self._line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM,
                   '#333333')

    def x(self, value):
        low, high = self.x_range
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        low, high = self.y_range
        value = min(max(value, low), high)
        return (HEIGHT - BOTTOM -
                (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM))

    def _text(self, x, y, text, anchor, more=''):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor='
                          f'"{anchor}" fill="#222222" {more}>'
                          f'{escape(text)}</text>')

    def _line(self, x1, y1, x2, y2, colour, more=''):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" '
                          f'y2="{y2:.1f}" stroke="{colour}" {more}/>')

    def _colour(self, name):
        if name not in self.names:
            self.names.append(name)
        return COLOURS[self.names.index(name) % len(COLOURS)]

    def line(self, name, points, gap=None):
        pieces, before = [], None
        for x, y in points:
            if not self.x_range[0] <= x <= self.x_range[1]:
                continue
            if before is None or (gap and x - before > gap):
                pieces.append([])
            place = f'{self.x(x):.1f},{self.y(y):.1f}'
            if place not in pieces[-1][-1:]:
                pieces[-1].append(place)
            before = x
        for piece in pieces:
            self.parts.append(
                f'<polyline points="{" ".join(piece)}" fill="none" stroke='
                f'"{self._colour(name)}" stroke-width="1.6" '
                'stroke-linecap="round"/>')

    def bar(self, name, x, width, values):
        """The median of the values as a bar, all of them as a line."""
        ordered = sorted(values)
        top = self.y(ordered[len(ordered) // 2])
        left, right = self.x(x - width / 2), self.x(x + width / 2)
        self.parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
            f'height="{HEIGHT - BOTTOM - top:.1f}" '
            f'fill="{self._colour(name)}"/>')
        self._line(self.x(x), self.y(ordered[0]), self.x(x),
                   self.y(ordered[-1]), '#222222', 'stroke-width="2"')

    def mark(self, value, text):
        """A level across the plot, for a budget."""
        y = self.y(value)
        self._line(LEFT, y, WIDTH - RIGHT, y, '#222222',
                   'stroke-dasharray="5 4"')
        self._text(WIDTH - RIGHT, y - 4, text, 'end')

    def label(self, x, text):
        self._text(self.x(x), HEIGHT - BOTTOM + 16, text, 'middle')

    def write(self, path):
        room = (WIDTH - LEFT - RIGHT) / LEGEND_COLUMNS
        for number, name in enumerate(self.names):
            row, column = divmod(number, LEGEND_COLUMNS)
            left = LEFT + column * room
            top = HEIGHT - 46 + row * LEGEND_ROW
            self.parts.append(f'<rect x="{left:.1f}" y="{top}" width="12" '
                              f'height="12" fill="{self._colour(name)}"/>')
            self._text(left + 17, top + 10, name, 'start', 'font-size="11"')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('\n'.join(self.parts + ['</svg>']) + '\n')


def bars(path, title, y_label, top, groups, mark=None):
    """groups: [(label, [(name, values), …]), …]"""
    plot = Plot(title, '', y_label, (-0.5, len(groups) - 0.5), (0, top),
                x_ticks=[])
    for number, (label, entries) in enumerate(groups):
        width = 0.8 / max(1, len(entries))
        plot.label(number, label)
        for place, (name, values) in enumerate(entries):
            if values:
                plot.bar(name, number - 0.4 + width * (place + 0.5),
                         width * 0.9, values)
    if mark:
        plot.mark(*mark)
    plot.write(path)


def distribution(path, title, x_label, x_range, series):
    """Share of all that had come by then; series: {name: (values, count)}."""
    plot = Plot(title, x_label, 'share of all frames', x_range, (0, 1))
    for name, (values, count) in series.items():
        ordered = sorted(values)
        points = [(x_range[0], 0)]
        for number, value in enumerate(ordered, 1):
            points += [(value, (number - 1) / count), (value, number / count)]
        within = [point for point in points if point[0] <= x_range[1]]
        plot.line(name, within + [(x_range[1], within[-1][1])])
    plot.write(path)
