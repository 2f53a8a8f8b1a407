"""Environments: what they are (base), how they are found (registry), what a model is told of them (texts)."""
