// How figures are written. Decimals come as strings; they become numbers for the eye only.

const grouped = new Map();

function plain(value, digits) {
  if (!grouped.has(digits)) {
    grouped.set(digits, new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  }
  return signed(grouped.get(digits).format(value));
}

/** With a minus that is as wide as a plus. */
const signed = (text) => text.replace("-", "−");

const NONE = "–";
const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 6 });
const coarse = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

/** A number with a fixed count of decimals; a dash for what is not known. */
export function number(text, digits = 2) {
  if (text === null || text === undefined || text === "") return NONE;
  return plain(Number(text), digits);
}

/** A price, with as many decimals as its size asks for. */
export function price(text) {
  if (text === null || text === undefined) return NONE;
  const value = Number(text);
  const digits = Math.abs(value) >= 1000 ? 1 : Math.abs(value) >= 1 ? 3 : 6;
  return plain(value, digits);
}

/** A net asset value, in four significant decimals also when it has become small. */
export function nav(text) {
  if (text === null || text === undefined) return NONE;
  const value = Number(text);
  if (value === 0 || Math.abs(value) >= 0.1) return plain(value, 4);
  return signed(value.toPrecision(4));
}

/** Leverage with its sign of multiplication. */
export function leverage(text, digits = 3) {
  return text === null || text === undefined ? NONE : `${number(text, digits)}x`;
}

/** A quantity, its zeros at the end left out; of a large one two decimals say enough. */
export function quantity(text) {
  if (text === null || text === undefined) return NONE;
  const value = Number(text);
  return signed((Math.abs(value) >= 1000 ? coarse : fine).format(value));
}

/** A change in per cent, with its sign where it has one. */
export function percent(fraction, digits = 1) {
  if (fraction === null || fraction === undefined || !Number.isFinite(fraction)) return NONE;
  const value = plain(Math.abs(fraction) * 100, digits);
  const sign = Number(value) === 0 ? "" : fraction < 0 ? "−" : "+";
  return `${sign}${value} %`;
}

/** USDT, short: 1.23M. */
export function money(text) {
  if (text === null || text === undefined) return NONE;
  const value = Number(text);
  const size = Math.abs(value);
  if (size >= 1e9) return `${plain(value / 1e9, 3)}B`;
  if (size >= 1e6) return `${plain(value / 1e6, 3)}M`;
  return plain(value, 2);
}

/** UTC, to the second, without the letters that a person does not need. */
export function time(text) {
  if (!text) return NONE;
  return text.replace("T", " ").replace(/\.\d+Z$|Z$/, "");
}

/** A hash, short enough for a line; the whole is in its title. */
export function short(hash) {
  return hash ? `${hash.slice(0, 10)}…` : NONE;
}

/** `increases_stopped` as words. */
export function words(state) {
  return state ? state.replaceAll("_", " ") : NONE;
}
