// Days are texts like 2030-05-06. Arithmetic is in UTC, so that no change of the clock moves a day.

/** @param {number} number */
const pad = (number) => String(number).padStart(2, "0");
/** @param {Date} date */
export const asDay = (date) => `${date.getUTCFullYear()}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`;
/** @param {string} day */
export const fromDay = (day) => new Date(`${day}T00:00:00Z`);
/** @param {string} day @param {number} days */
export const addDays = (day, days) => asDay(new Date(fromDay(day).getTime() + days * 86400000));
/** @param {string} day */
export const monday = (day) => addDays(day, -((fromDay(day).getUTCDay() + 6) % 7));
/** @param {string} text */
export const isDay = (text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(fromDay(text).getTime());

/** @param {Date} date */
const localDay = (date) => `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
export const today = () => localDay(new Date());

/** Making one takes longer than its use. @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();
/** Write a moment as the browser's language does. @param {Date} at @param {Intl.DateTimeFormatOptions} options */
function written(at, options) {
  const key = JSON.stringify(options);
  const format = formats.get(key) ?? new Intl.DateTimeFormat(undefined, options);
  formats.set(key, format);
  return format.format(at);
}
/** @param {string} day @param {Intl.DateTimeFormatOptions} options */
export const inWords = (day, options) => written(fromDay(day), { timeZone: "UTC", ...options });
/** Return a day with its weekday, such as "Monday 6 May". @param {string} day */
export const longDay = (day) => inWords(day, { weekday: "long", day: "numeric", month: "long" });
/** The times of a day as they are written: each draw asks for those of thousands of posts. @type {Map<string, string>} */
const times = new Map();
/** Return a time of a day, such as 08:30. @param {string} time */
export function timeOfDay(time) {
  const known = times.get(time);
  if (known) return known;
  const text = written(new Date(`1970-01-01T${time}Z`), { timeZone: "UTC", hour: "2-digit", minute: "2-digit" });
  times.set(time, text);
  return text;
}
/** Return a local time with its day. @param {string} local */
export const localInWords = (local) =>
  `${inWords(local.slice(0, 10), { weekday: "short", day: "numeric", month: "short" })}, ${timeOfDay(local.slice(11))}`;
/** Return a moment in the viewer's zone. @param {string | number | Date} at @param {Intl.DateTimeFormatOptions} more */
export const moment = (at, more = {}) =>
  written(new Date(at), { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", ...more });

/**
 * Return when a post is published, in the calendar's zone or the viewer's.
 * @param {import("./state.js").Card} card
 * @param {string} zone
 */
export function whenOf(card, zone) {
  if (zone !== "mine") return { day: card.local.slice(0, 10), time: timeOfDay(card.local.slice(11)) };
  const at = new Date(card.at * 1000);
  return { day: localDay(at), time: timeOfDay(`${pad(at.getHours())}:${pad(at.getMinutes())}`) };
}

/** Return how long a number of seconds is, in words. @param {number} seconds */
export function length(seconds) {
  const minutes = Math.max(0, Math.round(seconds / 60));
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h${minutes % 60 ? ` ${minutes % 60} min` : ""}` : `${Math.floor(hours / 24)} days`;
}
/** Return a local time that is so many minutes later. @param {string} local @param {number} minutes */
export const later = (local, minutes) => new Date(Date.parse(`${local}Z`) + minutes * 60000).toISOString().slice(0, 16);
