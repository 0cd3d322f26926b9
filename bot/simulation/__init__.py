"""Deterministic simulation: the daemon in a world of its own, where one seed decides everything.

`run` is one run. From the ports inwards the daemon is the real one (`process`); clock, loop, network, venue,
disk and operator are simulated, and a judge that does not share the daemon's books looks on at every event.
"""
