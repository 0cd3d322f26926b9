"""What the codes of Binance USDⓈ-M prove.

Sources: Binance's USDⓈ-M documentation, "Error Code" and "General Info" (HTTP return codes), as of 2026.
"""

_NOT_PLACING = {-4116, -2011, -2013}

DEFINITE_REJECTS = frozenset(
    {"429", "418", "-1002", "-1003", "-1008", "-1013", "-1014", "-1015", "-1020", "-1021", "-1022"}
    | {"-4210", "-4211", "-4400", "-4401", "-4402", "-5021", "-5022", "-5028"}
    | {
        str(code)
        for codes in (range(-1136, -1099), range(-2028, -2009), range(-4200, -3999))
        for code in codes
        if code not in _NOT_PLACING
    }
    | {"rate_limit"}
)
"""An order met with one of these was not accepted, and never will be.

Not among them, on purpose: -4116 (duplicate id: our order may be the one that is there), -1000, -1001, -1006,
-1007, and every HTTP error without a code, 403 and 408 included.
"""

WOULD_TAKE = frozenset({"-5022"})

BY_RULES = frozenset(
    f"-{code}"
    for code in (1111, 1121, 1122, *range(4001, 4006), 4013, 4014, 4016, 4023, 4024, 4108, 4140, 4141, 4164)
)
"""Price or quantity out of range or off the grid, notional too small; symbol unknown, closed, or settling."""

MISSING_ORDER = frozenset({"-2013"})
NOTHING_TO_CANCEL = frozenset({"-2011"})
BAD_KEY = frozenset({"-1002", "-1022", "-2014", "-2015", "-2017"})
CLOCK_SKEW = frozenset({"-1021"})
