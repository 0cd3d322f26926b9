// One fund, as its holders see it.

import { fundPath, getNow } from "./api.js";
import { expectPlotly, finishAll, leverageFigure, makeChart, navFigure } from "./charts.js";
import { makeCosts } from "./costs.js";
import { h, replace, setText } from "./dom.js";
import { leverage, money, nav, percent, price, quantity, time, words } from "./format.js";
import { meaning } from "./incidents.js";
import { makeNeedle, makeTriggers } from "./needle.js";
import { makeState, tone } from "./overview.js";
import { makePromise } from "./promise.js";
import { makeRebalances } from "./rebalances.js";
import { FIRST_RANGE, RANGES, expectSeries, readSeries, untilNow } from "./series.js";

const DRAWN_MS = 5_000;
const READ_EVERY = 3;

function makeTiles(rows) {
  const tiles = rows.map(([label, value, note]) => ({ label, value, note, figure: h("span"), small: h("small") }));
  const element = h(
    "dl",
    { class: "tiles" },
    tiles.map((tile) => h("div", {}, h("dt", {}, tile.label), h("dd", {}, tile.figure, tile.note ? tile.small : null))),
  );
  const update = (now) => {
    for (const tile of tiles) {
      setText(tile.figure, tile.value(now));
      if (tile.note) setText(tile.small, tile.note(now));
    }
  };
  return { element, update };
}

const FIGURES = [
  ["Mark", (f) => price(f.mark), (f) => f.underlying],
  ["Net asset value", (f) => nav(f.nav), () => "USDT per unit"],
  ["Fund value", (f) => money(f.fund_value), () => "USDT"],
  ["Units outstanding", (f) => quantity(f.units)],
  ["Position", (f) => quantity(f.position), (f) => `notional ${money(f.notional)}`],
  ["Funding rate", (f) => (f.funding_rate === null ? "–" : percent(Number(f.funding_rate), 4)), () => "next, of notional"],
  ["Basket as of", (f) => time(f.basket_as_of).slice(0, 10), (f) => `${time(f.basket_as_of).slice(11)} UTC`],
];

/** The unusual, in plain words: what it is, since when, why, and whether holders can leave. */
function describeState(fund) {
  const told = fund.condition;
  const parts = [];
  if (told.since) parts.push(`since ${time(told.since)} UTC`);
  if (told.why) parts.push(told.why);
  parts.push(told.redemptions_open ? "units can be redeemed" : "units cannot be redeemed now");
  return parts.join("; ");
}

function makeRangeButtons(onChange) {
  const buttons = RANGES.map(([label], index) =>
    h("button", { type: "button", "aria-pressed": "false", onclick: () => choose(index) }, label),
  );
  let chosen = FIRST_RANGE;
  const mark = () => buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(index === chosen)));
  const choose = (index) => {
    chosen = index;
    mark();
    onChange();
  };
  mark();
  return { element: h("div", { class: "ranges", role: "group", "aria-label": "Range of the charts" }, buttons), range: () => RANGES[chosen] };
}

function makeProof(fund) {
  const list = h("ol", { class: "hashes" });
  const head = h("code", { class: "mono" });
  const late = h("p", { class: "error" });
  const element = h(
    "section",
    { class: "card" },
    h("h2", {}, "Proof"),
    h("p", { class: "note" }, "Each next band rebalance already has its target: these hashes commit the fund to it. The target is revealed after the rebalance."),
    list,
    h("p", { class: "note" }, "Head of the record's hash chain: ", head, ". Who keeps it can prove later that nothing before it was changed."),
    late,
  );
  const update = (now) => {
    const key = JSON.stringify(now.commitments);
    if (list.dataset.key !== key) {
      list.dataset.key = key;
      replace(list, now.commitments.map((c) => h("li", {}, `${c.sequence}: `, h("code", { class: "mono", title: c.commitment }, c.commitment))));
    }
    setText(head, now.chain_head ?? "none yet");
    late.hidden = !now.condition.overdue_reveals;
    setText(late, `Reveals that are late: ${now.condition.overdue_reveals}.`);
  };
  update(fund);
  return { element, update };
}

function makeIncidents() {
  const list = h("div");
  const element = h("section", { class: "card" }, h("h2", {}, "Incidents"), list);
  const update = (now) => {
    const incidents = now.condition?.incidents ?? [];
    element.hidden = !incidents.length;
    const key = JSON.stringify(incidents);
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    replace(
      list,
      incidents.map((i) =>
        h("div", { class: `incident${i.stops_increases ? " stops" : ""}` }, h("p", {}, h("strong", {}, i.code), ` since ${time(i.since)} UTC`, i.stops_increases ? "; leverage is not raised meanwhile" : ""), h("p", {}, meaning(i.code))),
      ),
    );
  };
  return { element, update };
}

