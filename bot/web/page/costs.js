// What rebalances cost, each and by month: USDT, positive is paid.

import { fundPath, get } from "./api.js";
import { h, replace } from "./dom.js";
import { money, time, words } from "./format.js";

const PARTS = ["notional", "fees", "spread", "impact", "timing", "shortfall", "not_traded"];
const TITLES = ["Traded", "Fees", "Spread", "Impact", "Timing", "Shortfall", "Gained against not trading"];

function makeTable(label, note, first) {
  const body = h("tbody");
  const titles = [...first.map((title) => h("th", { scope: "col" }, title)), ...TITLES.map((title) => h("th", { scope: "col", class: "num" }, title))];
  const element = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, h("p", { class: "note" }, note), h("table", { class: "record" }, h("thead", {}, h("tr", {}, titles)), body));
  const update = (rows, firstOf) =>
    replace(
      body,
      [...rows].reverse().map((row) => {
        const [head, ...rest] = firstOf(row);
        return h("tr", {}, h("th", { scope: "row" }, head), rest.map((text, i) => h("td", { "data-label": first[i + 1] }, text)), PARTS.map((part, i) => h("td", { class: "num", "data-label": TITLES[i] }, money(row[part]))));
      }),
    );
  return { element, update };
}

/** The panel, and `read()` which fetches what it shows. */
export function makeCosts(name) {
  const months = makeTable("Costs by month", "By month, newest first, in USDT. Shortfall is spread, impact and timing together, against the mark at decision.", ["Month", "Rebalances"]);
  const each = makeTable("Costs of each rebalance", "Newest first. The last column is what it gained, fees included, against the fund that had kept its position until the next one.", ["Over (UTC)", "Rebalance", "Kind"]);
  const quiet = h("p", { class: "empty" }, "No rebalance is public yet.");
  const tables = h("div", { hidden: true }, months.element, h("details", {}, h("summary", {}, "Each rebalance"), each.element));
  const element = h("section", { class: "card" }, h("h2", {}, "What its rebalances cost"), quiet, tables);
  let known = "";
  const read = async () => {
    const told = await get(fundPath(name, "/costs"));
    const key = JSON.stringify(told);
    if (key === known) return;
    known = key;
    quiet.hidden = told.rebalances.length > 0;
    tables.hidden = !told.rebalances.length;
    months.update(told.months, (row) => [row.month, String(row.rebalances)]);
    each.update(told.rebalances, (row) => [time(row.finished_at), row.id, words(row.kind)]);
  };
  return { element, read };
}
