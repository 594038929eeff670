"""Panels with axes in an SVG, for cost.py and curves.py."""
import math

COLORS = {1: "#b5473c", 2: "#2f6f9f", 4: "#3d7d4b", 32: "#666666"}  # of models, by the bits of their weights


class Panel:
    """A frame of pixels (left, top, right, bottom) with a scale along each side; `log`: the lower one is logarithmic."""

    def __init__(self, frame, x_range, y_range, log=False):
        self.left, self.top, self.right, self.bottom = frame
        self.x_range, self.y_range = x_range, y_range
        self.place = math.log10 if log else float

    def x(self, value):
        low, high = map(self.place, self.x_range)
        return self.left + (self.place(value) - low) / (high - low) * (self.right - self.left)

    def y(self, value):
        low, high = self.y_range
        return self.top + (high - value) / (high - low) * (self.bottom - self.top)

    def axes(self, title, x_title, x_ticks, y_ticks):
        """Elements of the grid and of what is written around it; ticks are pairs of a value and its text."""
        out = [f'<text x="{self.left:.1f}" y="{self.top - 20}" font-weight="bold">{title}</text>']
        for value, text in x_ticks:
            out.append(f'<path d="M{self.x(value):.1f} {self.top}V{self.bottom}" stroke="#ddd"/><text '
                       f'x="{self.x(value):.1f}" y="{self.bottom + 18}" text-anchor="middle">{text}</text>')
        for value, text in y_ticks:
            out.append(f'<path d="M{self.left:.1f} {self.y(value):.1f}H{self.right:.1f}" stroke="#ddd"/><text '
                       f'x="{self.left - 8:.1f}" y="{self.y(value) + 4:.1f}" text-anchor="end">{text}</text>')
        out.append(f'<text x="{(self.left + self.right) / 2:.1f}" y="{self.bottom + 40}" text-anchor="middle">{x_title}'
                   '</text>')
        return out


def legend(x, y):
    """Which colour is which: a line of text from (x, y) on."""
    out = []
    for bits, color in COLORS.items():
        text = {1: "weights of 1 bit", 32: "float"}.get(bits, f"{bits} bits")
        out.append(f'<circle cx="{x}" cy="{y - 4}" r="5" fill="{color}"/><text x="{x + 10}" y="{y}">{text}</text>')
        x += 35 + 6.5 * len(text)
    return out


def write(path, width, height, elements):
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
            'font-size="12" fill="#222">', '<rect width="100%" height="100%" fill="#fff"/>')
    with open(path, "w") as f:
        f.write("\n".join((*head, *elements, "</svg>")) + "\n")
