// Checks in the browser, with nothing but SHA-256 and whole numbers, what docs/verification.md says.

import { sha256 } from "./sha256.js";

const PLACES = 18;
const GRID = 10n ** 27n; // (high - low) x u has 36 decimals; the law keeps nine

/** What a commitment is the hash of. */
export function commitmentOf(rebalance) {
  return sha256(`inband-1|${rebalance.fund}|${rebalance.sequence}|${rebalance.u}|${rebalance.salt}`);
}

/** A decimal as a whole number of its 18th decimals; null if it is none. */
function scaled(text) {
  const [, whole, rest = ""] = String(text).match(/^(\d+)(?:\.(\d{0,18}))?$/) ?? [];
  return whole === undefined ? null : BigInt(whole + rest.padEnd(PLACES, "0"));
}

/** Whether the target is low + (high - low) x u, the second term rounded to nine decimals, half to even. */
export function followsLaw(rebalance) {
  const [low, high, u, target] = [...(rebalance.target_range ?? [null, null]), rebalance.u, rebalance.target].map(scaled);
  if ([low, high, u, target].includes(null)) return false;
  const product = (high - low) * u;
  let step = product / GRID;
  const twice = 2n * (product % GRID);
  if (twice > GRID || (twice === GRID && step % 2n === 1n)) step += 1n;
  return target === low + step * 10n ** 9n;
}

/** What is wrong with a revealed draw; empty if nothing is. */
export function faultsOf(rebalance) {
  const faults = [];
  if (commitmentOf(rebalance) !== rebalance.commitment) faults.push("the draw is not the one that was committed to");
  if (!followsLaw(rebalance)) faults.push("the target does not follow from the draw");
  return faults;
}

/** Where a fund's whole public record fails: its chain, its gaps, its draws. Empty if it holds together. */
export function faultOfRecord(fund, records) {
  let head = sha256(`inband-1|${fund}`);
  let sequence = 0;
  for (const [place, { hash, ...body }] of records.entries()) {
    const name = `${fund}-${place + 1}`;
    if (body.id !== name) return `${name} is missing`;
    if (body.previous_hash !== head) return `${name} is not linked to the one before`;
    head = sha256(JSON.stringify(body, Object.keys(body).sort()));
    if (head !== hash) return `${name} was changed`;
    if (body.kind === "band") {
      sequence += 1;
      if (body.sequence !== sequence) return `a draw before ${name} was left out`;
      const [fault] = faultsOf(body);
      if (fault) return `${name}: ${fault}`;
    }
  }
  return "";
}
