"""How the simulated venue says no."""


class Refusal(Exception):  # noqa: N818 - an answer of the venue
    """The venue answers with an error code."""

    def __init__(self, code: str, reason: str) -> None:
        """`code` as Binance numbers them."""
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
