"use strict";

/* The player: one clock that stage, board and story follow. */

const SLIDER = 2000;
const WHOLE_RUN_S = 60; // of the reader's time, at the speed that is set first

class Player {
  constructor(content) {
    this.content = content;
    content.events = eventsOf(content);
    this.looks = looksOf(content);
    this.now = 0;
    this.isPlaying = false;
    this.frames = [];
    const chooseAgent = (agent) => this.choose(agent === NOBODY ? "all" : "agent", agent);
    const chooseTask = (task) => this.choose(task === NOBODY ? "all" : "task", task);
    this.stage = new Stage(content, this.looks, chooseAgent);
    this.board = new Board(content, chooseTask);
    this.course = new Course(content);
    this.story = new Story(content, (kind, number) => this.choose(kind, number), (t) => this.go(t));
    this.part = Object.fromEntries(
      ["play", "time", "clock", "speed", "banner", "numbers"].map((id) => [id, document.getElementById(id)]),
    );
    this._write();
    this._offerSpeeds();
    this._listen();
    this.resize();
    const asked = /^#t=([\d.]+)$/.exec(location.hash);
    if (asked) this.go(Number(asked[1]) / content.tick_s);
    else if (!matchMedia("(prefers-reduced-motion: reduce)").matches) this.play();
    requestAnimationFrame((time) => this._frame(time));
  }

  _write() {
    const { content } = this, put = (id, text) => { document.getElementById(id).textContent = text; };
    put("which", `teamsim: ${content.name}, replication ${content.replication}; how it ended: ${content.outcome.replace("_", " ")}`);
    put("title", content.question || content.name);
    document.title = `${content.name}, live`;
    const tasks = `${wholeNumbers.format(content.tasks)} task${content.tasks === 1 ? "" : "s"}`;
    put("intro", `${content.who} at ${tasks}. Circles are agents, by what they do now. ${content.layout} `
      + "Click an agent or a task for its story.");
    put("message-words", content.messages.t.length
      ? "Dots are messages, for a moment as they are sent; a ring is a message to many. The trace does not "
        + "say how long they travel." : "No messages are sent.");
    put("board-words", (this.board.hasBars ? "A bar is the share of all tasks that are there now. "
      : "A square is a task. ") + "A call that comes to nothing does not say which tasks it was at.");
    put("foot", (content.is_abridged ? "The story leaves out its most frequent sentences. " : "")
      + "All that is shown comes from the trace of one replication. Made by llm-teamsim; drawn with D3.");
    this.part.banner.hidden = !content.cuts.t.length && !content.events.agent.includes(NOBODY);
    this.legend = new Map();
    const there = new Set(content.state_names.map(([kind]) => kind));
    const items = d3.select("#legend").selectAll("li")
      .data(content.kinds.map(({ name }) => name).filter((name) => there.has(name))).join("li");
    const signs = items.append("svg").attr("viewBox", "-14 -14 28 28").attr("aria-hidden", true);
    signs.append("circle").attr("r", 12).style("fill", (kind) => this.looks[kind].fill)
      .style("stroke", "var(--ring)");
    signs.append("path").attr("transform", "translate(-9,-9) scale(0.75)").attr("stroke-width", 2.6)
      .attr("stroke-linecap", "round").attr("d", (kind) => this.looks[kind].icon)
      .style("stroke", (kind) => this.looks[kind].ink)
      .style("fill", (kind) => (kind === "work" ? this.looks[kind].ink : "none"));
    items.append("span").text((kind) => this.looks[kind].legend);
    items.append("b").text("0").each((kind, i, nodes) => this.legend.set(kind, nodes[i]));
  }

  /** Offer round numbers of simulated seconds a second, around the whole run in a minute. */
  _offerSpeeds() {
    const base = this.content.makespan_s / WHOLE_RUN_S || 1;
    const round = (x) => Number(x.toPrecision(1));
    const speeds = [...new Set([base / 8, base / 3, base, base * 3, base * 8].map(round))];
    d3.select(this.part.speed).selectAll("option").data(speeds).join("option")
      .attr("value", (x) => x).text((x) => `${wholeNumbers.format(x)} s a second`);
    this.part.speed.value = String(round(base));
  }

  get pace() {
    return Number(this.part.speed.value) / this.content.tick_s;
  }

