// Requests to the API server.

/** Return what the page's frame says. @param {string} name */
export const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.getAttribute("content") ?? "";
export const ROOT = meta("root");
const FORM_TOKEN = meta("form-token");

/**
 * What an answer without a text means.
 * @type {Record<number, string>}
 */
const ANSWERS = {
  401: "You are not logged in to Airflow any more. Log in in another tab, then go on here: what you have typed stays.",
  403: "You do not have permission to do this.",
  404: "Airflow does not have this any more.",
  409: "Somebody else has changed this at the same moment. Look at it again.",
};
const FAILED = "Airflow could not answer, because of an error in its API server, whose log says more.";

/** Something that was refused or has failed, in a sentence. */
export class RequestError extends Error {
  /** @param {string} message @param {number} status @param {any} content What the answer says beyond that. */
  constructor(message, status = 0, content = null) {
    super(message);
    this.status = status;
    this.content = content;
  }
}

/**
 * Send a request, and return the content of the answer with its ETag; null if the page shows it already.
 * @param {string} path
 * @param {RequestInit} options
 */
export async function request(path, options = {}) {
  let answer;
  try {
    answer = await fetch(`${ROOT}/calendar/api/${path}`, { credentials: "same-origin", ...options });
  } catch {
    const next = options.method ? "Look at the post again before you repeat this" : "The page tries again by itself";
    throw new RequestError(`Airflow cannot be reached. ${next}.`);
  }
  if (answer.status === 304) return null;
  const content = await answer.json().catch(() => null); // a proxy's page, or an answer that was cut off
  if (answer.ok && content !== null) return { content, etag: answer.headers.get("ETag") ?? "" };
  throw refusal(answer.status, content, Boolean(options.method));
}

/** Return why a request was refused. @param {number} status @param {any} content @param {boolean} isWrite */
function refusal(status, content, isWrite) {
  const isOurs = status !== 401 && status < 500;
  const given = isOurs && typeof content?.detail === "string" && content.detail;
  const words = ANSWERS[status];
  const next = isWrite ? (words ? "Nothing was changed." : "Look at the post before you try again.") : "";
  return new RequestError(given || `${words ?? FAILED} ${next}`.trim(), status, content);
}

/** Send something to be written. @param {string} path @param {Record<string, unknown>} body */
export async function send(path, body) {
  const answer = await request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...body, form_token: FORM_TOKEN }),
  });
  return answer?.content;
}

/**
 * Upload a file. `fetch` does not say how much of it is sent.
 * @param {string} path @param {File} file
 * @param {(share: number) => void} told Hears which share of it is sent.
 * @param {AbortSignal} signal Ends an upload that has something to send still. After that, the server's answer counts.
 * @returns {Promise<any>}
 */
export function upload(path, file, told, signal) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("POST", `${ROOT}/calendar/api/${path}`);
    sending.responseType = "json";
    sending.setRequestHeader("Content-Type", "application/octet-stream");
    sending.setRequestHeader("X-Form-Token", FORM_TOKEN);
    sending.upload.addEventListener("progress", ({ loaded, total }) => {
      if (signal.aborted && loaded < total) sending.abort();
      else told(loaded / (total || 1));
    });
    sending.addEventListener("loadend", () => {
      const { status, response } = sending;
      if (status === 200 && response) resolve(response);
      else if (status) reject(refusal(status, response, true));
      else reject(new RequestError("Airflow cannot be reached. Look at the list of files before you repeat this."));
    });
    sending.send(file);
  });
}

/** Do something to a post. @param {Record<string, unknown>} body */
export const post = (body) => send("acts", body);
