/* Light or dark as Unfold's switch was set, for pages without Unfold's scripts. */
{
  const chosen = (localStorage.getItem("_x_adminTheme") || '"auto"').replaceAll('"', "");
  const isDark = chosen === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : chosen === "dark";
  document.documentElement.classList.toggle("dark", isDark);
}
