"""The frame of a page: one HTML document that asks nothing of anyone.

Style and script are the files beside this one; Plotly's script comes out of its installed package.
The content policy allows no script but those two, by their digests, and no address but the page's
own. All that is put into the HTML is escaped by who puts it.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any


def page(title: str, sections: Mapping[str, str], data: Mapping[str, Any]) -> str:
    """A whole document.

    Args:
      title: text.
      sections: HTML by id.
      data: for `page.js`: `figures`, as `curves.figures` has them, and `state` where the page is
        served and asks for what is new.
    """
    own, plotly = (f"'sha256-{_digest(text)}'" for text in (_file("page.js"), _plotly()))
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {own} {plotly}; "
    policy += "img-src data: blob:"  # Of a blob Plotly makes the picture of a figure to keep.
    policy += " 'self'; connect-src 'self'" if "state" in data else ""
    links = "".join(
        f'<a href="#{name}">{name.capitalize()}</a>' for name in sections if name != "top"
    )
    # With every < escaped nothing ends the script; json.dumps escapes all that is not ASCII.
    inline = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>
{_file("page.css")}</style>
</head>
<body>
<header><nav>{links}</nav><button type="button" id="theme" aria-label="dark or light">◐</button>
<label title="of the curves">smoothing
<input type="range" id="smoothing" min="0" max="0.98" step="0.02" value="0"></label>
<label title="of the curves; values of 0 and below are left out">
<input type="checkbox" id="log"> log scale</label>
<span id="live" role="status"></span></header>
<main>
{"".join(f'<section id="{name}">{html}</section>' + chr(10) for name, html in sections.items())}\
</main>
<script type="application/json" id="data">{inline}</script>
<script type="text/plain" id="plotly">{_plotly()}</script>
<script>{_file("page.js")}</script>
</body>
</html>
"""


@cache
def _file(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


@cache
def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def listed(items: Iterable[str]) -> str:
    """A list of texts."""
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table of texts and numbers, which scrolls by itself where it is too wide."""
    lines = [f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>"]
    for row in rows:
        lines.append(f"<tr>{''.join(f'<td>{escape(_text(cell))}</td>' for cell in row)}</tr>")
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>'


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
