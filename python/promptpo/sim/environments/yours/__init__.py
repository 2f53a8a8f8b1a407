"""Bring your own: any installed gymnasium id, folders with an environment.toml, entry points of packages.

Owns the family `yours`; what is offered under which id is in catalogue.py. This code of others runs where
simulators run, trusted; policies meet it through the jail, as they meet every environment.
"""

from __future__ import annotations

from promptpo.sim.environments.yours.catalogue import FAMILY, complain, find, ids

__all__ = ["FAMILY", "complain", "find", "ids"]
