// Real leverage as a needle within its band, with both trigger prices and the way to them.

import { h, setText } from "./dom.js";
import { leverage, percent, price } from "./format.js";

/** The scale of a fund: its band and a third of its width beyond each edge. */
function scaleOf(fund) {
  const [lower, upper] = fund.band.map(Number);
  const beyond = (upper - lower) / 3;
  const first = Math.max(0, lower - beyond);
  const last = upper + beyond;
  return (value) => Math.min(100, Math.max(0, ((value - first) / (last - first)) * 100));
}

/** How far the mark is from a trigger price, as a fraction of the mark. */
export function distance(mark, trigger) {
  if (mark === null || trigger === null || mark === undefined || trigger === undefined) return null;
  return Number(trigger) / Number(mark) - 1;
}

/** The needle of one fund: an element, and `update(fund)`. */
export function makeNeedle(fund) {
  const at = scaleOf(fund);
  const [lower, upper] = fund.band.map(Number);
  const [low, high] = fund.target_range.map(Number);
  const band = h("span", { class: "needle-band" });
  const target = h("span", { class: "needle-target" });
  band.style.insetInlineStart = `${at(lower)}%`;
  band.style.inlineSize = `${at(upper) - at(lower)}%`;
  target.style.insetInlineStart = `${at(low)}%`;
  target.style.inlineSize = `${Math.max(0.5, at(high) - at(low))}%`;
  const pin = h("span", { class: "needle-pin" });
  const edges = [lower, upper].map((edge) => {
    const label = h("span", { class: "needle-edge" }, leverage(edge, edge % 1 ? 1 : 0));
    label.style.insetInlineStart = `${at(edge)}%`;
    return label;
  });
  const track = h("span", { class: "needle-track", role: "img" }, band, target, pin);
  const element = h("span", { class: "needle" }, track, h("span", { class: "needle-edges", "aria-hidden": "true" }, edges));

  const update = (now) => {
    const value = now.real_leverage;
    const known = value !== null && value !== undefined;
    pin.hidden = !known;
    if (known) pin.style.insetInlineStart = `${at(Number(value))}%`;
    const out = known && (Number(value) < lower || Number(value) > upper);
    pin.classList.toggle("out", out);
    const said = known
      ? `real leverage ${leverage(value, 2)}, band ${leverage(lower, 2)} to ${leverage(upper, 2)}${out ? ", outside the band" : ""}`
      : "real leverage is not defined";
    if (track.getAttribute("aria-label") !== said) track.setAttribute("aria-label", said);
  };
  update(fund);
  return { element, update };
}

/** Both trigger prices with the distance to them. */
export function makeTriggers(fund) {
  const cells = [0, 1].map(() => ({ way: h("span", { class: "way" }), at: h("span", { class: "trigger-price" }) }));
  const update = (now) => {
    cells.forEach(({ way, at }, side) => {
      const trigger = now.trigger_prices?.[side] ?? null;
      const far = distance(now.mark, trigger);
      const passed = far !== null && (side ? far < 0 : far > 0);
      setText(way, far === null ? "no trigger" : `${passed ? "passed, " : ""}${percent(far)}`);
      setText(at, trigger === null ? "" : price(trigger));
      way.classList.toggle("near", passed || (far !== null && Math.abs(far) < 0.03));
    });
  };
  update(fund);
  const [below, above] = cells;
  const element = h(
    "span",
    { class: "triggers" },
    h("span", { class: "trigger" }, h("span", { class: "arrow", "aria-label": "falls" }, "↓"), below.way, below.at),
    h("span", { class: "trigger" }, h("span", { class: "arrow", "aria-label": "rises" }, "↑"), above.way, above.at),
  );
  return { element, update };
}
