"""Tunnels for services: kept open by an agent within the portal, and listed beside those of agents elsewhere."""
