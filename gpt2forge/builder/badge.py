"""Writes badges: small SVG pictures with a label and a message, for a README."""

from xml.sax.saxutils import escape

GOOD, BAD = "#2e7d32", "#b71c1c"
LABEL = "#424242"
CHARACTER = 6.6  # pixels of an average character of Verdana at 11 pixels
PADDING = 6  # pixels on each side of a text
TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{label}: {message}">
<title>{label}: {message}</title>
<rect width="{width}" height="20" rx="3" fill="{colour}"/>
<path d="M3 0h{straight}v20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z" fill="{label_colour}"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="{padding}" y="14" textLength="{label_length}">{label}</text>
<text x="{message_x}" y="14" textLength="{message_length}">{message}</text>
</g>
</svg>
"""


def draw_badge(label: str, message: str, is_good: bool) -> str:
    """Return an SVG badge; texts are stretched to their places, whatever fonts a viewer has."""
    label_length, message_length = (round(CHARACTER * len(text)) for text in (label, message))
    label_width = label_length + 2 * PADDING
    return TEMPLATE.format(
        width=label_width + message_length + 2 * PADDING,
        straight=label_width - 3,
        colour=GOOD if is_good else BAD,
        label_colour=LABEL,
        padding=PADDING,
        message_x=label_width + PADDING,
        label_length=label_length,
        message_length=message_length,
        label=escape(label, {'"': "&quot;"}),
        message=escape(message, {'"': "&quot;"}),
    )
