"""The slower simulation: the whole daemon with unmodified ccxt, and the paper exchange, in virtual time.

`python -m bot.simulation.whole` takes the place of `python3 -m bot run`: the same command, settings, wiring,
streams, stores. What is simulated are the clock, the source of randomness, and the network between both.
"""
