"""Stacks as containers of one Docker Engine, through its API and nothing else."""

from __future__ import annotations

from homeport.services.drivers.compose.driver import ComposeDriver

__all__ = ["ComposeDriver"]
