import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Navigate } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { readAuditSearch, readPeopleSearch } from "./admin/search";
import { Frame } from "./frame/Frame";
import { NotFound, RouteFailed } from "./frame/Lost";
import { Loading } from "./parts/states";
import { readServiceSearch } from "./services/search";

const root = createRootRoute({ component: Frame, notFoundComponent: NotFound });

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: lazyRouteComponent(() => import("./home/Home")),
});
const services = createRoute({
  getParentRoute: () => root,
  path: "/services",
  validateSearch: readServiceSearch,
  component: lazyRouteComponent(() => import("./services/ServiceList")),
});
const service = createRoute({
  getParentRoute: () => root,
  path: "/services/$ref",
  component: lazyRouteComponent(() => import("./services/ServicePage")),
});
const tab = <P extends string>(path: P, load: () => Promise<{ default: () => ReactNode }>) =>
  createRoute({ getParentRoute: () => service, path, component: lazyRouteComponent(load) });
const tabs = [
  tab("/", () => import("./services/Overview")),
  tab("/containers", () => import("./services/Containers")),
  tab("/logs", () => import("./services/Logs")),
  tab("/events", () => import("./services/Events")),
  tab("/releases", () => import("./services/Releases")),
  tab("/settings", () => import("./services/Settings")),
] as const;

export type Way = "template" | "git" | "upload" | "compose" | "ai";
const deploy = createRoute({
  getParentRoute: () => root,
  path: "/deploy",
  validateSearch: (search: Record<string, unknown>): { way?: Way; template?: string; url?: string } => ({
    way: (["template", "git", "upload", "compose", "ai"] as const).find((way) => way === search.way),
    template: typeof search.template === "string" ? search.template : undefined,
    url: typeof search.url === "string" ? search.url : undefined,
  }),
  component: lazyRouteComponent(() => import("./deploy/Deploy")),
});
const job = createRoute({
  getParentRoute: () => root,
  path: "/jobs/$id",
  component: lazyRouteComponent(() => import("./jobs/JobPage")),
});
const account = createRoute({
  getParentRoute: () => root,
  path: "/account",
  component: lazyRouteComponent(() => import("./account/AccountPage")),
});
const ofAccount = <P extends string>(path: P, load: () => Promise<{ default: () => ReactNode }>) =>
  createRoute({ getParentRoute: () => account, path, component: lazyRouteComponent(load) });
const accountTabs = [
  ofAccount("/", () => import("./account/Profile")),
  ofAccount("/security", () => import("./account/Security")),
  ofAccount("/keys", () => import("./account/Keys")),
] as const;
/** Whoever is signed in has nothing to register. */
const register = createRoute({
  getParentRoute: () => root,
  path: "/register",
  component: () => <Navigate to="/" replace />,
});
const customers = createRoute({
  getParentRoute: () => root,
  path: "/customers",
  validateSearch: (search: Record<string, unknown>): { page?: number; search?: string; status?: string } => {
    const page = Number(search.page);
    return {
      page: Number.isInteger(page) && page > 1 ? page : undefined,
      search: search.search ? String(search.search) : undefined,
      status: ["active", "suspended"].find((one) => one === search.status),
    };
  },
  component: lazyRouteComponent(() => import("./customers/Customers")),
});
const customer = createRoute({
  getParentRoute: () => root,
  path: "/customers/$id",
  component: lazyRouteComponent(() => import("./customers/CustomerPage")),
});
const plans = createRoute({
  getParentRoute: () => root,
  path: "/customers/plans",
  component: lazyRouteComponent(() => import("./customers/Plans")),
});
const admin = createRoute({
  getParentRoute: () => root,
  path: "/admin",
  component: lazyRouteComponent(() => import("./admin/AdminPage")),
});
const ofAdmin = <P extends string>(path: P, load: () => Promise<{ default: () => ReactNode }>) =>
  createRoute({ getParentRoute: () => admin, path, component: lazyRouteComponent(load) });
const tunnels = createRoute({
  getParentRoute: () => root,
  path: "/tunnels",
  validateSearch: (search: Record<string, unknown>): { list?: "all" | "public" } => ({
    list: (["all", "public"] as const).find((list) => list === search.list),
  }),
  component: lazyRouteComponent(() => import("./tunnels/TunnelList")),
});
const tunnel = createRoute({
  getParentRoute: () => root,
  path: "/tunnels/$id",
  component: lazyRouteComponent(() => import("./tunnels/TunnelPage")),
});
/** Where visitors of a tunnel come by who have to be signed in. */
const enter = createRoute({
  getParentRoute: () => root,
  path: "/share/$id",
  validateSearch: (search: Record<string, unknown>): { next?: string; state?: string } => ({
    next: typeof search.next === "string" ? search.next : undefined,
    state: search.state === undefined ? undefined : String(search.state),
  }),
  component: lazyRouteComponent(() => import("./tunnels/Enter")),
});
const adminPages = [
  createRoute({
    getParentRoute: () => admin,
    path: "/users",
    validateSearch: readPeopleSearch,
    component: lazyRouteComponent(() => import("./admin/Users")),
  }),
  createRoute({
    getParentRoute: () => admin,
    path: "/audit",
    validateSearch: readAuditSearch,
    component: lazyRouteComponent(() => import("./admin/Audit")),
  }),
  ofAdmin("/invites", () => import("./admin/Invites")),
  ofAdmin("/activity", () => import("./admin/Activity")),
  ofAdmin("/system", () => import("./admin/System")),
  ofAdmin("/certificates", () => import("./admin/Certificates")),
  ofAdmin("/clients", () => import("./admin/Clients")),
  ofAdmin("/relay", () => import("./admin/Relay")),
  ofAdmin("/settings", () => import("./admin/Settings")),
  ofAdmin("/retention", () => import("./admin/Retention")),
] as const;

export const router = createRouter({
  routeTree: root.addChildren([
    home,
    services,
    service.addChildren(tabs),
    deploy,
    job,
    account.addChildren(accountTabs),
    register,
    customers,
    customer,
    plans,
    tunnels,
    tunnel,
    enter,
    admin.addChildren(adminPages),
  ]),
  defaultPreload: "intent",
  defaultPendingComponent: () => <Loading rows={6} />,
  defaultErrorComponent: RouteFailed,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
