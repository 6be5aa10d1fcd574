// The curve of a post in Results, drawn by uPlot (uplot.mjs), which is loaded with it.

import { hostWindow } from "./dom.js";
import { short } from "./state.js";

/** @typedef {import("./results.js").Table} Table */

const LIBRARY = "./uplot.mjs"; // as a value, because the library has no types in this form
const HEIGHT = 240; // in pixels
const LETTER = 7.5; // the width of a letter of a label, in pixels
/** What is drawn in an element. @type {WeakMap<HTMLElement, any>} */
const drawn = new WeakMap();

/** Return a colour of the page's theme. @param {string} name */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
/** @param {unknown} cell */
const number = (cell) => (typeof cell === "number" ? cell : null);
/** @param {string} label */
const cut = (label) => (label.length > 18 ? `${label.slice(0, 17)}…` : label);

/** Return whether a table is a curve with a number. @param {Table} table */
export const drawable = ({ name, rows }) => name === "curve" && rows.some((row) => number(row[1]) !== null);

/**
 * Draw a curve into an element.
 * @param {HTMLElement} element @param {Table} table
 */
export async function draw(element, table) {
  const { default: Plot } = await import(LIBRARY);
  const rows = table.rows;
  const labels = rows.map((row) => cut(short(String(row[0]))));
  const places = labels.map((_, place) => place);
  /** @param {number} column */
  const numbers = (column) => rows.map((row) => number(row[column]));
  const [main, soft, ink, line] = ["main", "soft", "ink", "line"].map(colour);
  const longest = Math.max(...labels.map((label) => label.length));
  const isSlanted = labels.length * longest * LETTER > element.clientWidth - 80;
  const middle = { stroke: soft, width: 2, dash: [6, 5], points: { show: false } };
  const own = { stroke: main, width: 3, points: { show: true, size: 7, fill: main } };
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const options = {
    width: Math.max(260, element.clientWidth),
    height: HEIGHT + (isSlanted ? 60 : 0),
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: [-0.5, labels.length - 0.5] },
      y: {
        range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ most) => [0, (most || 1) * 1.08],
      },
    },
    series: [{}, middle, own],
    axes: [
      {
        ...axis,
        grid: { show: false },
        splits: () => places,
        values: () => labels,
        rotate: isSlanted ? -50 : 0,
        size: isSlanted ? 110 : 34,
      },
      { ...axis, size: 70 },
    ],
  };
  const data = [places, numbers(2), numbers(1)];
  drawn.get(element)?.destroy();
  const plot = new Plot(options, data, element);
  drawn.set(element, plot);
  new ResizeObserver(() => plot.setSize({ width: Math.max(260, element.clientWidth), height: options.height })).observe(
    element,
  );
}

/** Save a file. The sandbox of Airflow's frame allows no download, but the frame's owner may. @param {Blob} file @param {string} name */
export function save(file, name) {
  const owner = hostWindow()?.document ?? document;
  const href = URL.createObjectURL(file);
  const link = Object.assign(owner.createElement("a"), { href, download: name });
  owner.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(href), 60000);
}