/**
 * Follow both charts of a fund: read at once, on a new range, theme or rebalance, and now and then; in between they end
 * with the figures that the stream brings. What else is read of the fund (`others`) is read when they are seen.
 */
function followCharts(name, store, assets, rebalances, others) {
  const ranges = makeRangeButtons(() => read());
  const value = makeChart("nav", "Net asset value", ranges.element, assets);
  const lever = makeChart("leverage", "Real leverage", null, assets);
  const both = [value, lever];
  let turn = 0;
  let bars = [];
  const draw = async (fund) => {
    const series = untilNow(bars, fund);
    if (series.length < 2) {
      both.forEach((chart) => chart.none("there is no history yet"));
      return;
    }
    value.show(navFigure(series));
    lever.show(leverageFigure(series, fund, rebalances.rows()));
    // Without plotly they stay as they are: seen, but not to be zoomed into.
    await finishAll(both, assets).catch((error) => both.forEach((chart) => chart.say(`It cannot be zoomed into: ${error.message}.`)));
  };
  const read = async (asFarAs = store.fund(name)) => {
    const mine = ++turn;
    try {
      const [found] = await Promise.all([readSeries(asFarAs, ranges.range()), rebalances.read().catch(() => {})]);
      if (mine !== turn) return;
      bars = found;
      for (const other of others) other.read().catch(() => {});
      await draw(asFarAs);
    } catch (error) {
      if (mine === turn) both.forEach((chart) => chart.fail(error));
    }
  };
  // A reveal changes the basket, and its event comes before the figures that follow from it.
  const revealed = async ({ fund }) => fund === name && read(await getNow(fundPath(name)).catch(() => store.fund(name)));
  let ticks = 0;
  const tick = () => {
    if (document.hidden) return;
    ticks += 1;
    if (ticks % READ_EVERY === 0) read();
    else if (bars.length) draw(store.fund(name));
  };
  const timer = setInterval(tick, DRAWN_MS);
  const ends = [store.on("theme", () => read()), store.on("rebalance", revealed), () => clearInterval(timer), ...both.map((chart) => chart.end)];
  return { cards: both.map((chart) => chart.element), read, end: () => ends.forEach((end) => end()) };
}

export { expectPlotly };

/** Begin to fetch what a fund's view shows, while the funds themselves are being read. */
export function expectFund(name, assets) {
  expectSeries(name);
  expectPlotly(assets);
}

/** The view of one fund: mounts into `place`, and gives a function that ends it. */
export function mountFund(place, store, name, assets) {
  const ends = []; // of what was built
  const build = () => {
    const fund = store.fund(name);
    if (!fund) {
      replace(place, h("p", { class: "empty" }, `There is no fund ${name} here. `, h("a", { href: "#/" }, "All funds")));
      return null;
    }
    const state = makeState(fund);
    const stateNote = h("p");
    const needle = makeNeedle(fund);
    const triggers = makeTriggers(fund);
    const tiles = makeTiles(FIGURES);
    const big = h("span", { class: "big" });
    const proof = makeProof(fund);
    const incidents = makeIncidents();
    const rebalances = makeRebalances(name, store);
    const promise = makePromise(name);
    const costs = makeCosts(name);
    const charts = followCharts(name, store, assets, rebalances, [promise, costs]);
    ends.push(charts.end, rebalances.end);
    replace(
      place,
      h(
        "div",
        { class: "head" },
        h("h1", {}, fund.fund),
        h("span", { class: "side", "data-side": fund.side }, fund.side === "long" ? "UP" : "DOWN"),
        state.element,
        stateNote,
      ),
      h(
        "div",
        { class: "stack" },
        h("section", { class: "card hero", "aria-label": "Real leverage" }, h("h2", {}, "Real leverage"), big, needle.element, triggers.element, promise.often),
        h("section", { class: "card", "aria-label": "Figures" }, tiles.element),
        incidents.element,
        h("div", { class: "columns" }, charts.cards),
        promise.element,
        rebalances.element,
        costs.element,
        proof.element,
      ),
    );
    const update = (now) => {
      setText(big, leverage(now.real_leverage));
      setText(stateNote, tone(now.state) === "good" ? "" : describeState(now) || words(now.state));
      for (const part of [state, needle, triggers, tiles, proof, incidents]) part.update(now);
    };
    update(fund);
    charts.read();
    return update;
  };
  let update = build();
  const end = () => ends.splice(0).forEach((each) => each());
  const leave = store.follow(() => {
    const fund = store.fund(name);
    if (!update) update = fund ? build() : null;
    else if (fund) update(fund);
    else {
      end(); // the host drives it no longer
      update = build();
    }
  });
  return () => {
    leave();
    end();
  };
}
