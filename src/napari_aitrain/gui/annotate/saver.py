"""Keeps labels and boxes in the project folder while a person works."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QTimer

from ...annotation.project import Project, ProjectState
from ...errors import AitrainError
from ..jobs.main_thread import MainThread
from ..settings import preferences
from .copies import ImageCopies
from .file_of_layer import FilesOfLayers
from .kept import kept_state
from .open_projects import base_folder, let_go, take
from .restore import restore
from .sources import sources_of
from .touching import touch_boxes
from .window_writer import fits, writer_of
from .writing import TruthWriter, Work, write_all

if TYPE_CHECKING:
    from ...training.config import Source
    from ..session import Session
    from .truths import GroundTruth

# Voxels per ground truth that are compared with what is saved: at each tick, at a flush, and at the end.
_SWEEP, _FLUSH_SWEEP, _LAST_SWEEP = 4 * 2**20, 16 * 2**20, 1024 * 2**20


class Saver:
    """Saves what changed, every few seconds of work, in a thread of its own.

    Parameters
    ----------
    session : Session
        Whose ground truths and boxes are kept.

    Signals
    -------
    saved
        After something was written; delivered on the main thread.
    failed : str
        Why something could not be written. It is tried again, and nothing that was painted is lost.

    Attributes
    ----------
    copies : ImageCopies
        Of images that are nowhere on disk.
    files : FilesOfLayers
        Which files layers show.
    """

    saved = Signal()
    failed = Signal(str)

    def __init__(self, session: Session) -> None:
        self._session = session
        self.project: Project | None = None
        self.saved_at: float | None = None
        self.problem = ""
        self._name = ""
        self._closed = False
        self._writers: dict[str, TruthWriter] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="napari-aitrain-saver")
        self._running: Future[None] | None = None
        self._main = MainThread()
        self.copies = ImageCopies()
        self.files = FilesOfLayers(lambda: self.copies.ended.emit(None))
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._timer.start(round(1000 * preferences().autosave_interval))
        session.truths.changed.connect(self._on_truths)
        session.viewer.layers.events.removing.connect(self._on_removing)

    @property
    def pending(self) -> bool:
        """Whether something is known to be unsaved."""
        return any(writer.changes.pending for writer in self._writers.values()) or self._state_changed()

    def flush(self) -> bool:
        """Write everything that changed now, and return whether that worked; `failed` says why not."""
        return self._flush(_FLUSH_SWEEP)

    def _flush(self, sweep: int) -> bool:
        work = self._work(sweep)
        if work is None:
            return not self.problem
        if self._running is not None:
            wait([self._running])
        try:
            # Not in the thread: none can be used any more when Python ends.
            write_all(work)
            touch_boxes(self._session, work)
            work.project.save_state(kept_state(self._session, work.project))
        except AitrainError as error:
            self._on_failed(error, work)
            return False
        self._on_saved()
        return True

    def sources(self, truth: GroundTruth, wait: bool = True) -> list[Source]:
        """Save, and return what a training needs to know of a ground truth: one source per frame that has boxes.

        Parameters
        ----------
        truth : GroundTruth
            What is learned from.
        wait : bool
            Whether to wait while a large image, which is nowhere on disk, is copied, or for a server.

        Raises
        ------
        StillCopying
            If not; ask again after `copies.ended`.
        AitrainError
            If something could not be saved, the image is not open, or it is nowhere on disk and too large to copy.
        """
        return sources_of(self._session, truth, wait)

    def open(self, folder: Path) -> None:
        """Open a project: its images, ground truths and boxes come into the viewer.

        Raises
        ------
        AitrainError
            If the folder is no project or is damaged. Nothing changes then.
        """
        project = Project.open(Path(folder))
        self.flush()
        restore(self._session, project, self._take_over)
        self.saved_at = time.time()
        self.saved.emit()

    def ensure_project(self) -> Project:
        """Return the project, made now if there is none.

        Raises
        ------
        StorageError
            If the disk is full or read-only.
        """
        if self.project is None:
            base = base_folder()
            # The same at the next try, or its trouble would be another one each second, and told again.
            name = self._name = self._name or time.strftime("%Y-%m-%d %H.%M.%S")
            folder = next(f for n in range(1, 1000) if not (f := base / (name if n == 1 else f"{name} ({n})")).exists())
            self.project = Project.create(folder)
            take(folder)
        return self.project

    def writer(self, truth: GroundTruth) -> TruthWriter:
        """Return what writes a ground truth."""
        return self._writers[truth.key]

    def counts(self, truth: GroundTruth) -> dict[int, int]:
        """Return the saved voxels per id of a ground truth, 0 left out."""
        writer = self._writers.get(truth.key)
        return {} if writer is None else writer.counts

    def close(self) -> None:
        """Save what is not saved yet, and let go of the thread and the timer; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._timer.stop()
        if self._flush(_LAST_SWEEP) and self.project is not None:
            let_go(self.project.folder)
        self._session.truths.changed.disconnect(self._on_truths)
        self._session.viewer.layers.events.removing.disconnect(self._on_removing)
        self._thread.shutdown()
        self.copies.close()
        self.files.close()
        self._main.close()
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _take_over(self, project: Project) -> None:
        if self.project is not None:
            let_go(self.project.folder)
        take(project.folder)
        self.project = project

    def _tick(self) -> None:
        self._timer.setInterval(round(1000 * preferences().autosave_interval))
        if self._running is not None and not self._running.done():
            return
        work = self._work(_SWEEP)
        if work is not None:
            self._start(work).add_done_callback(lambda future: self._main.post(lambda: self._done(future, work)))

    def _start(self, work: Work) -> Future[None]:
        self._running = self._thread.submit(write_all, work)
        return self._running

    def _work(self, sweep: int) -> Work | None:
        if self.project is None and not self._session.truths.all() and not len(self._session.boxes):
            return None
        try:
            project = self.ensure_project()
        except AitrainError as error:
            self._on_problem(error)
            return None
        writers = list(self._writers.values())
        return Work(project, kept_state(self._session, project), [(w, w.changes.take()) for w in writers], sweep)

    def _done(self, future: Future[None], work: Work) -> None:
        error = future.exception()
        if error is None:
            touch_boxes(self._session, work)
            self._on_saved(work.wrote)
        elif isinstance(error, AitrainError):
            self._on_failed(error, work)
        else:
            raise error

    def _on_saved(self, wrote: bool = True) -> None:
        recovered, self.problem = bool(self.problem), ""
        if wrote or recovered:
            self.saved_at = time.time()
            self.saved.emit()

    def _on_failed(self, error: AitrainError, work: Work) -> None:
        for writer, tiles in work.tiles:
            writer.changes.put_back(tiles)
        self._on_problem(error)

    def _on_problem(self, error: AitrainError) -> None:
        # The same trouble every few seconds is told once.
        told, self.problem = self.problem, str(error)
        if told != self.problem:
            self.failed.emit(self.problem)

    def _state_changed(self) -> bool:
        state: ProjectState = self.project.state if self.project else ProjectState()
        return self.project is not None and kept_state(self._session, self.project) != state

    def _on_truths(self) -> None:
        truths = {truth.key: truth for truth in self._session.truths.all()}
        for key in [key for key in self._writers if key not in truths]:
            self._writers.pop(key).close()
        for key, truth in truths.items():
            if key in self._writers and not fits(self._writers[key], truth):
                self._writers.pop(key).close()
            if key not in self._writers:
                self._writers[key] = writer_of(self._session, truth, saved=self._stored(key))

    def _stored(self, key: str) -> bool:
        return self.project is not None and any(kept.key == key for kept in self.project.state.truths)

    def _on_removing(self, event: Any) -> None:
        """Save a ground truth before its layer goes."""
        layer = self._session.viewer.layers[event.index]
        if self._session.truths.of_layer(layer.name) is not None:
            self._flush(_LAST_SWEEP)
