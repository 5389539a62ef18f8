"use strict";

/* The board: a square for each task, in the column where it is now; a bar a column if they are many. */

const HEAD = 4;
const MOST_SQUARES = 4000;

class Board {
  constructor(content, choose) {
    Object.assign(this, { content, choose, chosen: NOBODY, isStill: false });
    this.hasBars = content.tasks > MOST_SQUARES;
    this.canvas = document.getElementById("board");
    const { moves } = content;
    this.track = new Track(moves.t, moves.task, moves.to, content.tasks, NOT_READY);
    const used = new Set(moves.to).add(TO_DO).add(DOING).add(DONE);
    if (moves.to.length < content.tasks || moves.t.some((t) => t > 0)) used.add(NOT_READY);
    this.columns = content.board.map((name, i) => i).filter((i) => used.has(i));
    if (!this._waits()) this.columns = this.columns.filter((i) => i !== NOT_READY);
    this.counts = new Int32Array(content.board.length);
    this.x = new Float32Array(content.tasks);
    this.y = new Float32Array(content.tasks);
    this.goalX = new Float32Array(content.tasks);
    this.goalY = new Float32Array(content.tasks);
    if (this.hasBars) {
      this.counts[NOT_READY] = content.tasks;
      this.counted = new Uint8Array(content.tasks);
    }
    this.isDirty = true;
    const list = d3.select("#counts").selectAll("li").data(this.columns).join("li");
    this.numbers = list.append("b").nodes();
    list.append("span").text((i) => content.board[i]);
    this.shown = [];
    this.canvas.addEventListener("click", (event) => this.choose(this._taskAt(event)));
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
  }

  /** Return whether any task cannot be started from the beginning. */
  _waits() {
    const { moves, tasks } = this.content;
    const first = new Set(moves.task.slice(0, countUntil(moves.t, 0)));
    return first.size < tasks;
  }

  resize() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const scale = Math.min(2, devicePixelRatio || 1);
    Object.assign(this, { width, height, scale });
    this.canvas.width = width * scale;
    this.canvas.height = height * scale;
    const style = getComputedStyle(this.canvas), colour = (name) => style.getPropertyValue(name).trim();
    this.ink = colour("--ink");
    this.edge = colour("--ring");
    this.column = width / this.columns.length;
    let size = this.hasBars ? 0 : 26;
    while (size > 2 && Math.ceil(this.content.tasks / this._across(size)) * size > height - HEAD) size -= 0.5;
    this.size = size;
    const isSmall = this.size < 8; // too small for an outline
    this.fills = [isSmall ? this.edge : null, isSmall ? this.edge : null, "#F0E442", "#0072B2", "#CC79A7", "#009E73", colour("--done"), "#D55E00"];
    this.marks = [colour("--faint"), this.ink, "#000000", "#ffffff", "#000000", "#000000", colour("--paper"), "#000000"];
    this.isDirty = true;
    this.isStill = false;
    if (this.hasBars) return;
    this._aim();
    this.x.set(this.goalX);
    this.y.set(this.goalY);
  }

  _across(size) {
    return Math.max(1, Math.floor((this.column - 6) / size));
  }

  /** Find where each square belongs: columns are filled in the order of the tasks. */
  _aim() {
    this.counts.fill(0);
    const across = this._across(this.size), column = new Map(this.columns.map((i, at) => [i, at]));
    for (let task = 0; task < this.content.tasks; task++) {
      const place = this.track.now[task], rank = this.counts[place]++;
      this.goalX[task] = (column.get(place) || 0) * this.column + 2 + (rank % across) * this.size;
      this.goalY[task] = HEAD + Math.floor(rank / across) * this.size;
    }
    this.isDirty = false;
  }

  draw(now, isJump) {
    this.track.seek(now, (task) => {
      this.isDirty = true;
      if (this.hasBars) this._recount(task);
    });
    if (this.isDirty) {
      if (this.hasBars) this.isDirty = false; else this._aim();
      this.isStill = false;
      this.columns.forEach((i, at) => {
        if (this.shown[at] !== this.counts[i]) this.numbers[at].textContent = this.shown[at] = this.counts[i];
      });
    }
    if (this.isStill && !isJump) return;
    if (this.hasBars) this._drawBars(); else this._drawSquares(isJump);
  }

  /** Count a task where it is now, and no longer where it was counted. */
  _recount(task) {
    this.counts[this.counted[task]]--;
    this.counts[this.counted[task] = this.track.now[task]]++;
  }

  /** Draw a bar for each column: its share of all tasks. */
  _drawBars() {
    const pen = this.canvas.getContext("2d"), room = this.height - HEAD;
    pen.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    this.columns.forEach((i, at) => {
      const x = at * this.column + 2, wide = this.column - 6;
      const high = Math.ceil((this.counts[i] / this.content.tasks) * room);
      pen.fillStyle = this.fills[i];
      pen.fillRect(x, this.height - high, wide, high);
      if (this.chosen === NOBODY || this.track.now[this.chosen] !== i) return;
      pen.strokeStyle = this.ink; // here is the task whose story is told
      pen.lineWidth = 3;
      pen.strokeRect(x + 1.5, HEAD + 1.5, wide - 3, room - 3);
    });
    this.isStill = true;
  }

  _drawSquares(isJump) {
    const pen = this.canvas.getContext("2d"), side = this.size - (this.size > 6 ? 2 : 0.5);
    const step = isJump || this.calm.matches ? 1 : 0.25;
    pen.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    pen.font = `${Math.min(11, this.size * 0.48)}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineWidth = 1;
    let moved = false;
    for (let task = 0; task < this.content.tasks; task++) {
      const dx = this.goalX[task] - this.x[task], dy = this.goalY[task] - this.y[task];
      if (Math.abs(dx) + Math.abs(dy) > 0.5 && step < 1) moved = true;
      this.x[task] += Math.abs(dx) > 0.5 ? dx * step : dx;
      this.y[task] += Math.abs(dy) > 0.5 ? dy * step : dy;
      this._square(pen, task, side);
    }
    this.isStill = !moved;
  }

  _square(pen, task, side) {
    const place = this.track.now[task], x = this.x[task], y = this.y[task];
    if (this.fills[place]) {
      pen.fillStyle = this.fills[place];
      pen.fillRect(x, y, side, side);
    }
    if (side > 5 && (!this.fills[place] || task === this.chosen)) {
      pen.strokeStyle = task === this.chosen ? this.ink : this.edge;
      pen.lineWidth = task === this.chosen ? 3 : 1;
      pen.setLineDash(place === NOT_READY ? [2, 2] : []);
      pen.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
      pen.setLineDash([]);
    }
    if (side < 11) return;
    pen.fillStyle = this.marks[place];
    pen.fillText(String(task), x + side / 2, y + side / 2 + 0.5);
    if (place === WRONG) {
      pen.strokeStyle = this.marks[place];
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(x + 1, y + side - 1);
      pen.lineTo(x + side - 1, y + 1);
      pen.stroke();
    }
  }

  mark(task) {
    this.chosen = task;
    this.isStill = false;
  }

  _taskAt(event) {
    if (this.hasBars) return NOBODY;
    const box = this.canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    for (let task = 0; task < this.content.tasks; task++) {
      const across = x - this.x[task], down = y - this.y[task];
      if (across >= 0 && across < this.size && down >= 0 && down < this.size) return task;
    }
    return NOBODY;
  }
}
