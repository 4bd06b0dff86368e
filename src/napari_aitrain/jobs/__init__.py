"""Jobs: the folder, its events, the worker that runs it, and the queue. Torch is imported by the worker alone."""

from .evaluate_config import EvaluateConfig
from .events import ACTIVE, ENDED, Event, State, last, told_state
from .folder import JobFolder
from .follow import Follower
from .inbox import PAUSE, RESUME, STOP, ground_truth, measure, preview, preview_view
from .launch import Worker, stop_job
from .predict_config import PredictConfig
from .queue import WhenBusy, refuse_if_busy, running_jobs
from .registry import known_folders
from .summary import default_folder, summarise

__all__ = [
    "ACTIVE",
    "ENDED",
    "PAUSE",
    "RESUME",
    "STOP",
    "EvaluateConfig",
    "Event",
    "Follower",
    "JobFolder",
    "PredictConfig",
    "State",
    "WhenBusy",
    "Worker",
    "default_folder",
    "ground_truth",
    "known_folders",
    "last",
    "measure",
    "preview",
    "preview_view",
    "refuse_if_busy",
    "running_jobs",
    "stop_job",
    "summarise",
    "told_state",
]
