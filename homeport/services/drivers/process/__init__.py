"""Apps as supervised child processes: the embedded driver, needing neither Docker nor root.

Owns `data_dir/instances/<id>/`: `lock` (held by the supervisor while it lives), `state.json` (what it says),
`grace` (how long a stop may take), `supervisor.err` (should it ever crash).
"""

from homeport.services.drivers.process.driver import ProcessDriver
from homeport.services.drivers.process.groups import ControlGroups

__all__ = ["ControlGroups", "ProcessDriver"]
