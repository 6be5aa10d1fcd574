// Leads a client with constant hosts to the sandbox: node --require ./redirect.cjs client.js
// Calls of fetch, https and what uses them to Meta's hosts go to SANDBOX_URL. Nothing else of the client changes.
"use strict";
const http = require("node:http");
const https = require("node:https");

const sandbox = new URL(process.env.SANDBOX_URL ?? "http://127.0.0.1:8077");
const isMeta = (host) => /(^|\.)(facebook|instagram)\.com$/.test(host);

const realFetch = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const request = new Request(input, init);
  const url = new URL(request.url);
  if (!isMeta(url.hostname)) return realFetch(request);
  url.protocol = sandbox.protocol;
  url.host = sandbox.host;
  return realFetch(new Request(url, request));
};

const realRequest = https.request;
https.request = (options, ...rest) => {
  const host = options.hostname ?? options.host;
  if (!isMeta(host)) return realRequest(options, ...rest);
  const here = { protocol: sandbox.protocol, hostname: sandbox.hostname, host: undefined, port: sandbox.port };
  return http.request({ ...options, ...here, agent: undefined }, ...rest);
};
