(() => {
  const { rows, columns, isHexagonal, isToroidal, names, hits, segments, distances, planes } =
    JSON.parse(document.getElementById("units").textContent);
  const group = document.getElementById("maps");
  const reader = document.getElementById("reader");
  const cursors = [...group.querySelectorAll(".cursor")];
  const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
  const count = new Intl.NumberFormat("en");
  const height = isHexagonal ? Math.sqrt(3) / 2 : 1;
  const top = isHexagonal ? 1 / Math.sqrt(3) : 0.5;
  let at = { row: 0, column: 0 };
  let chosen = names.map((_, i) => i); // the columns that are shown and read

  // The share of units whose value in a column is lower, those with the same value counted by half.
  const shares = planes.map((values) => {
    const ends = new Map();
    [...values].sort((a, b) => a - b).forEach((value, i) => {
      ends.set(value, [(ends.get(value) ?? [i])[0], i]);
    });
    return values.map((value) => {
      const [first, last] = ends.get(value);
      return (first + last + 1) / 2 / values.length;
    });
  });
  const telling = (unit) =>
    chosen
      .map((i) => ({ name: names[i], share: shares[i][unit] }))
      .filter(({ share }) => Math.abs(share - 0.5) >= 0.4)
      .sort((a, b) => Math.abs(b.share - 0.5) - Math.abs(a.share - 0.5))
      .slice(0, 2)
      .map(({ name, share }) =>
        share > 0.5
          ? `${name} above ${Math.floor(100 * share)} % of units`
          : `${name} below ${Math.floor(100 * (1 - share))} % of units`,
      );

  const left = (row) => (isHexagonal && row % 2 ? 1 : 0.5);
  const clamp = (value, length) => Math.min(Math.max(value, 0), length - 1);

  const show = ({ row, column }) => {
    at = { row, column };
    for (const cursor of cursors) {
      cursor.setAttribute("transform", `translate(${column + left(row)} ${row * height + top})`);
    }
    group.classList.add("reading");
    const unit = row * columns + column;
    const values = chosen.map((i) => `${names[i]} ${digits.format(planes[i][unit])}`);
    reader.textContent = [
      `unit ${unit} (row ${row}, column ${column})`,
      `segment ${segments[unit]}`,
      `${count.format(hits[unit])} rows`,
      `${digits.format(distances[unit])} to its neighbours`,
      ...telling(unit),
      ...values,
    ].join(" · ");
  };

  // The unit whose middle is the nearest, among the rows at that height.
  const unitAt = ({ x, y }) => {
    const about = Math.round((y - top) / height);
    const near = [about - 1, about, about + 1].map((r) => {
      const row = clamp(r, rows);
      const column = clamp(Math.round(x - left(row)), columns);
      return { row, column, away: Math.hypot(x - column - left(row), y - row * height - top) };
    });
    return near.reduce((best, unit) => (unit.away < best.away ? unit : best));
  };

  group.addEventListener("pointermove", (event) => {
    const map = event.target.closest("svg.map");
    if (!map) return;
    const toPlane = map.getScreenCTM().inverse();
    show(unitAt(new DOMPoint(event.clientX, event.clientY).matrixTransform(toPlane)));
  });

  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const moved = (from, step, length) =>
    isToroidal ? (from + step + length) % length : clamp(from + step, length);
  group.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step || event.target.matches("input")) return;
    event.preventDefault();
    show({ row: moved(at.row, step[0], rows), column: moved(at.column, step[1], columns) });
  });

  const leave = () => {
    group.classList.remove("reading");
    reader.textContent = "";
  };
  group.addEventListener("pointerleave", leave);
  group.addEventListener("blur", leave);

  const split = (text, by) => text.toLowerCase().split(by).filter(Boolean);
  const choice = document.getElementById("choice");
  const figures = [...group.querySelectorAll(".plane")];
  choice?.addEventListener("input", () => {
    const words = split(choice.value, /[\s,]+/);
    const is = (name) => !words.length || words.some((word) => name.toLowerCase().includes(word));
    chosen = names.flatMap((name, i) => (is(name) ? [i] : []));
    figures.forEach((figure, i) => (figure.hidden = !chosen.includes(i)));
    const told = words.length ? `${chosen.length} of ${names.length} columns` : "";
    document.getElementById("n-chosen").textContent = told;
  });

  const data = document.getElementById("found");
  if (!data) return;
  const found = JSON.parse(data.textContent);
  const texts = found.units.map((_, i) => found.keys.map((key) => key.texts[key.of[i]]).join(" · "));
  const lowered = texts.map((text) => text.toLowerCase());
  const wanted = document.getElementById("wanted");
  const told = document.getElementById("n-found");
  const matches = document.getElementById("matches");
  const most = 8;

  const match = (i) => {
    const unit = found.units[i];
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = texts[i];
    const about = document.createElement("span");
    about.textContent = ` unit ${unit}, segment ${segments[unit]}, number ${count.format(i + 1)} of the strangest`;
    button.append(about);
    const point = () => show({ row: Math.floor(unit / columns), column: unit % columns });
    button.addEventListener("focus", point);
    button.addEventListener("click", () => {
      group.scrollIntoView({ block: "nearest" });
      point();
    });
    const item = document.createElement("li");
    item.append(button);
    return item;
  };

  wanted.addEventListener("input", () => {
    const words = split(wanted.value, /\s+/);
    const here = words.length
      ? lowered.flatMap((text, i) => (words.every((word) => text.includes(word)) ? [i] : []))
      : [];
    matches.replaceChildren(...here.slice(0, most).map(match));
    const few = here.length > most ? `, the strangest ${most} of them:` : "";
    const rowsHere = here.length === 1 ? "1 row" : `${count.format(here.length)} rows`;
    told.textContent = words.length ? (here.length ? `${rowsHere}${few}` : "no such row") : "";
  });
})();
