// The history behind the charts: which ranges there are, and the bars of one.

import { ahead, fundPath, get } from "./api.js";

const SECONDS = { "1m": 60, "5m": 300, "1h": 3600, "1d": 86400 };

/** A range's name, the length of its bars, and its own in seconds; null for all there is. */
export const RANGES = [
  ["1h", "1m", 3600],
  ["6h", "1m", 6 * 3600],
  ["1d", "5m", 86400],
  ["1w", "1h", 7 * 86400],
  ["1M", "1h", 30 * 86400],
  ["1y", "1d", 365 * 86400],
  ["all", null, null],
];
export const FIRST_RANGE = 2;

const figure = (text) => (text === null || text === undefined ? null : Number(text));

function pathsOf(name, interval, length_s) {
  const asked = `?interval=${interval}${length_s === null ? "" : `&limit=${length_s / SECONDS[interval]}`}`;
  return [fundPath(name, `/nav${asked}`), fundPath(name, `/series${asked}`)];
}

/** Begin to read what the charts of a fund show first: before its figures are there, and its view. */
export function expectSeries(name) {
  const [, interval, length_s] = RANGES[FIRST_RANGE];
  pathsOf(name, interval, length_s).forEach(ahead);
}

/** NAV, and what goes with it, at the ends of bars: of the last `length_s` until `now` (ms), of all if it is null. */
async function readBars(name, interval, length_s, now) {
  const [navs, rest] = await Promise.all(pathsOf(name, interval, length_s).map(get));
  const beside = new Map(rest.map((row) => [row[0], row]));
  // Bars are missing for when nothing ran, so the newest ones may reach back further than was asked.
  const from = length_s === null || now === null ? 0 : now - length_s * 1000;
  return navs
    .filter(([t]) => t >= from)
    .map(([t, , , , close]) => {
      const [, mark, lever, shadow] = beside.get(t) ?? [];
      return { t: t + SECONDS[interval] * 1000, nav: figure(close), mark: figure(mark), leverage: figure(lever), shadow: figure(shadow) };
    });
}

/** A range's bars. How fine those of "all" are depends on how long the fund has lived. */
export async function readSeries(fund, [, interval, length_s]) {
  const now = fund.updated_at ? Date.parse(fund.updated_at) : null;
  if (interval !== null) return readBars(fund.fund, interval, length_s, now);
  const days = await get(fundPath(fund.fund, "/nav?interval=1d"));
  return readBars(fund.fund, days.length < 3 ? "1m" : days.length < 10 ? "5m" : days.length < 120 ? "1h" : "1d", null, now);
}

/** The bars that are over, and how things stand now. */
export function untilNow(bars, fund) {
  if (!fund.updated_at) return bars;
  const t = Date.parse(fund.updated_at);
  const now = { t, nav: figure(fund.nav), mark: figure(fund.mark), leverage: figure(fund.real_leverage), shadow: null };
  return [...bars.filter((bar) => bar.t < t), now];
}
