"""Run one server until it is told to stop."""

from __future__ import annotations

import logging

import uvicorn
from threadpoolctl import threadpool_limits

from autonoe_nace.model_uri import PREFIX
from autonoe_nace.serving.app import ServingApp
from autonoe_nace.serving.holder import ModelHolder
from autonoe_nace.serving.settings import ServingSettings


def serve(settings: ServingSettings) -> None:
    """Serve until SIGTERM or SIGINT; requests in progress are answered first.

    Raises
    ------
    AutonoeError
        If the model is a folder and cannot be served. A model of the registry is awaited instead.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    holder = ModelHolder(settings)
    if not settings.model.startswith(PREFIX):
        holder.load()
    config = uvicorn.Config(
        ServingApp(settings, holder).asgi(),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,  # each prediction is logged by the app, and paths hold nothing else
        server_header=False,
        ws="none",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
    )
    # the products are small: with a second thread each waits for the other, five times slower
    with threadpool_limits(limits=1):
        uvicorn.Server(config).run()
