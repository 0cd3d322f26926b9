// What incidents mean, in plain words, for people who do not run the daemon.

const MEANINGS = {
  "stale mark": "No new price came in. Until one does, leverage is not raised.",
  "clock skew": "The clocks of this machine and of the venue differ.",
  "reconciliation difference": "The fund's ledger and the venue's account differ. Nothing is raised until both agree.",
  "unexplained position": "The position at the venue is not the one that the known trades explain.",
  "late fill": "An order traded after it had been given up.",
  "order vanished": "The venue no longer finds an order that it had accepted.",
  "trades missing": "The venue says that an order filled, and does not list its trades.",
  "external trade": "Somebody else traded on the account, or the venue liquidated a part.",
  "unfilled delever": "Reducing leverage takes longer than it should.",
  "overdue rebalance": "Raising leverage takes longer than it should.",
  "no protective stop": "No stop order rests at the venue for the time in which the daemon might be away.",
  "protective stop filled": "The stop order at the venue triggered.",
  "records lost": "The journal lost records. The fund waits for its operator.",
  "disk almost full": "There is little room left for the journal.",
  "unmatched withdrawal": "More was withdrawn from the account than was due to anybody.",
  "too much sent": "More orders than allowed were sent.",
  "same order again": "The same order was sent again and again.",
  "daily loss": "The fund lost more in a day than its limit.",
  "over a cap": "The position would have passed a cap.",
  "more than was planned": "A rebalance traded more than it had planned.",
  "orders rejected": "The venue refused several orders in a row.",
  "alerts not delivered": "A route of alerts takes nothing: nobody hears of anything by it.",
  "fund stopped": "The fund is not driven any more, until a restart.",
  "contract closed": "The venue does not trade the contract at present.",
  "account settings changed": "Somebody changed how the account is set. Nothing is raised until it is set back.",
  "key refused": "The venue does not accept the account's key.",
  "crash loop": "The daemon started too often in a short time.",
};

/** One sentence about an incident; what comes after a colon says whose it is. */
export const meaning = (code) => MEANINGS[code.split(":")[0]] ?? "";
