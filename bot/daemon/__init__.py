"""The daemon.

Wiring, supervision, carrying out commands and timers. Decisions are made in `bot.core` alone.
"""
