// The record of a fund's rebalances: what was done, what it cost, and the proof of its target.

import { fundPath, get } from "./api.js";
import { h, replace } from "./dom.js";
import { leverage, money, number, price, quantity, short, time, words } from "./format.js";
import { commitmentOf, faultOfRecord, faultsOf } from "./verify.js";

const FIRST = 50;

function verifyCell(rebalance, checked) {
  if (rebalance.commitment === null) return h("span", { class: "note" }, "no secret draw");
  const code = h("code", { class: "mono", title: rebalance.commitment }, short(rebalance.commitment));
  if (rebalance.u === null) return [code, " ", h("span", { class: "badge" }, "not revealed")];
  const said = h("span", { role: "status" });
  const check = () => {
    checked.add(rebalance.id);
    const faults = faultsOf(rebalance);
    said.className = "badge";
    said.dataset.tone = faults.length ? "bad" : "good";
    said.textContent = faults.length ? `✗ ${faults.join("; ")}` : "✓ fixed beforehand, target follows";
    said.title = `SHA-256 of inband-1|${rebalance.fund}|${rebalance.sequence}|u|salt is ${commitmentOf(rebalance)}`;
  };
  if (checked.has(rebalance.id)) check();
  return [code, " ", h("button", { type: "button", class: "quiet", onclick: check, "aria-label": `Verify ${rebalance.id}` }, "Verify"), " ", said];
}

const COLUMNS = ["Began (UTC)", "Kind", "Leverage", "Target", "Position", "Change", "Average price", "Shortfall bps", "Fees USDT", "Slices", "Commitment"];

function rowOf(rebalance, checked) {
  const cells = [
    [words(rebalance.kind), " ", rebalance.state === "done" ? null : h("span", { class: "badge" }, words(rebalance.state))],
    `${leverage(rebalance.leverage_before, 2)} → ${leverage(rebalance.leverage_after, 2)}`,
    rebalance.target === null ? "–" : leverage(rebalance.target, 3),
    `${quantity(rebalance.position_before)} → ${quantity(rebalance.position_after)}`,
    quantity(rebalance.position_change),
    price(rebalance.average_price),
    number(rebalance.shortfall_bps, 1),
    money(rebalance.fees),
    String(rebalance.slices),
    verifyCell(rebalance, checked),
  ];
  return h(
    "tr",
    { "data-rebalance": rebalance.id },
    h("th", { scope: "row" }, time(rebalance.started_at)),
    cells.map((cell, i) => h("td", { class: isNumber(i + 1) ? "num" : null, "data-label": COLUMNS[i + 1] }, cell)),
  );
}

const isNumber = (column) => column > 1 && column < COLUMNS.length - 1;

/** The public record as a table: `read()` fetches it, `rows()` is what is known, `end()` ends it. */
export function makeRebalances(name, store) {
  const made = makeTable(name, fundPath(name, "/rebalances"), false);
  const ends = [
    store.on("rebalance", (rebalance) => rebalance.fund === name && made.add(rebalance)),
    store.on("reconnected", () => made.read().catch(() => {})),
  ];
  return { ...made, end: () => ends.forEach((end) => end()) };
}

/** The operator's table: also what is not public yet. */
export function makeAllRebalances(name) {
  return makeTable(name, `/api/v1/operator/funds/${encodeURIComponent(name)}/rebalances`, true);
}

function makeTable(name, path, secret) {
  let known = [];
  let all = false;
  const checked = new Set(); // whose proof was asked for: it stays when the table is drawn anew
  const body = h("tbody");
  const verdict = h("span", { role: "status" });
  const checkAll = () => {
    const fault = faultOfRecord(name, known);
    verdict.className = "badge";
    verdict.dataset.tone = fault ? "bad" : "good";
    verdict.textContent = fault ? `✗ ${fault}` : `✓ all ${known.length} hold together, head ${short(known.at(-1).hash)}`;
  };
  const whole = h("div", { class: "actions" }, h("button", { type: "button", onclick: checkAll }, "Verify the whole record"), verdict);
  const more = h("button", { type: "button", onclick: () => ((all = true), draw()) }, "Show all");
  const quiet = h("p", { class: "empty" }, secret ? "No rebalance yet." : "No rebalance is public yet.");
  const table = h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Rebalances" },
    h("p", { class: "note" }, "Newest first. Shortfall is against the mark at decision, without fees."),
    h("table", { class: "record" }, h("thead", {}, h("tr", {}, COLUMNS.map((c, i) => h("th", { scope: "col", class: isNumber(i) ? "num" : null }, c)))), body),
  );
  const draw = () => {
    const newest = [...known].reverse();
    replace(body, (all ? newest : newest.slice(0, FIRST)).map((one) => rowOf(one, checked)));
    more.hidden = all || known.length <= FIRST;
    table.hidden = !known.length;
    whole.hidden = !known.length || secret;
    quiet.hidden = Boolean(known.length);
  };
  const read = async () => {
    const now = await get(path);
    if (JSON.stringify(now) === JSON.stringify(known)) return;
    known = now;
    draw();
  };
  const add = (rebalance) => {
    if (known.some((one) => one.id === rebalance.id)) return;
    known = [...known, rebalance];
    draw();
  };
  draw();
  const element = secret ? h("div", {}, table, quiet, more) : h("section", { class: "card" }, h("h2", {}, "Rebalances"), table, quiet, more, whole);
  return { element, read, add, rows: () => known };
}
