"""Workspaces: what happens to concurrent writes. A file a kind, named as in YAML."""

from simulator.model.workspaces._workspace import Workspace, WorkspaceState

__all__ = ["Workspace", "WorkspaceState"]
