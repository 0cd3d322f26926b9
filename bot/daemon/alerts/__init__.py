"""Alerts: what people are told of, by which route, until it has arrived. They never hold trading up."""
