"""TensorFlow Serving's REST form of requests and of their answers.

As https://www.tensorflow.org/tfx/serving/api_rest says: rows (`instances`) or
columns (`inputs`), binary values as `{"b64": ...}`, and text as it is: no
output's name here ends with `_bytes`.
"""

import base64
import json
from typing import Any

import numpy as np
import tensorflow as tf


def answer(loaded: Any, body: bytes | str) -> str:
    """Answers a request as TensorFlow Serving does.

    Args:
        loaded: a SavedModel that was loaded.
        body: the JSON of the request.

    Returns:
        The JSON of the answer.
    """
    request = json.loads(body)
    name = request.get("signature_name", "serving_default")
    signature = loaded.signatures[name]
    specs = signature.structured_input_signature[1]
    rows = request.get("instances")
    if rows is None:
        columns = request["inputs"]
    else:
        if len(specs) == 1 and not isinstance(rows[0], dict):
            rows = [{next(iter(specs)): row} for row in rows]
        if len(specs) == 1 and "b64" in rows[0]:
            rows = [{next(iter(specs)): row} for row in rows]
        columns = {key: [row[key] for row in rows] for key in rows[0]}
    assert columns.keys() == specs.keys(), (columns.keys(), specs.keys())
    inputs = {
        key: tf.constant(_decode(value), specs[key].dtype)
        for key, value in columns.items()
    }
    outputs = {
        key: _encode(value.numpy())
        for key, value in signature(**inputs).items()
    }
    if rows is None:
        return json.dumps({"outputs": outputs}, allow_nan=False)
    for value in outputs.values():
        assert len(value) == len(rows)  # By rows, each output has one for each.
    predictions = [
        {key: value[number] for key, value in outputs.items()}
        for number in range(len(rows))
    ]
    return json.dumps({"predictions": predictions}, allow_nan=False)


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        assert value.keys() == {"b64"}
        return base64.b64decode(value["b64"], validate=True)
    return [_decode(one) for one in value] if isinstance(value, list) else value


def _encode(value: np.ndarray) -> Any:
    if value.dtype == object:
        return np.vectorize(bytes.decode, otypes=[object])(value).tolist()
    return value.tolist()
