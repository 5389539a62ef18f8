"use strict";

/* The strip below the slider: how many tasks were done when, and when something happened. */

class Course {
  constructor(content) {
    this.content = content;
    this.canvas = document.getElementById("course");
    this._count();
    const words = document.getElementById("course-words");
    words.textContent = "Below the slider: tasks done so far" + (this.isWrong ? ", those done wrong on top" : "")
      + (content.events.t.length > 1 ? "; triangles: faults, elections, cuts and what became of them." : ".");
  }

  _count() {
    const { moves, tasks, end } = this.content, at = new Int8Array(tasks);
    this.points = [[0, 0, 0]];
    let done = 0, wrong = 0;
    for (let i = 0; i < moves.t.length; i++) {
      const task = moves.task[i];
      done += (moves.to[i] === DONE) - (at[task] === DONE);
      wrong += (moves.to[i] === WRONG) - (at[task] === WRONG);
      at[task] = moves.to[i];
      this.points.push([moves.t[i], done, wrong]);
      this.isWrong = this.isWrong || wrong > 0;
    }
    this.points.push([end, done, wrong]);
  }

  resize() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const scale = Math.min(2, devicePixelRatio || 1), { tasks, end, events } = this.content;
    this.canvas.width = width * scale;
    this.canvas.height = height * scale;
    const pen = this.canvas.getContext("2d"), style = getComputedStyle(this.canvas);
    const edge = 8; // half of the slider's thumb
    pen.scale(scale, scale);
    const x = (t) => edge + (t / (end || 1)) * (width - 2 * edge);
    const top = 10, y = (n) => height - 1 - (n / (tasks || 1)) * (height - 1 - top);
    const area = (value, fill) => {
      pen.fillStyle = fill;
      pen.beginPath();
      pen.moveTo(x(0), y(0));
      let before = 0;
      for (const point of this.points) {
        pen.lineTo(x(point[0]), y(before));
        before = value(point);
        pen.lineTo(x(point[0]), y(before));
      }
      pen.lineTo(x(end), y(0));
      pen.fill();
    };
    area(([, done, wrong]) => done + wrong, "#D55E00");
    area(([, done]) => done, style.getPropertyValue("--done").trim());
    pen.fillStyle = style.getPropertyValue("--ink").trim();
    for (let i = 0; i < events.t.length - 1; i++) {
      pen.beginPath();
      pen.moveTo(x(events.t[i]) - 4, 1);
      pen.lineTo(x(events.t[i]) + 4, 1);
      pen.lineTo(x(events.t[i]), 8);
      pen.fill();
    }
  }
}
