// What the page knows: the funds' latest figures and who wants to hear of changes. Draws happen once a frame.

import { oncePerFrame } from "./dom.js";

/** A store of funds, rebalances and incidents by fund. */
export function makeStore() {
  const funds = new Map();
  const listeners = new Set();
  const events = new EventTarget();
  const tell = oncePerFrame(() => {
    for (const listener of listeners) listener();
  });
  return {
    funds: () => [...funds.values()],
    fund: (name) => funds.get(name) ?? null,

    /** Take one fund's figures in. */
    put(fund) {
      funds.set(fund.fund, fund);
      tell();
    },

    /** Take all funds in; those that are not named are gone. */
    putAll(all) {
      funds.clear();
      for (const fund of all) funds.set(fund.fund, fund);
      tell();
    },

    /** Call `listener` after changes; the result ends it. */
    follow(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    /** Something happened to a fund that is not one of its figures: `rebalance`, `incident`. */
    happened(kind, detail) {
      events.dispatchEvent(new CustomEvent(kind, { detail }));
    },

    /** Hear of what happened; the result ends it. */
    on(kind, listener) {
      const heard = (event) => listener(event.detail);
      events.addEventListener(kind, heard);
      return () => events.removeEventListener(kind, heard);
    },
  };
}
