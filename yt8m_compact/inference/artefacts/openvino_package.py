"""The package of OpenVINO, without what reports to its makers."""

import sys
import types

_TELEMETRY = "openvino_telemetry"


def load() -> types.ModuleType:
    """Imports OpenVINO, which then sends nothing.

    By itself its import reports that it is used, and so does its converter,
    unless a file in the home folder says no or `CI=true`. It does without where
    the package that sends is missing: here it is, as long as that import takes.

    Returns:
        The package.

    Raises:
        ImportError: if it is not installed.
    """
    if sys.modules.get("openvino"):
        return sys.modules["openvino"]
    before = {
        name: module
        for name, module in sys.modules.items()
        if name.partition(".")[0] == _TELEMETRY
    }
    for name in before:
        del sys.modules[name]
    sys.modules[_TELEMETRY] = (
        None  # What imports it is told that there is none.
    )
    try:
        import openvino
    finally:
        del sys.modules[_TELEMETRY]
        sys.modules.update(before)
    return openvino
