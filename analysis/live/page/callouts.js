"use strict";

/* Events, written for a moment beside the agents whom they concern. */

const MOST_CALLOUTS = 6;
const CALLOUT_HIGH = 19; // pixels

class Callouts {
  constructor(events) {
    this.events = events;
    this.boxes = [];
  }

  /** Write those of the last so many ticks, the newest first, none over another. */
  draw(stage, pen, now, lasts) {
    const { events } = this, concerned = new Set();
    pen.font = "600 13px system-ui, sans-serif";
    pen.textAlign = "center";
    this.boxes = [];
    for (let i = countUntil(events.t, now) - 1; i >= 0 && concerned.size < MOST_CALLOUTS; i--) {
      const agent = events.agent[i];
      if (now - events.t[i] > lasts) break;
      if (agent === NOBODY || !stage.at[agent] || concerned.has(agent)) continue;
      concerned.add(agent);
      const box = this._free(stage, agent, pen.measureText(events.words[i]).width + 12);
      if (!box) continue; // the list beside the team says it
      this.boxes.push(box);
      this._write(pen, box, events.words[i]);
    }
  }

  /** Return where there is room above or below an agent, if there is. */
  _free(stage, agent, width) {
    const [x, y] = stage.at[agent];
    const left = Math.max(0, Math.min(stage.width - width, x - width / 2));
    for (const beside of [y - stage.radius - CALLOUT_HIGH - 5, y + stage.radius + 5]) {
      const top = Math.max(4, Math.min(stage.height - CALLOUT_HIGH - 1, beside));
      const isFree = this.boxes.every((other) => Math.abs(other.top - top) > CALLOUT_HIGH + 1
        || other.left > left + width || other.left + other.width < left);
      if (isFree) return { left, top, width };
    }
    return null;
  }

  _write(pen, { left, top, width }, words) {
    pen.fillStyle = "#F0E442";
    pen.strokeStyle = "#1b1b1b";
    pen.lineWidth = 1;
    pen.beginPath();
    pen.roundRect(left, top, width, CALLOUT_HIGH, 4);
    pen.fill();
    pen.stroke();
    pen.fillStyle = "#1b1b1b";
    pen.fillText(words, left + width / 2, top + 14);
  }
}
