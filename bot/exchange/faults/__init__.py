"""Faults on demand: what an exchange and a network can do to a client, scripted or at random."""
