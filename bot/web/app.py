"""The web application: health for whoever runs the desk, measurements, and what the adapters serve."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.routing import BaseRoute

from storage.database import Database


def create(
    database: Database,
    routes: Sequence[BaseRoute],
    registry: CollectorRegistry,
    troubles: Callable[[], Sequence[str]],
) -> FastAPI:
    """The application. `troubles` says, in sentences, why this process should get no traffic; none when it should."""
    app = FastAPI(title="Deskbell", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/healthz", include_in_schema=False)
    def healthy() -> dict[str, str]:
        """This process lives."""
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    def ready(response: Response) -> dict[str, object]:
        """This process can take work: the store answers and nothing is in trouble."""
        found = [*troubles(), *(() if database.ready() else ("the store does not answer",))]
        response.status_code = 503 if found else 200
        return {"status": "not ready" if found else "ready", "troubles": found}

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        """Measurements in Prometheus' text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    app.router.routes.extend(routes)
    return app
