"""Runs stacks as services of a Docker Swarm, through the Engine API of one of its managers."""

from homeport.services.drivers.swarm.driver import SwarmDriver

__all__ = ["SwarmDriver"]
