"""What others measured: packed by its contributor, checked and landed here.

Both sides ask the gate's own checks before anything is packed or landed. What has landed is then built and
judged as our own runs are; whose it is, is known by the key that signed (`signing.Registry`).
"""

from expectations.contributions import archive
from expectations.contributions.packing import pack
from expectations.contributions.staging import MOST_BYTES
from expectations.contributions.taking import Taken, take

__all__ = ["MOST_BYTES", "Taken", "archive", "pack", "take"]
