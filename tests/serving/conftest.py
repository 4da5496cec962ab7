"""A service of a tiny release, asked in process."""

import pytest
from starlette.testclient import TestClient

from modemap.params import ServeParams
from modemap.serving.app import create_app
from modemap.serving.following import Follower, directory_source
from modemap.serving.served import load_served

ROW = {"delay": 3.0, "distance": 480.0}


@pytest.fixture(scope="session")
def served(tiny_release):
    """Return the tiny release as a service has it."""
    return load_served(tiny_release, 1)


@pytest.fixture(scope="session")
def make_service(tiny_release):
    """Return a maker of clients: ``make_service(keys={}, **params)``, ready to answer."""

    def make(keys=None, **params):
        hosts = params.pop("allowed_hosts", ("testserver",))
        settings = ServeParams(allowed_hosts=hosts, **params)
        follower = Follower(directory_source(tiny_release), settings.follow_seconds)
        follower.look()
        app = create_app(follower, settings, keys or {})
        return TestClient(app, raise_server_exceptions=False)

    return make


@pytest.fixture(scope="session")
def client(make_service):
    """Return a client of a service with its usual limits."""
    with make_service() as client:
        yield client
