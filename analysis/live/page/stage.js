"use strict";

/* The team: agents in SVG, which are buttons; links and messages on a canvas behind them,
   callouts on one above. */

const FLIGHT_S = 0.9; // of the reader's time, for which a message is drawn
const CALLOUT_S = 3; // of the reader's time, for which an event is written beside its agent
const MOST_FLIGHTS = 400;
const ROOM_FOR_NAMES = 84; // pixels between agents
const MOST_LINES = 16; // receivers of a message up to whom each one is drawn

class Stage {
  constructor(content, looks, choose) {
    Object.assign(this, { content, looks, choose });
    this.box = document.getElementById("stage");
    this.canvas = this.box.querySelector("canvas");
    this.above = this.box.querySelector("canvas.above");
    this.callouts = new Callouts(content.events);
    this.svg = d3.select(this.box).select("svg");
    this.root = this.svg.append("g");
    this.transform = d3.zoomIdentity;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    const count = content.agents.length;
    this.states = new Track(content.states.t, content.states.agent, content.states.to, count, NOBODY);
    const { hands } = content;
    this.tasks = new Track(hands.t, hands.agent, hands.task, count, NOBODY);
    this.more = new Track(hands.t, hands.agent, hands.more, count, 0);
    this.counts = new Map();
    this.slot = new Map(content.subagents.agent.map((agent, i) => [agent, content.subagents.slot[i]]));
    this.at = new Array(count);
    this.nodes = new Map();
    this.changed = new Set();
    this.off = 0;
    this.chosen = NOBODY;
    for (let agent = 0; agent < content.team; agent++) this._add(agent);
    this._listen();
  }

  _add(agent) {
    const { content } = this, sub = agent >= content.team;
    const node = this.root.append("g").attr("class", sub ? "agent sub" : "agent")
      .attr("role", "button").attr("tabindex", agent === 0 ? 0 : -1).attr("data-agent", agent);
    const parts = { node };
    for (const name of ["halo", "cut", "body"]) parts[name] = node.append("circle").attr("class", name);
    if (sub) parts.tie = node.insert("line", ":first-child").attr("class", "tie");
    parts.icon = node.append("path");
    parts.name = node.append("text").attr("class", "name").text(content.agents[agent]);
    parts.does = node.append("text").attr("class", "does");
    parts.title = node.append("title");
    this.nodes.set(agent, parts);
    this.changed.add(agent);
    if (this.radius) this._place(agent);
    return parts;
  }

  _listen() {
    const agentOf = (event) => {
      const found = event.target.closest(".agent");
      return found ? Number(found.dataset.agent) : NOBODY;
    };
    this.svg.on("click", (event) => {
      if (!event.defaultPrevented) this.choose(agentOf(event));
    });
    this.svg.on("keydown", (event) => {
      const agent = agentOf(event), all = [...this.nodes.keys()];
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (agent === NOBODY) return;
      if (event.key === "Enter" || event.key === " ") this.choose(agent);
      else if (step) this.focus(all[(all.indexOf(agent) + step + all.length) % all.length]);
      else return;
      event.preventDefault();
    });
    this.zoom = d3.zoom().scaleExtent([1, 12]).filter((event) => {
      if (event.type === "wheel") return event.ctrlKey;
      return !event.button && (this.transform.k > 1 || event.touches?.length > 1);
    }).on("zoom", ({ transform }) => {
      this.transform = transform;
      this.svg.style("touch-action", transform.k > 1 ? "none" : "pan-y");
      this.root.attr("transform", transform);
      this.still = null;
    });
    this.svg.call(this.zoom).on("dblclick.zoom", null);
    const by = (factor) => () => this.zoom.scaleBy(this.svg, factor);
    document.getElementById("closer").addEventListener("click", by(1.6));
    document.getElementById("farther").addEventListener("click", by(1 / 1.6));
  }

  focus(agent) {
    for (const [other, { node }] of this.nodes) node.attr("tabindex", other === agent ? 0 : -1);
    this.nodes.get(agent).node.node().focus();
  }

