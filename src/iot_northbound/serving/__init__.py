"""The guarded listener under the receiver and the emulator, and the HTTP server on top of it.

Any protocol can use the listener: derive a class from `Connection` and give it to `GuardedListener`. HTTP is in
`serving.http`, which needs uvicorn; nothing else here does.
"""

from .connection import Admission, Connection
from .limits import Limits
from .listener import BindError, GuardedListener
from .loop import LoopService

__all__ = ["Admission", "BindError", "Connection", "GuardedListener", "Limits", "LoopService"]
