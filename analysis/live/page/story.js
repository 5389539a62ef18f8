"use strict";

/* What has happened to everybody, to one agent, or to one task, in sentences. */

const MOST_SHOWN = 80;

/** Return a sentence that begins with a capital letter. */
function capitalised(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Return sentence `i` of the story, written out. */
function sentenceOf(content, i) {
  const { story, agents } = content;
  const name = (agent) => (agent === NOBODY ? "the provider" : agents[agent]);
  const words = {
    agent: name(story.agent[i]), peer: name(story.peer[i]), task: story.task[i],
    what: content.whats[story.what[i]], n: wholeNumbers.format(content.amounts[i]),
    s: secondsAsText(content.amounts[i]),
  };
  return capitalised(content.patterns[story.says[i]].replace(/\{(\w+)\}/g, (_, key) => words[key]));
}

/** Return the news of a run, with whom they concern. */
function eventsOf(content) {
  const news = new Set(content.news), { story } = content, found = { t: [], agent: [], words: [] };
  for (let i = 0; i < story.t.length; i++) {
    if (!news.has(story.says[i])) continue;
    found.t.push(story.t[i]);
    found.agent.push(story.agent[i]);
    found.words.push(sentenceOf(content, i));
  }
  return found;
}

class Story {
  constructor(content, choose, go) {
    Object.assign(this, { content, go, news: new Set(content.news) });
    this.select = document.getElementById("who");
    this.list = document.getElementById("sentences");
    this.words = document.getElementById("now-words");
    this._offer();
    this.select.addEventListener("change", () => {
      const [kind, number] = this.select.value.split(" ");
      choose(kind, Number(number));
    });
    this.tell("all", NOBODY);
  }

  _offer() {
    const { agents, tasks, team } = this.content, select = d3.select(this.select);
    select.append("option").attr("value", "all -1").text("everybody");
    const group = (label, kind, from, to, say) => {
      if (from >= to) return;
      select.append("optgroup").attr("label", label).selectAll("option").data(d3.range(from, to))
        .join("option").attr("value", (i) => `${kind} ${i}`).text(say);
    };
    group("Agents", "agent", 0, team, (i) => agents[i]);
    group("Tasks", "task", 0, Math.min(tasks, 5000), (i) => `task ${i}`);
    group("Sub-agents", "agent", team, Math.min(agents.length, team + 1000), (i) => agents[i]);
  }

  /** Tell the story of an agent, of a task, or of all. */
  tell(kind, number) {
    const { story } = this.content;
    Object.assign(this, { kind, number, told: null });
    this.select.value = `${kind} ${number}`;
    this.mine = [];
    for (let i = 0; i < story.t.length; i++) {
      const concerns = kind === "task" ? story.task[i] === number
        : kind === "all" || story.agent[i] === number || story.peer[i] === number;
      if (concerns) this.mine.push(i);
    }
    this.times = Float64Array.from(this.mine, (i) => story.t[i]);
  }

  draw(now, words) {
    if (this.words.textContent !== words) this.words.textContent = words;
    const count = countUntil(this.times, now);
    if (this.told === count) return;
    this.told = count;
    const shown = this.mine.slice(Math.max(0, count - MOST_SHOWN), count).reverse();
    const { tick_s, story } = this.content;
    const items = shown.map((i) => {
      const item = document.createElement("li"), at = document.createElement("button");
      at.type = "button";
      at.textContent = secondsAsText(story.t[i] * tick_s);
      at.setAttribute("aria-label", `Go to ${at.textContent}`);
      at.addEventListener("click", () => this.go(story.t[i]));
      const said = document.createElement("span");
      said.textContent = sentenceOf(this.content, i);
      item.append(at, said);
      if (this.news.has(story.says[i])) item.className = "news";
      return item;
    });
    if (!items.length) {
      const item = document.createElement("li");
      item.textContent = "Nothing yet.";
      items.push(item);
    }
    this.list.replaceChildren(...items);
  }
}
