// After a rule was moved, its button has the focus again: press Enter, and it goes on.
document.addEventListener("DOMContentLoaded", () => {
  const moved = /^#(?:up|down)-\d+$/.test(location.hash)
    ? document.querySelector(location.hash)
    : null;
  const row = moved?.closest("tr");
  const button = moved?.disabled ? row.querySelector(".console-move:enabled") : moved;
  button?.focus();
});