  /** Take the colours and the room that the page gives now. */
  resize() {
    const { content } = this, { width, height } = this.box.getBoundingClientRect();
    const scale = Math.min(2, devicePixelRatio || 1);
    Object.assign(this, { width, height, scale, still: null });
    for (const canvas of [this.canvas, this.above]) {
      canvas.width = width * scale;
      canvas.height = height * scale;
    }
    const style = getComputedStyle(this.box);
    this.colour = (name) => style.getPropertyValue(name).trim();
    const spread = (margin) => content.places.map(([x, y]) => [
      width / 2 + x * (width / 2 - margin), height / 2 + y * (height / 2 - margin) - 4,
    ]);
    let at = spread(58);
    const nearest = d3.min(at, (a, i) => d3.min(at.slice(i + 1), (b) => Math.hypot(a[0] - b[0], a[1] - b[1])));
    const gap = nearest || Math.min(width, height);
    this.named = gap >= ROOM_FOR_NAMES || content.team < 3;
    if (!this.named) at = spread(26);
    this.radius = Math.max(4, Math.min(30, gap * (this.named ? 0.3 : 0.36)));
    at.forEach((place, agent) => { this.at[agent] = place; });
    this.svg.attr("viewBox", `0 0 ${width} ${height}`);
    this.zoom.extent([[0, 0], [width, height]]).translateExtent([[0, 0], [width, height]]);
    for (const agent of this.nodes.keys()) {
      this._place(agent);
      this.changed.add(agent);
    }
  }

  _place(agent) {
    const { node, halo, cut, body, icon, name, does, tie } = this.nodes.get(agent);
    let radius = this.radius;
    if (agent >= this.content.team) {
      const parent = this.content.parents[agent - this.content.team];
      const [x, y] = this.at[parent] || [0, 0], slot = this.slot.get(agent);
      const around = slot % 5, side = around % 2 ? 1 : -1; // five above their parent, then a row above
      const turn = -Math.PI / 2 + side * Math.ceil(around / 2) * 0.7;
      const far = this.radius * (2.1 + 1.1 * Math.floor(slot / 5));
      radius = Math.max(3, this.radius * 0.45) * (parent >= this.content.team ? 0.8 : 1);
      const across = far * Math.cos(turn), down = far * Math.sin(turn);
      this.at[agent] = [x + across, y + down];
      const free = 1 - this.radius / far; // as far as the parent's edge
      tie.attr("x2", -across * free).attr("y2", -down * free);
    }
    const [x, y] = this.at[agent];
    node.attr("transform", `translate(${x.toFixed(1)},${y.toFixed(1)})`);
    body.attr("r", radius);
    halo.attr("r", radius + 4);
    cut.attr("r", radius + 3);
    const size = radius * 1.25;
    icon.attr("transform", `translate(${-size / 2},${-size / 2}) scale(${size / 24})`);
    name.attr("y", radius + 13);
    does.attr("y", radius + 26);
  }

  /** Show the team at a time, in ticks; `pace` is how many ticks a second of the reader has. */
  draw(now, pace) {
    const touch = (agent) => this.changed.add(agent);
    this.states.seek(now, touch);
    this.tasks.seek(now, touch);
    this.more.seek(now, touch);
    const { cuts } = this.content, place = countUntil(cuts.t, now) - 1;
    const off = place < 0 ? 0 : cuts.off[place];
    if (off !== this.off) {
      this.off = off;
      this.still = null;
      for (let i = 0; i < this.content.workers; i++) touch(i);
    }
    for (const agent of this.changed) this._show(agent);
    this.changed.clear();
    this._drawCanvas(now, pace);
  }

  isCut(agent) {
    return this.off > 0 && agent >= this.content.workers - this.off && agent < this.content.workers;
  }

  /** Return what an agent does, as its kind and in words; nothing where it is not there. */
  stateOf(agent) {
    const state = this.states.now[agent];
    return state === NOBODY ? null : this.content.state_names[state];
  }

  taskOf(agent) {
    const task = this.tasks.now[agent], more = this.more.now[agent];
    if (task === NOBODY) return "";
    return more ? `task ${task} +${more}` : `task ${task}`;
  }

  _show(agent) {
    const state = this.stateOf(agent);
    let parts = this.nodes.get(agent);
    if (!state) {
      if (parts && agent >= this.content.team) {
        parts.node.remove();
        this.nodes.delete(agent);
      }
      return;
    }
    parts = parts || this._add(agent);
    const [kind, words, leads] = state, look = this.looks[kind];
    parts.body.style("fill", look.fill);
    parts.icon.style("stroke", look.ink).style("fill", kind === "work" ? look.ink : "none")
      .attr("d", leads ? LEADS_ICON : look.icon);
    const task = this.taskOf(agent), name = this.nameOf(agent);
    const isTold = agent === this.chosen || (this.named && agent < this.content.team);
    const number = this.radius >= 13 && agent < this.content.workers ? name.split(" ").pop() : "";
    parts.name.text(isTold || (agent >= this.content.workers && agent < this.content.team) ? name : number);
    parts.does.text(!isTold ? "" : leads ? "leads" : task ? `${look.label}: ${task}` : look.label);
    if (agent === this.chosen) parts.node.raise();
    parts.title.text(`${name}: ${words}${task ? `, ${task}` : ""}`);
    parts.node.classed("cut", this.isCut(agent)).classed("chosen", agent === this.chosen)
      .attr("aria-label", `${name}: ${words}${task ? `, ${task}` : ""}`);
  }

