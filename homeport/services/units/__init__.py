"""systemd units of this machine: shows those on the allow-list, acts on them, reads their journals; owns none.

Publishes Change("service") after each action. The contract is seed 000.
"""

from homeport.services.units.status import UnitStatus
from homeport.services.units.tools import Tools
from homeport.services.units.units import ACTIONS, Units

__all__ = ["ACTIONS", "Tools", "UnitStatus", "Units"]
