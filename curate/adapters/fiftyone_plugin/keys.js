// Keys of the operators: Alt and a letter, for the selected samples or the open one.
(() => {
  const keys = {
    k: "keep", d: "drop", q: "needs_qa", g: "gold", n: "not_duplicate", r: "relabel", x: "delete_labels", z: "undo",
  };
  window.addEventListener("keydown", (event) => {
    const name = keys[event.key.toLowerCase()];
    if (!event.altKey || event.ctrlKey || event.metaKey || !name || !window.__foo__) return;
    event.preventDefault();
    const address = `@curate/decisions/${name}`;
    if (name === "relabel" && window.__foo__.promptOperator) window.__foo__.promptOperator(address);
    else window.__foo__.executeOperator(address, {});
  });
})();
