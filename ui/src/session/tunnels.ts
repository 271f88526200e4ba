/** Whether the relay's list of tunnels is for everybody: the page says so in its head. */
export const listsTunnels = () =>
  document.querySelector('meta[name="portal-landing-page-enabled"]')?.getAttribute("content") === "true";
