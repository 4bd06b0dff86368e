"""The state that the docks of one viewer share. It outlives every dock, and holds no widget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QCoreApplication

from ..errors import AitrainError
from .box_list import BoxList
from .notify import report

if TYPE_CHECKING:
    import napari

    from .canvas_tool import CanvasTool
    from .train.steps import Step


class Session:
    """What is being annotated, trained and looked at in one viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Held as long as the session; use `session_of`, so that there is one per viewer.

    Attributes
    ----------
    boxes : BoxList
        Every box, on whichever image.
    truths : annotate.GroundTruths
        Which labels layers are ground truth, of which image, with which classes.
    saver : annotate.Saver
        Keeps labels and boxes in the project folder.
    elsewhere : annotate.Elsewhere
        Shows what is painted of sparse ground truth outside of the part that is painted now.
    history : annotate.History
        Undo and redo over boxes and classes.
    scene : annotate.BoxScene
        Shows the boxes over the layers.
    jobs : jobs.JobCenter
        The worker, and the jobs that are followed.
    predictions : review.Predictions
        Prediction layers, the threshold, and what the worker is asked to predict next.
    evaluations : evaluate.Evaluations
        What evaluations of models found, and which box of one is shown.
    suggestions : suggest.Suggestions
        What to label next, and when to train again.
    training_set : train.SourcesModel
        What the Train dock trains on.
    training_settings : dict
        What its form shows, if it was opened; it is shown again when the dock is.
    training_step : str or None
        The step of the Train dock that is shown; None is one page with everything.
    classifying : classify.Classifying
        Classes of objects and boxes: what was marked, and what a classifier says.
    weights : weights.Downloads
        Weights of other people's networks, and what is being fetched.
    remotes : remote.Remotes
        Models behind URLs: tested, and saved in the model store.
    ending : dict of object to str
        What runs in the window and would end with it, by who runs it: a sentence each, for who closes the window.
    tool : CanvasTool or None
        The mouse tool in hand; taking another puts it back.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        from .annotate.elsewhere import Elsewhere
        from .annotate.history import History
        from .annotate.saver import Saver
        from .annotate.scene import BoxScene
        from .annotate.truths import GroundTruths
        from .classify.classifying import Classifying
        from .evaluate.evaluations import Evaluations
        from .jobs.center import JobCenter
        from .remote.remotes import Remotes
        from .review.predictions import Predictions
        from .suggest.suggestions import Suggestions
        from .train.sources_model import SourcesModel
        from .weights.downloads import Downloads

        self.viewer = viewer
        self._closed = False
        self.tool: CanvasTool | None = None
        self.boxes = BoxList()
        self.truths = GroundTruths(viewer)
        self.history = History(self.boxes, self.truths)
        self.saver = Saver(self)
        self.scene = BoxScene(self)
        self.jobs = JobCenter()
        self.predictions = Predictions(self)
        self.evaluations = Evaluations(self)
        self.suggestions = Suggestions(self)
        self.classifying = Classifying(self)
        self.elsewhere = Elsewhere(self)
        self.training_set = SourcesModel(self)
        self.weights = Downloads()
        self.remotes = Remotes()
        self.training_settings: dict[str, Any] = {}
        self.training_step: Step | None = None
        self.ending: dict[object, str] = {}
        # Whether or not a dock shows it.
        self.saver.failed.connect(_tell_unsaved)
        # The last window is only destroyed when Python ends, which is too late to save anything.
        application = QCoreApplication.instance()
        assert application is not None
        self._application = application
        application.aboutToQuit.connect(self.close)

    def close(self) -> None:
        """Save what is not saved yet, and let go of threads, timers and processes; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        _sessions.pop(self.viewer, None)
        self._application.aboutToQuit.disconnect(self.close)
        self.suggestions.close()
        self.classifying.close()
        self.elsewhere.close()
        self.saver.close()
        self.predictions.close()
        self.evaluations.close()
        self.training_set.close()
        self.weights.close()
        self.remotes.close()
        self.jobs.close()
        self.scene.close()
        self.truths.close()


def _tell_unsaved(text: str) -> None:
    report(f"{text}\nNothing is lost: it is tried again every few seconds.")


_sessions: dict[Any, Session] = {}


def session_of(viewer: napari.Viewer) -> Session:
    """Return the session of a viewer, made on first use and closed with its window.

    Raises
    ------
    AitrainError
        If there is no viewer, as when a dock is made outside of napari.
    """
    if viewer is None:
        raise AitrainError("there is no viewer", "a window of napari", "open the dock from napari's menu Plugins")
    # Plugins are given a proxy, a new one each time.
    real = getattr(viewer, "__wrapped__", viewer)
    if real not in _sessions:
        from .jobs.closing import CloseQuestion

        session = _sessions[real] = Session(real)
        CloseQuestion(real.window._qt_window, session.jobs, session.ending)
        real.window._qt_window.destroyed.connect(session.close)
    return _sessions[real]
