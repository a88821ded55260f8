"use strict";
// Sorting and filtering of the elites; without JavaScript the table and the links from the map to it still work.
const table = document.getElementById("elites");
if (table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const column = new Map(heads.map((head, index) => [head.dataset.name, index]));
  const value = (row, index) => {
    const number = Number(row.cells[index].dataset.value);
    return Number.isNaN(number) ? row.cells[index].textContent : number;
  };

  heads.forEach((head, index) => head.querySelector("button").addEventListener("click", () => {
    const falling = head.getAttribute("aria-sort") !== "descending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const sign = falling ? -1 : 1;
    rows.sort((a, b) => {
      const x = value(a, index), y = value(b, index);
      return x < y ? -sign : x > y ? sign : 0;
    });
    body.append(...rows);
  }));

  // "macs<20000 crossover": comparisons with a column, and words that the row contains
  const condition = /^([a-z][a-z0-9_]*)\s*(<=|>=|<|>|=)\s*(-?[0-9.]+(?:e[-+]?[0-9]+)?)$/i;
  const compare = {
    "<": (x, y) => x < y, ">": (x, y) => x > y, "<=": (x, y) => x <= y, ">=": (x, y) => x >= y, "=": (x, y) => x === y,
  };
  const search = document.getElementById("filter");
  const count = document.getElementById("count");
  const filter = () => {
    const text = search.value.replace(/\s*(<=|>=|<|>|=)\s*/g, "$1").trim();
    const terms = text ? text.split(/\s+/) : [];
    const tests = terms.map(term => {
      const found = condition.exec(term);
      if (found && column.has(found[1])) {
        return row => compare[found[2]](value(row, column.get(found[1])), Number(found[3]));
      }
      const word = term.toLowerCase();
      return row => row.textContent.toLowerCase().includes(word);
    });
    let shown = 0;
    for (const row of rows) {
      row.hidden = !tests.every(test => test(row));
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = `${shown} of ${rows.length}`;
  };
  search.addEventListener("input", filter);
  filter();

  body.addEventListener("click", event => event.target.closest("tr").classList.toggle("open"));

  const choose = () => {
    rows.forEach(row => row.classList.remove("chosen"));
    const row = document.getElementById(location.hash.slice(1));
    if (row && row.closest("#elites")) {
      row.hidden = false;
      row.classList.add("chosen", "open");
      row.scrollIntoView({ block: "center" });
    }
  };
  addEventListener("hashchange", choose);
  choose();
}
