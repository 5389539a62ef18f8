"""Calls: their requests, and the provider that serves them."""
