"""The page around a report: text, tables and plotly charts in one file that opens without a network."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bot.study.errors import StudyError

_CONFIG = {"responsive": True, "displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "select2d"]}
_LAYOUT: dict[str, Any] = {
    "autosize": True,
    "margin": {"l": 58, "r": 14, "t": 10, "b": 40},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": "system-ui, Segoe UI, Roboto, Arial, sans-serif", "size": 12, "color": "#1d2330"},
    "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    "hovermode": "x unified",
}
_AXIS = {"gridcolor": "#e8ebf0", "zerolinecolor": "#c3cad6", "linecolor": "#c3cad6", "automargin": True}

# Charts know no style sheet: in the dark, and when that changes, they are told the colours of the page.
_PAINT = """
const dark = matchMedia("(prefers-color-scheme: dark)");
function paint() {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim(), line = style.getPropertyValue("--line").trim();
  for (const chart of document.querySelectorAll(".chart")) {
    const change = {"font.color": ink};
    for (const axis of Object.keys(chart.layout).filter(name => /^[xy]axis/.test(name)))
      for (const part of ["gridcolor", "zerolinecolor", "linecolor"]) change[axis + "." + part] = line;
    Plotly.relayout(chart, change);
  }
}
if (dark.matches) paint();
dark.addEventListener("change", paint);
"""


@dataclass
class Page:
    """A report as it is written, from top to bottom."""

    title: str
    _body: list[str] = field(default_factory=list)
    _charts: list[str] = field(default_factory=list)

    def heading(self, text: str, level: int = 2) -> None:
        """A section's heading."""
        self._body.append(f"<h{level}>{escape(text)}</h{level}>")

    def text(self, text: str, *, soft: bool = False) -> None:
        """A paragraph."""
        self._body.append(f'<p class="soft">{escape(text)}</p>' if soft else f"<p>{escape(text)}</p>")

    def points(self, items: Iterable[str | tuple[str, str]]) -> None:
        """A list; an item may be (verdict, text)."""
        self._body.append("<ul>")
        for item in items:
            if isinstance(item, str):
                self._body.append(f"<li>{escape(item)}</li>")
            else:
                verdict, text = item
                badge = f'<span class="verdict {verdict}">{verdict}</span>'
                self._body.append(f"<li>{badge}: {escape(text)}</li>")
        self._body.append("</ul>")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]], *, folded: str = "") -> None:
        """A table.

        A row of one cell is a heading between rows. `folded` is the title under which it is hidden.
        """
        lines = ["".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)]
        body = []
        for row in rows:
            if len(row) == 1:
                body.append(f'<tr class="group"><th colspan="{len(head)}">{escape(row[0])}</th></tr>')
                continue
            first, *others = row
            cells = "".join(f"<td{_class(cell)}>{escape(cell)}</td>" for cell in others)
            body.append(f'<tr><th scope="row" style="text-align:left">{escape(first)}</th>{cells}</tr>')
        rows_markup = "".join(body)
        markup = f"<table><thead><tr>{lines[0]}</tr></thead><tbody>{rows_markup}</tbody></table>"
        markup = f'<div class="scroll">{markup}</div>'
        if folded:
            markup = f"<details><summary>{escape(folded)}</summary>{markup}</details>"
        self._body.append(markup)

    def chart(
        self,
        traces: Sequence[Mapping[str, Any]],
        caption: str,
        *,
        tall: bool = False,
        **layout: Any,
    ) -> None:
        """A plotly chart of these traces with a caption below; `layout` is plotly's."""
        name = f"chart{len(self._charts) + 1}"
        merged = _LAYOUT | layout
        for axis in {"xaxis", "yaxis"} | {key for key in layout if key.startswith(("xaxis", "yaxis"))}:
            merged[axis] = _AXIS | layout.get(axis, {})
        size = "chart tall" if tall else "chart"
        self._body.append(
            f'<figure><div id="{name}" class="{size}"></div>'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )
        self._charts.append(f"Plotly.newPlot({json.dumps(name)},{_js(traces)},{_js(merged)},{_js(_CONFIG)});")

    def html(self) -> str:
        """The whole file."""
        style = Path(__file__).with_name("style.css").read_text("utf-8")
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{style}</style>"
            f"<script>{plotly_js()}</script></head>\n<body><main>\n"
            + "\n".join(self._body)
            + f"\n</main><script>{''.join(self._charts)}{_PAINT}</script></body></html>\n"
        )

    def write(self, path: Path) -> None:
        """Write the file, and its folder where that is missing. Raises StudyError."""
        claim(path)
        path.write_text(self.html(), "utf-8")


def claim(path: Path) -> None:
    """See that a report can be written there, before the work for it is done. Raises StudyError."""
    _plotly_folder()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise StudyError(
            f"report {path}: cannot be written: {error.strerror or error}; name another file"
        ) from error


def plotly_js() -> str:
    """The library that draws the charts, from the installed package; plotly itself is not imported."""
    return (_plotly_folder() / "package_data" / "plotly.min.js").read_text("utf-8")


def _plotly_folder() -> Path:
    found = find_spec("plotly")
    folders = found.submodule_search_locations if found else None
    if not folders:
        raise StudyError("report: plotly is not installed; install inband[study]")
    return Path(folders[0])


def _js(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("</", "<\\/")


def _class(cell: str) -> str:
    return f' class="verdict {cell}"' if cell in ("for", "against", "undecided") else ""
