"use strict";
const picture = JSON.parse(document.getElementById("picture").textContent);
const map = document.getElementById("map");
const SIDE = picture.hexagonal ? 1 / Math.sqrt(3) : Math.SQRT1_2;

function svg(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function cell([row, column]) {
  const corners = picture.hexagonal ? 6 : 4;
  const turn = picture.hexagonal ? Math.PI / 2 : Math.PI / 4;
  return Array.from({ length: corners }, (_, i) => {
    const angle = turn + (2 * Math.PI * i) / corners;
    return `${(column + SIDE * Math.cos(angle)).toFixed(3)},${(row + SIDE * Math.sin(angle)).toFixed(3)}`;
  }).join(" ");
}

function draw() {
  const rows = picture.positions.map((place) => place[0]);
  const columns = picture.positions.map((place) => place[1]);
  const width = Math.max(...columns) + 2, height = Math.max(...rows) + 2;
  map.setAttribute("viewBox", `-1 -1 ${width} ${height}`);
  picture.positions.forEach((place, unit) => {
    const share = `${Math.round(100 * picture.shades[unit])}%`;
    const shape = svg("polygon", { points: cell(place) });
    shape.style.fill = `color-mix(in srgb, rgb(var(--high)) ${share}, rgb(var(--low)))`;
    const title = svg("title", {});
    title.textContent = `unit ${unit}, segment ${picture.segments[unit]}`;
    shape.append(title);
    map.append(shape);
  });
}

function mark(place) {
  map.querySelector(".here")?.remove();
  map.append(svg("polygon", { points: cell(place), class: "here" }));
}

function table(rows) {
  const element = document.createElement("table");
  for (const [name, value, share] of rows) {
    const row = element.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.append(head);
    row.insertCell().textContent = value;
    if (share !== undefined) {
      const meter = document.createElement("meter");
      meter.value = share;
      meter.ariaLabel = `share of ${name}`;
      row.insertCell().append(meter);
    }
  }
  return element;
}

function number(value) {
  return Number(value.toPrecision(5)).toString();
}

function reasons(shares, unit) {
  const total = Object.values(shares).reduce((sum, value) => sum + Math.max(value, 0), 0) || 1;
  return Object.entries(shares)
    .sort((a, b) => b[1] - a[1])
    .map(([name, value]) => [name, `${number(value)} ${unit}`, Math.max(value, 0) / total]);
}

function say(row, who) {
  document.getElementById("said").replaceChildren(table([
    ["segment", row.segment],
    ["unit", row.unit],
    ["more unusual than", `${Math.min(row.anomaly_percentile, 99.99).toFixed(2)} % of the training rows`],
    ["log-likelihood", number(row.log_likelihood)],
    ["distance to the map", number(row.map_distance)],
    ["version", who.version ?? "none"],
  ]));
  const about = document.createElement("p");
  about.textContent = "What each column adds to minus the log-likelihood, in nats:";
  document.getElementById("reasons").replaceChildren(about, table(reasons(row.shares.log_likelihood, "nats")));
  mark(row.position);
}

function refuse(problem) {
  const text = document.createElement("p");
  text.setAttribute("role", "alert");
  const place = problem.column ? `${problem.column}: ` : "";
  const found = problem.found === undefined ? "" : `\nfound: ${problem.found}`;
  text.textContent = `${place}${problem.title}${found}${problem.hint ? `\n${problem.hint}` : ""}`;
  document.getElementById("said").replaceChildren(text);
}

function cells(form) {
  const row = {};
  for (const input of form.elements) {
    if (!input.name) continue;
    const text = input.value.trim();
    const isNumber = "number" in input.dataset && text !== "" && Number.isFinite(Number(text));
    row[input.name] = text === "" ? null : isNumber ? Number(text) : text;
  }
  return row;
}

document.getElementById("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const answer = await fetch("v1/explain", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ rows: [cells(event.target)] }),
    });
    const document_ = await answer.json();
    if (answer.ok) say(document_.rows[0], document_);
    else refuse(document_);
  } catch (error) {
    refuse({ title: "the service does not answer", hint: String(error) });
  }
});
draw();
