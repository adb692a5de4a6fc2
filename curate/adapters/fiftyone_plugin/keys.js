// Keys of the operators: Alt and a letter, for the selected samples or the open one.
(() => {
  const keys = {
    k: "keep", d: "drop", q: "needs_qa", g: "gold", n: "not_duplicate", r: "relabel", x: "delete_labels", z: "undo",
    t: "search_text",
  };
  const asking = ["relabel", "search_text"]; // their argument is not optional
  window.addEventListener("keydown", (event) => {
    const name = keys[event.key.toLowerCase()];
    if (!event.altKey || event.ctrlKey || event.metaKey || !name || !window.__foo__) return;
    event.preventDefault();
    const address = `@curate/decisions/${name}`;
    if (asking.includes(name)) {
      const ask = "@voxel51/operators/prompt_user_for_operation"; // FiftyOne's own, of the browser
      window.__foo__.executeOperator(ask, { operator_uri: address, params: {} });
    } else window.__foo__.executeOperator(address, {});
  });
})();