  _listen() {
    const { play, time } = this.part;
    play.addEventListener("click", () => (this.isPlaying ? this.pause() : this.play()));
    time.addEventListener("input", () => this.go((time.value / SLIDER) * this.content.end, true));
    document.addEventListener("keydown", (event) => {
      if (event.key !== " " || event.target !== document.body) return;
      event.preventDefault();
      play.click();
    });
    const { events, end } = this.content;
    document.getElementById("after").addEventListener("click", () => {
      const next = countUntil(events.t, this.now);
      this.go(next < events.t.length ? events.t[next] : end);
    });
    document.getElementById("before").addEventListener("click", () => {
      const next = countUntil(events.t, this.now - 1);
      this.go(next > 0 ? events.t[next - 1] : 0);
    });
    new ResizeObserver(() => this.resize()).observe(document.getElementById("stage"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.resize());
  }

  resize() {
    for (const part of [this.stage, this.board, this.course]) part.resize();
    this.isJump = true;
  }

  play() {
    if (this.now >= this.content.end) this.now = 0;
    this._set(true);
  }

  pause() {
    this._set(false);
  }

  _set(isPlaying) {
    this.isPlaying = isPlaying;
    this.part.play.textContent = isPlaying ? "Pause" : "Play";
    this.last = null;
  }

  /** Go to a time in ticks, and stay there. */
  go(now) {
    this.now = Math.max(0, Math.min(this.content.end, now));
    this.isJump = true;
    this.pause();
  }

  choose(kind, number) {
    this.stage.mark(kind === "agent" ? number : NOBODY);
    this.board.mark(kind === "task" ? number : NOBODY);
    this.story.tell(kind, number);
    this.isJump = true;
  }

  _frame(time) {
    const begun = performance.now();
    if (this.isPlaying) {
      const passed_s = Math.min(0.1, (time - (this.last ?? time)) / 1000);
      this.now += passed_s * this.pace;
      if (this.now >= this.content.end) {
        this.now = this.content.end;
        this.pause();
      }
    }
    this.last = time;
    if (this.isPlaying || this.isJump || !this.board.isStill || this.stage.changed.size || !this.stage.still) {
      const isJump = this.isJump;
      this.isJump = false;
      this.draw(time, isJump);
    }
    this.frames.push([time, performance.now() - begun]);
    if (this.frames.length > 600) this.frames.shift();
    requestAnimationFrame((next) => this._frame(next));
  }

  draw(time, isJump) {
    this.stage.draw(this.now, this.pace);
    this.board.draw(this.now, isJump);
    const { time: slider, clock } = this.part, { tick_s, end, makespan_s } = this.content;
    const said = `${secondsAsText(this.now * tick_s)} of ${secondsAsText(makespan_s)}`;
    if (clock.textContent !== said) {
      clock.textContent = said;
      slider.setAttribute("aria-valuetext", said);
    }
    slider.value = Math.round((this.now / (end || 1)) * SLIDER);
    if (isJump || !this.isPlaying || time - (this.written || 0) > 120) {
      this.written = time;
      this._writeNow();
    }
  }

  _writeNow() {
    const { content, stage, board, now } = this;
    const counts = new Map([...this.legend.keys()].map((kind) => [kind, 0]));
    for (const agent of stage.nodes.keys()) {
      const state = stage.stateOf(agent);
      if (state) counts.set(state[0], counts.get(state[0]) + 1);
    }
    for (const [kind, node] of this.legend) {
      const count = String(counts.get(kind));
      if (node.textContent !== count) node.textContent = count;
    }
    this._writeNumbers(board.counts);
    const words = this._bannerNow();
    if (this.part.banner.textContent !== words) this.part.banner.textContent = words;
    this.story.draw(now, this._chosenNow());
  }

  /** Return what concerns all now: that the team is cut, or what has just become of the provider. */
  _bannerNow() {
    const { stage: { off }, content: { agents, workers, events } } = this;
    if (off) {
      const named = off > 4 ? `the last ${off} workers` : agents.slice(workers - off, workers).join(", ");
      return `The team is cut in two: ${named} ${off > 1 ? "do" : "does"} not reach the others.`;
    }
    for (let i = countUntil(events.t, this.now) - 1; i >= 0; i--) {
      if (this.now - events.t[i] > CALLOUT_S * this.pace) break;
      if (events.agent[i] === NOBODY) return events.words[i];
    }
    return "";
  }

  _chosenNow() {
    const { kind, number } = this.story, { stage, board, content } = this;
    if (kind === "task") return `Task ${number} is ${this._said(content.board[board.track.now[number]])} now.`;
    if (kind !== "agent") return "";
    const state = stage.stateOf(number);
    if (!state) return capitalised(`${content.agents[number]} is not there now.`);
    const task = stage.taskOf(number);
    return capitalised(`${stage.nameOf(number)} now: ${state[1]}${task ? ` (${task})` : ""}.`);
  }

  _said(place) {
    return { doing: "being done", wrong: "done, and wrong" }[place] || place;
  }

  _writeNumbers(counts) {
    const { content, now } = this, { spent, messages, usd } = content;
    const at = countUntil(spent.t, now) - 1, number = (n) => wholeNumbers.format(n);
    const money = (x) => `$${x < 10 ? x.toFixed(3) : x.toFixed(2)}`;
    const shown = [
      ["tasks done", `${number(counts[DONE] + counts[WRONG])} of ${number(content.tasks)}`],
      ["of these wrong", number(counts[WRONG])],
      ["tokens read", number(at < 0 ? 0 : spent.read[at])],
      ["tokens written", number(at < 0 ? 0 : spent.wrote[at])],
      ["cost so far", usd === null ? "unknown: no price" : money(at < 0 ? 0 : usd[at])],
      ["messages", number(countUntil(messages.t, now))],
    ];
    if (content.subagents.t.length) {
      shown.push(["sub-agents now", number(this.stage.nodes.size - content.team)]);
    }
    if (!this.cells) {
      const boxes = d3.select(this.part.numbers).selectAll("div").data(shown).join("div");
      boxes.append("dt").text(([name]) => name);
      this.cells = boxes.append("dd").nodes();
    }
    shown.forEach(([, text], i) => {
      if (this.cells[i].textContent !== text) this.cells[i].textContent = text;
    });
  }
}

let player = null;

readContent().then((content) => { player = new Player(content); }, (error) => {
  document.getElementById("intro").textContent = `This page cannot be shown here: ${error.message}. `
    + "It needs a browser of 2023 or later.";
});
