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

/** @param {string} day @param {Intl.DateTimeFormatOptions} options */
export const inWords = (day, options) => fromDay(day).toLocaleDateString("en-GB", { timeZone: "UTC", ...options });
const LONG_DAY = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", weekday: "long", day: "numeric", month: "long" });
/** Return a day with its weekday, such as "Monday 6 May". @param {string} day */
export const longDay = (day) => LONG_DAY.format(fromDay(day));
/** Return a moment in the viewer's zone. @param {string | number | Date} at @param {Intl.DateTimeFormatOptions} more */
export const moment = (at, more = {}) =>
  new Date(at).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", ...more });

/**
 * Return when a post is published, in the calendar's zone or the viewer's.
 * @param {import("./state.js").Card} card
 * @param {string} zone
 */
export function whenOf(card, zone) {
  if (zone !== "mine") return { day: card.local.slice(0, 10), time: card.local.slice(11) };
  const at = new Date(card.at * 1000);
  return { day: localDay(at), time: `${pad(at.getHours())}:${pad(at.getMinutes())}` };
}

/** Return how long a number of seconds is, in words. @param {number} seconds */
export function length(seconds) {
  const minutes = Math.max(0, Math.round(seconds / 60));
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}
