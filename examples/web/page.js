// The page: loads model, records and names, and shows what is predicted.

import { bestClasses, openModel } from "./model.js";

const ORT = "https://cdn.jsdelivr.net/npm/onnxruntime-web@1.30.0/dist/";
const SHOWN = 10;

const parameters = new URLSearchParams(location.search);
const status = document.getElementById("status");

/** Says where something is: ?name=path, on this server only. */
function urlOf(name, fallback) {
  const text = parameters.get(name);
  if (text === null) {
    return fallback;
  }
  const url = new URL(text, location.href);
  // A link could otherwise have this page run anybody's code.
  if (url.origin !== location.origin) {
    throw new Error(
      `expected ${name} to be a path on this server. Received: ${text}`,
    );
  }
  return url.href;
}

async function load(url, expected) {
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(
      `${url}: expected ${expected}. Received: HTTP status ${response.status}`,
    );
  }
  return response;
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function showClasses(scores, names, record) {
  const rows = bestClasses(scores, SHOWN).map((index) => {
    const name = names?.[index] ?? `class ${index}`;
    const row = document.createElement("li");
    row.classList.toggle("is-label", record.labels.includes(name));
    const track = element("div", "track");
    const bar = element("div", "bar");
    bar.style.width = `${100 * scores[index]}%`;
    track.append(bar);
    const label = element("span", "name", name);
    label.title = name;
    const score = `${(100 * scores[index]).toFixed(1)} %`;
    row.append(label, track, element("span", "score", score));
    return row;
  });
  document.getElementById("classes").replaceChildren(...rows);
  document.getElementById("legend").hidden = false;
}

function showVideos(records, choose) {
  const rows = records.map((record, i) => {
    const row = document.createElement("li");
    const button = element("button", "", record.id);
    button.type = "button";
    button.append(element("small", "", record.labels.join(", ")));
    button.addEventListener("click", () => choose(i));
    row.append(button);
    return row;
  });
  document.getElementById("videos").replaceChildren(...rows);
}

function markChosen(chosen) {
  document.querySelectorAll("#videos button").forEach((button, i) => {
    button.setAttribute("aria-pressed", String(i === chosen));
  });
}

function say(state, text) {
  status.dataset.state = state;
  status.textContent = text;
}

function sayError(error) {
  say("error", error.message);
}

async function main() {
  const dist = urlOf("ort", ORT);
  const ort = await import(`${dist}ort.wasm.min.mjs`);
  ort.env.wasm.wasmPaths = dist;
  ort.env.wasm.numThreads = 1;
  const recordsUrl = urlOf("records", "records.json");
  const records = await (
    await load(recordsUrl, "records of examples/make_records.py")
  ).json();
  let names = null;
  if (parameters.has("classes")) {
    const response = await load(urlOf("classes"), "names, one a line");
    names = (await response.text()).split(/\r?\n/);
  }
  const model = await openModel(ort, urlOf("model", "model.onnx"));

  const choose = async (i) => {
    try {
      markChosen(i);
      const start = performance.now();
      const scores = await model.predict(records[i]);
      const milliseconds = performance.now() - start;
      showClasses(scores, names, records[i]);
      const kilobytes = Math.round(model.bytes / 1000).toLocaleString("en");
      say(
        "ready",
        `A model of ${kilobytes} kB, ${scores.length.toLocaleString("en")} ` +
          `classes, ${milliseconds.toFixed(1)} ms, by onnxruntime-web.`,
      );
    } catch (error) {
      sayError(error);
    }
  };
  showVideos(records, choose);
  const first = Number(location.hash.slice(1)) || 0;
  await choose(Math.min(first, records.length - 1));
}

main().catch(sayError);
