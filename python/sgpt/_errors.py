"""The two kinds of failure, each with one sentence: what, where, what was expected, what to do."""

from ._sgpt import MachineError, UserError

UserError.__doc__ = "The caller's mistake, or a broken or missing file."
MachineError.__doc__ = "Disk, memory or network failed."

__all__ = ["MachineError", "UserError"]
