"""The environment in which the project's tools run: quiet, offline, at home in the checkout."""

import os
import sys
from pathlib import Path

__all__ = ["tool_environment"]

QUIET = {
    "DO_NOT_TRACK": "true",  # literally: MLflow does not know 1
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "modemap",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_CLI_PROMPT": "false",
}


def tool_environment(root: Path) -> dict[str, str]:
    """Return a copy of this process's environment in which this Python and its tools come first."""
    environment = {**os.environ, **QUIET}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment.setdefault("PREFECT_HOME", str(root / ".prefect"))
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # without .pyc files every start is slow
    return environment
