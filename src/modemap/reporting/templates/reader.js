(() => {
  const { rows, columns, names, hits, segments, distances, planes } = JSON.parse(
    document.getElementById("units").textContent,
  );
  const group = document.getElementById("maps");
  const reader = document.getElementById("reader");
  const cursors = [...group.querySelectorAll(".cursor")];
  const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
  let at = { row: 0, column: 0 };

  const show = (row, column) => {
    at = { row, column };
    for (const cursor of cursors) {
      cursor.setAttribute("x", column);
      cursor.setAttribute("y", row);
    }
    group.classList.add("reading");
    const unit = row * columns + column;
    const values = names.map((name, i) => `${name} ${digits.format(planes[i][unit])}`);
    reader.textContent = [
      `unit ${unit} (row ${row}, column ${column})`,
      `segment ${segments[unit]}`,
      `${digits.format(hits[unit])} rows`,
      `distance ${digits.format(distances[unit])}`,
      ...values,
    ].join(" · ");
  };

  const clamp = (value, length) => Math.min(Math.max(value, 0), length - 1);

  group.addEventListener("pointermove", (event) => {
    const map = event.target.closest("svg.map");
    if (!map) return;
    const box = map.getBoundingClientRect();
    show(
      clamp(Math.floor(((event.clientY - box.top) / box.height) * rows), rows),
      clamp(Math.floor(((event.clientX - box.left) / box.width) * columns), columns),
    );
  });

  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  group.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    show(clamp(at.row + step[0], rows), clamp(at.column + step[1], columns));
  });

  const leave = () => {
    group.classList.remove("reading");
    reader.textContent = "";
  };
  group.addEventListener("pointerleave", leave);
  group.addEventListener("blur", leave);
})();
