"""The relay's data plane: connections of agents that wait (sessions), of visitors, and what moves bytes between them.

Owns sockets, and nothing that is remembered: leases and policy are asked, never kept.
"""
