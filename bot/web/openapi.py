"""`/openapi.json`: every path of this server, in OpenAPI 3.1. A test holds it to routes and answers."""

from typing import Any

from aiohttp import web

from bot.web.access import public
from bot.web.answers import only, public_json
from bot.web.openapi_schemas import (
    ANYTHING,
    DECIMAL,
    FLAG,
    SCHEMAS,
    TEXT,
    Schema,
    listed,
    ref,
    shape,
)

Operation = dict[str, Any]

_FUND = {
    "name": "fund",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
    "description": "the fund's name",
    "example": "BTCUP",
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "maxLength": 200, "pattern": "^[!-~]*$"},
    "description": "a repeat under the same key changes nothing more",
}
_WHO: dict[str, Schema] = {
    "author": {"type": "string", "minLength": 1, "maxLength": 200},
    "reason": {"type": "string", "minLength": 1, "maxLength": 200},
}
_NUMBER: Schema = {"anyOf": [DECIMAL, {"type": "number"}]}
_ERRORS = {
    400: "the request cannot be read",
    401: "the operator's token is needed",
    403: "refused: a foreign host or page, or a session without its CSRF token",
    404: "there is no such thing here",
    408: "the body did not come in time",
    409: "it cannot be done now",
    413: "the body is too large",
    422: "a field or parameter cannot be used",
    429: "too many wrong tokens",
    503: "there are too many connections, or the daemon has not finished starting",
}


def document() -> dict[str, Any]:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Inband",
            "version": "1",
            "description": (
                "Leveraged-token funds. Decimals are strings, undefined is null, times are ISO 8601 UTC. "
                "Public figures are those of the last revealed rebalance at the live mark."
            ),
        },
        "paths": {**_health(), **_public(), **_operator(), **_controls(), **_flows()},
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "<data dir>/operator.token"},
                "session": {"type": "apiKey", "in": "cookie", "name": "inband_session"},
            },
        },
    }


def add_routes(app: web.Application) -> None:
    """Add the description itself."""
    body = document()

    @public
    async def openapi(request: web.Request) -> web.Response:
        only(request)
        return public_json(request, body)

    app.router.add_get("/openapi.json", openapi)


def _answers(schema: Schema, *errors: int, kind: str = "application/json") -> Operation:
    found: Operation = {"200": {"description": "as asked", "content": {kind: {"schema": schema}}}}
    for status in sorted({400, 403, 503, *errors}):
        content = {"application/json": {"schema": ref("Error")}}
        found[str(status)] = {"description": _ERRORS[status], "content": content}
    return found


def _get(
    summary: str, schema: Schema, *parameters: Operation, errors: tuple[int, ...] = (), kind: str = ""
) -> Operation:
    operation: Operation = {
        "summary": summary,
        "responses": _answers(schema, *errors, kind=kind or "application/json"),
    }
    if parameters:
        operation["parameters"] = list(parameters)
    return operation


def _tagged(operation: Operation) -> Operation:
    """A public answer may be 304 to who has it already."""
    tag = {"name": "If-None-Match", "in": "header", "schema": TEXT, "description": "a tag that one has"}
    operation["parameters"] = [*operation.get("parameters", []), tag]
    operation["responses"]["304"] = {"description": "what the tag names is still the answer"}
    return operation


