"""The shapes of what the API answers and takes, as JSON Schemas of OpenAPI 3.1."""

from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

DECIMAL: Schema = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "examples": ["2.25"]}
TIME: Schema = {
    "type": "string",
    "format": "date-time",
    "description": "ISO 8601, UTC, to the millisecond",
    "examples": ["2025-03-06T10:30:00.000Z"],
}
HASH: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
ANYTHING: Schema = {"type": "object", "additionalProperties": True}


def or_null(schema: Schema) -> Schema:
    """The same, or null: what is undefined."""
    return {"anyOf": [schema, {"type": "null"}]}


def listed(items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": items}


def pair(items: Schema) -> Schema:
    """A list of two."""
    return {"type": "array", "items": items, "minItems": 2, "maxItems": 2}


def ref(name: str) -> Schema:
    """One of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def shape(properties: dict[str, Schema], *, more: bool = False, optional: tuple[str, ...] = ()) -> Schema:
    """An object all of whose properties are there, but the optional ones; with `more`, others may be too."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": more,
    }


def row(*items: Schema) -> Schema:
    """A list of fixed length."""
    return {"type": "array", "prefixItems": list(items), "minItems": len(items), "maxItems": len(items)}


_FUND = {
    "fund": TEXT,
    "underlying": TEXT,
    "side": {"enum": ["long", "short"]},
    "mode": {"enum": ["paper", "dry-run", "testnet", "live"]},
    "state": TEXT,
    "mark": or_null(DECIMAL),
    "nav": or_null(DECIMAL),
    "units": or_null(DECIMAL),
    "fund_value": or_null(DECIMAL),
    "position": or_null(DECIMAL),
    "notional": or_null(DECIMAL),
    "real_leverage": or_null(DECIMAL),
    "band": pair(DECIMAL),
    "trigger_prices": pair(or_null(DECIMAL)),
    "target_range": pair(DECIMAL),
    "commitments": listed(shape({"sequence": COUNT, "commitment": HASH})),
    "chain_head": or_null(HASH),
    "funding_rate": or_null(DECIMAL),
    "basket_as_of": or_null(TIME),
    "updated_at": or_null(TIME),
}
_INCIDENT = {"code": TEXT, "since": TIME, "stops_increases": FLAG}
_REBALANCE = {
    "id": TEXT,
    "fund": TEXT,
    "kind": {"enum": ["open", "band", "schedule", "flow", "operator", "flatten", "stop", "external"]},
    "reason": TEXT,
    "urgency": {"enum": ["patient", "prompt", "emergency", None]},
    "sequence": or_null(COUNT),
    "commitment": or_null(HASH),
    "started_at": TIME,
    "finished_at": TIME,
    "revealed_at": TIME,
    "state": {"enum": ["done", "superseded"]},
    "position_before": DECIMAL,
    "position_after": DECIMAL,
    "position_change": DECIMAL,
    "leverage_before": or_null(DECIMAL),
    "leverage_after": or_null(DECIMAL),
    "tolerance": or_null(DECIMAL),
    "mark_at_decision": or_null(DECIMAL),
    "average_price": or_null(DECIMAL),
    "shortfall_bps": or_null(DECIMAL),
    "fees": DECIMAL,
    "slices": COUNT,
    "target": or_null(DECIMAL),
    "target_range": or_null(pair(DECIMAL)),
    "u": or_null({"type": "string", "pattern": r"^0\.\d{18}$"}),
    "salt": or_null(HASH),
    "previous_hash": HASH,
    "hash": HASH,
}
_FRACTION = or_null(DECIMAL)
_PERFORMANCE = {
    "fund": TEXT,
    "since": or_null(TIME),
    "as_of": or_null(TIME),
    "nav_return": _FRACTION,
    "underlying_return": _FRACTION,
    "side_return": _FRACTION,
    "average_leverage": _FRACTION,
    "volatility_drag": _FRACTION,
    "rebalances": COUNT,
    "fees": DECIMAL,
    "funding": DECIMAL,
    "expected": or_null(TEXT),
    "daily": or_null(
        shape(
            {
                "days": COUNT,
                "beta": _FRACTION,
                "correlation": _FRACTION,
                "mean_difference": _FRACTION,
                "tracking_error": _FRACTION,
            }
        )
    ),
    "days": listed(row(COUNT, _FRACTION, _FRACTION)),
    "shadow": or_null(
        shape(
            {
                "since": TIME,
                "nav": _FRACTION,
                "real_leverage": _FRACTION,
                "rebalances": COUNT,
                "fees": DECIMAL,
                "funding": DECIMAL,
            }
        )
    ),
}
_COST = {
    "id": TEXT,
    "finished_at": TIME,
    "kind": TEXT,
    "notional": _FRACTION,
    "fees": DECIMAL,
    "spread": _FRACTION,
    "impact": _FRACTION,
    "timing": _FRACTION,
    "shortfall": _FRACTION,
    "arrival_shortfall": _FRACTION,
    "not_traded": _FRACTION,
    "out_of_band_s": or_null(COUNT),
}
_MONTH = {
    "month": {"type": "string", "pattern": r"^\d{4}-\d{2}$"},
    "rebalances": COUNT,
    "notional": DECIMAL,
    **dict.fromkeys(
        ("fees", "spread", "impact", "timing", "shortfall", "arrival_shortfall", "not_traded"), DECIMAL
    ),
    "out_of_band_s": COUNT,
}
_BAR = row(COUNT, DECIMAL, DECIMAL, DECIMAL, DECIMAL, COUNT)
_POINT = row(COUNT, or_null(DECIMAL), or_null(DECIMAL), or_null(DECIMAL))

SCHEMAS: dict[str, Schema] = {
    "Error": shape({"error": shape({"code": TEXT, "message": TEXT, "field": or_null(TEXT)})}),
    "Fund": shape(
        {
            **_FUND,
            "condition": shape(
                {
                    "since": or_null(TIME),
                    "why": or_null(TEXT),
                    "redemptions_open": FLAG,
                    "overdue_reveals": COUNT,
                    "incidents": listed(shape(_INCIDENT)),
                }
            ),
        },
    ),
    "OperatorFund": shape(_FUND, more=True),
    "Rebalance": shape(_REBALANCE, more=True),
    "OperatorRebalance": ANYTHING,
    "Market": shape({"speed": or_null(TEXT), "start": or_null(TIME), "end": or_null(TIME)}),
    "Bars": listed({**_BAR, "description": "[start (ms UTC), open, high, low, close, updates]"}),
    "Series": listed(
        {**_POINT, "description": "[start (ms UTC), mark, real leverage, shadow NAV] at the end"}
    ),
    "Performance": shape(_PERFORMANCE),
    "Costs": shape({"rebalances": listed(shape(_COST)), "months": listed(shape(_MONTH))}),
    "Incident": shape(
        {"fund": or_null(TEXT), "code": TEXT, "detail": or_null(TEXT), "remedy": TEXT}, more=True
    ),
    "Session": shape({"operator": FLAG, "csrf": or_null(TEXT)}),
    "Receipt": ANYTHING,
}
