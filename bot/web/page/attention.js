// Which funds want an eye: one glance over all of them, and the way to each.

import { h, replace } from "./dom.js";
import { words } from "./format.js";
import { tone } from "./overview.js";

/** What is unusual about a fund, in few words; empty where all is well. */
function unusual(fund) {
  const found = ["bad", "warn"].includes(tone(fund.state)) ? [words(fund.state)] : [];
  const said = fund.control?.state ?? "running";
  if (said !== "running" && !found.includes(words(said))) found.push(words(said)); // paused while it opens
  const open = fund.incidents.length;
  if (open) found.push(open === 1 ? fund.incidents[0].code : `${open} incidents`);
  return found.join(", ");
}

/** The line, and `update(fund)`; `cardOf(name)` is where a fund's button leads to. */
export function makeAttention(cardOf) {
  const said = new Map();
  const text = h("p", { role: "status" });
  const list = h("div", { class: "actions" });
  const element = h("section", { class: "card attention", "aria-label": "Attention", hidden: true }, text, list);
  let shown = "";
  const go = (name) => {
    const card = cardOf(name);
    card.scrollIntoView({ block: "start" });
    card.focus({ preventScroll: true });
  };
  const update = (fund) => {
    said.set(fund.fund, unusual(fund));
    const found = [...said].filter(([, what]) => what);
    const all = said.size === 1 ? "1 fund" : `${said.size} funds`;
    const line = found.length ? `Attention: ${found.length} of ${all}` : `${all}, all well`;
    const key = JSON.stringify([line, found]);
    if (key === shown) return;
    shown = key;
    element.hidden = false;
    element.dataset.tone = found.length ? "warn" : "good";
    text.textContent = line;
    list.hidden = !found.length;
    replace(list, found.map(([name, what]) => h("button", { type: "button", onclick: () => go(name) }, `${name}: ${what}`)));
  };
  return { element, update };
}
