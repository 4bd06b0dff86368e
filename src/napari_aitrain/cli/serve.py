"""The command `serve`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ..serving.settings import PORT, ServeSettings
from . import options
from .output import Output

_BOUNDS = "Bounds"


def serve(
    model: Annotated[str, typer.Argument(help="NAME or NAME/vN of the store, a starter model, or a folder.")],
    host: Annotated[
        str, typer.Option(help="127.0.0.1 serves this computer alone, 0.0.0.0 every computer that reaches it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = PORT,
    open_: Annotated[
        bool, typer.Option("--open", help="Let everybody in who reaches it, without a key, as SCANEO needs.")
    ] = False,
    certificate: Annotated[
        Path | None, typer.Option(help="File with the certificate for https.", exists=True, dir_okay=False)
    ] = None,
    certificate_key: Annotated[
        Path | None, typer.Option(help="File with the certificate's private key.", exists=True, dir_okay=False)
    ] = None,
    waiting: Annotated[
        int,
        typer.Option(
            min=0,
            max=1000,
            rich_help_panel=_BOUNDS,
            help="Requests that may wait beside the one that is computed; more are told that the server is busy.",
        ),
    ] = 8,
    most_mib: Annotated[
        int, typer.Option(min=1, max=4096, help="MiB that one request may have.", rich_help_panel=_BOUNDS)
    ] = 64,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Answer requests with a model, so that other computers predict with this one's GPU.

    Others add it by its address: napari-aitrain remote add NAME URL. Programs that speak the form of SCANEO ask
    URL/segmentation. The key is taken from the variable AITRAIN_SERVE_KEY; where others reach the server and there is
    none, one is made and shown once. Ctrl-C ends it after the requests that are under way.
    """
    from ..inference.remote.address import is_loopback_host
    from ..models import find_model
    from ..serving.engine import Engine
    from ..serving.running import KEY_VARIABLE, check_key, listen

    output = Output(as_json)
    given = os.environ.get(KEY_VARIABLE) or None
    key = check_key(given, host, open_, certificate is not None)
    local = is_loopback_host(host)
    settings = ServeSettings(key=key, local=local, waiting=waiting, most_bytes=most_mib * 2**20)
    engine = Engine(find_model(model), device or "auto")
    listening = listen(engine, settings, host, port, certificate, certificate_key)
    made = key if key is not None and given is None else None
    if not as_json:
        output.say(f"{engine.card.name} answers at {listening.url} on {engine.described()['device']}")
        if made is not None:
            output.say(f"Its key, shown only now: {made}", "bold")
        if key is None and not local:
            output.say("Everybody who reaches this computer may use it: there is no key.", "yellow")
        elif not local and certificate is None:
            output.say("Images and key travel unencrypted; --certificate gives https.", "yellow")
    output.result({"url": listening.url, "model": engine.card.name, "key": made})
    listening.run()
