// A chart as plain SVG, drawn in a few milliseconds: it is seen until plotly, which takes its time, has drawn the same.

import { s } from "./dom.js";

/** Where the plot lies within its place, in px; plotly is told the same, so that nothing jumps. */
export const MARGIN = { l: 52, r: 14, t: 8, b: 32 };

const MINUTE = 60_000;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7 * 1440, 14 * 1440, 30 * 1440, 61 * 1440, 91 * 1440, 182 * 1440, 365 * 1440].map((minutes) => minutes * MINUTE);
const DAY = 1440 * MINUTE;
const PX_BETWEEN_TIMES = 95;
const PX_BETWEEN_VALUES = 38;
const LABEL_PX = 20;

/** Round steps (1, 2 or 5 times a power of ten) within a range. */
function roundValues([low, high], most) {
  const rough = (high - low) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high; at += 1) found.push(at * step);
  return found;
}

function roundTimes([from, to], most) {
  const step = STEPS.find((length) => (to - from) / length <= Math.max(1, most)) ?? STEPS.at(-1);
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return { step, found };
}

function timeLabel(at, step) {
  const text = new Date(at).toISOString();
  if (step < DAY) return text.slice(11, 16);
  const [, month, day] = text.slice(0, 10).split("-").map(Number);
  const name = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][month - 1];
  return step >= 28 * DAY ? `${name} ${text.slice(0, 4)}` : `${name} ${day}`;
}

/** A line with gaps where nothing is known. */
function pathOf(trace, x, y) {
  let down = false;
  return trace.x
    .map((at, i) => {
      const value = trace.y[i];
      const word = value === null ? "" : `${down ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
      down = value !== null;
      return word;
    })
    .join("");
}

const DASHES = { dot: "2 4" };

function traceElement(trace, x, y) {
  if (trace.marks) {
    return trace.x.map((at, i) => s("circle", { cx: x(at), cy: y(trace.y[i]), r: 4.5, style: `fill: var(--${trace.ink}); stroke: var(--card); stroke-width: 1.5` }));
  }
  const style = `fill: none; stroke: var(--${trace.ink}); stroke-width: ${trace.width}; stroke-linejoin: round`;
  return s("path", { d: pathOf(trace, x, y), style, "stroke-dasharray": DASHES[trace.dash] });
}

/** The figure (see charts.js) as an SVG of `width` x `height` px. */
export function sketch(figure, width, height) {
  const right = width - MARGIN.r;
  const bottom = height - MARGIN.b;
  const along = (from, to, [low, high]) => (value) => from + ((value - low) / (high - low || 1)) * (to - from);
  const x = along(MARGIN.l, right, figure.x);
  const y = along(bottom, MARGIN.t, figure.y);
  const times = roundTimes(figure.x, (right - MARGIN.l) / PX_BETWEEN_TIMES);
  const values = roundValues(figure.y, (bottom - MARGIN.t) / PX_BETWEEN_VALUES);
  const line = (x1, y1, x2, y2) => s("line", { x1, y1, x2, y2 });
  return s(
    "svg",
    { class: "sketch", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    figure.areas.map(({ from, to, ink, opacity }) => s("rect", { x: MARGIN.l, width: right - MARGIN.l, y: y(to), height: y(from) - y(to), style: `fill: var(--${ink}); opacity: ${opacity}` })),
    times.found.map((at) => [line(x(at), MARGIN.t, x(at), bottom), x(at) < width - LABEL_PX ? s("text", { x: x(at), y: bottom + 15, "text-anchor": "middle" }, timeLabel(at, times.step)) : null]),
    values.map((at) => [line(MARGIN.l, y(at), right, y(at)), s("text", { x: MARGIN.l - 6, y: y(at) + 4, "text-anchor": "end" }, figure.label(at))]),
    figure.traces.map((trace) => traceElement(trace, x, y)),
  );
}
