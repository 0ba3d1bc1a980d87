"""Draws curves of scores against network evaluations as an SVG. Standard library only."""

import math

COLOURS = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22"]
WIDTH, HEIGHT, LEFT, TOP, GAP, LEGEND = 250, 190, 50, 34, 56, 130


def draw(groups, metrics, reference):
    """An SVG with a row for each group and a column for each metric.

    groups is {title: {name: [(evaluations, {metric: score}), ...]}}. The curve of the name reference is drawn in every row, dashed.
    """
    dashed = next((curves[reference] for curves in groups.values() if reference in curves), [])
    everywhere = [point for curves in groups.values() for points in curves.values() for point in points]
    counts = sorted({n for n, _ in everywhere})
    low, high = math.log(counts[0]), math.log(counts[-1]) if len(counts) > 1 else math.log(counts[0]) + 1
    width, height = LEFT + len(metrics) * (WIDTH + GAP) + LEGEND, TOP + len(groups) * (HEIGHT + GAP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
           f'<rect width="{width}" height="{height}" fill="white"/>']
    for row, (title, curves) in enumerate(groups.items()):
        top = TOP + row * (HEIGHT + GAP)
        for column, metric in enumerate(metrics):
            left = LEFT + column * (WIDTH + GAP)
            scores = [s[metric] for _, s in everywhere]
            bottom, roof = padded(min(scores), max(scores))
            x = lambda n: left + (math.log(n) - low) / (high - low) * WIDTH
            y = lambda s: top + HEIGHT - (s - bottom) / (roof - bottom) * HEIGHT
            out.append(f'<text x="{left}" y="{top - 8}" font-weight="bold">{metric}, samplers {title}</text>')
            out += axes(x, y, left, top, bottom, roof)
            drawn = dict(curves) if reference in curves else {reference: dashed, **curves}
            for k, (name, points) in enumerate(drawn.items()):
                style = f'stroke="{COLOURS[k % len(COLOURS)]}" fill="none" stroke-width="1.5"'
                if name == reference:
                    style = 'stroke="black" fill="none" stroke-width="1.5" stroke-dasharray="4 3"'
                path = " ".join(f"{x(n):.1f},{y(s[metric]):.1f}" for n, s in points)
                out.append(f'<polyline points="{path}" {style}/>')
                if column == len(metrics) - 1:
                    line, at = left + WIDTH + 12, top + 8 + 15 * k
                    out.append(f'<line x1="{line}" x2="{line + 18}" y1="{at}" y2="{at}" {style}/><text x="{line + 23}" y="{at + 4}">{name}</text>')
    return "\n".join(out) + "\n</svg>\n"


def padded(low, high):
    """The range of an axis: a little more than that of the scores."""
    room = (high - low) * 0.05 or 0.5
    return low - room, high + room


def axes(x, y, left, top, bottom, roof):
    out = [f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>',
           f'<text x="{left + WIDTH / 2}" y="{top + HEIGHT + 30}" text-anchor="middle">network evaluations a block</text>']
    for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
        if left - 1 <= x(n) <= left + WIDTH + 1:
            out.append(f'<line x1="{x(n):.1f}" x2="{x(n):.1f}" y1="{top + HEIGHT}" y2="{top + HEIGHT + 4}" stroke="#999"/>'
                       f'<text x="{x(n):.1f}" y="{top + HEIGHT + 15}" text-anchor="middle">{n}</text>')
    step = 10 ** math.floor(math.log10((roof - bottom) / 2))
    step = next(step * k for k in (1, 2, 5, 10) if (roof - bottom) / (step * k) <= 6)
    for i in range(math.ceil(bottom / step), math.floor(roof / step) + 1):
        out.append(f'<line x1="{left}" x2="{left + WIDTH}" y1="{y(i * step):.1f}" y2="{y(i * step):.1f}" stroke="#eee"/>'
                   f'<text x="{left - 5}" y="{y(i * step) + 4:.1f}" text-anchor="end">{i * step:.10g}</text>')
    return out
