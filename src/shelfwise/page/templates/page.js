"use strict";
document.documentElement.classList.add("scripted");

{
  const button = document.getElementById("theme");
  const choices = ["auto", "light", "dark"];
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const next = choices[(choices.indexOf(root.dataset.theme || "auto") + 1) % choices.length];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    button.textContent = next[0].toUpperCase() + next.slice(1);
    button.setAttribute("aria-label", "Colors: " + (next === "auto" ? "as the system" : next));
    document.dispatchEvent(new Event("themechange"));
  });
}
