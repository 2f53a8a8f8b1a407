"""Tests that hold the Python stubs to the same golden messages as the TypeScript code."""
