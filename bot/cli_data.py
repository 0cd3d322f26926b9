"""`data`: market data for the study, fetched, judged and described."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli_study import Json, study_errors
from bot.core.texts import how_many
from bot.errors import UserError

if TYPE_CHECKING:
    from bot.study.files import Download

data = typer.Typer(help="Market data for the study: download, verify, info.", rich_markup_mode=None)
File = Annotated[str, typer.Argument(help="Prices or funding: CSV, CSV.gz, Parquet; - for stdin.")]


@data.command(epilog="Example: python3 -m bot data info prices.csv.gz")
def info(file: File, *, as_json: Json = False) -> int:
    """Say what a file holds."""
    with study_errors("data info"):
        from bot.study import inspection

        found = inspection.info(file)
    if as_json:
        _print_json(found)
        return 0
    for name, value in found.items():
        shown = _moment(value) if name in ("first", "last") else value
        sys.stdout.write(f"{name:14} {', '.join(shown) if isinstance(shown, list) else shown}\n")
    return 0


@data.command(epilog="Example: python3 -m bot data verify prices.csv.gz")
def verify(file: File, *, as_json: Json = False) -> int:
    """Look for gaps, duplicates, disorder, bad numbers, outliers and stretches that stand still.

    Exit code 1 where anything was found.
    """
    with study_errors("data verify"):
        from bot.study import inspection

        findings = inspection.verify(file)
    if as_json:
        rows = [{"kind": f.kind, "place": f.place, "time": f.time_ms, "detail": f.detail} for f in findings]
        _print_json({"file": file, "findings": rows})
    else:
        for finding in findings:
            when = _moment(finding.time_ms)
            sys.stdout.write(f"{finding.kind:10} {finding.place:12} {when:17} {finding.detail}\n")
        sys.stdout.write(f"{file}: {how_many(len(findings), 'finding') if findings else 'no findings'}\n")
    return 1 if findings else 0


@data.command(
    epilog="Example: python3 -m bot data download BTCUSDT --since 2024-01-01 --timeframe 1h --out btc.csv.gz"
)
def download(
    symbol: Annotated[str, typer.Argument(help="A symbol, as the exchange or as ccxt writes it.")],
    *,
    out: Annotated[Path, typer.Option(help="A file ending in .csv, .csv.gz or .parquet.")],
    since: Annotated[str, typer.Option(help="First day or moment, UTC: 2024-01-01 or 2024-01-01T08:00.")],
    until: Annotated[str | None, typer.Option(help="Moment before which to end; now without.")] = None,
    kind: Annotated[str, typer.Option(help="last, mark, index or funding.")] = "last",
    timeframe: Annotated[str, typer.Option(help="Length of a bar, as 1m, 1h, 8h.")] = "1h",
    exchange: Annotated[str, typer.Option(help="An exchange that ccxt knows.")] = "binanceusdm",
    paper_url: Annotated[
        str | None, typer.Option(help="A paper exchange to read from instead, as http://127.0.0.1:8090.")
    ] = None,
) -> int:
    """Fetch past prices or funding; a download that was killed goes on where it ended."""
    if kind not in _COLUMNS:
        raise UserError(f"--kind {kind}: unknown; choose from {', '.join(_COLUMNS)}")
    first_ms = _time_ms("since", since)
    last_ms = None if until is None else _time_ms("until", until)
    with study_errors("data download"):
        import asyncio

        file = asyncio.run(fetch(out, symbol, (first_ms, last_ms), (kind, timeframe), (exchange, paper_url)))
        from bot.study import inspection

        findings = len(inspection.verify(out)) if file.rows > 1 else 0
    came = f"{_moment(file.first_ms)} to {_moment(file.last_ms)}"
    odd = f"; {how_many(findings, 'finding')}: see `data verify {out}`" if findings else ""
    sys.stderr.write(f"{out}: {how_many(file.rows, 'row')}, {came}{odd}\n")
    return 0


_COLUMNS = {
    "last": ("open", "high", "low", "close", "volume"),
    "mark": ("open", "high", "low", "close"),
    "index": ("open", "high", "low", "close"),
    "funding": ("rate",),
}


async def fetch(
    out: Path, symbol: str, span: tuple[int, int | None], what: tuple[str, str], where: tuple[str, str | None]
) -> "Download":
    """Fetch `what` (kind, timeframe) from `where` (exchange, paper URL) to `out`.

    `span`: first instant and the one before which to end, UTC ms; None is now.
    """
    from rich.console import Console
    from rich.progress import Progress

    from bot.study.files import Download
    from bot.venue.past import Past

    (since_ms, until_ms), (kind, timeframe), (exchange, paper_url) = span, what, where
    name = "".join(c if c.isalnum() else "-" for c in f"{exchange}-{symbol}-{kind}-{timeframe}")
    file = Download(out, name, _COLUMNS[kind])
    try:
        async with Past(exchange, kind, timeframe, paper_url=paper_url) as past:
            now_ms = await past.now_ms()
            end_ms = now_ms if until_ms is None else min(until_ms, now_ms)
            start_ms = since_ms if file.last_ms is None else file.last_ms + past.spacing_ms
            with Progress(console=Console(stderr=True)) as progress:
                task = progress.add_task(f"{symbol} {kind}", total=max(1, end_ms - since_ms))
                async for page in past.pages(symbol, start_ms, end_ms):
                    file.add(page)
                    progress.update(task, completed=page[-1][0] - since_ms)
                progress.update(task, completed=end_ms - since_ms)
    finally:
        file.abandon()
    if not file.rows:
        raise UserError(f"{exchange} has no {kind} of {symbol} in that time; look at --since and --until")
    file.finish()
    return file


def _time_ms(option: str, text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f'--{option} "{text}" is no time; write such as 2024-01-01 or 2024-01-01T08:00'
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _moment(time_ms: int | None) -> str:
    if time_ms is None:
        return "-"
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(" ", "minutes")[:16]


def _print_json(found: object) -> None:
    json.dump(found, sys.stdout, indent=2)
    sys.stdout.write("\n")
