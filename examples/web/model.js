// A model of `yt8m-export --format=onnx`, run by onnxruntime-web.

/**
 * Opens a model.
 *
 * @param {object} ort - the module onnxruntime-web.
 * @param {string} url - of the .onnx file.
 * @returns {Promise<{bytes: number, predict: function(object):
 *     Promise<Float32Array>}>} its size, and a function from a record to the
 *     scores of all classes.
 */
export async function openModel(ort, url) {
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(
      `${url}: expected a model of yt8m-export --format=onnx. ` +
        `Received: HTTP status ${response.status}`,
    );
  }
  const content = new Uint8Array(await response.arrayBuffer());
  const session = await ort.InferenceSession.create(content, {
    executionProviders: ["wasm"],
  });
  const shapes = Object.fromEntries(
    session.inputMetadata.map(({ name, shape }) => [name, shape]),
  );
  const predict = async (record) => {
    const inputs =
      "frames" in shapes
        ? frameInputs(ort, record, shapes.frames)
        : videoInputs(ort, record, shapes.features);
    const { predictions } = await session.run(inputs);
    return predictions.data;
  };
  return { bytes: content.length, predict };
}

function videoInputs(ort, record, shape) {
  const size = shape[1];
  if (record.features?.length !== size) {
    throw new Error(
      `expected a record of ${size} features. Received: ` +
        `${record.features?.length ?? "none"}`,
    );
  }
  const features = Float32Array.from(record.features);
  return { features: new ort.Tensor("float32", features, [1, size]) };
}

function frameInputs(ort, record, shape) {
  const [, taken, size] = shape;
  const wrong = record.frames?.find((frame) => frame.length !== size);
  if (!record.frames || wrong) {
    throw new Error(
      `expected frames of ${size} values. Received: ${wrong?.length ?? "none"}`,
    );
  }
  const chosen = chooseFrames(record.frames, taken);
  const frames = new Uint8Array(taken * size);
  chosen.forEach((frame, i) => frames.set(frame, i * size));
  return {
    frames: new ort.Tensor("uint8", frames, [1, taken, size]),
    num_frames: new ort.Tensor("int32", Int32Array.of(chosen.length), [1]),
  };
}

/**
 * Chooses frames evenly: the middles of as many equal parts as are taken.
 *
 * @param {Array} frames - all frames of a video.
 * @param {number} taken - how many the model takes.
 * @returns {Array} those frames; all where there are no more.
 */
export function chooseFrames(frames, taken) {
  if (frames.length <= taken) {
    return frames;
  }
  return Array.from(
    { length: taken },
    (_, i) => frames[Math.floor(((2 * i + 1) * frames.length) / (2 * taken))],
  );
}

/**
 * Finds the best classes.
 *
 * @param {Float32Array} scores - of all classes.
 * @param {number} count - how many to find.
 * @returns {number[]} their numbers, best first; the lower first among equals.
 */
export function bestClasses(scores, count) {
  return Array.from(scores.keys())
    .sort((a, b) => scores[b] - scores[a] || a - b)
    .slice(0, count);
}
