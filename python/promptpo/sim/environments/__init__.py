"""Environments: what they are (base), where they are found (registry), what a model is told of them (texts)."""
