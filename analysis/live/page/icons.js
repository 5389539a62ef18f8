"use strict";

/* A symbol for each kind of what agents do, in a square of 24, so that colour is never alone. */

const ICONS = {
  "work": "M8 5l11 7-11 7z",
  "rework": "M6 12a6 6 0 1 0 2-4.5M8 3.5v4h4",
  "in vain": "M12 5a7 7 0 1 0 .01 0M7 17L17 7",
  "idle": "M6 12h12",
  "coordination": "M12 5v14M5 12h14M7 7l10 10M17 7L7 17",
  "review": "M10.5 5a5.5 5.5 0 1 0 .01 0M15 15l5 5",
  "workspace": "M5 6h14v12H5zM5 10h14",
  "failed": "M12 5v9M12 18.5v.5",
  "tools": "M5 19l8-8M10 7l4-3 6 6-3 4z",
  "sub-agents": "M12 4v7M12 11l-6 7M12 11l6 7M12 11v8",
  "queued": "M7 4h10l-10 16h10z",
  "held up": "M9 5v14M15 5v14",
  "down": "M6 6l12 12M18 6L6 18",
  "waiting": "M6 12v.01M12 12v.01M18 12v.01",
};

const LEADS_ICON = "M12 19V6M6 11l6-6 6 6";

/** Return black or white, whichever is read better on a colour. */
function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const share = parseInt(colour.slice(i, i + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
}

/** Return how each kind is drawn: fill, ink and symbol, by its name. */
function looksOf(content) {
  const looks = {};
  for (const { name, colour, label } of content.kinds) {
    const plain = name === "waiting";
    looks[name] = {
      fill: plain ? "var(--paper)" : colour,
      ink: plain ? "var(--ink)" : inkOn(colour),
      icon: ICONS[name],
      label: label.replace(/ \(.*\)$/, ""), // beside an agent there is little room
      legend: label,
    };
  }
  return looks;
}
