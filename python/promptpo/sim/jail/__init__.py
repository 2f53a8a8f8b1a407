"""The jail: one hostile process an episode, forked from a warm parent, spoken to in fixed-size frames.

Imports nothing: the warm parent imports this package, and what it holds is what a policy can reach.
"""
