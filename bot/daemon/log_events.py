"""Every event of the log: one name per fact. A test holds this table equal to what the code logs.

`python -m bot.daemon.log_events` prints it as Markdown for docs/operations.md.
"""

import sys

EVENTS = {
    "alert_not_delivered": "a route did not take an alert; it is tried again",
    "alerts_delivered_again": "a route takes alerts again",
    "alerts_not_stored": "the store of alerts took nothing at the end; the next start tells it",
    "alerts_lost": "the store of alerts was damaged; it was put aside, and a new one made",
    "archived": "`run --fresh` put the stores of before aside",
    "clock_not_compared": "our clock could not be compared with the venue's",
    "command_failed": "a request to the venue failed in a way that nobody expected; its outcome is looked up",
    "commitment_published": "a draw was fixed, and its commitment is public",
    "confirmation_cancelled": "leverage came back into the band before a confirmation ended",
    "confirmation_started": "leverage fell below the band; it must stay there for a secret time",
    "contract_changed": "the venue demands something else of orders; the next ones keep to it",
    "control_changed": "the operator paused, halted or resumed a fund",
    "database_unreachable": "PostgreSQL does not answer; it is tried again",
    "dealing_struck": "flows were priced",
    "exchange_failed": "the embedded exchange stopped by an error; so does the daemon",
    "external_change": "trades that were not ours changed the position",
    "fees_paid": "management fees left the account",
    "flow_cancelled": "a subscription or redemption was given up",
    "flow_funded": "a subscription's deposit was found",
    "flow_paid": "a redemption was paid out",
    "flow_requested": "somebody wants to subscribe or redeem",
    "flow_settled": "units were made or cancelled for a flow",
    "fund_created": "a fund began",
    "fund_is_flat": "a fund that winds down holds nothing any more; its NAV is final",
    "fund_put_down": "a process let go of a fund",
    "fund_state_changed": "a fund entered another state of its life",
    "fund_stopped": "a fund is not driven any more: repair the cause and restart",
    "fund_taken_up": "a process has taken a fund up",
    "heartbeat_failed": "the dead-man service did not answer",
    "incident_acknowledged": "an operator looks after an incident",
    "incident_closed": "what an incident was about is over",
    "incident_opened": "something needs an operator's eye",
    "income_booked": "funding, or another change of the wallet",
    "key_not_judged": "what a key may do could not be read; what was known of it holds",
    "listener_failed": "metrics or alerts could not take a record in; trading goes on",
    "log_lines_lost": "so many lines are missing here: the log could not be written, or its reader hung",
    "management_fee_charged": "the management fee of a day was booked",
    "management_fee_set": "the rate of the management fee is another",
    "mark_unreadable": "a mark could not be read by REST while the stream is lost",
    "nav_not_stored": "the last seconds of the history of NAV could not be stored at the end",
    "operator_asked": "an operator's request was taken",
    "order_cancel_asked": "a resting order is taken back",
    "order_never_arrived": "an order never reached the venue, and no longer can",
    "order_outcome_unknown": "nobody knows whether an order arrived; it is looked up",
    "order_rejected": "the venue refused an order",
    "order_sent": "an order is durable, and leaves",
    "order_stream_interrupted": "news of orders may be missing; the account is compared",
    "ownership_lost": "the accounts are another process's, or the database is gone: nothing is sent",
    "pacing_lost": "the paper exchange's pacing connection broke; attaching again",
    "pacing_refused": "the paper exchange refused what we said",
    "projections_not_kept": "what the records fold to could not be kept; the next start reads more of them",
    "rebalance_finished": "a rebalance is over",
    "rebalance_parked": "the daemon stops in the middle of a rebalance",
    "rebalance_resumed": "a parked rebalance goes on",
    "rebalance_revealed": "a rebalance, its draw and its salt are public",
    "rebalance_skipped": "a rebalance was wanted in which nothing can be traded",
    "rebalance_started": "a rebalance was decided",
    "reconciled": "ledger and venue agree",
    "reload_refused": "changed settings were not taken over; nothing was changed",
    "reloaded": "changed settings apply, or will once a rebalance is over",
    "request_failed": "a request to our own API failed by our fault",
    "running": "every fund is at work",
    "serving": "the HTTP port is open",
    "service_manager_unreachable": "systemd's socket takes nothing; it is not spoken to again",
    "setting_questionable": "a setting is allowed and yet unwise, or a route's address leads nowhere",
    "settings_changed": "the settings that a fund runs by from here on; a warning where it had others",
    "settings_not_read": "how the account is set could not be read",
    "slice_deferred": "the limits refused a slice; it is tried again",
    "slice_settled": "a slice is over, and all its trades are booked",
    "standing_by": "another process drives the accounts; this one waits to take over",
    "starting": "mode, exchange and hosts of this start",
    "stop_cancel_asked": "the protective stop is taken back",
    "stop_ended": "the protective stop is over",
    "stop_outcome_unknown": "nobody knows whether the protective stop rests; it is looked up",
    "stop_placed": "the protective stop rests at the venue",
    "stop_rejected": "the venue refused the protective stop",
    "stop_sent": "the protective stop is durable, and leaves",
    "stopped_with_unknown_outcome": "an order's outcome is open at the end; the next start resolves it",
    "stopping": "the daemon ends",
    "takeover": "this process drives the accounts now, after another",
    "task_restarted": "a stream or another task ended and is run again",
    "unhandled_exception": "an error that nobody awaited",
    "units_rescaled": "units were split or consolidated",
    "urgency_raised": "a rebalance became an emergency",
    "venue_hold_not_kept": "a ban by the venue could not be written down; a restart would forget it",
    "venue_hold_unreadable": "what was written down of a ban by the venue cannot be read; there is none",
    "venue_holds_us_back": "the venue banned us before this start; nothing is sent until that is over",
    "venue_unreachable": "a host does not answer; it is tried again",
}

START = "<!-- log events: made by `python -m bot.daemon.log_events`, tested for drift -->"
END = "<!-- log events end -->"


def block() -> str:
    """The table, between the marks by which the page is held to it."""
    rows = [f"| `{name}` | {meaning} |" for name, meaning in sorted(EVENTS.items())]
    return "\n".join([START, "", "| event | what it says |", "|---|---|", *rows, "", END])


if __name__ == "__main__":
    sys.stdout.write(block() + "\n")
