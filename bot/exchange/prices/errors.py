"""What can be wrong with a price source, as exceptions whose text is one line for the user."""

from __future__ import annotations


class PriceError(Exception):
    """A price source cannot be used. The text is one line and names the cause and the remedy."""


class PriceFileError(PriceError):
    """A file of prices or funding rates cannot be used.

    `place` is "line 7" (CSV, the header is line 1), "row 7" (Parquet, the first row is row 1), or empty
    when the file as a whole is meant.
    """

    def __init__(self, file: str, place: str, problem: str, remedy: str) -> None:
        where = f"{file} {place}".rstrip()
        super().__init__(" ".join(f"{where}: {problem}; {remedy}".splitlines()))
        self.file = file
        self.place = place
        self.problem = problem
        self.remedy = remedy


class ScenarioError(PriceError):
    """A scenario was asked for that does not exist, or with parameters it cannot have."""
