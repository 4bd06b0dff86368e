"""Jobs: the folder, its events, the worker that runs it, and the queue. Torch is imported by the worker alone."""

from .events import ACTIVE, ENDED, Event, State, last, told_state
from .folder import JobFolder
from .inbox import PAUSE, RESUME, STOP, preview
from .launch import Worker, stop_job
from .queue import WhenBusy, refuse_if_busy, running_jobs
from .registry import known_folders
from .summary import default_folder, summarise

__all__ = [
    "ACTIVE",
    "ENDED",
    "PAUSE",
    "RESUME",
    "STOP",
    "Event",
    "JobFolder",
    "State",
    "WhenBusy",
    "Worker",
    "default_folder",
    "known_folders",
    "last",
    "preview",
    "refuse_if_busy",
    "running_jobs",
    "stop_job",
    "summarise",
    "told_state",
]
