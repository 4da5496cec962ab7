"""Whatever the OpenAPI document allows, no request makes the service fail."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import checks

from modemap.params import ServeParams
from modemap.serving.app import create_app
from modemap.serving.following import Follower, directory_source

OPERATIONS = {
    ("/v1/score", "POST"),
    ("/v1/explain", "POST"),
    ("/v1/encode", "POST"),
    ("/v1/decode", "POST"),
    ("/v1/sample", "GET"),
    ("/v1/models", "GET"),
    ("/healthz", "GET"),
    ("/readyz", "GET"),
    ("/metrics", "GET"),
    ("/ping", "GET"),
    ("/invocations", "POST"),
}


@pytest.fixture(scope="module")
def document(tiny_release):
    """Return the document of a service that answers, as schemathesis reads it."""
    follower = Follower(directory_source(tiny_release), 60.0)
    follower.look()
    app = create_app(follower, ServeParams(allowed_hosts=("*",)), {})
    return schemathesis.openapi.from_asgi("/openapi.json", app)


def test_every_operation_is_asked(document):
    """The list of what is asked is the document's."""
    found = {(op.ok().path, op.ok().method.upper()) for op in document.get_all_operations()}

    assert found == OPERATIONS


def test_a_canary_s_routes_take_a_key(document):
    """Those, and no others: /v1/explain is always the champion's."""
    found = {
        op.ok().path
        for op in document.get_all_operations()
        if any(header.name == "X-Modemap-Key" for header in op.ok().headers)
    }

    assert found == {"/v1/score", "/invocations"}


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method"), sorted(OPERATIONS))
def test_no_request_makes_the_service_fail(document, path, method):
    """No answer says that the service failed, nor shows its insides."""

    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=document[path][method].as_strategy())
    def ask(case):
        answer = case.call()
        case.validate_response(answer, checks=[checks.not_a_server_error])
        assert "Traceback" not in answer.text

    ask()
