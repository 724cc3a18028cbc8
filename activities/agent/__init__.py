"""Agents: a model that calls tools, turn by turn."""