  /** Return the name of an agent, with that of the worker that sits in its seat. */
  nameOf(agent) {
    const { leads, agents } = this.content;
    for (let i = leads.t.length - 1; i >= 0; i--) {
      if (leads.seat[i] !== agent) continue;
      const state = this.stateOf(leads.by[i]);
      if (state && state[2]) return `${agents[agent]} (${agents[leads.by[i]]})`;
    }
    return agents[agent];
  }

  mark(agent) {
    for (const each of [this.chosen, agent]) if (this.nodes.has(each)) this.changed.add(each);
    this.chosen = agent;
  }

  _drawLinks() {
    const still = document.createElement("canvas"), { links } = this.content;
    still.width = this.canvas.width;
    still.height = this.canvas.height;
    const pen = this._zoomed(still.getContext("2d"));
    pen.strokeStyle = this.colour("--line");
    pen.lineWidth = links.length > 400 ? 0.5 : 1;
    pen.beginPath();
    for (let i = 0; i < links.length; i += 2) {
      if (this.isCut(links[i]) !== this.isCut(links[i + 1])) continue;
      pen.moveTo(...this.at[links[i]]);
      pen.lineTo(...this.at[links[i + 1]]);
    }
    pen.stroke();
    this.still = still;
  }

  /** Return the pen of a canvas that has been wiped, in pixels of the screen. */
  _wiped(canvas) {
    const pen = canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    return pen;
  }

  /** Return a pen that draws where agents are placed, however far one has zoomed in. */
  _zoomed(pen) {
    const { k, x, y } = this.transform, s = this.scale;
    pen.setTransform(s * k, 0, 0, s * k, s * x, s * y);
    return pen;
  }

  _drawCanvas(now, pace) {
    if (!this.canvas.width || !this.canvas.height) return; // no room, as in a frame that is folded away
    if (!this.still) this._drawLinks();
    const pen = this._wiped(this.canvas);
    pen.drawImage(this.still, 0, 0);
    this._zoomed(pen);
    this._drawMessages(pen, now, FLIGHT_S * pace);
    this.callouts.draw(this, this._zoomed(this._wiped(this.above)), now, CALLOUT_S * pace);
  }

  _drawMessages(pen, now, flight) {
    const { deliveries, messages, hearers } = this.content;
    pen.fillStyle = pen.strokeStyle = this.colour("--accent");
    pen.lineWidth = 1.5;
    let drawn = 0;
    for (let i = countUntil(deliveries.t, now) - 1; i >= 0 && drawn < MOST_FLIGHTS; i--) {
      const share = (now - deliveries.t[i]) / flight;
      if (share > 1) break;
      this._drawFlight(pen, deliveries.agent[i], deliveries.to[i], share);
      drawn++;
    }
    for (let i = countUntil(messages.t, now) - 1; i >= 0 && drawn < MOST_FLIGHTS; i--) {
      const share = (now - messages.t[i]) / flight, from = messages.agent[i];
      if (share > 1) break;
      const to = hearers[from] || [];
      if (to.length === messages.n[i] && to.length <= MOST_LINES) {
        for (const each of to) this._drawFlight(pen, from, each, share);
        drawn += to.length;
      } else if (messages.n[i] > 0 && !deliveries.t.length) {
        this._drawRing(pen, from, share);
        drawn++;
      }
    }
  }

  _drawFlight(pen, from, to, share) {
    const a = this.at[from], b = this.at[to];
    if (!a || !b || this.isCut(from) !== this.isCut(to)) return;
    pen.globalAlpha = 0.55 * (1 - share);
    pen.beginPath();
    pen.moveTo(...a);
    pen.lineTo(...b);
    pen.stroke();
    pen.globalAlpha = 1;
    if (this.calm.matches) return;
    const size = Math.max(2.5, this.radius * 0.22);
    pen.beginPath();
    pen.arc(a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), size, 0, 2 * Math.PI);
    pen.fill();
  }

  _drawRing(pen, from, share) {
    if (!this.at[from]) return;
    pen.globalAlpha = 1 - share;
    pen.beginPath();
    const far = this.calm.matches ? 0.5 : share;
    pen.arc(...this.at[from], this.radius * (1.1 + 2.2 * far), 0, 2 * Math.PI);
    pen.stroke();
    pen.globalAlpha = 1;
  }
}
