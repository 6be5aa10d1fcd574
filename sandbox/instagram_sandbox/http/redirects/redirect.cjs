// Leads a client with constant hosts to the sandbox: node --require ./redirect.cjs client.js
// Calls of fetch, http, https and what uses them to Meta's hosts go to SANDBOX_URL, with a header that names the host.
// Any other look-up of Meta's hosts fails, so that no other library calls Meta.
"use strict";
const dns = require("node:dns");
const http = require("node:http");
const https = require("node:https");
const { syncBuiltinESMExports } = require("node:module");
const { urlToHttpOptions } = require("node:url");

const sandbox = new URL(process.env.SANDBOX_URL ?? "http://127.0.0.1:8077");
const isMeta = (host) => /(^|\.)(facebook|instagram)\.com\.?$/i.test(host);
const HEADER = "x-meta-host";

const realFetch = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const request = new Request(input, init);
  const url = new URL(request.url);
  if (!isMeta(url.hostname)) return realFetch(request);
  const host = url.hostname;
  url.protocol = sandbox.protocol;
  url.host = sandbox.host;
  const led = new Request(url, request);
  led.headers.set(HEADER, host);
  return realFetch(led);
};

for (const name of ["request", "get"]) {
  const hereInstead = http[name];
  for (const module of [http, https]) {
    const real = module[name];
    module[name] = (...given) => {
      const link = typeof given[0] === "string" ? new URL(given[0]) : given[0];
      const ofLink = link instanceof URL ? [urlToHttpOptions(link)] : [];
      const rest = given.slice(ofLink.length);
      const more = typeof rest[0] === "function" ? [] : rest.splice(0, 1);
      const options = Object.assign({}, ...ofLink, ...more);
      const host = options.hostname ?? options.host;
      if (!isMeta(host)) return real(...given);
      const here = { protocol: sandbox.protocol, hostname: sandbox.hostname, host: undefined, port: sandbox.port };
      const headers = Array.isArray(options.headers) ? options.headers : { ...options.headers, [HEADER]: host };
      return hereInstead({ ...options, ...here, headers, agent: undefined }, ...rest);
    };
  }
}

const realLookup = dns.lookup;
dns.lookup = (host, ...rest) => {
  if (!isMeta(host)) return realLookup(host, ...rest);
  rest.at(-1)(new Error(`redirect.cjs cannot lead this call to the sandbox, and has stopped the look-up of ${host}`));
};
syncBuiltinESMExports(); // for import { get } from "node:https"
