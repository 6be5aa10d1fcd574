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
  const isOurs = answer.status !== 401 && answer.status < 500;
  const given = isOurs && typeof content?.detail === "string" && content.detail;
  const words = ANSWERS[answer.status];
  const next = options.method ? (words ? "Nothing was changed." : "Look at the post before you try again.") : "";
  throw new RequestError(given || `${words ?? FAILED} ${next}`.trim(), answer.status, content);
}

/** Send something to be written. @param {string} path @param {Record<string, unknown> | File} body */
export async function send(path, body) {
  const isFile = body instanceof File;
  const headers = { "Content-Type": isFile ? "application/octet-stream" : "application/json" };
  const answer = await request(path, {
    method: "POST",
    headers: isFile ? { ...headers, "X-Form-Token": FORM_TOKEN } : headers,
    body: isFile ? body : JSON.stringify({ ...body, form_token: FORM_TOKEN }),
  });
  return answer?.content;
}

/** Do something to a post. @param {Record<string, unknown>} body */
export const post = (body) => send("acts", body);
