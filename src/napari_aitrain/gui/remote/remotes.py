"""The remote models of a session: listed, tested and saved beside the main thread; free of widgets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from psygnal import Signal

from ...errors import AitrainError
from ...inference.remote import add_remote, change_remote, read_remote, remotes
from ...inference.remote.client import Client
from ...inference.remote.testing import Checked, check_connection
from ...models import Model
from ..aside import Aside
from .draft import Draft


class Remotes:
    """What is known of models behind URLs.

    Signals
    -------
    changed
        There is another one, or one has other settings.
    tested : Checked
        What a test has found.
    saved : Model
        What was saved.
    failed : AitrainError
        Why something was not.
    busy : str
        ``test``, ``save`` or empty.
    """

    changed = Signal()
    tested = Signal(object)
    saved = Signal(object)
    failed = Signal(object)
    busy = Signal(str)

    def __init__(self) -> None:
        self._aside: Aside[Any] = Aside()
        self._client: Client | None = None
        self._asked = 0

    def all(self) -> list[Model]:
        """Return the remote models of the store."""
        return remotes()

    def test(self, draft: Draft, folder: Path | None) -> None:
        """Try what stands in a form; `tested` tells.

        Parameters
        ----------
        draft : Draft
            The form.
        folder : Path, optional
            Of the model that it is about, if that is there already.
        """
        try:
            config, headers = draft.config(), self._headers(draft, folder)
        except AitrainError as error:
            self.failed.emit(error)
            return
        self.stop()
        self._asked += 1
        asked = self._asked
        self.busy.emit("test")

        def opened(client: Client) -> None:
            self._client = client

        self._aside.run(
            lambda: check_connection(config, headers, opened=opened), lambda checked: self._tell(asked, checked)
        )

    def stop(self) -> None:
        """Give a test up."""
        self._asked += 1
        client, self._client = self._client, None
        if client is not None:
            client.close()
        self.busy.emit("")

    def save(self, draft: Draft, folder: Path | None) -> None:
        """Save what stands in a form, as a new model or in the place of one; `saved` or `failed` tells."""
        try:
            config, headers = draft.config(), self._headers(draft, folder)
        except AitrainError as error:
            self.failed.emit(error)
            return
        self.busy.emit("save")

        def work() -> Model:
            if folder is None:
                return add_remote(draft.name, config, headers)
            return change_remote(folder, config, headers)

        self._aside.run(work, self._have, self._fail)

    def close(self) -> None:
        """Drop what has not been answered yet."""
        self._aside.close()
        if self._client is not None:
            self._client.close()

    @staticmethod
    def _headers(draft: Draft, folder: Path | None) -> dict[str, str] | None:
        before = None if folder is None else read_remote(folder)
        kept = () if before is None else before.headers
        return draft.headers(kept, before is not None and before.url == draft.config().url)

    def _tell(self, asked: int, checked: Checked) -> None:
        if asked == self._asked:
            self._client = None
            self.busy.emit("")
            self.tested.emit(checked)

    def _have(self, model: Model) -> None:
        self.busy.emit("")
        self.saved.emit(model)
        self.changed.emit()

    def _fail(self, error: AitrainError) -> None:
        self.busy.emit("")
        self.failed.emit(error)
