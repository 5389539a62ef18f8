"use strict";

/* Content of the page: columns of differences become times, and tracks that are followed. */

/** Return the sums of the first differences, one after the other. */
function sums(differences) {
  const found = new Float64Array(differences.length);
  let reached = 0;
  for (let i = 0; i < differences.length; i++) found[i] = reached += differences[i];
  return found;
}

/** Return how many of ascending times are not after a time. */
function countUntil(times, time) {
  let low = 0, high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) low = middle + 1; else high = middle;
  }
  return low;
}

/** The states of many things, each of which changes at single times. */
class Track {
  constructor(times, ids, values, count, first) {
    Object.assign(this, { times, ids, values, first });
    this.now = new Int32Array(count).fill(first);
    this.place = 0;
  }

  /** Go to a time; call back with each thing whose state may have changed. */
  seek(time, changed) {
    if (this.place > 0 && this.times[this.place - 1] > time) {
      this.now.fill(this.first);
      this.place = 0;
      for (let i = 0; i < this.now.length; i++) changed(i);
    }
    while (this.place < this.times.length && this.times[this.place] <= time) {
      const id = this.ids[this.place];
      this.now[id] = this.values[this.place];
      changed(id);
      this.place++;
    }
  }
}

const NOBODY = -1;

/* Where a task is on the board: the numbers in the content, in the order of its names for them. */
const [NOT_READY, TO_DO, CLAIMED, DOING, UNMARKED, IN_REVIEW, DONE, WRONG] = Array(8).keys();

/** Return a promise of the text that is in the page, compressed (zlib) and in base 64. */
function readText() {
  const packed = atob(document.getElementById("data").textContent);
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

/** Return a promise of the content of the page, all its parts in one, with times in ticks from 0. */
async function readContent() {
  const parts = JSON.parse(await readText());
  const content = Object.assign({}, ...Object.values(parts));
  for (const columns of Object.values(content)) {
    if (columns && Array.isArray(columns.t)) columns.t = sums(columns.t);
  }
  content.end = Math.round(content.makespan_s / content.tick_s);
  content.team = content.places.length;
  return content;
}

/** Return a time as a reader says it. */
function secondsAsText(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 600) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds), two = (n) => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)} min`;
}

const wholeNumbers = new Intl.NumberFormat("en-US");
