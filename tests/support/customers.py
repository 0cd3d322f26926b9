"""Holders of two funds, who come and go by HTTP while the daemon is killed under them."""

import json
import random
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tests.support.inband import Inband
from tests.support.patience import PATIENCE_S


@dataclass
class Customers:
    """They ask with idempotency keys, and ask again whenever they got no answer; every tenth by command.

    `receipts` holds the answers by key, `refused` how often the funds said no, `by_command` how many receipts
    the command line printed.
    """

    inband: Inband
    port: int
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - whoever comes
    requests: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    receipts: dict[str, Any] = field(default_factory=dict)
    refused: int = 0
    by_command: int = 0

    def come_or_go(self) -> None:
        """One of them subscribes or redeems."""
        fund = self.chance.choice(["BTCUP", "BTCDOWN"])
        word, field_ = self.chance.choice([("subscribe", "amount"), ("redeem", "units")])
        amount = str(self.chance.choice(["25.5", "400", "1234.56789", "5000", "12000"]))
        key = f"order-{len(self.requests)}"
        self.requests[key] = (f"/api/v1/funds/{fund}/{word}", {field_: amount})
        if len(self.requests) % 10:
            self.ask(key)
        else:
            self._command(fund, word, amount, key)

    def _command(self, fund: str, word: str, amount: str, key: str) -> None:
        """As a person does; while no daemon runs the command says so."""
        done = self.inband.run(word, fund, amount, "--key", key, "--json")
        assert done.returncode in {0, 1}, done.stderr
        if done.returncode == 0:
            answer = json.loads(done.stdout)
            assert self.receipts.setdefault(key, answer) == answer
            self.by_command += 1

    def ask(self, key: str) -> Any | None:
        """Send a request, for the first time or again; None without an answer or where it is refused."""
        path, body = self.requests[key]
        try:
            answer = self._post(path, body, key)
        except HTTPError as error:
            if error.code not in {409, 422}:
                raise
            self.refused += 1
            return None
        except (URLError, ConnectionError, TimeoutError, FileNotFoundError, json.JSONDecodeError):
            return None
        assert self.receipts.setdefault(key, answer) == answer, "a repeat got another receipt"
        return answer

    def ask_all_again(self) -> int:
        """Repeat every request that has a receipt; how many were answered."""
        return sum(self.ask(key) is not None for key in list(self.receipts))

    def until_served(self) -> None:
        """Wait until the daemon answers."""
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            try:
                with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=PATIENCE_S):
                    return
            except (URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        raise AssertionError("the daemon is never ready")

    def _post(self, path: str, body: dict[str, str], key: str) -> Any:
        token = (self.inband.data_dir / "operator.token").read_text().strip()
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        url = f"http://127.0.0.1:{self.port}{path}"
        request = Request(url, data=json.dumps(body).encode(), headers=headers)
        with urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310 - http, as above
            return json.load(answer)
