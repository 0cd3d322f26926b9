"""Writing downloaded rows so that a download which was killed goes on where it ended."""

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from bot.study.errors import StudyError

Row: TypeAlias = tuple[int, tuple[str, ...]]
ENDINGS = (".csv", ".csv.gz", ".parquet")


class Download:
    """A table that grows by pages beside its final place, and goes there when it is complete.

    The rows so far are in `<out>.<what>.part`, plain CSV; the next run drops a half-written last line.
    """

    def __init__(self, out: Path, what: str, columns: Sequence[str]) -> None:
        """Find out how far an earlier run came. Raises StudyError where `out` cannot be the answer."""
        if not out.name.endswith(ENDINGS):
            raise StudyError(f"--out {out}: ends in none of {', '.join(ENDINGS)}; choose one of them")
        if out.exists():
            raise StudyError(f"--out {out}: is there already; name another file, or remove it")
        self._out = out
        self._part = out.with_name(f"{out.name}.{what}.part")
        self._header = ",".join(("timestamp", *columns)) + "\n"
        self.rows = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            if self._part.exists():
                self._resume()
            with self._part.open("a"):
                pass
        except OSError as error:
            problem = error.strerror or str(error)
            raise StudyError(f"--out {out}: cannot be written ({problem}); choose another folder") from error

    def add(self, page: Sequence[Row]) -> None:
        """Append rows; they are on disk when this returns."""
        with self._part.open("a") as file:
            if self.first_ms is None:
                file.write(self._header)
                self.first_ms = page[0][0]
            file.writelines(f"{time_ms},{','.join(cells)}\n" for time_ms, cells in page)
        self.rows += len(page)
        self.last_ms = page[-1][0]

    def finish(self) -> None:
        """Put the whole table in its place, in the format that its name tells."""
        if self._out.suffix == ".gz":
            packed = self._part.with_suffix(".packed")
            with self._part.open("rb") as plain, gzip.open(packed, "wb", 6) as file:
                while block := plain.read(1 << 20):
                    file.write(block)
            packed.replace(self._out)
        elif self._out.suffix == ".parquet":
            import polars as pl  # noqa: PLC0415 - only Parquet needs it

            packed = self._part.with_suffix(".packed")
            pl.read_csv(self._part).write_parquet(packed)
            packed.replace(self._out)
        else:
            self._part.replace(self._out)
            return
        self._part.unlink()

    def abandon(self) -> None:
        """Leave nothing behind where nothing came."""
        if not self.rows:
            self._part.unlink(missing_ok=True)

    def _resume(self) -> None:
        text = self._part.read_text()
        whole = text[: text.rfind("\n") + 1]
        if not whole.startswith(self._header) or len(whole) == len(self._header):
            whole = ""
        if whole != text:
            self._part.write_text(whole)
        lines = whole.splitlines()[1:]
        if lines:
            self.rows = len(lines)
            self.first_ms, self.last_ms = (int(lines[row].partition(",")[0]) for row in (0, -1))
