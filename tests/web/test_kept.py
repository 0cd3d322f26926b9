"""True figures are worked out once for many pages, and anew for everybody who does not say otherwise."""

from typing import Any

from bot.web.answers import Kept
from tests.support.site import TOKEN, Figures, Site, a_site

FUNDS = "/api/v1/operator/funds"


class Counting(Figures):
    """Figures that are different each time."""

    times = 0

    def status(self) -> list[dict[str, Any]]:
        """How often they were asked for."""
        self.times += 1
        return [{"fund": "BTCUP", "nav": str(self.times)}]


async def nav(site: Site, **headers: str) -> str:
    """What a reader gets."""
    status, body, _ = await site.ask(FUNDS, Authorization=f"Bearer {TOKEN}", **headers)
    assert status == 200
    return str(body[0]["nav"])


async def test_figures_are_made_anew_for_who_says_nothing() -> None:
    """A program that has just done something sees what came of it."""
    async with a_site(Counting()) as site:
        assert [await nav(site), await nav(site)] == ["1", "2"]


async def test_pages_share_what_is_recent_enough_for_them() -> None:
    """An hour will do for the second; the third wants it new, and what is not understood means new too."""
    async with a_site(Counting()) as site:
        hour = {"Cache-Control": "max-age=3600"}
        assert [await nav(site), await nav(site, **hour), await nav(site, **hour)] == ["1", "1", "1"]
        for words in ("max-age=0", "no-cache", "max-age=-5", "x-max-age=3600"):
            before = int(await nav(site, **hour))
            assert await nav(site, **{"Cache-Control": words}) == str(before + 1), words


async def test_nothing_is_shared_with_who_has_no_token() -> None:
    """An answer that is kept is behind the same gate."""
    async with a_site(Counting()) as site:
        await nav(site)
        assert (await site.ask(FUNDS, **{"Cache-Control": "max-age=3600"}))[0] == 401


def test_an_answer_gets_too_old() -> None:
    """At the age that was named it is made anew."""
    made = iter(range(5))
    kept = Kept(lambda: next(made))
    told = [kept.text("max-age=1", now_s) for now_s in (0.0, 0.9, 1.0, 1.5, 3.0)]
    assert told == [b"0", b"0", b"1", b"1", b"2"]
