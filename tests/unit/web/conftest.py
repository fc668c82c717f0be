"""Kitwai's application under a real Airflow auth manager with real tokens, without a server."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from kitwai.store.store import Store
from kitwai_lab.bench.records import fill

CLUSTERS = ("a_cluster", "b_cluster")
BROKEN = "broken_cluster"
ADMIN, VIEWER, NOBODY = "admin", "viewer", "nobody"
ROLES = {ADMIN: "ADMIN", VIEWER: "VIEWER", NOBODY: None}
API = "/kitwai/api/v1"


@dataclass
class Web:
    """``app``: a root application like Airflow's, with its middlewares; Kitwai lies below it."""

    app: Any
    kitwai: Any
    store: Store
    models: Path
    until: float

    def token(self, user: str = ADMIN, **claims: Any) -> str:
        """A token as Airflow's login gives it."""
        from airflow.api_fastapi.app import get_auth_manager
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        known = SimpleAuthManagerUser(username=user, role=ROLES[user])
        return get_auth_manager().generate_jwt(known, **claims)

    def client(
        self, user: str | None = ADMIN, *, cookie: str | None = None, **headers: str
    ) -> Client:
        """A program with its user's token in the header, or a browser with it in the cookie."""
        if user is not None:
            headers["authorization"] = f"Bearer {self.token(user)}"
        return Client(self.app, headers, {} if cookie is None else {"_token": cookie})


class Client:
    """Asks the application in this process; each request on an event loop of its own."""

    def __init__(self, app: Any, headers: dict[str, str], cookies: dict[str, str]) -> None:
        self._app, self._headers, self._cookies = app, headers, cookies

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("POST", path, **options)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        import asyncio

        async def answer() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport,
                base_url="http://airflow.test",
                headers=self._headers,
                cookies=self._cookies,
            ) as client:
                return await client.request(method, path, **options)

        return asyncio.run(answer())


@pytest.fixture(scope="session")
def _airflow(tmp_path_factory) -> Iterator[Path]:
    """An Airflow database with its tables, users, and connections of clusters."""
    folder = tmp_path_factory.mktemp("web")
    connection = {"conn_type": "spark_cluster", "host": "127.0.0.1", "port": 1}
    pool = {"pool": "local", "pool_directory": str(folder / "pool"), "master": "spark://h:1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'airflow.db'}",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin,{VIEWER}:viewer",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords"),
            "AIRFLOW__API_AUTH__JWT_SECRET": "of the tests " * 6,
            "AIRFLOW__API__SECRET_KEY": "another one of the tests",
            "AIRFLOW__API__BASE_URL": "http://airflow.test",
            "AIRFLOW__KITWAI__CLUSTERS": ",".join((*CLUSTERS, BROKEN)),
            "AIRFLOW__KITWAI__STORE": f"sqlite:///{folder / 'kitwai.db'}",
            "AIRFLOW__KITWAI__MODELS": str(folder / "models"),
            "AIRFLOW_CONN_A_CLUSTER": json.dumps({**connection, "extra": pool}),
            "AIRFLOW_CONN_B_CLUSTER": json.dumps(connection),
            "AIRFLOW_CONN_BROKEN_CLUSTER": json.dumps({**connection, "extra": {"max_worker": 3}}),
        }.items():
            patch.setenv(name, value)
        from airflow import settings
        from airflow.api_fastapi.app import purge_cached_app
        from airflow.models import import_all_models
        from airflow.models.base import Base

        def use_database() -> None:
            settings.dispose_orm(do_log=False)
            settings.configure_vars()
            settings.configure_orm()

        use_database()
        import_all_models()
        Base.metadata.create_all(settings.engine)
        purge_cached_app()
        yield folder
        purge_cached_app()
    use_database()


@pytest.fixture(scope="session")
def web(_airflow, repository) -> Web:
    from airflow.api_fastapi.app import init_auth_manager
    from airflow.api_fastapi.core_api.app import init_middlewares
    from fastapi import FastAPI

    from kitwai.web.app import create_app

    shutil.copytree(repository / "include" / "models", _airflow / "models")
    store = Store(f"sqlite:///{_airflow / 'kitwai.db'}")
    until = time.time()
    fill(store, list(CLUSTERS), until, hours=1.0, step_s=15.0)
    root, kitwai = FastAPI(), create_app()
    root.mount("/kitwai", kitwai)
    init_auth_manager(root)
    init_middlewares(root)
    return Web(root, kitwai, store, _airflow / "models", until)
