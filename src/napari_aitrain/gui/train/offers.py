"""What the form of a training offers to choose from: classes, tags and images; and what its filters leave."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ...annotation.choosing import Choice
from .classes import classes_of
from .telling import left_words

if TYPE_CHECKING:
    from ..session import Session
    from .form import TrainForm

_FILTERS = ("statuses", "tags", "changed_since", "changed_until")


class Offers:
    """Keeps the choices of a form current.

    Parameters
    ----------
    session : Session
        Of the window.
    form : TrainForm
        Where they are shown.
    """

    def __init__(self, session: Session, form: TrainForm) -> None:
        self._session, self._form = session, form
        self._seen: set[int] = set()

    def show(self) -> None:
        """Offer what there is now."""
        model = self._session.training_set
        self._form.set_classes(*classes_of(model.truths(), self._seen))
        self._form.set_tags(Counter(tag for box in model.boxes() for tag in set(box.tags)))
        images = [layer.name for layer in self._session.viewer.layers if layer._type_string == "image"]
        self._form.set_images(images)
        self.tell_left()

    def saw(self, classes: set[int]) -> None:
        """Offer classes that were found in labels, too."""
        self._seen = classes
        self.show()

    def tell_left(self) -> None:
        """Say how many boxes the filters leave."""
        chosen = self._form.value()
        choice = Choice(*(chosen[name] for name in _FILTERS))
        self._form.set_left(left_words(choice, self._session.training_set.boxes()))