def _query(name: str, schema: Schema, description: str) -> Operation:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _whole(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _health() -> Operation:
    ready = shape({"ready": FLAG, "reasons": listed(TEXT)})
    operation = _get("Whether the daemon is ready", ready)
    operation["responses"]["503"] = {
        "description": "not ready, or too many connections",
        "content": {"application/json": {"schema": {"anyOf": [ready, ref("Error")]}}},
    }
    return {
        "/healthz": {"get": _get("Whether the event loop lives", shape({"status": TEXT}))},
        "/readyz": {"get": operation},
        "/openapi.json": {"get": _tagged(_get("This description", ANYTHING, errors=(422,)))},
    }


def _public() -> Operation:
    stretch = (
        _FUND,
        _query("interval", {"enum": ["1m", "5m", "1h", "1d"], "default": "1h"}, "length of a bar"),
        _query("from", _whole(0, 10**14), "bars that start at this time (ms UTC) or later"),
        _query("to", _whole(0, 10**14), "bars that start before this time (ms UTC)"),
        _query("limit", _whole(1, 50_000), "the newest so many"),
    )
    page = (
        _FUND,
        _query("after", _whole(0, 10**9), "leave out the first so many"),
        _query("limit", _whole(1, 10_000), "at most so many"),
    )
    funds = _get("Every fund", listed(ref("Fund")), errors=(422,))
    events = _get(
        "Server-sent events: fund, rebalance, incident, heartbeat",
        TEXT,
        _query("fund", TEXT, "of this fund alone"),
        errors=(404, 422),
        kind="text/event-stream",
    )
    fund, unknown = "/api/v1/funds/{fund}", (404, 422)
    records = _get("Revealed rebalances", listed(ref("Rebalance")), *page, errors=unknown)
    return {
        "/api/v1/funds": {"get": _tagged(funds)},
        fund: {"get": _tagged(_get("One fund", ref("Fund"), _FUND, errors=unknown))},
        f"{fund}/rebalances": {"get": _tagged(records)},
        f"{fund}/performance": {
            "get": _tagged(_get("Against promise and shadow", ref("Performance"), _FUND, errors=unknown))
        },
        f"{fund}/costs": {"get": _tagged(_get("What rebalances cost", ref("Costs"), _FUND, errors=unknown))},
        f"{fund}/nav": {"get": _tagged(_get("History of NAV", ref("Bars"), *stretch, errors=unknown))},
        f"{fund}/series": {
            "get": _tagged(_get("Mark, leverage, shadow NAV", ref("Series"), *stretch, errors=unknown))
        },
        "/api/v1/stream": {"get": events},
        "/api/v1/market": {"get": _tagged(_get("The paper market", ref("Market"), errors=(422,)))},
        **_tokens(),
        "/api/v1/session": _session(),
    }


def _tokens() -> Operation:
    """Binance's shapes; its streams are websockets, which this description cannot say."""
    refused = {
        "description": "refused, in the words of the original",
        "content": {"application/json": {"schema": shape({"code": {"type": "integer"}, "msg": TEXT})}},
    }
    stretch = (
        _query("symbol", TEXT, "the token"),
        _query("interval", TEXT, "1m, 5m, 1h or 1d"),
        _query("startTime", {"type": "integer"}, "ms UTC"),
        _query("endTime", {"type": "integer"}, "ms UTC, inclusive"),
        _query("limit", {"type": "integer"}, "the newest so many, at most 1000"),
    )
    found: Operation = {
        "/fapi/v1/lvtKlines": {"get": _tagged(_get("Klines of NAV", listed(listed({})), *stretch))},
        "/sapi/v1/blvt/tokenInfo": {
            "get": _tagged(_get("Tokens", listed(ANYTHING), _query("tokenName", TEXT, "one token alone")))
        },
    }
    for operations in found.values():
        operations["get"]["responses"]["400"] = refused
    return found


def _session() -> Operation:
    login = _post("Log in", shape({"token": TEXT}), ref("Session"), 401)
    del login["security"]
    return {
        "get": _get("Whether this is an operator's session", ref("Session")),
        "post": login,
        "delete": _closed(_get("Log out", ref("Session"))),
    }


def _closed(operation: Operation) -> Operation:
    """Only for the operator."""
    operation["security"] = [{"token": []}, {"session": []}]
    for status in (401, 429):
        content = {"application/json": {"schema": ref("Error")}}
        operation["responses"][str(status)] = {"description": _ERRORS[status], "content": content}
    return operation


def _post(summary: str, body: Schema, answer: Schema, *errors: int, keyed: bool = False) -> Operation:
    operation: Operation = {
        "summary": summary,
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": _answers(answer, 408, 413, 422, *errors),
    }
    if keyed:
        operation["parameters"] = [_FUND, _KEY]
    return _closed(operation)


def _operator() -> Operation:
    changes = _post("Read the settings again", _body(), ANYTHING, 409)
    settings = listed({"type": "object", "additionalProperties": {"type": ["string", "null"]}})
    events = _get("Server-sent events: fund, heartbeat", TEXT, errors=(422,), kind="text/event-stream")
    return {
        "/metrics": {"get": _closed(_get("Prometheus metrics", TEXT, errors=(409,), kind="text/plain"))},
        "/api/v1/operator/funds": {"get": _closed(_get("True figures", listed(ref("OperatorFund"))))},
        "/api/v1/operator/stream": {"get": _closed(events)},
        "/api/v1/operator/funds/{fund}/rebalances": {
            "get": _closed(
                _get(
                    "Rebalances, those that are not public included",
                    listed(ref("OperatorRebalance")),
                    _FUND,
                    _query("limit", _whole(1, 1_000), "the newest so many"),
                    errors=(404, 422),
                )
            )
        },
        "/api/v1/operator/configuration": {"get": _closed(_get("Every setting as it applies", settings))},
        "/api/v1/operator/venue": {
            "get": _closed(
                _get(
                    "Where the funds trade",
                    shape({"hosts": listed(TEXT), "paper_url": {"anyOf": [TEXT, {"type": "null"}]}}),
                )
            )
        },
        "/api/v1/operator/reload": {"post": changes},
        "/api/v1/incidents": {"get": _closed(_get("Open incidents", listed(ref("Incident"))))},
    }


def _body(**fields: Schema) -> Schema:
    return shape({**_WHO, **fields}, optional=("author", "reason", "leverage"))


def _controls() -> Operation:
    words = {
        "pause": "Stop increases",
        "resume": "End a pause or a halt, rearm what a breach stopped",
        "halt": "Stop everything",
        "flatten": "Sell everything, and stay so",
    }
    fund, status = "/api/v1/funds/{fund}", ref("OperatorFund")
    found: Operation = {
        f"{fund}/{word}": {"post": _post(summary, _body(), status, 404, 409, keyed=True)}
        for word, summary in words.items()
    }
    leverage = _body(leverage={"anyOf": [_NUMBER, {"type": "null"}]})
    rebalance = _post("Rebalance to a leverage, or a secret one", leverage, status, 404, 409, keyed=True)
    known = _post("Acknowledge an incident", _body(code=TEXT), status, 404, 409, keyed=True)
    found[f"{fund}/rebalance"] = {"post": rebalance}
    found[f"{fund}/incidents/acknowledge"] = {"post": known}
    return found


def _flows() -> Operation:
    fund, receipt = "/api/v1/funds/{fund}", ref("Receipt")
    found: Operation = {}
    for word, field, summary in (
        ("subscribe", "amount", "Subscribe an amount of USDT"),
        ("redeem", "units", "Redeem units"),
        ("consolidate", "ratio", "Make one unit of so many"),
        ("split", "ratio", "Make so many units of one"),
    ):
        number = {"type": "integer", "minimum": 2} if field == "ratio" else _NUMBER
        body = _body(**{field: number})
        found[f"{fund}/{word}"] = {"post": _post(summary, body, receipt, 404, 409, keyed=True)}
    flows = _get("Open flows, and the last that are over", listed(receipt), _FUND, errors=(404, 409, 422))
    found[f"{fund}/flows"] = {"get": _closed(flows)}
    return found
