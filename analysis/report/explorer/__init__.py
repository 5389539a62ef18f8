"""The explorer in the browser: controls, and the curves of a team with these settings."""

from analysis.report.explorer.app import explorer

__all__ = ["explorer"]
